//! The whole policy of plans for files, as texts.

use std::fmt::Write as _;

use cordon_shared::{
    command::{
        action::Action,
        scope::{FileIs, Override, Precondition},
    },
    id::CommandId,
    test_support::order,
    time::Timestamp,
};
use expect_test::expect;

use super::{
    super::{plan, tests},
    *,
};
use crate::containment::{
    files::{Attributes, Cut, FileFacts},
    host::HostFacts,
    ledger::Ledger,
    link,
};

const PATH: &str = "/tmp/x";

fn file(path: &str) -> FileIs {
    FileIs { path: Text::from(path), device: 8, inode: 99, sha256: Sha256::of(b"x") }
}

fn found(path: &str) -> Found {
    let modified = Timestamp::from_ns(7);
    let attributes = Attributes { mode: 0o755, uid: 1, gid: 1, modified, ..Default::default() };
    let (file, size_bytes, names) = (file(path), 10, 1);
    Found { file, size_bytes, names, attributes, package: None, is_own: false }
}

/// What a host shows, and who signed.
struct Bed {
    facts: FileFacts,
    ledger: Ledger,
    persons: u32,
    overrides: Vec<Override>,
}

impl Bed {
    fn new(found: Found) -> Self {
        let mut facts = FileFacts { own: vec![Text::from("/var/lib/cordon")], ..<_>::default() };
        facts.kept = Some(found.file.sha256);
        facts.looks.insert(found.file.path.clone(), Look::File(Box::new(found)));
        Self { facts, ledger: tests::ledger(Vec::new()), persons: 1, overrides: Vec::new() }
    }

    fn of(look: Look) -> Self {
        let mut bed = Self::new(found(PATH));
        bed.facts.looks.insert(Text::from(PATH), look);
        bed
    }

    fn with(change: impl FnOnce(&mut Found)) -> Self {
        let mut found = found(PATH);
        change(&mut found);
        Self::new(found)
    }

    fn made(&self, action: &Action) -> Result<Plan, PlanError> {
        let mut command = order::command(action.clone());
        command.preconditions = Vec::new();
        command.overrides.clone_from(&self.overrides);
        let (host, book, now) = (HostFacts::default(), tests::book(&[]), tests::now());
        let ground = Ground {
            facts: &host,
            protected: &[Text::from("/usr/sbin/sshd")],
            book: &book,
            link: &link::tests::facts(),
            files: &self.facts,
            ledger: &self.ledger,
            persons: self.persons,
            now: &now,
        };
        plan(&command, ground)
    }

    fn shown(&self, action: &Action) -> String {
        match self.made(action) {
            Ok(plan) => {
                let steps: Vec<_> = plan.steps.iter().map(ToString::to_string).collect();
                let open: String = plan.open.iter().map(|it| format!("\n    open: {it}")).collect();
                steps.join("\n    ") + &open
            }
            Err(error) => format!("{}: {error}", error.refusal.as_str()),
        }
    }
}

fn package(is_configuration: bool) -> Package {
    Package { name: "coreutils".to_owned(), is_configuration }
}

fn at(look: Refusal, what: &str) -> Look {
    Look::Not { refusal: look, what: what.to_owned() }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table: one row for each case")]
fn the_table_of_plans_for_whole_files() {
    let mut table = String::new();
    let mut row = |what: &str, bed: &Bed, action: Action| {
        writeln!(table, "{what}\n    {}", bed.shown(&action)).unwrap();
    };
    let quarantine = || Action::Quarantine(file(PATH));
    let remove = || Action::Remove(Artefact::File(file(PATH)));
    let plain = Bed::new(found(PATH));
    row("quarantine", &plain, quarantine());
    row("remove", &plain, remove());
    row("quarantine what is gone", &Bed::of(Look::Nothing), quarantine());
    row("remove what is gone", &Bed::of(Look::Nothing), remove());
    row("another inode", &Bed::with(|it| it.file.inode = 98), quarantine());
    row("other contents", &Bed::with(|it| it.file.sha256 = Sha256::of(b"y")), remove());
    row("one of three names", &Bed::with(|it| it.names = 3), quarantine());
    row("more attributes", &Bed::with(|it| it.attributes.is_cut = true), quarantine());
    let folder = at(Refusal::Protected, "a folder");
    row("a folder", &Bed::of(folder), quarantine());
    let link = at(Refusal::IdentityMismatch, "a symbolic link, or behind one");
    row("a link", &Bed::of(link), remove());
    row("the agent by another name", &Bed::with(|it| it.is_own = true), quarantine());
    row("the agent's ledger", &plain, Action::Quarantine(file("/var/lib/cordon/ledger")));
    row("the kernel", &plain, Action::Quarantine(file("/proc/1/mem")));
    row("the policy's", &plain, Action::Remove(Artefact::File(file("/usr/sbin/sshd"))));
    row("two dots", &plain, Action::Quarantine(file("/tmp/../tmp/x")));
    let mut packaged = Bed::with(|it| it.package = Some(package(true)));
    row("a package's", &packaged, quarantine());
    packaged.overrides = vec![Override::PackagedFile];
    row("a package's, said so by one", &packaged, quarantine());
    packaged.persons = 2;
    row("a package's, said so by two", &packaged, quarantine());
    row("more than there is room for", &Bed::with(|it| it.size_bytes = 9 << 30), quarantine());
    row("an account", &plain, Action::Remove(Artefact::Account("mallory".to_owned())));
    expect![[r#"
        quarantine
            quarantine /tmp/x
            confirm that /tmp/x is gone
            look for processes that run /tmp/x
        remove
            remove /tmp/x, with a backup
            confirm that /tmp/x is gone
            look for processes that run /tmp/x
        quarantine what is gone
            identity_mismatch: nothing is at /tmp/x
        remove what is gone
            confirm that /tmp/x is gone
            look for processes that run /tmp/x
        another inode
            identity_mismatch: /tmp/x is another file: 8:98 rather than 8:99
        other contents
            identity_mismatch: /tmp/x has other contents: SHA-256 a1fce4363854ff888cff4b8e7875d600c2682390412a8cf79b37d0b11148b0fa
        one of three names
            quarantine /tmp/x
            confirm that /tmp/x is gone
            look for processes that run /tmp/x
            open: /tmp/x has 2 other name(s): hard links, which stay
        more attributes
            quarantine /tmp/x
            confirm that /tmp/x is gone
            look for processes that run /tmp/x
            open: /tmp/x has more extended attributes than are kept
        a folder
            protected: /tmp/x is a folder
        a link
            identity_mismatch: /tmp/x is a symbolic link, or behind one
        the agent by another name
            protected: /tmp/x is a name of the agent's own file
        the agent's ledger
            protected: /var/lib/cordon/ledger is the agent's own
        the kernel
            protected: /proc/1/mem is the kernel's
        the policy's
            protected: /usr/sbin/sshd is on the local policy's list
        two dots
            bad_input: /tmp/../tmp/x is not written plainly: it has `.`, `..` or an empty part
        a package's
            protected: /tmp/x belongs to the package `coreutils`: it is touched only when the command says so (override `packaged_file`) and two persons sign
        a package's, said so by one
            more_signers: two persons sign for /tmp/x: it belongs to the package `coreutils`
        a package's, said so by two
            quarantine /tmp/x
            confirm that /tmp/x is gone
            look for processes that run /tmp/x
        more than there is room for
            local_policy: the quarantine holds 0 bytes, and has no room for more
        an account
            unknown_action: this agent has no plan for the removal of an account
    "#]].assert_eq(&table);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table: one row for each case")]
fn the_table_of_plans_for_lines_and_units() {
    let mut table = String::new();
    let mut row = |what: &str, bed: &Bed, artefact: Artefact| {
        let shown = bed.shown(&Action::Remove(artefact));
        writeln!(table, "{what}\n    {shown}").unwrap();
    };
    let (path, line) = (|| Text::from(PATH), || Text::from("* * * * * root /tmp/y"));
    let cron = || Artefact::CronLine { path: path(), line: line() };
    let holds = |lines, change: fn(&mut Found)| {
        let mut bed = Bed::with(change);
        bed.facts.cut = Some(Cut { lines, after: Sha256::of(b"rest") });
        bed
    };
    row("a line", &holds(2, |_| ()), cron());
    row("a line that is gone", &holds(0, |_| ()), cron());
    row("a file that is gone", &Bed::of(Look::Nothing), cron());
    row("a file that is too large", &Bed::new(found(PATH)), cron());
    row(
        "a line of two",
        &holds(1, |_| ()),
        Artefact::TextLine { path: path(), line: "a\nb".into() },
    );
    row("no line", &holds(1, |_| ()), Artefact::AuthorizedKey { path: path(), line: Text::EMPTY });
    row("a package's configuration", &holds(1, |it| it.package = Some(package(true))), cron());
    row("a package's program", &holds(1, |it| it.package = Some(package(false))), cron());
    row("one of two names", &holds(1, |it| it.names = 2), cron());
    let unit = |sha256: &[u8]| Artefact::SystemdUnit { path: path(), sha256: Sha256::of(sha256) };
    let around = |unit: Unit| {
        let mut bed = Bed::new(found(PATH));
        bed.facts.unit = Some(unit);
        bed
    };
    row("a unit", &around(Unit::default()), unit(b"x"));
    row("another unit", &around(Unit::default()), unit(b"y"));
    row("a unit among folders that cannot be read", &Bed::new(found(PATH)), unit(b"x"));
    let link = Link { path: Text::from("/etc/w.wants/x"), target: path() };
    let busy = Unit { links: vec![link], pids: vec![40, 41], is_read: true };
    row("an enabled unit that runs", &around(busy.clone()), unit(b"x"));
    let mut gone = Bed::of(Look::Nothing);
    gone.facts.unit = Some(Unit { pids: Vec::new(), ..busy });
    row("a unit that left its link", &gone, unit(b"x"));
    expect![[r#"
        a line
            remove the line `* * * * * root /tmp/y` from /tmp/x, with a backup
            confirm that the line is gone from /tmp/x
        a line that is gone
            confirm that the line is gone from /tmp/x
        a file that is gone
            confirm that the line is gone from /tmp/x
        a file that is too large
            bad_input: /tmp/x is too large, or changes while it is read
        a line of two
            bad_input: the line must be one whole line, and not an empty one
        no line
            bad_input: the line must be one whole line, and not an empty one
        a package's configuration
            remove the line `* * * * * root /tmp/y` from /tmp/x, with a backup
            confirm that the line is gone from /tmp/x
        a package's program
            protected: /tmp/x belongs to the package `coreutils`: it is touched only when the command says so (override `packaged_file`) and two persons sign
        one of two names
            remove the line `* * * * * root /tmp/y` from /tmp/x, with a backup
            confirm that the line is gone from /tmp/x
            open: /tmp/x has 1 other name(s), hard links: the line stays there
        a unit
            remove /tmp/x, with a backup
            confirm that /tmp/x is gone
        another unit
            identity_mismatch: /tmp/x has other contents: SHA-256 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881
        a unit among folders that cannot be read
            remove /tmp/x, with a backup
            confirm that /tmp/x is gone
            open: the folders of units could not be read: links may enable it still
        an enabled unit that runs
            remove the link /etc/w.wants/x
            remove /tmp/x, with a backup
            confirm that /etc/w.wants/x is gone
            confirm that /tmp/x is gone
            open: /tmp/x runs: end its processes 40 41
            open: systemd may act on /tmp/x until `systemctl daemon-reload` or a reboot
        a unit that left its link
            remove the link /etc/w.wants/x
            confirm that /etc/w.wants/x is gone
            confirm that /tmp/x is gone
            open: systemd may act on /tmp/x until `systemctl daemon-reload` or a reboot
    "#]].assert_eq(&table);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table: one row for each case")]
fn the_table_of_plans_that_undo() {
    let mut table = String::new();
    let action = Action::Quarantine(file(PATH));
    let mut entry = Bed::new(found(PATH)).made(&action).unwrap().entries().remove(0);
    let id = entry.id;
    let mut row = |what: &str, entry: &Entry, look: Look, change: fn(&mut FileFacts)| {
        let mut bed = Bed::of(look);
        bed.ledger = tests::ledger(vec![entry.clone()]);
        change(&mut bed.facts);
        let (restore, undo) = (Action::Restore(entry.id), Action::Undo(entry.id));
        writeln!(table, "{what}\n    {}\n    {}", bed.shown(&restore), bed.shown(&undo)).unwrap();
    };
    row("one that was cut off", &entry, Look::Nothing, |_| ());
    entry.state = State::Done;
    row("a file", &entry, Look::Nothing, |_| ());
    row("a file that is there again", &entry, Bed::new(found(PATH)).facts.at(&PATH.into()), |_| ());
    row("a file whose copy is damaged", &entry, Look::Nothing, |it| {
        it.kept = Some(Sha256::of(b"y"));
    });
    entry.state = State::Void;
    row("one that was not done", &entry, Look::Nothing, |_| ());
    entry.state = State::Undone(CommandId::from_slice(&[7; 16]).unwrap());
    row("one that was undone", &entry, Look::Nothing, |_| ());
    entry.state = State::Done;
    let Change::Taken { kept, .. } = entry.change.clone() else { panic!("a quarantine") };
    let after = Sha256::of(b"rest");
    entry.change = Change::Cut { kept, line: Text::from("l"), after };
    let mut became = found(PATH);
    became.file.sha256 = after;
    row("a line", &entry, Look::File(Box::new(became)), |_| ());
    row("a line of what has changed", &entry, Look::File(Box::new(found(PATH))), |_| ());
    entry.change = Change::Unlinked(Link { path: PATH.into(), target: "/etc/x".into() });
    row("a link", &entry, Look::Nothing, |_| ());
    row("a link that is there again", &entry, at(Refusal::IdentityMismatch, "a link"), |_| ());
    expect![[r#"
        one that was cut off
            identity_mismatch: how far entry ae1b8176-1314-7e0f-a245-49d2862d549f got is not known: look at the host
            identity_mismatch: how far entry ae1b8176-1314-7e0f-a245-49d2862d549f got is not known: look at the host
        a file
            put /tmp/x back
            confirm that /tmp/x is as it was
            put /tmp/x back
            confirm that /tmp/x is as it was
        a file that is there again
            identity_mismatch: something is at /tmp/x by now
            identity_mismatch: something is at /tmp/x by now
        a file whose copy is damaged
            identity_mismatch: what the quarantine holds of entry ae1b8176-1314-7e0f-a245-49d2862d549f is not what was put there
            identity_mismatch: what the quarantine holds of entry ae1b8176-1314-7e0f-a245-49d2862d549f is not what was put there
        one that was not done
            bad_input: entry ae1b8176-1314-7e0f-a245-49d2862d549f was never done
            bad_input: entry ae1b8176-1314-7e0f-a245-49d2862d549f was never done
        one that was undone
            bad_input: command 07070707-0707-0707-0707-070707070707 has undone entry ae1b8176-1314-7e0f-a245-49d2862d549f
            bad_input: command 07070707-0707-0707-0707-070707070707 has undone entry ae1b8176-1314-7e0f-a245-49d2862d549f
        a line
            bad_input: entry ae1b8176-1314-7e0f-a245-49d2862d549f took no file away: it is for `undo`
            put the line back into /tmp/x
            confirm that /tmp/x is as it was
        a line of what has changed
            bad_input: entry ae1b8176-1314-7e0f-a245-49d2862d549f took no file away: it is for `undo`
            identity_mismatch: /tmp/x has changed since the line was removed
        a link
            bad_input: entry ae1b8176-1314-7e0f-a245-49d2862d549f took no file away: it is for `undo`
            put the link /tmp/x back
        a link that is there again
            bad_input: entry ae1b8176-1314-7e0f-a245-49d2862d549f took no file away: it is for `undo`
            identity_mismatch: something is at /tmp/x by now
    "#]].assert_eq(&table);
    let nothing = Bed::of(Look::Nothing).made(&Action::Undo(id)).unwrap_err();
    expect!["the ledger has no entry ae1b8176-1314-7e0f-a245-49d2862d549f"]
        .assert_eq(&nothing.detail);
}

#[test]
fn a_plan_is_made_twice_alike_and_two_commands_never_share_an_entry() {
    let action = Action::Quarantine(file(PATH));
    let made = || Bed::new(found(PATH)).made(&action).unwrap();
    assert_eq!(made(), made());
    let mut other = order::command(action.clone());
    other.id = CommandId::from_slice(&[9; 16]).unwrap();
    let (host, book, now) = (HostFacts::default(), tests::book(&[]), tests::now());
    let bed = Bed::new(found(PATH));
    let ground = Ground {
        facts: &host,
        protected: &[],
        book: &book,
        link: &link::tests::facts(),
        files: &bed.facts,
        ledger: &bed.ledger,
        persons: 1,
        now: &now,
    };
    other.preconditions = vec![Precondition::FileIs(file(PATH))];
    let other = plan(&other, ground).unwrap();
    assert_ne!(other.entries()[0].id, made().entries()[0].id);
    expect!["check that /tmp/x is the file that was meant"].assert_eq(&other.steps[0].to_string());
}
