//! Commands about files over the whole lower road: one delivery in, one receipt out, and a crash in
//! between.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use cordon_shared::{
    command::{
        Delivery,
        scope::{FileIs, Override, Precondition},
        target::Tree,
    },
    crypto::signing::SignedBytes,
    digest::Sha256,
    durable,
    event::receipt::Receipt,
    id::{BootId, CommandId, ProcessKey},
    test_support::order,
    wire,
};

use super::*;
use crate::containment::{
    journal::{Deed, DeedKind, Journal},
    linux,
    tests::{Bed, opened},
};

const NOBODY: ProcessKey = ProcessKey { pid: 4_194_303, start_ticks: 1 };

/// A host's folder within the agent's, and commands about what lies there.
struct Host {
    bed: Bed,
    folder: PathBuf,
    number: u8,
}

impl Host {
    fn new() -> Self {
        let bed = Bed::new(NOBODY);
        let folder = bed.dir.path().canonicalize().unwrap().join("host");
        durable::create_dir(&folder, 0o755).unwrap();
        Self { bed, folder, number: 0 }
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.folder.join(name);
        durable::write(&path, text.as_bytes(), mode).unwrap();
        path
    }

    fn file(&self, name: &str) -> FileIs {
        let path = self.folder.join(name);
        let met = fs::metadata(&path).unwrap();
        let sha256 = Sha256::of(&fs::read(&path).unwrap());
        FileIs { path: text(&path), device: met.dev(), inode: met.ino(), sha256 }
    }

    /// Obeyed by an agent that has just started.
    fn obey(&mut self, action: Action) -> Receipt {
        self.obey_with(action, |_| ())
    }

    fn obey_with(&mut self, action: Action, change: impl FnOnce(&mut Command)) -> Receipt {
        let (command, signed) = self.signed(action, change);
        let tree = Tree::new(vec![order::target()]).unwrap();
        let proof = tree.proofs().next().unwrap().1;
        let answer = self.bed.start().handle(&Delivery { signed, proof }).unwrap();
        assert_eq!(answer.command, command);
        opened(&answer)
    }

    fn signed(
        &mut self,
        action: Action,
        change: impl FnOnce(&mut Command),
    ) -> (CommandId, SignedBytes) {
        self.number += 1;
        let mut command: Command = order::command(action);
        command.id = CommandId::from_slice(&[self.number; 16]).unwrap();
        (command.preconditions, command.overrides) = (Vec::new(), Vec::new());
        (command.is_dry_run, command.citation) = (false, None);
        change(&mut command);
        (command.id, wire::command::sign(&command, &order::key(5)))
    }
}

fn text(path: &Path) -> Text {
    Text::from(path.as_os_str().as_encoded_bytes())
}

#[test]
fn a_file_is_quarantined_and_restored_once() {
    let mut host = Host::new();
    let path = host.write("x", "malware", 0o4711);
    let before = fs::metadata(&path).unwrap();
    let taken = host.obey(Action::Quarantine(host.file("x")));
    assert_eq!((taken.verdict, taken.ledger.len()), (Verdict::Complete, 1), "{taken:?}");
    assert!(!path.try_exists().unwrap());
    let back = host.obey(Action::Restore(taken.ledger[0]));
    assert_eq!((back.verdict, back.ledger.len()), (Verdict::Complete, 0), "{back:?}");
    let after = fs::metadata(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"malware");
    assert_eq!(after.permissions().mode(), before.permissions().mode());
    assert_eq!((after.mtime(), after.mtime_nsec()), (before.mtime(), before.mtime_nsec()));
    let again = host.obey(Action::Restore(taken.ledger[0]));
    assert_eq!(again.refusal, Some(Refusal::BadInput), "{again:?}");
    let again = host.obey(Action::Quarantine(host.file("x")));
    assert_eq!(again.verdict, Verdict::Complete);
}

#[test]
fn f_39_the_agent_s_own_files_are_never_touched() {
    let mut host = Host::new();
    drop(host.bed.start());
    let journal = host.bed.dir.path().canonicalize().unwrap().join("journal/commands");
    let met = fs::metadata(&journal).unwrap();
    let sha256 = Sha256::of(&fs::read(&journal).unwrap());
    let own = host.bed.dir.path().join("journal/commands");
    let file = FileIs { path: text(&own), device: met.dev(), inode: met.ino(), sha256 };
    let receipt = host.obey(Action::Remove(Artefact::File(file)));
    assert_eq!(receipt.refusal, Some(Refusal::Protected), "{receipt:?}");
    assert!(journal.try_exists().unwrap());
}

#[test]
fn a_file_of_a_package_needs_an_override_and_two_persons() {
    let mut host = Host::new();
    host.write("tool", "tool", 0o755);
    let info = host.bed.dir.path().join("root/var/lib/dpkg/info");
    durable::create_dir(&info, 0o755).unwrap();
    let list = format!("{}\n", host.folder.join("tool").display());
    durable::write(&info.join("tools.list"), list.as_bytes(), 0o644).unwrap();
    let action = Action::Quarantine(host.file("tool"));
    let plain = host.obey(action.clone());
    assert_eq!(plain.refusal, Some(Refusal::Protected));
    let by_one = host.obey_with(action, |it| it.overrides = vec![Override::PackagedFile]);
    assert_eq!(by_one.refusal, Some(Refusal::MoreSigners), "{by_one:?}");
    assert!(by_one.detail.contains("tools"), "{}", by_one.detail);
}

#[test]
fn a_path_that_became_a_link_after_it_was_signed_is_refused() {
    let mut host = Host::new();
    host.write("x", "malware", 0o755);
    let file = host.file("x");
    let elsewhere = host.write("important", "malware", 0o755);
    fs::remove_file(host.folder.join("x")).unwrap();
    symlink(&elsewhere, host.folder.join("x")).unwrap();
    let receipt = host.obey(Action::Quarantine(file));
    assert_eq!(receipt.refusal, Some(Refusal::IdentityMismatch), "{receipt:?}");
    assert!(elsewhere.try_exists().unwrap());
}

#[test]
fn a_condition_on_a_file_holds_or_nothing_is_done() {
    let mut host = Host::new();
    host.write("x", "malware", 0o755);
    host.write("config", "one", 0o644);
    let condition = host.file("config");
    host.write("config", "two", 0o644);
    let action = Action::Quarantine(host.file("x"));
    let refused = host.obey_with(action.clone(), |it| {
        it.preconditions = vec![Precondition::FileIs(condition)];
    });
    assert_eq!(refused.refusal, Some(Refusal::IdentityMismatch));
    let condition = host.file("config");
    let done =
        host.obey_with(action, |it| it.preconditions = vec![Precondition::FileIs(condition)]);
    assert_eq!(done.verdict, Verdict::Complete);
    assert_eq!(done.steps.len(), 4);
}

#[test]
fn a_cron_line_is_removed_confirmed_and_undone() {
    let mut host = Host::new();
    let crontab = "# m h dom\n17 * * * * root true\n* * * * * root /tmp/x\n";
    let path = host.write("crontab", crontab, 0o600);
    let line = Text::from("* * * * * root /tmp/x");
    let artefact = || Artefact::CronLine { path: text(&path), line: line.clone() };
    let removed = host.obey(Action::Remove(artefact()));
    assert_eq!(removed.verdict, Verdict::Complete, "{removed:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "# m h dom\n17 * * * * root true\n");
    // Once more finds nothing to do, which is as good.
    let again = host.obey(Action::Remove(artefact()));
    assert_eq!((again.verdict, again.ledger.len()), (Verdict::Complete, 0));
    let undone = host.obey(Action::Undo(removed.ledger[0]));
    assert_eq!(undone.verdict, Verdict::Complete, "{undone:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), crontab);
    let again = host.obey(Action::Undo(removed.ledger[0]));
    assert_eq!(again.refusal, Some(Refusal::BadInput));
}

#[test]
fn a_unit_goes_with_its_links_and_each_can_be_undone() {
    let mut host = Host::new();
    let path = host.write("evil.service", "[Service]\nExecStart=/tmp/x\n", 0o644);
    durable::create_dir(&host.folder.join("multi-user.target.wants"), 0o755).unwrap();
    let link = host.folder.join("multi-user.target.wants/evil.service");
    symlink("../evil.service", &link).unwrap();
    let sha256 = host.file("evil.service").sha256;
    let artefact = || Artefact::SystemdUnit { path: text(&path), sha256 };
    let removed = host.obey(Action::Remove(artefact()));
    assert_eq!((removed.verdict, removed.ledger.len()), (Verdict::Complete, 2), "{removed:?}");
    assert!(!path.try_exists().unwrap() && fs::symlink_metadata(&link).is_err());
    for it in removed.ledger.iter().rev() {
        assert_eq!(host.obey(Action::Undo(*it)).verdict, Verdict::Complete);
    }
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("../evil.service"));
    assert!(path.try_exists().unwrap());
}

/// Leaves the journal and the ledger as a crash does: begun, and no receipt.
fn cut_off(host: &mut Host, action: Action) -> (linux::files::Linux, Entry, CommandId) {
    let mut containment = host.bed.start();
    let (id, signed) = host.signed(action, |_| ());
    let keys = [order::key(5).public()];
    let command = wire::command::open(&signed, &keys).unwrap().command;
    let facts = containment.look_at_files(&command);
    let (now, link) = (containment.clocks(), crate::containment::link::tests::facts());
    let ground = crate::containment::plan::Ground {
        facts: &crate::containment::host::HostFacts::default(),
        protected: &[],
        book: &containment.parts.book,
        link: &link,
        files: &facts,
        ledger: &containment.parts.ledger,
        persons: 1,
        now: &now,
    };
    let plan = crate::containment::plan::plan(&command, ground).unwrap();
    containment.enter(&command, &plan).unwrap();
    let intent = Intent {
        command: id,
        incident: None,
        expires: command.expires,
        realtime: order::NOW,
        boot: BootId([1; 16]),
        payload_sha256: Sha256::of(&signed.payload),
        is_automation: false,
        deed: Deed::of(&command),
    };
    assert_eq!(intent.deed.kind, DeedKind::Files);
    let dir = host.bed.dir.path().join("journal");
    Journal::open(&dir, order::NOW).unwrap().begin(intent).unwrap();
    let entry = match plan.entries().pop() {
        Some(entry) => entry,
        None => containment.parts.ledger.find(plan.undoes()[0]).unwrap().clone(),
    };
    let door = linux::files::Linux {
        quarantine: host.bed.dir.path().join("quarantine"),
        own: Vec::new(),
        root: PathBuf::from("/"),
        roots: Vec::new(),
    };
    (door, entry, id)
}

/// What the next start says of the command, and of its entry.
fn after_restart(host: &Host, command: CommandId, entry: &Entry) -> (Receipt, State) {
    let mut containment = host.bed.start();
    let answers = containment.recover();
    let answer = answers.iter().find(|it| it.command == command).unwrap();
    (opened(answer), containment.parts.ledger.find(entry.id).unwrap().state)
}

#[test]
fn f_37_a_crash_before_the_deed_leaves_nothing_done() {
    let mut host = Host::new();
    let path = host.write("x", "malware", 0o755);
    let action = Action::Quarantine(host.file("x"));
    let (_, entry, command) = cut_off(&mut host, action);
    let (receipt, state) = after_restart(&host, command, &entry);
    assert_eq!((receipt.verdict, state), (Verdict::Failed, State::Void));
    assert!(path.try_exists().unwrap());
}

#[test]
fn f_37_a_crash_after_the_deed_is_told_as_done_and_can_be_undone() {
    let mut host = Host::new();
    let path = host.write("x", "malware", 0o755);
    let action = Action::Quarantine(host.file("x"));
    let (door, entry, command) = cut_off(&mut host, action);
    let Change::Taken { kept, .. } = &entry.change else { panic!("a quarantine") };
    super::super::files::Files::take(&door, &kept.file, entry.id).unwrap();
    let (receipt, state) = after_restart(&host, command, &entry);
    assert_eq!((receipt.verdict, state), (Verdict::Complete, State::Done));
    assert_eq!(receipt.ledger, [entry.id]);
    // And so is the undoing, cut off before and after its deed.
    let (_, _, command) = cut_off(&mut host, Action::Undo(entry.id));
    let (receipt, state) = after_restart(&host, command, &entry);
    assert_eq!((receipt.verdict, state), (Verdict::Failed, State::Done));
    let (door, undoing, command) = cut_off(&mut host, Action::Undo(entry.id));
    super::super::files::Files::put_back(&door, kept, undoing.id).unwrap();
    let (receipt, state) = after_restart(&host, command, &entry);
    assert_eq!((receipt.verdict, state), (Verdict::Complete, State::Undone(command)));
    assert!(path.try_exists().unwrap());
}

#[test]
fn f_37_a_crash_around_the_removal_of_a_line_is_found_out() {
    let mut host = Host::new();
    let path = host.write("keys", "a\nb\n", 0o600);
    let artefact = || Artefact::AuthorizedKey { path: text(&path), line: Text::from("a") };
    let (_, entry, command) = cut_off(&mut host, Action::Remove(artefact()));
    let (receipt, state) = after_restart(&host, command, &entry);
    assert_eq!((receipt.verdict, state), (Verdict::Failed, State::Void));
    let (door, entry, command) = cut_off(&mut host, Action::Remove(artefact()));
    let Change::Cut { kept, line, .. } = &entry.change else { panic!("a line") };
    super::super::files::Files::cut(&door, kept, line, entry.id).unwrap();
    let (receipt, state) = after_restart(&host, command, &entry);
    assert_eq!((receipt.verdict, state), (Verdict::Complete, State::Done));
    // Somebody else's change in between is not guessed about.
    let (_, entry, command) = cut_off(&mut host, Action::Undo(receipt.ledger[0]));
    host.write("keys", "c\n", 0o600);
    let (receipt, state) = after_restart(&host, command, &entry);
    assert_eq!((receipt.verdict, state), (Verdict::Unknown, State::Undoing(command)));
}

#[test]
fn a_running_program_that_is_taken_is_partial_and_named() {
    let mut host = Host::new();
    fs::copy("/bin/sleep", host.folder.join("x")).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test starts what it then ends")]
    let mut child = std::process::Command::new(host.folder.join("x")).arg("60").spawn().unwrap();
    let receipt = host.obey(Action::Quarantine(host.file("x")));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!((receipt.verdict, receipt.open.len()), (Verdict::Partial, 1), "{receipt:?}");
    assert_eq!(receipt.findings[0].process.map(|it| it.pid), Some(child.id()));
}
