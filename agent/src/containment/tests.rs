//! The whole lower road on real processes: one delivery in, one receipt out.

use std::process::{Child, Command, Stdio};

use cordon_shared::{
    command::{
        self, Delivery,
        action::{Action, ProcessTarget},
        target::Tree,
    },
    event::{
        Body,
        receipt::{Receipt, Refusal, Verdict},
    },
    id::{EventId, ProcessKey},
    test_support::{self, order},
    time::{ClockSample, FakeClock, SystemClock},
    wire,
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    citation::Witnessed,
    host::State,
    link::tests::Fake,
    linux::Linux,
    task::{Ends, Request},
    *,
};

#[derive(Debug)]
struct Memory(ProcessKey);

impl Witness for Memory {
    fn event(&self, event: EventId) -> Option<Witnessed> {
        let boottime = SystemClock.boottime();
        (event == order::cited()).then_some(Witnessed { process: self.0, boottime })
    }
}

struct Held(Child);

impl Held {
    #[expect(clippy::disallowed_methods, reason = "a test starts what it then ends")]
    fn sleep() -> Self {
        Self(Command::new("sleep").arg("60").stdout(Stdio::null()).spawn().unwrap())
    }

    fn key(&self) -> ProcessKey {
        Linux.facts().unwrap().processes[&self.0.id()].key
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// An agent with a folder of its own, at the samples' time.
pub(super) struct Bed {
    pub(super) dir: tempfile::TempDir,
    policy: LocalPolicy,
    cited: ProcessKey,
    pub(super) link: Fake,
    pub(super) clock: Arc<FakeClock>,
}

impl Bed {
    pub(super) fn new(cited: ProcessKey) -> Self {
        let (dir, link) = (tempfile::tempdir().unwrap(), Fake::default());
        let sample = ClockSample { boottime: SystemClock.boottime(), realtime: order::NOW };
        let clock = Arc::new(FakeClock::at(sample));
        Self { dir, policy: LocalPolicy::default(), cited, link, clock }
    }

    pub(super) fn start(&self) -> Containment {
        let keyring = self.dir.path().join("keyring");
        let keyring = Store::pin(keyring, order::roots(), Some(&order::keyring())).unwrap();
        Containment::new(Parts {
            agent: test_support::agent(),
            host_name: "web-1".to_owned(),
            host_tier: "standard".to_owned(),
            is_held: false,
            boot: BootId([1; 16]),
            receipt_key: Arc::new(order::key(50)),
            kit: crate::snapshot::tests::kit(self.dir.path()),
            policy: self.policy.clone(),
            keyring: Some(keyring),
            journal: Journal::open(&self.dir.path().join("journal"), order::NOW).unwrap(),
            book: Book::open(self.dir.path().join("holds")).unwrap(),
            host: Box::new(Linux),
            files: Arc::new(linux::files::Linux {
                quarantine: self.dir.path().join("quarantine"),
                own: vec![self.dir.path().join("journal"), self.dir.path().join("quarantine")],
                root: self.dir.path().join("root"),
                roots: vec![self.dir.path().join("host")],
            }),
            ledger: Ledger::open(self.dir.path().join("ledger")).unwrap(),
            link: Box::new(self.link.clone()),
            witness: Arc::new(Memory(self.cited)),
            clock: Arc::<FakeClock>::clone(&self.clock),
        })
    }
}

fn kill(process: ProcessKey, change: impl FnOnce(&mut command::Command), by: u8) -> Delivery {
    let mut command = order::command(Action::Kill(ProcessTarget { process, is_tree: false }));
    command.preconditions.clear();
    command.is_dry_run = false;
    change(&mut command);
    let tree = Tree::new(vec![order::target()]).unwrap();
    let proof = tree.proofs().next().unwrap().1;
    Delivery { signed: wire::command::sign(&command, &order::key(by)), proof }
}

pub(super) fn opened(answer: &Answer) -> Receipt {
    let Body::Receipt(signed) = &answer.event.body else { panic!("an answer is a receipt") };
    assert_eq!(answer.event.body.lane(), cordon_shared::id::Lane::Critical);
    wire::receipt::open(signed, &order::key(50).public()).unwrap()
}

#[test]
fn automation_kills_what_this_host_saw_and_the_receipt_says_so() {
    let child = Held::sleep();
    let answer = Bed::new(child.key()).start().handle(&kill(child.key(), |_| (), 6)).unwrap();
    let receipt = opened(&answer);
    assert_eq!(receipt.verdict, Verdict::Complete, "{receipt:?}");
    assert_eq!(receipt.agent, test_support::agent());
    assert_eq!(Linux.state(child.key()).unwrap(), State::Gone);
}

#[test]
fn f_33_a_replayed_command_is_answered_from_the_journal_over_a_restart() {
    let (first, second) = (Held::sleep(), Held::sleep());
    let bed = Bed::new(first.key());
    let delivery = kill(first.key(), |_| (), 5);
    let answer = bed.start().handle(&delivery).unwrap();
    let again = bed.start().handle(&delivery).unwrap();
    assert_eq!(again.event.body, answer.event.body);
    // The same id for another deed is no repetition.
    let other = bed.start().handle(&kill(second.key(), |_| (), 5)).unwrap();
    assert_eq!(opened(&other).refusal, Some(Refusal::Replayed));
    assert_eq!(Linux.state(second.key()).unwrap(), State::Alive);
    // And it does not take the first answer's place.
    let again = bed.start().handle(&delivery).unwrap();
    assert_eq!(again.event.body, answer.event.body);
}

#[test]
fn f_39_the_first_process_and_the_agent_are_never_touched() {
    let own = Linux.facts().unwrap();
    for pid in [1, own.own_pid] {
        let process = own.processes[&pid].key;
        let answer = Bed::new(process).start().handle(&kill(process, |_| (), 5)).unwrap();
        assert_eq!(opened(&answer).refusal, Some(Refusal::Protected));
    }
}

#[test]
fn f_38_a_reused_pid_is_refused_and_lives() {
    let child = Held::sleep();
    let process = ProcessKey { start_ticks: child.key().start_ticks - 1, ..child.key() };
    let answer = Bed::new(process).start().handle(&kill(process, |_| (), 5)).unwrap();
    assert_eq!(opened(&answer).refusal, Some(Refusal::IdentityMismatch));
    assert_eq!(Linux.state(child.key()).unwrap(), State::Alive);
}

#[test]
fn a_dry_run_and_a_host_that_observes_do_nothing_and_never_say_complete() {
    let child = Held::sleep();
    let mut bed = Bed::new(child.key());
    let dry = kill(child.key(), |it| it.is_dry_run = true, 5);
    assert_eq!(opened(&bed.start().handle(&dry).unwrap()).verdict, Verdict::Planned);
    bed = Bed::new(child.key());
    bed.policy.mode = Mode::Observe;
    let receipt = opened(&bed.start().handle(&kill(child.key(), |_| (), 5)).unwrap());
    assert_eq!(receipt.verdict, Verdict::Planned);
    assert_eq!(receipt.steps.len(), 2);
    assert_eq!(Linux.state(child.key()).unwrap(), State::Alive);
}

#[test]
fn what_the_local_policy_lists_is_left_alone() {
    let child = Held::sleep();
    let mut bed = Bed::new(child.key());
    let facts = Linux.facts().unwrap();
    bed.policy.protected = vec![facts.processes[&child.key().pid].exe.clone()];
    let receipt = opened(&bed.start().handle(&kill(child.key(), |_| (), 5)).unwrap());
    assert_eq!(receipt.refusal, Some(Refusal::Protected), "{receipt:?}");
}

#[test]
fn f_37_after_a_crash_the_receipt_says_what_is_known() {
    let begin = |bed: &Bed, process, boot| {
        let dir = bed.dir.path().join("journal");
        let intent = journal::Intent {
            command: CommandId::from_slice(&[0xcc; 16]).unwrap(),
            incident: None,
            expires: order::NOW.saturating_add(std::time::Duration::from_secs(60)),
            realtime: order::NOW.saturating_sub(std::time::Duration::from_secs(5)),
            boot: BootId([boot; 16]),
            payload_sha256: cordon_shared::digest::Sha256::of(b"x"),
            is_automation: false,
            deed: journal::Deed { kind: journal::DeedKind::Kill, process, is_tree: false },
        };
        Journal::open(&dir, order::NOW).unwrap().begin(intent).unwrap();
        let answers = bed.start().recover();
        let receipt = opened(&answers[0]);
        assert_eq!(answers.len(), 1);
        let took = receipt.ended.boottime.since(receipt.began.boottime);
        assert_eq!(took.as_secs(), 5, "since the intent, not since the restart");
        // Handed out again until it is safe, the same each time.
        let mut again = bed.start();
        assert_eq!(again.recover()[0].event.body, answers[0].event.body);
        again.reported(answers[0].command);
        assert!(bed.start().recover().is_empty());
        receipt
    };
    let child = Held::sleep();
    let alive = begin(&Bed::new(child.key()), child.key(), 1);
    assert_eq!((alive.verdict, alive.open.len()), (Verdict::Unknown, 1));
    let earlier_boot = begin(&Bed::new(child.key()), child.key(), 2);
    assert_eq!(earlier_boot.verdict, Verdict::Complete);
    let gone = ProcessKey { start_ticks: 1, ..child.key() };
    assert_eq!(begin(&Bed::new(gone), gone, 1).verdict, Verdict::Complete);
    assert_eq!(Linux.state(child.key()).unwrap(), State::Alive);
}

#[test]
fn automation_stops_at_its_total_over_restarts() {
    let bed_child = Held::sleep();
    let bed = Bed::new(bed_child.key());
    let attempt = |number: u8| {
        let id = CommandId::from_slice(&[number; 16]).unwrap();
        let answer = bed.start().handle(&kill(bed.cited, |it| it.id = id, 6)).unwrap();
        opened(&answer)
    };
    assert_eq!(attempt(1).verdict, Verdict::Complete);
    assert_eq!(attempt(2).verdict, Verdict::Complete);
    assert_eq!(attempt(3).refusal, Some(Refusal::TotalUsedUp));
}

#[tokio::test]
async fn the_task_says_seen_after_the_answer_is_on_disk_and_serves_what_was_queued() {
    let child = Held::sleep();
    let bed = Bed::new(child.key());
    let (requests, inbox) = mpsc::channel(task::QUEUE_REQUESTS);
    let (answers, mut outbox) = mpsc::channel(8);
    let stop = CancellationToken::new();
    let delivery = Box::new(kill(child.key(), |_| (), 5));
    let (seen, was_seen) = oneshot::channel();
    requests.send(Request::Command { delivery, seen }).await.unwrap();
    let (reply, versions) = oneshot::channel();
    requests.send(Request::KeyringVersions(reply)).await.unwrap();
    stop.cancel();
    let (_safe, reported) = mpsc::channel(1);
    task::run(bed.start(), Ends { inbox, reported, answers, sealed: Arc::default() }, stop).await;
    assert_eq!(was_seen.await.unwrap(), CommandId::from_slice(&[0xcc; 16]).unwrap());
    assert_eq!(versions.await.unwrap(), (3, 7));
    let answer = outbox.recv().await.unwrap();
    assert_eq!(opened(&answer).verdict, Verdict::Complete);
    let journal = Journal::open(&bed.dir.path().join("journal"), order::NOW).unwrap();
    assert!(journal.find(answer.command).unwrap().receipt.is_some());
}

#[tokio::test]
async fn a_burst_of_commands_and_their_reports_do_not_wait_for_each_other() {
    let child = Held::sleep();
    let bed = Bed::new(child.key());
    let (requests, inbox) = mpsc::channel(2);
    let (answers, mut answered) = mpsc::channel(2);
    let (safe, reported) = mpsc::channel(2);
    let stop = CancellationToken::new();
    let burst = async {
        for _ in 0..30 {
            let (delivery, (seen, _)) = (kill(child.key(), |_| (), 5), oneshot::channel());
            requests.send(Request::Command { delivery: Box::new(delivery), seen }).await.unwrap();
        }
        stop.cancel();
    };
    let reporting = async {
        while let Some(Answer { command, .. }) = answered.recv().await {
            let _ended = safe.send(command).await;
        }
    };
    let ends = Ends { inbox, reported, answers, sealed: Arc::default() };
    let running = task::run(bed.start(), ends, stop.clone());
    let all = async { tokio::join!(burst, reporting, running) };
    let done = tokio::time::timeout(std::time::Duration::from_secs(20), all).await;
    done.expect("they end");
}
