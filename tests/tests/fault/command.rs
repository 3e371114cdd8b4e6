//! Commands and a collector in hostile hands: rows are written into its database with nothing but a
//! text editor's care, and its agent is a real one. Nothing that no responder has signed for this host
//! is obeyed, nothing is obeyed twice, and no other process is touched.

use std::time::Duration;

use cordon_shared::{
    command::{
        Command, Delivery,
        action::{Action, ProcessTarget},
        target::Target,
    },
    crypto::signing::SigningKey,
    id::{AgentId, CommandId, ProcessKey},
    time::{Clock as _, SystemClock},
    wire,
};
use cordon_tests::{
    child::{Child, Launch, degraded},
    responder::{self, Responder},
    testbed::{Agent, SOON, Testbed},
    wait,
};
use rustix::process::Signal;
use serde_json::Value;

/// A collector that is not to be trusted, a host, and a process on it.
struct Scene {
    testbed: Testbed,
    agent: Agent,
    bob: Responder,
    victim: Child,
}

/// What became of a command: verdict, refusal, and the words.
#[derive(Debug)]
struct End {
    verdict: String,
    refusal: String,
    shown: Value,
}

impl Scene {
    fn start() -> Self {
        let testbed = Testbed::start().unwrap();
        let agent = testbed.agent("web-1").unwrap();
        let [bob] = responder::respond(&testbed, ["bob"]).unwrap();
        let victim = Launch::new("victim", "sleep").args(["600"]).start(testbed.logs()).unwrap();
        agent.knows_the_second_keyring().unwrap();
        Self { testbed, agent, bob, victim }
    }

    fn host(&self) -> Target {
        responder::target(&self.testbed, self.agent.id()).unwrap()
    }

    fn suspend(&self) -> Action {
        Action::Suspend(ProcessTarget { process: key(self.victim.pid()), is_tree: false })
    }

    fn is_stopped(&self) -> bool {
        responder::stat(self.victim.pid()).unwrap().0 == "T"
    }

    /// Writes a command of these bytes for this agent into the collector's database.
    fn forge(&self, delivery: &Delivery) -> CommandId {
        let (id, ..) = wire::command::peek(&delivery.signed).unwrap();
        let agent = self.agent.id();
        let host = self.testbed.api().host(agent).unwrap();
        let host = host["host_id"].as_str().unwrap();
        let bytes = hex::encode(wire::command::encode_delivery(delivery));
        let now = SystemClock.now().as_ns();
        let later = SystemClock.now().saturating_add(Duration::from_secs(600)).as_ns();
        responder::tamper(
            &self.testbed,
            &format!(
                "insert into command (id, agent_id, host_id, action, summary, state, delivery, \
                 issued_by, issued_ns, expires_ns) values ('{id}', '{agent}', '{host}', 'suspend', \
                 'by hand', 'issued', x'{bytes}', 'nobody', {now}, {later});\n\
                 insert into outbox (command_id, agent_id, due_ns, attempts) \
                 values ('{id}', '{agent}', {now}, 0);"
            ),
        )
        .unwrap();
        id
    }

    /// Has the collector send a command again that was answered.
    fn replay(&self, id: CommandId) {
        let (agent, now) = (self.agent.id(), SystemClock.now().as_ns());
        responder::tamper(
            &self.testbed,
            &format!(
                "update command set state = 'issued', verdict = null, detail = null, \
                 receipt = null, receipt_event_id = null where id = '{id}';\n\
                 insert into outbox (command_id, agent_id, due_ns, attempts) \
                 values ('{id}', '{agent}', {now}, 0);"
            ),
        )
        .unwrap();
    }

    fn end(&self, id: CommandId) -> End {
        let path = format!("/api/v1/commands/{id}");
        let shown = wait::until("the command is answered", SOON, || {
            let shown = self.testbed.api().get(&path)?;
            let is_answered = shown["verdict"].is_string();
            is_answered.then_some(shown).ok_or_else(|| anyhow::anyhow!("no verdict"))
        })
        .unwrap();
        let text = |name: &str| shown[name].as_str().unwrap_or_default().to_owned();
        End { verdict: text("verdict"), refusal: text("refusal"), shown }
    }

    /// A collector of ours does not even send it; it says so, and nothing was done.
    #[track_caller]
    fn does_not_leave(&self, delivery: &Delivery) {
        let id = self.forge(delivery).to_string();
        wait::until_so("the collector says that it does not send it", SOON, || {
            let log = self.testbed.collector().process().log().unwrap_or_default();
            log.lines().any(|it| it.contains("a command does not leave") && it.contains(&id))
        })
        .unwrap();
        let shown = self.testbed.api().get(&format!("/api/v1/commands/{id}")).unwrap();
        assert!(shown["sent"].is_null() && !self.is_stopped(), "{shown}");
    }

    /// It is refused, for this reason; nothing was done, and it is in the audit log.
    #[track_caller]
    fn is_refused(&self, delivery: &Delivery, why: &str) {
        let id = self.forge(delivery);
        let end = self.end(id);
        assert_eq!((&*end.verdict, &*end.refusal), ("refused", why), "{end:?}");
        assert!(!self.is_stopped());
        let audit = self.testbed.api().get("/api/v1/audit").unwrap().to_string();
        assert!(audit.contains("command.refused") && audit.contains(&id.to_string()), "{audit}");
    }
}

fn key(pid: u32) -> ProcessKey {
    responder::process(pid).unwrap()
}

fn signed(
    action: Action,
    target: Target,
    by: &SigningKey,
    change: impl FnOnce(&mut Command),
) -> Delivery {
    responder::signed(action, target, by, change).unwrap()
}

#[test]
fn f_33_f_34_f_35_rows_written_by_hand_never_become_an_accepted_command() {
    if let Some(why) = Testbed::degraded() {
        return degraded("commands written by hand", why);
    }
    let mut scene = Scene::start();
    let (bob, host) = (scene.bob.key().unwrap(), scene.host());
    let order = |by: &SigningKey| signed(scene.suspend(), host.clone(), by, |_| ());

    // F-34: a key that no keyring names.
    scene.does_not_leave(&order(&SigningKey::from_seed([9; 32])));
    // F-35: for another host; the same with this host's place written over it; altered; re-encoded.
    let other = AgentId::from_slice(&[7; 16]).unwrap();
    let elsewhere = signed(scene.suspend(), Target { agent: other, ..host.clone() }, &bob, |_| ());
    scene.does_not_leave(&elsewhere);
    let mut moved = order(&bob);
    moved.proof.host_name = "db-1".to_owned();
    scene.does_not_leave(&moved);
    let mut longer = order(&bob);
    let payload = [&longer.signed.payload[..], &[0xfa, 0x7f, 0x01, 0x00]].concat();
    longer.signed.payload = payload.into();
    scene.does_not_leave(&longer);

    // What a person has signed is obeyed: once.
    let good = order(&bob);
    let id = scene.forge(&good);
    let end = scene.end(id);
    assert_eq!(end.verdict, "complete", "{end:?}");
    assert!(scene.is_stopped());
    // F-33: the same bytes on the same stream, and to an agent that has started again since.
    for is_new in [false, true] {
        scene.victim.signal(Signal::CONT).unwrap();
        wait::until_so("the process goes on", SOON, || !scene.is_stopped()).unwrap();
        if is_new {
            scene.agent.kill().unwrap();
            scene.agent.start().unwrap();
        }
        scene.replay(id);
        let again = scene.end(id);
        assert_eq!(again.shown["steps"], end.shown["steps"], "it is answered from the journal");
        assert!(!scene.is_stopped(), "it was done once");
    }
    // Other bytes under a name that was here.
    let other = signed(scene.suspend(), host, &bob, |it| {
        (it.id, it.reason) = (id, "once more".to_owned());
    });
    responder::tamper(&scene.testbed, &format!("delete from command where id = '{id}';")).unwrap();
    scene.is_refused(&other, "replayed");
}

#[test]
fn f_36_f_38_f_39_what_is_stale_another_process_or_never_touched_is_left_alone() {
    if let Some(why) = Testbed::degraded() {
        return degraded("processes that are left alone", why);
    }
    let mut scene = Scene::start();
    let (bob, host) = (scene.bob.key().unwrap(), scene.host());
    // F-36: its time was over before it came.
    let stale = signed(scene.suspend(), host.clone(), &bob, |it| {
        let ago = |seconds| SystemClock.now().saturating_sub(Duration::from_secs(seconds));
        (it.issued, it.not_before, it.expires) = (ago(600), ago(600), ago(60));
    });
    let stale = scene.forge(&stale);

    // F-38: the pid is another process's by now.
    let mut process = key(scene.victim.pid());
    process.start_ticks -= 1;
    let reused = Action::Kill(ProcessTarget { process, is_tree: false });
    let end = scene.end(scene.forge(&signed(reused, host.clone(), &bob, |_| ())));
    assert!(["refused", "complete"].contains(&&*end.verdict), "{end:?}");
    assert!(scene.victim.is_running().unwrap(), "another process is never killed");
    // By now whatever was due before it would have come.
    let stale = scene.testbed.api().get(&format!("/api/v1/commands/{stale}")).unwrap();
    assert!(stale["sent"].is_null() && !scene.is_stopped(), "{stale}");

    // F-39: only rehearsed, should it not be refused.
    let agent = scene.agent.process().unwrap().pid();
    for pid in [1, 2, agent] {
        let target = ProcessTarget { process: key(pid), is_tree: false };
        let order = signed(Action::Kill(target), host.clone(), &bob, |it| it.is_dry_run = true);
        scene.is_refused(&order, "protected");
    }
}
