//! What was once on the wire stays readable: one encoded sample of every message, kept as bytes.
//!
//! `golden/v1/fields.txt` lists every field number that was ever given, and
//! `golden/v1/NAME[.oneof member].bin` holds a message with every field set. Bytes that are there must
//! decode and encode to themselves. A line of the list may be added, never changed or removed: a number
//! that meant something once never means something else. `UPDATE_EXPECT=1` writes what is new, and
//! refuses to write over what is old.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use cordon_proto::v1;
use prost::{
    Message,
    encoding::{WireType, encode_key, encode_varint},
};

/// Every field and value, as the build found them.
const FIELDS: &str = include_str!(concat!(env!("OUT_DIR"), "/fields.txt"));

/// Decodes as a message of this type and encodes again.
fn again<M: Message + Default>(bytes: &[u8]) -> Result<Vec<u8>, prost::DecodeError> {
    M::decode(bytes).map(|it| it.encode_to_vec())
}

type Again = fn(&[u8]) -> Result<Vec<u8>, prost::DecodeError>;

/// Every message of the wire by name. One that is missing here fails the test below.
macro_rules! messages {
    ($($name:ident,)+) => {
        const MESSAGES: &[(&str, Again)] = &[$((stringify!($name), again::<v1::$name>)),+];
    };
}

messages! {
    Ack, AgentMessage, Ancestor, ArmedRule, AuthorizedKey, AutomationTotals, Batch, BatchBody,
    BatchRefused, Block, Blocked, ChallengeReply, ChallengeRequest, Citation, ClockSample,
    Collect, CollectorMessage, Command, CommandDelivery, CommandSeen, Connection,
    CredentialChange, Credentials, Credit, CronLine, Cut, DisableUnit, DnsQuery, EndSessions,
    Endpoint, EnrolReply, EnrolRequest, Event, EventId, FileChange, FileIdentity, FileIs,
    Finding, Goodbye, Health, Heartbeat, Hello, HostFacts, Isolate, KernelLoad, Keyring, KeyringKey,
    KeyringMembers, KeyringPolicy, Kill, LanePosition, Lease, Listen, LockAccount, LogField,
    LogRecord, LoginSession, Loss, Manifest, ManifestEntry, Mount, Network, Precondition,
    Process, ProcessExit, ProcessIs, ProcessKey, ProcessLaunch, Ptrace, Quarantine, Receipt,
    ReceiptKeyClaim, Rehearse, Release, Remove, RenewLease, RenewReply, RenewRequest, Restore,
    Resume, Scan, SensorState, SetCollector, SetPolicy, SetRules, Signature, Signed,
    SnapshotChunk, SnapshotOffer, SnapshotProgress, StepReport, Suspend, Sweep, SweepQuestion,
    SystemdUnit, TakeSnapshot, TargetProof, TextLine, Unblock, Undo, UnlockAccount,
    UpdateKeyring, Welcome,
}

/// One line of the list.
struct Field<'a> {
    number: u32,
    name: &'a str,
    class: &'a str,
    kind: &'a str,
    label: &'a str,
}

/// Fields by message, ascending.
fn fields() -> BTreeMap<&'static str, Vec<Field<'static>>> {
    let mut fields: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in FIELDS.lines().filter(|it| !it.starts_with("enum ")) {
        let words: Vec<&str> = line.split(' ').collect();
        let [message, number, name, class, kind, label] = *words else {
            fields.entry(words[0]).or_default();
            continue;
        };
        let number = number.parse().expect("the build writes numbers");
        let of_message = fields.entry(message).or_default();
        of_message.push(Field { number, name, class, kind, label });
    }
    fields
}

/// A message with every field set; of each oneof the member `chosen`, or else the first.
fn sample(message: &str, chosen: Option<u32>, depth: usize) -> Vec<u8> {
    let all = fields();
    let mut bytes = Vec::new();
    let mut taken = BTreeSet::new();
    if let Some(chosen) = all[message].iter().find(|it| Some(it.number) == chosen) {
        taken.insert(chosen.label);
    }
    for it in &all[message] {
        let is_member = it.label.starts_with("oneof=");
        if is_member && Some(it.number) != chosen && !taken.insert(it.label) {
            continue;
        }
        // Deep enough for every message of ours; a ring would end here too.
        if it.class == "message" && depth > 6 {
            continue;
        }
        put(it, depth, &mut bytes);
    }
    bytes
}

fn put(field: &Field<'_>, depth: usize, bytes: &mut Vec<u8>) {
    let count = if field.label == "repeated" { 2 } else { 1 };
    let is_number = field.class == "enum" || !matches!(field.kind, "STRING" | "BYTES");
    if field.class != "message" && is_number {
        let mut values = Vec::new();
        for index in 0..count {
            let is_small = field.class == "enum" || field.kind == "BOOL";
            let is_known = is_small || field.kind.contains("INT");
            assert!(is_known, "no sample for {}", field.kind);
            let value = if is_small { 1 } else { u64::from(field.number) * 3 + index + 1 };
            encode_varint(value, &mut values);
        }
        if count == 1 {
            encode_key(field.number, WireType::Varint, bytes);
        } else {
            encode_key(field.number, WireType::LengthDelimited, bytes);
            encode_varint(values.len() as u64, bytes);
        }
        bytes.extend(values);
        return;
    }
    for index in 0..count {
        let value = match (field.class, field.kind) {
            ("message", kind) => sample(kind, None, depth + 1),
            (_, "STRING") => format!("{} {index}", field.name).into_bytes(),
            _ => vec![u8::try_from(u64::from(field.number) + index).expect("small"); 16],
        };
        encode_key(field.number, WireType::LengthDelimited, bytes);
        encode_varint(value.len() as u64, bytes);
        bytes.extend(value);
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/v1").join(name)
}

fn is_update() -> bool {
    std::env::var_os("UPDATE_EXPECT").is_some()
}

/// What is committed; with `UPDATE_EXPECT` a missing file is written first.
#[expect(clippy::disallowed_methods, reason = "a golden file is written by hand, beside the tree")]
fn kept(name: &str, fresh: &[u8]) -> Vec<u8> {
    let path = golden(name);
    if is_update() && !path.try_exists().expect("the folder can be read") {
        fs::write(&path, fresh).expect("the folder is there");
    }
    let bytes = fs::read(&path);
    assert!(bytes.is_ok(), "{name} is missing: UPDATE_EXPECT=1 writes what is new");
    bytes.unwrap_or_default()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a golden file is written by hand, beside the tree")]
fn field_numbers_are_added_and_never_changed() {
    let kept = String::from_utf8(kept("fields.txt", FIELDS.as_bytes())).expect("text");
    let now: BTreeSet<&str> = FIELDS.lines().collect();
    let before: BTreeSet<&str> = kept.lines().collect();
    // A message without fields says so until it gets one.
    let lost: Vec<_> = before.difference(&now).filter(|it| !it.ends_with("(no fields)")).collect();
    assert!(lost.is_empty(), "these were on the wire and are no more: {lost:#?}");
    if is_update() {
        fs::write(golden("fields.txt"), FIELDS).expect("the folder is there");
    } else {
        let new: Vec<_> = now.difference(&before).collect();
        assert!(new.is_empty(), "UPDATE_EXPECT=1 writes these down: {new:#?}");
    }
}

#[test]
fn old_bytes_of_every_message_decode_and_encode_to_themselves() {
    let named: BTreeSet<&str> = MESSAGES.iter().map(|(name, _)| *name).collect();
    let all = fields();
    assert_eq!(named, all.keys().copied().collect(), "the list of messages above");
    for (message, again) in MESSAGES {
        let of_oneof = all[message].iter().filter(|it| it.label.starts_with("oneof="));
        let members = of_oneof.map(|it| (format!("{message}.{}.bin", it.name), Some(it.number)));
        for (name, chosen) in members.chain([(format!("{message}.bin"), None)]) {
            let bytes = kept(&name, &sample(message, chosen, 0));
            assert_eq!(again(&bytes).as_deref(), Ok(bytes.as_slice()), "{name}");
        }
    }
}
