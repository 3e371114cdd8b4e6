//! Real files in folders of their own, and adversaries that change them between look and deed.

use std::os::unix::{
    fs::{PermissionsExt as _, symlink},
    process::CommandExt as _,
};

use cordon_shared::durable;
use expect_test::{Expect, expect};
use proptest::prelude::{ProptestConfig, any, proptest};
use rustix::fs::{XattrFlags, setxattr};
use tempfile::TempDir;

use super::*;

/// A host's folder, and a quarantine that may lie on another file system.
struct Bed {
    host: TempDir,
    _state: TempDir,
    door: Linux,
}

impl Bed {
    fn new() -> Self {
        Self::with(tempfile::tempdir().unwrap())
    }

    /// The quarantine in memory: `/dev/shm` is another file system than a temporary folder.
    fn across() -> Self {
        Self::with(tempfile::tempdir_in("/dev/shm").unwrap())
    }

    fn with(state: TempDir) -> Self {
        let host = tempfile::tempdir().unwrap();
        let own = vec![state.path().to_owned()];
        let root = host.path().join("root");
        let door = Linux {
            quarantine: state.path().join("quarantine"),
            own,
            root,
            roots: vec![host.path().to_owned()],
        };
        Self { host, _state: state, door }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.host.path().canonicalize().unwrap().join(name)
    }

    fn text(&self, name: &str) -> Text {
        Text::from(self.path(name).as_os_str().as_encoded_bytes())
    }

    fn write(&self, name: &str, bytes: &[u8], mode: u32) -> Kept {
        let path = self.path(name);
        durable::create_dir(path.parent().unwrap(), 0o755).unwrap();
        durable::write(&path, bytes, mode).unwrap();
        self.kept(name)
    }

    fn kept(&self, name: &str) -> Kept {
        let Look::File(found) = self.door.look(&self.text(name)) else { panic!("a file") };
        let Found { file, size_bytes, attributes, .. } = *found;
        Kept { file, size_bytes, attributes }
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let listed = fs::read_dir(self.path(folder)).unwrap();
        listed.map(|it| it.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn id(byte: u8) -> LedgerId {
    LedgerId::from_slice(&[byte; 16]).unwrap()
}

fn said(done: Result<(), FilesError>) -> String {
    match done {
        Ok(()) => "done".to_owned(),
        Err(FilesError::Differs(why)) => format!("differs: {why}"),
        Err(error) => format!("{error}: {:?}", std::error::Error::source(&error)),
    }
}

#[track_caller]
fn check(bed: &Bed, done: Result<(), FilesError>, expect: &Expect) {
    let folder = bed.host.path().canonicalize().unwrap();
    expect.assert_eq(&said(done).replace(&*folder.to_string_lossy(), "HOST"));
}

#[test]
fn what_is_taken_cannot_run_and_comes_back_as_it_was() {
    for bed in [Bed::new(), Bed::across()] {
        let kept = bed.write("a/x", b"#!/bin/sh\n", 0o4755);
        setxattr(bed.path("a/x"), "user.mark", b"yes\0", XattrFlags::empty()).unwrap();
        let kept = Kept { attributes: bed.kept("a/x").attributes, ..kept };
        assert_eq!(kept.attributes.extended.len(), 1);
        bed.door.take(&kept.file, id(1)).unwrap();
        assert_eq!(bed.door.look(&kept.file.path), Look::Nothing);
        assert!(bed.names("a").is_empty());
        let shelf = bed.door.quarantine.join(id(1).to_string());
        let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(&shelf), mode(&bed.door.quarantine)), (0o400, 0o700));
        bed.door.put_back(&kept, id(1)).unwrap();
        let again = bed.kept("a/x");
        assert_eq!(again.attributes, kept.attributes);
        assert_eq!(again.file.sha256, kept.file.sha256);
        assert_eq!(bed.door.kept(id(1)).unwrap(), None);
        assert_eq!(bed.names("a"), ["x"]);
    }
}

#[test]
fn a_file_that_differs_is_left_alone() {
    let bed = Bed::new();
    let kept = bed.write("a/x", b"one", 0o755);
    let other = FileIs { sha256: Sha256::of(b"two"), ..kept.file.clone() };
    let done = bed.door.take(&other, id(1));
    check(&bed, done, &expect!["differs: HOST/a/x has other contents by now"]);
    let other = FileIs { inode: kept.file.inode + 1, ..kept.file.clone() };
    let done = bed.door.take(&other, id(1));
    check(&bed, done, &expect!["differs: HOST/a/x is another file by now"]);
    assert_eq!(bed.kept("a/x"), kept);
}

#[test]
fn a_link_in_the_path_or_at_its_end_is_not_followed() {
    let bed = Bed::new();
    let kept = bed.write("a/x", b"one", 0o755);
    // The folder is replaced by a link to another, in which the same name is another file.
    bed.write("b/x", b"one", 0o755);
    fs::rename(bed.path("a"), bed.path("c")).unwrap();
    symlink(bed.path("b"), bed.path("a")).unwrap();
    let done = bed.door.take(&kept.file, id(1));
    check(&bed, done, &expect!["differs: HOST/a/x is not the file that was meant"]);
    // Even a link to where the file itself lies now.
    fs::remove_file(bed.path("a")).unwrap();
    symlink(bed.path("c"), bed.path("a")).unwrap();
    let done = bed.door.take(&kept.file, id(1));
    check(&bed, done, &expect!["differs: HOST/a/x is not the file that was meant"]);
    symlink(bed.path("c/x"), bed.path("y")).unwrap();
    let Look::Not { refusal, .. } = bed.door.look(&bed.text("y")) else { panic!("a link") };
    assert_eq!(refusal, Refusal::IdentityMismatch);
    assert!(bed.path("c/x").is_file() && bed.path("b/x").is_file());
}

#[test]
fn what_is_no_regular_file_is_never_touched() {
    let bed = Bed::new();
    durable::create_dir(&bed.path("folder"), 0o755).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        bed.path("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    for name in ["folder", "pipe"] {
        let Look::Not { refusal, .. } = bed.door.look(&bed.text(name)) else { panic!("{name}") };
        assert_eq!(refusal, Refusal::Protected, "{name}");
    }
    for path in ["/proc/self/status", "/dev/null", "/sys/kernel/uevent_seqnum"] {
        let look = bed.door.look(&Text::from(path));
        assert!(!matches!(look, Look::File(_)), "{path}");
    }
}

#[test]
fn other_names_of_a_file_keep_it_as_it_is() {
    let bed = Bed::new();
    bed.write("a/x", b"tool", 0o755);
    fs::hard_link(bed.path("a/x"), bed.path("a/y")).unwrap();
    let kept = bed.kept("a/x");
    bed.door.take(&kept.file, id(1)).unwrap();
    assert_eq!(bed.names("a"), ["y"]);
    assert_eq!(bed.kept("a/y").attributes.mode, 0o755);
    bed.door.put_back(&kept, id(1)).unwrap();
    assert_eq!(bed.kept("a/x").attributes, kept.attributes);
}

#[test]
fn what_came_to_the_place_meanwhile_stays_and_the_copy_too() {
    for bed in [Bed::new(), Bed::across()] {
        let kept = bed.write("a/x", b"one", 0o755);
        bed.door.take(&kept.file, id(1)).unwrap();
        bed.write("a/x", b"two", 0o644);
        let done = bed.door.put_back(&kept, id(1));
        check(&bed, done, &expect!["differs: something is at HOST/a/x by now"]);
        assert_eq!(fs::read(bed.path("a/x")).unwrap(), b"two");
        assert_eq!(bed.door.kept(id(1)).unwrap(), Some(kept.file.sha256));
    }
}

#[test]
fn a_copy_that_was_changed_in_the_quarantine_does_not_come_back() {
    let bed = Bed::new();
    let kept = bed.write("a/x", b"one", 0o755);
    bed.door.take(&kept.file, id(1)).unwrap();
    let shelf = bed.door.quarantine.join(id(1).to_string());
    durable::write(&shelf, b"two", 0o400).unwrap();
    let done = bed.door.put_back(&kept, id(1));
    check(&bed, done, &expect!["differs: what the quarantine holds is not what was put there"]);
    assert_eq!(bed.door.look(&kept.file.path), Look::Nothing);
}

#[test]
fn a_line_goes_and_comes_back_and_the_rest_stays() {
    let bed = Bed::new();
    let kept = bed.write("crontab", b"a\n* * * * * x\nb\n* * * * * x\n", 0o640);
    let line = Text::from("* * * * * x");
    let cut = bed.door.weigh(&kept.file, &line).unwrap();
    assert_eq!(cut.lines, 2);
    bed.door.cut(&kept, &line, id(1)).unwrap();
    assert_eq!(fs::read(bed.path("crontab")).unwrap(), b"a\nb\n");
    let became = bed.kept("crontab");
    assert_eq!(became.file.sha256, cut.after);
    let owned = |it: &Kept| (it.attributes.mode, it.attributes.uid, it.attributes.gid);
    assert_eq!(owned(&became), owned(&kept));
    bed.door.uncut(&kept, cut.after, id(1)).unwrap();
    assert_eq!(bed.kept("crontab").attributes, kept.attributes);
    assert_eq!(bed.names(""), ["crontab"], "nothing is left lying about");
}

#[test]
fn a_file_that_others_write_meanwhile_loses_nothing() {
    let bed = Bed::new();
    let kept = bed.write("keys", b"a\nb\n", 0o600);
    bed.write("keys", b"a\nb\nc\n", 0o600);
    let done = bed.door.cut(&kept, &Text::from("a"), id(1));
    assert!(matches!(done, Err(FilesError::Differs(_))));
    assert_eq!(fs::read(bed.path("keys")).unwrap(), b"a\nb\nc\n");
    let kept = bed.kept("keys");
    let cut = bed.door.weigh(&kept.file, &Text::from("a")).unwrap();
    bed.door.cut(&kept, &Text::from("a"), id(1)).unwrap();
    bed.write("keys", b"d\n", 0o600);
    let done = bed.door.uncut(&kept, cut.after, id(1));
    check(&bed, done, &expect!["differs: the file has changed meanwhile"]);
    assert_eq!(fs::read(bed.path("keys")).unwrap(), b"d\n");
    assert_eq!(bed.names(""), ["keys"]);
    assert_eq!(bed.door.kept(id(1)).unwrap(), Some(kept.file.sha256));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn remove_then_undo_gives_the_same_bytes(text: Vec<u8>, line in any::<[u8; 1]>(), at: usize) {
        let bed = Bed::new();
        let mut bytes = text;
        let at = at % (bytes.len() + 1);
        bytes.splice(at..at, [b"\n".as_slice(), &line, b"\n"].concat());
        let kept = bed.write("f", &bytes, 0o600);
        let line = Text::from(line.as_slice());
        let cut = bed.door.weigh(&kept.file, &line).unwrap();
        bed.door.cut(&kept, &line, id(1)).unwrap();
        assert_eq!(bed.kept("f").file.sha256, cut.after);
        bed.door.uncut(&kept, cut.after, id(1)).unwrap();
        assert_eq!(fs::read(bed.path("f")).unwrap(), bytes);
        assert_eq!(bed.kept("f").attributes, kept.attributes);
    }
}

#[test]
fn links_that_enable_a_unit_are_found_by_where_they_point() {
    let bed = Bed::new();
    bed.write("root/etc/systemd/system/evil.service", b"[Service]\n", 0o644);
    let unit = bed.text("root/etc/systemd/system/evil.service");
    let folder = "root/etc/systemd/system/multi-user.target.wants";
    durable::create_dir(&bed.path(folder), 0o755).unwrap();
    let link = |target: &str, name: &str| {
        symlink(target, bed.path(&format!("root/etc/systemd/system/{name}"))).unwrap();
    };
    link("../evil.service", "multi-user.target.wants/evil.service");
    link("evil.service", "alias.service");
    link("/usr/lib/systemd/system/ssh.service", "multi-user.target.wants/ssh.service");
    durable::create_dir(&bed.path("root/run/systemd/system"), 0o755).unwrap();
    let group = "root/sys/fs/cgroup/system.slice/evil.service";
    bed.write(&format!("{group}/cgroup.procs"), b"40\n41\n", 0o644);
    let around = bed.door.unit(&unit).unwrap();
    let mut found: Vec<_> = around.links.iter().map(|it| it.target.to_string()).collect();
    found.sort();
    assert_eq!(found, ["../evil.service", "evil.service"]);
    assert_eq!((around.pids, around.is_read), (vec![40, 41], true));
    for it in &around.links {
        bed.door.unlink(it).unwrap();
        assert_eq!(bed.door.target(&it.path).unwrap(), None);
        bed.door.relink(it).unwrap();
        assert_eq!(bed.door.target(&it.path).unwrap().as_ref(), Some(&it.target));
        assert!(matches!(bed.door.relink(it), Err(FilesError::Differs(_))));
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test starts what it then ends")]
fn who_runs_a_file_is_named_also_after_it_was_taken() {
    let bed = Bed::new();
    fs::copy("/bin/sleep", bed.path("x")).unwrap();
    let kept = bed.kept("x");
    let mut child = std::process::Command::new(bed.path("x"));
    let mut child = child.arg("60").process_group(0).spawn().unwrap();
    let runners = || bed.door.runners(kept.file.device, kept.file.inode).unwrap();
    let before = runners();
    bed.door.take(&kept.file, id(1)).unwrap();
    let after = runners();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(before.iter().map(|it| it.pid).collect::<Vec<_>>(), [child.id()]);
    assert_eq!(before, after);
    assert!(runners().is_empty());
}

#[test]
fn a_sweep_finds_paths_and_contents_and_says_what_it_did_not_read() {
    let bed = Bed::new();
    let kept = bed.write("deep/down/x", b"malware", 0o755);
    bed.write("clean", b"clean", 0o644);
    symlink(bed.path("deep"), bed.path("link")).unwrap();
    let by_digest = [Question::Sha256(kept.file.sha256), Question::Path(kept.file.path.clone())];
    let swept = bed.door.sweep(&by_digest, &|| None);
    let found: Vec<_> = swept.findings.iter().map(|it| (it.question, it.file.clone())).collect();
    let file = || Some(kept.file.clone());
    assert_eq!(found, [(1, file()), (0, file())], "once each, and not behind the link");
    let clean = [Question::Path(bed.text("nothing"))];
    let swept = bed.door.sweep(&clean, &|| None);
    assert!(swept.findings.is_empty() && swept.open.is_empty());
    let swept = bed.door.sweep(&by_digest, &|| Some("the time for a sweep was over"));
    assert!(swept.open.iter().any(|it| it.contains("was not read")), "{swept:?}");
    let other = [Question::Domain("evil.example".to_owned()), Question::Path(bed.text("deep"))];
    assert_eq!(bed.door.sweep(&other, &|| None).open.len(), 2);
}
