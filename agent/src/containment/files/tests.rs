//! What is pure of it, and a door that leads nowhere.

use expect_test::{Expect, expect};
use proptest::prelude::{any, proptest};

use super::*;

/// A host without files.
#[derive(Debug)]
pub(crate) struct NoFiles;

fn none<T>() -> Result<T, FilesError> {
    let source = io::ErrorKind::Unsupported.into();
    Err(FilesError::Failed { doing: "find a file where none is", source })
}

impl Files for NoFiles {
    fn sweep(&self, _questions: &[Question], _over: Over<'_>) -> Swept {
        Swept::default()
    }
    fn own(&self) -> Vec<Text> {
        Vec::new()
    }
    fn look(&self, _path: &Text) -> Look {
        Look::Nothing
    }
    fn package(&self, _path: &Text) -> Result<Option<Package>, FilesError> {
        Ok(None)
    }
    fn weigh(&self, _file: &FileIs, _line: &Text) -> Result<Cut, FilesError> {
        none()
    }
    fn unit(&self, _path: &Text) -> Result<Unit, FilesError> {
        none()
    }
    fn target(&self, _path: &Text) -> Result<Option<Text>, FilesError> {
        Ok(None)
    }
    fn runners(&self, _device: u64, _inode: u64) -> Result<Vec<ProcessKey>, FilesError> {
        Ok(Vec::new())
    }
    fn kept(&self, _entry: LedgerId) -> Result<Option<Sha256>, FilesError> {
        Ok(None)
    }
    fn take(&self, _file: &FileIs, _entry: LedgerId) -> Result<(), FilesError> {
        none()
    }
    fn put_back(&self, _kept: &Kept, _entry: LedgerId) -> Result<(), FilesError> {
        none()
    }
    fn cut(&self, _kept: &Kept, _line: &Text, _entry: LedgerId) -> Result<(), FilesError> {
        none()
    }
    fn uncut(&self, _kept: &Kept, _after: Sha256, _entry: LedgerId) -> Result<(), FilesError> {
        none()
    }
    fn unlink(&self, _link: &Link) -> Result<(), FilesError> {
        none()
    }
    fn relink(&self, _link: &Link) -> Result<(), FilesError> {
        none()
    }
    fn tidy(&self, _kept: &Kept, _entry: LedgerId, _is_kept: bool) -> Result<(), FilesError> {
        none()
    }
}

#[track_caller]
fn check(path: &str, expect: &Expect) {
    let own = [Text::from("/var/lib/cordon-agent"), Text::from("/usr/bin/cordon-agent")];
    let protected = [Text::from("/usr/sbin/sshd")];
    let path = Text::from(path);
    let why = guarded(&path, &own, &protected).unwrap_or("free");
    expect.assert_eq(&format!("{} {why}", if is_plain(&path) { "plain" } else { "not plain" }));
}

#[test]
fn ct_2_what_is_the_agent_s_the_kernel_s_or_on_the_list_is_never_touched() {
    check("/var/lib/cordon-agent/keyring", &expect!["plain the agent's own"]);
    check("/var/lib/cordon-agent", &expect!["plain the agent's own"]);
    check("/var/lib/cordon-agent2", &expect!["plain free"]);
    check("/usr/bin/cordon-agent", &expect!["plain the agent's own"]);
    check("/usr/sbin/sshd", &expect!["plain on the local policy's list"]);
    check("/proc/1/mem", &expect!["plain the kernel's"]);
    check("/sys/kernel/x", &expect!["plain the kernel's"]);
    check("/dev/sda", &expect!["plain the kernel's"]);
    check("/dev/shm/x", &expect!["plain free"]);
}

#[test]
fn a_path_that_could_be_read_in_two_ways_is_not_plain() {
    check("/tmp/../proc/1/mem", &expect!["not plain free"]);
    check("/tmp//x", &expect!["not plain free"]);
    check("/tmp/./x", &expect!["not plain free"]);
    check("/tmp/x/", &expect!["not plain free"]);
    check("/", &expect!["not plain free"]);
    check("tmp/x", &expect!["not plain free"]);
}

#[track_caller]
fn cut(text: &str, line: &str, expect: &Expect) {
    let (rest, lines) = without_line(text.as_bytes(), line.as_bytes());
    expect.assert_eq(&format!("{lines} {:?}", String::from_utf8(rest).unwrap()));
}

#[test]
fn a_line_is_removed_whole_and_wherever_it_is() {
    cut("a\nb\na\n", "a", &expect![[r#"2 "b\n""#]]);
    cut("ab\nb\n", "a", &expect![[r#"0 "ab\nb\n""#]]);
    cut("b\na", "a", &expect![[r#"1 "b\n""#]]);
    cut("a\r\n", "a", &expect![[r#"0 "a\r\n""#]]);
    cut("", "a", &expect![[r#"0 """#]]);
}

proptest! {
    #[test]
    fn what_is_left_has_no_such_line_and_every_other(text: Vec<u8>, line in any::<u8>()) {
        let (rest, lines) = without_line(&text, &[line]);
        assert_eq!(without_line(&rest, &[line]).1, 0);
        let ends = |text: &[u8]| text.iter().filter(|it| **it == b'\n').count();
        if line != b'\n' {
            assert!(text.len() - rest.len() >= lines && ends(&rest) + lines >= ends(&text));
        }
    }
}
