//! The README's first command: the demo shows the main job, and leaves nothing behind.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use cordon_tests::{binary::Program, child::degraded, network::Namespace, wait};

/// How long the watchdog may take after the demo is gone (chosen: three times its own deadlines).
const CLEARED_WITHIN: Duration = Duration::from_secs(40);

/// What the demo's own folder is called, from its first line.
fn folder(line: &str) -> PathBuf {
    PathBuf::from(line.rsplit(' ').next().unwrap())
}

/// Nothing of it is left: no folder, no process that works there.
fn is_cleared(folder: &Path) -> Result<(), String> {
    if folder.try_exists().unwrap() {
        return Err(format!("`{}` is there", folder.display()));
    }
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        if line.contains(folder.to_str().unwrap()) {
            return Err(format!("`{line}` runs"));
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "tests start programs")]
fn demo() -> Command {
    let mut command = Command::new(Program::Cordon.path().unwrap());
    command.args(["demo", "--exit"]).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

#[test]
fn the_demo_goes_from_deed_to_receipt_and_leaves_nothing() {
    let output = demo().output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    for step in ["collector", "host", "detection", "incident", "command", "receipt"] {
        assert!(said.contains(step), "no {step} in:\n{said}");
    }
    match Namespace::unavailable() {
        // What it counts at the far end, it fails for itself.
        None => assert!(said.contains("and 0 since"), "no isolation in:\n{said}"),
        Some(why) => degraded("the story of the demo", why),
    }
    is_cleared(&folder(said.lines().next().unwrap())).unwrap();
}

#[test]
fn a_demo_that_is_killed_is_cleared_all_the_same() {
    let mut child = demo().spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let folder = folder(&said.next().unwrap().unwrap());
    // Its agent runs from here on.
    said.find(|line| line.as_ref().unwrap().contains("over mutual TLS")).unwrap().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let what = format!("nothing of `{}` is left", folder.display());
    wait::until(&what, CLEARED_WITHIN, || is_cleared(&folder)).unwrap();
}
