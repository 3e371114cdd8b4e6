//! One command of every action, one receipt of every verdict, and a keyring to go with them.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;

use crate::{
    command::{
        Command,
        action::{Action, Artefact, Blocked, Network, ProcessTarget, Question, SnapshotProfile},
        scope::{Citation, FileIs, Lease, LeaseEnd, Override, Precondition},
        target::{Target, Tree},
    },
    crypto::signing::SigningKey,
    digest::Sha256,
    event::receipt::{Finding, Receipt, Refusal, StepOutcome, StepReport, Verdict},
    id::{
        CommandId, Epoch, EventId, EventSeq, ExerciseId, IncidentId, Lane, LedgerId, ProcessKey,
        SweepId,
    },
    keyring::{
        ArmedRule, Bundle, Members, Policy, Totals, author,
        key::{HolderKind, Key, Role, Roots},
    },
    text::Text,
    time::{Boottime, ClockSample, Timestamp},
};

/// When the samples were signed: 2027-01-15T08:00:00Z.
pub const NOW: Timestamp = Timestamp::from_ns(1_800_000_000_000_000_000);

/// A key by number: 1 and 2 are roots, 3 and 4 admins, 5 and 7 responders, 6 automation, 8 an analyst,
/// 9 a responder's browser; any other is a stranger's.
#[must_use]
pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

/// The host that the sample commands are for.
#[must_use]
pub fn target() -> Target {
    Target {
        agent: super::agent(),
        host_name: "web-1".to_owned(),
        host_tier: "standard".to_owned(),
    }
}

/// A process that the sample actions name.
pub const PROCESS: ProcessKey = ProcessKey { pid: 4_711, start_ticks: 94_711 };

fn id<T>(read: impl Fn(&[u8]) -> Option<T>, byte: u8) -> T {
    read(&[byte; 16]).expect("16 bytes, not all zero")
}

/// The event that the sample citation names.
///
/// # Panics
/// Never: its numbers are good ones.
#[must_use]
pub fn cited() -> EventId {
    EventId {
        agent: super::agent(),
        epoch: Epoch::from_u64(77).expect("not zero"),
        lane: Lane::Critical,
        seq: EventSeq::FIRST,
    }
}

/// One action of every kind.
#[expect(clippy::too_many_lines, reason = "a table: one row for each action")]
#[must_use]
pub fn actions() -> Vec<Action> {
    let tree = ProcessTarget { process: PROCESS, is_tree: true };
    let hold = id(CommandId::from_slice, 0xc0);
    let path = || Text::from(b"/tmp/x\xff".as_slice());
    let line = || Text::from("* * * * * root /tmp/x");
    let sha256 = Sha256::of(b"x");
    let file = || FileIs { path: path(), device: 8, inode: 99, sha256 };
    let v4 = Network { address: IpAddr::from([10, 0, 0, 0]), prefix_bits: 8 };
    let v6 = Network { address: IpAddr::from([0xfd; 16]), prefix_bits: 128 };
    let lease = Lease {
        duration: Duration::from_secs(3_600),
        end: LeaseEnd::Release,
        duration_max: Duration::from_secs(86_400),
    };
    let mut actions = vec![
        Action::Kill(tree),
        Action::Suspend(tree),
        Action::Resume(ProcessTarget { is_tree: false, ..tree }),
        Action::Isolate { allowed: vec![v4, v6], container: Text::from("c0ffee") },
        Action::Release { hold },
        Action::Block(vec![
            Blocked::Sha256(sha256),
            Blocked::Path(path()),
            Blocked::Network(v4),
            Blocked::Domain("evil.example".to_owned()),
        ]),
        Action::Unblock { blocked: vec![Blocked::Network(v6)], hold },
        Action::Cut { process: Some(PROCESS), remote: vec![v4] },
        Action::Quarantine(file()),
        Action::Restore(id(LedgerId::from_slice, 0xed)),
        Action::LockAccount("mallory".to_owned()),
        Action::UnlockAccount { account: "mallory".to_owned(), hold },
        Action::EndSessions("mallory".to_owned()),
        Action::DisableUnit("evil.service".to_owned()),
        Action::Snapshot {
            profile: SnapshotProfile::Triage,
            processes: vec![PROCESS],
            bytes_max: 1 << 30,
        },
        Action::Collect { paths: vec![path()], bytes_max: 1 << 20 },
        Action::Sweep {
            sweep: id(SweepId::from_slice, 0x5e),
            questions: vec![
                Question::Sha256(sha256),
                Question::Path(path()),
                Question::Network(v6),
                Question::Domain("evil.example".to_owned()),
                Question::Yara(sha256),
            ],
        },
        Action::Scan { rules_sha256: sha256, paths: vec![path()], processes: vec![PROCESS] },
        Action::RenewLease { hold, lease },
        Action::Undo(id(LedgerId::from_slice, 0xed)),
        Action::Rehearse {
            exercise: id(ExerciseId::from_slice, 0xee),
            scenario: "reverse-shell".to_owned(),
            step: 2,
        },
        Action::SetPolicy(Bytes::from_static(b"mode = 'observe'")),
        Action::SetRules { rules_sha256: sha256, rules: Bytes::from_static(b"x") },
        Action::SetCollector {
            addresses: vec!["ir.example:7443".to_owned()],
            authorities: vec![Bytes::from_static(b"der")],
        },
        Action::UpdateKeyring(keyring()),
    ];
    let removals = [
        Artefact::CronLine { path: path(), line: line() },
        Artefact::SystemdUnit { path: path(), sha256 },
        Artefact::AuthorizedKey { path: path(), line: line() },
        Artefact::TextLine { path: path(), line: line() },
        Artefact::Account("mallory".to_owned()),
        Artefact::File(file()),
    ];
    actions.extend(removals.map(Action::Remove));
    actions
}

/// A command for [`target`], with every field set.
///
/// # Panics
/// Never: the sample target makes a tree.
#[must_use]
pub fn command(action: Action) -> Command {
    let tree = Tree::new(vec![target()]).expect("one target");
    Command {
        id: id(CommandId::from_slice, 0xcc),
        incident: Some(id(IncidentId::from_slice, 0x1c)),
        targets: tree.root(),
        issued: NOW,
        not_before: NOW,
        expires: NOW.saturating_add(Duration::from_secs(600)),
        lease: Some(Lease {
            duration: Duration::from_secs(1_800),
            end: LeaseEnd::Release,
            duration_max: Duration::from_secs(3_600),
        }),
        preconditions: vec![
            Precondition::ProcessIs { process: PROCESS, exe_sha256: Some(Sha256::of(b"dash")) },
            Precondition::FileIs(FileIs {
                path: Text::from("/bin/dash"),
                device: 8,
                inode: 7,
                sha256: Sha256::of(b"dash"),
            }),
        ],
        supersedes: Some(id(CommandId::from_slice, 0xcb)),
        citation: Some(Citation {
            event: cited(),
            rule: "reverse-shell".to_owned(),
            rule_sha256: Sha256::of(b"rule text"),
        }),
        overrides: vec![
            Override::NetworkRoot,
            Override::ClusterQuorum,
            Override::ControlPlane,
            Override::PackagedFile,
        ],
        is_dry_run: true,
        reason: "a shell with a socket as its stdio".to_owned(),
        action,
    }
}

/// One receipt of every verdict.
#[must_use]
pub fn receipts() -> Vec<Receipt> {
    let clock = |at| ClockSample { boottime: Boottime::from_ns(at), realtime: NOW };
    let step =
        |step: &str, outcome| StepReport { step: step.to_owned(), outcome, detail: String::new() };
    let receipt = |verdict| Receipt {
        command: id(CommandId::from_slice, 0xcc),
        agent: super::agent(),
        incident: Some(id(IncidentId::from_slice, 0x1c)),
        verdict,
        refusal: (verdict == Verdict::Refused).then_some(Refusal::Protected),
        detail: "4711 and 2 descendants".to_owned(),
        steps: vec![
            step("freeze 4711", StepOutcome::Done),
            step("kill 4711", StepOutcome::Already),
            step("kill 4712", StepOutcome::Failed),
            step("freeze 4713", StepOutcome::Undone),
            step("kill 4713", StepOutcome::Skipped),
        ],
        open: if verdict == Verdict::Partial { vec!["4712 lives".to_owned()] } else { Vec::new() },
        findings: vec![
            Finding {
                file: Some(FileIs {
                    path: Text::from(b"/tmp/x\xff".as_slice()),
                    device: 8,
                    inode: 99,
                    sha256: Sha256::of(b"x"),
                }),
                size_bytes: 1_024,
                modified: NOW,
                process: None,
                question: 0,
                note: "not running".to_owned(),
            },
            Finding {
                file: None,
                size_bytes: 0,
                modified: Timestamp::from_ns(0),
                process: Some(PROCESS),
                question: 1,
                note: String::new(),
            },
        ],
        ledger: vec![id(LedgerId::from_slice, 0xed)],
        received: clock(1),
        began: clock(2),
        ended: clock(3),
        command_sha256: Sha256::of(b"command"),
    };
    [
        Verdict::Complete,
        Verdict::Partial,
        Verdict::Failed,
        Verdict::Refused,
        Verdict::Expired,
        Verdict::Unknown,
        Verdict::Planned,
    ]
    .map(receipt)
    .into()
}

/// The roots of the sample keyring: key 1, alone.
///
/// # Panics
/// Never: one key reaches a threshold of one.
#[must_use]
pub fn roots() -> Roots {
    Roots::new(vec![key(1).public()], 1).expect("one key reaches a threshold of one")
}

/// A draft of a keyring with every field set; see [`key`] for who is who.
#[must_use]
pub fn draft() -> author::Draft {
    let expires = NOW.saturating_add(Duration::from_secs(30 * 86_400));
    let member = |seed, holder: &str, role, holder_kind| Key {
        public: key(seed).public(),
        holder: holder.to_owned(),
        role,
        holder_kind,
        expires,
    };
    let policy = Policy {
        version: 3,
        issued: NOW,
        expires,
        roots: roots(),
        admins: vec![
            member(3, "ada", Role::Admin, HolderKind::Hardware),
            member(4, "grace", Role::Admin, HolderKind::File),
        ],
        admin_threshold: 1,
        automation: vec![Totals {
            host_tier: "standard".to_owned(),
            isolation_per_day: Duration::from_secs(4 * 3_600),
            kills_per_hour: 2,
            citation_age_max: Duration::from_secs(60),
        }],
        break_glass: vec![Sha256::of(b"code")],
        targets_max_single: 2,
    };
    let members = Members {
        version: 7,
        policy_version: 3,
        issued: NOW,
        keys: vec![
            member(5, "bob", Role::Responder, HolderKind::File),
            member(6, "automation", Role::Automation, HolderKind::File),
            member(7, "carol", Role::Responder, HolderKind::Hardware),
            member(8, "dan", Role::Analyst, HolderKind::File),
            member(9, "bob", Role::Responder, HolderKind::Browser),
        ],
        revoked: vec![key(99).public().id()],
        armed: vec![ArmedRule {
            rule: "reverse-shell".to_owned(),
            sha256: Sha256::of(b"rule text"),
        }],
    };
    author::Draft { policy, members }
}

/// The draft, signed.
#[must_use]
pub fn keyring() -> Bundle {
    author::sign(&draft(), &[key(1), key(3)])
}
