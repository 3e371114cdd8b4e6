//! What became of a command: the agent's own word, signed with its receipt key.
//!
//! A receipt is a fact and goes up the critical lane. It is never an opinion: `complete` is said only
//! of what was seen to be so.

use crate::{
    command::scope::FileIs,
    digest::Sha256,
    id::{AgentId, CommandId, IncidentId, LedgerId, ProcessKey},
    time::{ClockSample, Timestamp},
};

/// What became of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    /// Done, and seen to be done.
    Complete,
    /// Done in part; what is open is named.
    Partial,
    /// Not done; what had been begun was rolled back.
    Failed,
    /// Nothing was done: the refusal says why.
    Refused,
    /// It came too late; nothing was done.
    Expired,
    /// Begun before a crash; how far it got is not known.
    Unknown,
    /// Nothing was to be done: a dry run, or a host that only observes. Never "contained".
    Planned,
}

impl Verdict {
    /// The name in logs, JSON and the lake.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
            Self::Planned => "planned",
        }
    }
}

/// Why nothing was done.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Refusal {
    /// A signature is not by the key that it names.
    BadSignature,
    /// No key of the keyring signed it.
    UnknownSigner,
    /// The signers may not do this.
    NotAuthorised,
    /// This agent is not among the targets.
    NotATarget,
    /// The host has another name or tier than the person saw.
    WrongHost,
    /// Its time has not come.
    TooEarly,
    /// It was here before.
    Replayed,
    /// This agent does not know the action.
    UnknownAction,
    /// Its bytes are not what its value encodes to.
    NotCanonical,
    /// A process or file is not the one that is meant.
    IdentityMismatch,
    /// The target is never touched: pid 1, the kernel, the agent, what the local policy lists.
    Protected,
    /// The local policy says no.
    LocalPolicy,
    /// Automation cites nothing that this agent saw.
    NotCited,
    /// What automation cites is too old.
    CitationTooOld,
    /// The target is not what the cited event is about.
    OutsideCitation,
    /// Automation has used up its total.
    TotalUsedUp,
    /// There is no keyring yet.
    NoKeyring,
    /// A field breaks a rule.
    BadInput,
    /// This agent is held until a person approves it.
    Held,
    /// The keyring has expired, and this would widen what is contained.
    KeyringExpired,
    /// More persons must sign.
    MoreSigners,
}

impl Refusal {
    /// The name in logs, JSON and the lake.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadSignature => "bad_signature",
            Self::UnknownSigner => "unknown_signer",
            Self::NotAuthorised => "not_authorised",
            Self::NotATarget => "not_a_target",
            Self::WrongHost => "wrong_host",
            Self::TooEarly => "too_early",
            Self::Replayed => "replayed",
            Self::UnknownAction => "unknown_action",
            Self::NotCanonical => "not_canonical",
            Self::IdentityMismatch => "identity_mismatch",
            Self::Protected => "protected",
            Self::LocalPolicy => "local_policy",
            Self::NotCited => "not_cited",
            Self::CitationTooOld => "citation_too_old",
            Self::OutsideCitation => "outside_citation",
            Self::TotalUsedUp => "total_used_up",
            Self::NoKeyring => "no_keyring",
            Self::BadInput => "bad_input",
            Self::Held => "held",
            Self::KeyringExpired => "keyring_expired",
            Self::MoreSigners => "more_signers",
        }
    }
}

/// How one step went.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StepOutcome {
    /// Done.
    Done,
    /// It was so already.
    Already,
    /// Not done.
    Failed,
    /// Done, then undone.
    Undone,
    /// Not tried.
    Skipped,
}

impl StepOutcome {
    /// The name in logs and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Already => "already",
            Self::Failed => "failed",
            Self::Undone => "undone",
            Self::Skipped => "skipped",
        }
    }
}

/// One step and how it went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StepReport {
    /// In words: `freeze 4711`, `kill 4711`.
    pub step: String,
    /// How it went.
    pub outcome: StepOutcome,
    /// More, for people.
    pub detail: String,
}

/// Something that a sweep found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The file, as a command that is to touch it must name it; `None` where only a process was found.
    pub file: Option<FileIs>,
    /// Its size.
    pub size_bytes: u64,
    /// When its contents last changed, by the host's own account.
    pub modified: Timestamp,
    /// A process that runs it; one finding for each.
    pub process: Option<ProcessKey>,
    /// Which of the sweep's questions it answers, counted from 0.
    pub question: u32,
    /// More, for people.
    pub note: String,
}

/// What became of a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// Which command.
    pub command: CommandId,
    /// Whose word this is.
    pub agent: AgentId,
    /// The incident that the command belongs to.
    pub incident: Option<IncidentId>,
    /// What became of it.
    pub verdict: Verdict,
    /// Why nothing was done, when nothing was.
    pub refusal: Option<Refusal>,
    /// One sentence for people.
    pub detail: String,
    /// What was done, in order.
    pub steps: Vec<StepReport>,
    /// What a partial containment leaves open.
    pub open: Vec<String>,
    /// What was found. None, in a receipt that is complete, is a clean host.
    pub findings: Vec<Finding>,
    /// What undoes it.
    pub ledger: Vec<LedgerId>,
    /// When the command came.
    pub received: ClockSample,
    /// When the first step began; as `received` when none did.
    pub began: ClockSample,
    /// When the last step ended.
    pub ended: ClockSample,
    /// SHA-256 of the command's payload as it came.
    pub command_sha256: Sha256,
}
