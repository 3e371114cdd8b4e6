//! A host says what it is, sealed: ordered over REST, taken, carried up over a crash, exported, verified
//! without a collector, and not believed after a single byte has changed.

use std::{fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use cordon_shared::{
    command::action::{Action, SnapshotProfile},
    id::ProcessKey,
    wire,
};
use cordon_tests::{
    child::{Launch, Output, degraded},
    proxy::{Direction, Link, Proxy},
    responder::{self, Responder},
    testbed::{Agent, SOON, Testbed},
    wait,
};
use serde_json::{Value, json};

/// A responder at work.
struct Scene<'a> {
    testbed: &'a Testbed,
    bob: Responder,
}

impl<'a> Scene<'a> {
    /// Once the agent knows her.
    fn new(testbed: &'a Testbed, agent: &Agent) -> Self {
        let [bob] = responder::respond(testbed, ["bob"]).unwrap();
        agent.knows_the_second_keyring().unwrap();
        Self { testbed, bob }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let profile = self.testbed.folder().join("bob/profile.toml");
        let cordon = self.testbed.cordon().unwrap().env("CORDON_PROFILE", profile);
        cordon.args(arguments).run(SOON).unwrap()
    }

    /// What a verb prints as JSON, its exit code, and what it said.
    fn ask(&self, arguments: &[&str]) -> (Option<i32>, Vec<Value>, String) {
        let done = self.run(&[arguments, &["--output", "json"]].concat());
        let shown = serde_json::from_str(&done.stdout).unwrap_or_default();
        (done.status.code(), shown, done.stderr)
    }

    /// Orders a snapshot of this agent; gives the command's id.
    fn order(&self, agent: &Agent, processes: Vec<ProcessKey>) -> String {
        let profile = SnapshotProfile::Triage;
        let action = Action::Snapshot { profile, processes, bytes_max: 64 << 20 };
        let target = responder::target(self.testbed, agent.id()).unwrap();
        let delivery = responder::signed(action, target, &self.bob.key().unwrap(), |it| {
            it.reason = "look before it is cleaned".to_owned();
        });
        let delivery = STANDARD.encode(wire::command::encode_delivery(&delivery.unwrap()));
        let offered = json!({ "agent_id": agent.id(), "delivery": delivery });
        let taken = self.testbed.api().post("/api/v1/commands", &offered).unwrap();
        taken["command_id"].as_str().unwrap().to_owned()
    }

    /// Waits until a command has its receipt; gives the command.
    fn receipt(&self, command: &str) -> Value {
        let path = format!("/api/v1/commands/{command}");
        wait::until("the receipt comes", SOON, || {
            let it = self.testbed.api().get(&path).map_err(|error| format!("{error:#}"))?;
            if it["verdict"].is_string() { Ok(it) } else { Err(it.to_string()) }
        })
        .unwrap()
    }

    /// Waits until the evidence of a command is `held`; gives its id.
    fn held(&self, command: &str) -> String {
        wait::until("the snapshot has arrived", SOON, || {
            let list = self.testbed.api().get("/api/v1/evidence");
            let list = list.map_err(|error| format!("{error:#}"))?;
            let items = list["items"].as_array().cloned().unwrap_or_default();
            let it = items.iter().find(|it| it["command_id"] == command && it["state"] == "held");
            it.and_then(|it| it["evidence_id"].as_str().map(str::to_owned)).ok_or(list.to_string())
        })
        .unwrap()
    }
}

/// How an entry was judged.
fn state(shown: &[Value], name: &str) -> String {
    let it = shown.iter().find(|it| it["name"] == name);
    it.map_or_else(String::new, |it| it["state"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_snapshot_is_ordered_taken_exported_and_verified_and_one_flipped_byte_is_named() {
    if let Some(why) = Testbed::degraded() {
        return degraded("a snapshot of a host", why);
    }
    let testbed = Testbed::start().unwrap();
    let agent = testbed.agent("web-1").unwrap();
    let bob = Scene::new(&testbed, &agent);
    let sleeper = agent.inside(Launch::new("sleeper", "sleep").args(["300"]));
    let sleeper = sleeper.start(testbed.logs()).unwrap();
    // It is of the host from when it sleeps: before that it is a shell on its way in.
    let comm = format!("/proc/{}/comm", sleeper.pid());
    wait::until_so("the sleeper sleeps", SOON, || {
        fs::read_to_string(&comm).is_ok_and(|it| it.trim() == "sleep")
    })
    .unwrap();
    let command = bob.order(&agent, vec![responder::process(sleeper.pid()).unwrap()]);
    let receipt = bob.receipt(&command);
    assert_eq!(receipt["verdict"], "complete", "{receipt}");
    let id = bob.held(&command);

    let out = testbed.folder().join("evidence.tar.zst");
    let file = out.display().to_string();
    let (code, shown, said) = bob.ask(&["evidence", "export", &id, "--out", &file]);
    assert_eq!(code, Some(0), "{said}");
    for entry in ["container", "processes.jsonl", "executable.1.bin", "users.txt"] {
        assert_eq!(state(&shown, entry), "same", "{entry} {shown:?}");
    }
    contents(testbed.folder(), &out, sleeper.pid());
    let (_, shown, _) = bob.ask(&["evidence", "show", &id]);
    let custody = shown[0]["custody"].as_array().unwrap();
    let acts: Vec<_> = custody.iter().map(|it| it["act"].as_str().unwrap()).collect();
    assert_eq!(acts, ["taken", "sealed", "received", "exported"]);

    // Without a collector, and against another key.
    let (code, _, said) = bob.ask(&["evidence", "verify", &file, "--url", "https://127.0.0.1:1"]);
    assert_eq!(code, Some(0), "{said}");
    let other = "00".repeat(32);
    let (code, _, said) = bob.ask(&["evidence", "verify", &file, "--receipt-key", &other]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("proves nothing"), "{said}");

    // One byte of the second entry: the first has less than 600 bytes, packed.
    let mut bytes = fs::read(&out).unwrap();
    let place = bytes.len().min(1_500);
    bytes[place] ^= 1;
    cordon_shared::durable::write(&out, &bytes, 0o600).unwrap();
    let (code, shown, said) = bob.ask(&["evidence", "verify", &file]);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(state(&shown, "container"), "differs");
    assert_eq!(state(&shown, "agent.json"), "same");
    assert_ne!(state(&shown, "processes.jsonl"), "same");
    assert_eq!(state(&shown, "users.txt"), "same", "damage stays in its entry");
    assert!(said.contains("processes.jsonl"), "{said}");
}

/// A person unpacks it with the tools that every system has.
fn contents(folder: &Path, container: &Path, sleeper: u32) {
    let tar = Launch::new("tar", "tar").args(["--zstd", "-tf"]).args([container]);
    let listed = tar.run(SOON).unwrap();
    if !listed.status.success() {
        return degraded("unpacking with tar", listed.stderr.trim());
    }
    let into = folder.join("unpacked");
    fs::create_dir(&into).unwrap();
    let into_text = into.display().to_string();
    let tar = Launch::new("tar", "tar").args(["--zstd", "-C", &into_text, "-xf"]).args([container]);
    tar.run(SOON).unwrap().expect_success().unwrap();
    let processes = fs::read_to_string(into.join("processes.jsonl")).unwrap();
    let lines = processes.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
    let lines: Vec<_> = lines.collect();
    // The host of this agent is its cgroup: nobody else's processes are taken.
    assert!(lines.iter().any(|it| it["pid"] == sleeper), "{lines:?}");
    assert!(!lines.iter().any(|it| it["pid"] == std::process::id()), "{lines:?}");
    let copied = fs::read(into.join("executable.1.bin")).unwrap();
    assert_eq!(copied, fs::read(format!("/proc/{sleeper}/exe")).unwrap());
}

#[test]
fn an_upload_goes_on_after_the_agent_was_killed_in_the_middle() {
    if let Some(why) = Testbed::degraded() {
        return degraded("an upload over a crash", why);
    }
    let testbed = Testbed::start().unwrap();
    let proxy = Proxy::start(testbed.collector().addresses().sessions).unwrap();
    let mut agent = testbed.agent_as("web-1", |plan| plan.sessions = proxy.address()).unwrap();
    let bob = Scene::new(&testbed, &agent);
    // Shells, whose executables make several chunks.
    let script = ["-c", "sleep 300; true"];
    let sleepers = ["one", "two", "three", "four"].map(|name| {
        agent.inside(Launch::new(name, "bash").args(script)).start(testbed.logs()).unwrap()
    });
    // So slow that a container does not get through before the agent is killed.
    proxy.set(Direction::ToTarget, Link::Throttled { bytes_per_s: 200_000 });
    let command = bob
        .order(&agent, sleepers.iter().map(|it| responder::process(it.pid()).unwrap()).collect());
    bob.receipt(&command);
    wait::until_so("a part of the container has arrived", SOON, || part(&testbed) > 0).unwrap();
    agent.kill().unwrap();
    let had = part(&testbed);
    assert!(had > 0);
    proxy.set(Direction::ToTarget, Link::Passing);
    agent.start().unwrap();
    let id = bob.held(&command);
    let out = testbed.folder().join("evidence.tar.zst").display().to_string();
    let (code, _, said) = bob.ask(&["evidence", "export", &id, "--out", &out]);
    assert_eq!(code, Some(0), "{said}");
    // The agent keeps nothing that the collector has.
    wait::until_so("the agent has let go of it", SOON, || {
        let shelf = agent.plan().data.join("snapshots");
        fs::read_dir(shelf).is_ok_and(|it| it.count() == 0)
    })
    .unwrap();
}

/// Bytes of a container that is on its way.
fn part(testbed: &Testbed) -> u64 {
    let folder = testbed.collector().data().join("evidence");
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let parts = files.filter(|it| it.file_name().to_string_lossy().ends_with(".part"));
    parts.filter_map(|it| it.metadata().ok()).map(|it| it.len()).sum()
}
