//! Real files on a real file system. As a plain user the tier must say what it lacks.
#![expect(clippy::disallowed_methods, reason = "the test's own files and shell")]

use std::{fs, path::Path, sync::Arc, time::Duration};

use cordon_shared::time::SystemClock;
use expect_test::expect;

use super::Fanotify;
use crate::sensor::{Fact, Observation, Sensor, file::Watch};

/// A line for each change, paths without the folder.
pub(in crate::sensor::file) fn show(seen: &[Observation], folder: &Path) -> String {
    let short = |path: &dyn std::fmt::Display| {
        let prefix = format!("{}/", folder.display());
        path.to_string().replace(&prefix, "")
    };
    let lines = seen.iter().map(|it| {
        let Fact::FileChange(it) = &it.fact else { return format!("{:?}", it.fact) };
        if it.path_before.is_empty() {
            return format!("{:?} {}", it.action, short(&it.path));
        }
        format!("{:?} {} -> {}", it.action, short(&it.path_before), short(&it.path))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Runs `sh` on `script` in `folder`: what our own process does is not watched.
fn sh(folder: &Path, script: &str) -> u32 {
    let mut child = std::process::Command::new("sh")
        .args(["-c", script])
        .current_dir(folder)
        .spawn()
        .expect("there is a shell");
    let pid = child.id();
    assert!(child.wait().expect("it ends").success());
    pid
}

#[test]
fn what_others_do_to_files_is_seen_with_path_and_pid() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().canonicalize().expect("is there");
    fs::create_dir(path.join("own")).expect("creates");
    let watch = Watch { include: vec![path.clone()], exclude: vec![path.join("own")] };
    let opened = Fanotify::open(watch, Arc::new(SystemClock));
    if !nix::unistd::geteuid().is_root() {
        let refusal = opened.expect_err("a plain user may not mark a file system");
        expect!["fanotify needs CAP_SYS_ADMIN: run as root"].assert_eq(&refusal.to_string());
        return;
    }
    let mut sensor = opened.expect("root may");
    fs::write(path.join("ours"), "").expect("writes");
    let mut seen = Vec::new();
    let mut read_until = |last: &str| {
        while !show(&seen, &path).contains(last) {
            sensor.sense(Duration::from_secs(10), &mut seen).expect("works");
        }
    };
    sh(&path, "mkdir d; echo 1 > d/a; mv d/a d/b; echo 3 > own/quiet; echo > pause");
    read_until("WriteClose pause");
    let pid = sh(&path, "mv d e; echo 2 >> e/b; chmod 600 e/b; rm e/b; echo 4 > end");
    read_until("WriteClose end");
    expect![[r#"
        Create d
        Create d/a
        WriteClose d/a
        Rename d/a -> d/b
        Create pause
        WriteClose pause
        Rename d -> e
        WriteClose e/b
        Attributes e/b
        Delete e/b
        Create end
        WriteClose end"#]]
    .assert_eq(&show(&seen, &path));
    let shell = seen.iter().any(|it| {
        let Fact::FileChange(it) = &it.fact else { return false };
        it.actor.as_ref().is_some_and(|it| it.pid == pid)
    });
    assert!(shell, "the shell itself wrote `end`");
}
