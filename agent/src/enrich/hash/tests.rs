//! Cases of `hash`, by the sentence that each shows.

use std::{os::unix::fs::MetadataExt, path::PathBuf};

use cordon_shared::{
    digest::Sha256,
    event::{
        file::Identity,
        process::{ExecutableKind, HashState, Process},
    },
    id::ProcessKey,
    text::Text,
    time::{Boottime, Timestamp},
};

use super::Digests;

struct Bench {
    _dir: tempfile::TempDir,
    digests: Digests,
    path: PathBuf,
}

fn bench(contents: &[u8]) -> Bench {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("program");
    cordon_shared::durable::write(&path, contents, 0o755).expect("writes");
    // There is no process here, so that everything goes by the path.
    Bench { digests: Digests::new(dir.path().join("proc")), path, _dir: dir }
}

fn identity(path: &std::path::Path) -> Identity {
    let it = std::fs::metadata(path).expect("it is there");
    let ctime = Timestamp::from_ns(it.ctime() * 1_000_000_000 + it.ctime_nsec());
    Identity {
        device: it.dev(),
        inode: it.ino(),
        ctime,
        size_bytes: it.len(),
        ..Identity::default()
    }
}

fn process(path: &std::path::Path) -> Process {
    let exe = Text::from(path.as_os_str().as_encoded_bytes());
    Process { exe, ..Process::unknown(ProcessKey { pid: 1, start_ticks: 1 }) }
}

#[test]
fn a_program_is_read_once_and_known_from_then_on() {
    let mut bench = bench(b"abc");
    let (process, file) = (process(&bench.path), identity(&bench.path));
    let known = (Some(Sha256::of(b"abc")), HashState::Known);
    assert_eq!(bench.digests.digest(&process, Some(file), ExecutableKind::File), known);
    std::fs::remove_file(&bench.path).expect("removes");
    assert_eq!(bench.digests.digest(&process, Some(file), ExecutableKind::File), known);
}

#[test]
fn another_file_under_the_same_name_is_not_taken() {
    let mut bench = bench(b"abc");
    let (process, mut file) = (process(&bench.path), identity(&bench.path));
    file.inode += 1;
    let got = bench.digests.digest(&process, Some(file), ExecutableKind::File);
    assert_eq!(got, (None, HashState::Vanished));
}

#[test]
fn without_an_identity_a_name_alone_is_not_believed() {
    let mut bench = bench(b"abc");
    let got = bench.digests.digest(&process(&bench.path), None, ExecutableKind::File);
    assert_eq!(got, (None, HashState::Vanished));
}

#[test]
fn the_budget_is_kept_and_grows_again() {
    let mut bench = bench(&[7; 100_000]);
    let (process, file) = (process(&bench.path), identity(&bench.path));
    bench.digests.refill(Boottime::from_ns(0));
    bench.digests.budget_bytes = 10;
    let got = bench.digests.digest(&process, Some(file), ExecutableKind::File);
    assert_eq!(got, (None, HashState::OverBudget));
    bench.digests.refill(Boottime::from_ns(1_000_000_000));
    let (sha256, state) = bench.digests.digest(&process, Some(file), ExecutableKind::File);
    assert_eq!((sha256, state), (Some(Sha256::of(&[7; 100_000])), HashState::Known));
}
