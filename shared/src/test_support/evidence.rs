//! For tests: a sealed snapshot with every kind of entry.

use crate::{
    command::action::SnapshotProfile,
    digest::Sha256,
    id::{AgentId, BootId, CommandId, IncidentId, SnapshotId},
    snapshot::{
        Entry, EntryName, Manifest, Outcome,
        container::{Writer, Written},
    },
    test_support::origin,
};

/// Contents of the sample's entries; nothing for the one that was missed.
const CONTENTS: [(&str, Outcome, &str); 4] = [
    ("agent.json", Outcome::Taken, "{\"host\":\"web-1\"}\n"),
    ("processes.jsonl", Outcome::Cut, "{\"pid\":4711}\n{\"pid\":4712}\n"),
    ("bpf.jsonl", Outcome::Missed, ""),
    ("mounts.txt", Outcome::Taken, ""),
];

/// A manifest and its container, of this agent and for this command.
///
/// # Panics
/// Never: the names are good, and memory takes what is written.
#[must_use]
pub fn sealed(agent: AgentId, command: CommandId) -> (Manifest, Vec<u8>) {
    let began = origin().clock;
    let mut container = Vec::new();
    let mut writer = Writer::new(&mut container);
    let mut entries = Vec::new();
    for (name, outcome, contents) in CONTENTS {
        let name = EntryName::parse(name).expect("it is a name");
        let is_missed = outcome == Outcome::Missed;
        let packed_bytes = match is_missed {
            true => 0,
            false => writer.add(&name, contents.as_bytes(), began.realtime).expect("memory"),
        };
        let reason = match outcome {
            Outcome::Taken => "",
            Outcome::Cut => "more than 26 bytes",
            Outcome::Missed => "the kernel refuses",
        };
        entries.push(Entry {
            name,
            outcome,
            reason: reason.to_owned(),
            size_bytes: contents.len() as u64,
            sha256: (!is_missed).then(|| Sha256::of(contents.as_bytes())),
            packed_bytes,
        });
    }
    let Written { size_bytes, sha256 } = writer.finish().expect("memory");
    let manifest = Manifest {
        snapshot: SnapshotId::from_slice(&[0x5a; 16]).expect("16 bytes, not all zero"),
        command,
        agent,
        incident: IncidentId::from_slice(&[0x1c; 16]),
        host_name: "web-1".to_owned(),
        boot: BootId([0xb0; 16]),
        profile: SnapshotProfile::Triage,
        began,
        ended: began,
        entries,
        size_bytes,
        sha256,
    };
    (manifest, container)
}
