//! Closed sets of words ↔ wire: one line per word, both directions from it.

use cordon_proto::v1;

use super::{WireError, refuse};
use crate::{
    command::{action, scope},
    event::{file, health, kernel, login, network, process, receipt},
    keyring::key,
};

/// Declares both directions of one set of words. Written by hand they could disagree; here they
/// cannot, and a word without a number does not compile.
macro_rules! words {
    ($to:ident, $from:ident, $field:literal, $domain:path, $wire:path, { $($word:ident),+ $(,)? }) => {
        pub(super) fn $to(word: $domain) -> i32 {
            use $domain as Domain;
            use $wire as Wire;
            let number = match word { $(Domain::$word => Wire::$word,)+ };
            number.into()
        }

        pub(super) fn $from(number: i32) -> Result<$domain, WireError> {
            use $domain as Domain;
            use $wire as Wire;
            match Wire::try_from(number) {
                $(Ok(Wire::$word) => Ok(Domain::$word),)+
                Ok(Wire::Unspecified) | Err(_) => refuse($field, "a word that the wire knows"),
            }
        }
    };
}

words!(sensor_to, sensor_from, "sensor", health::Sensor, v1::Sensor, {
    Process, Network, File, Dns, Kernel, Login, Log,
});
words!(tier_to, tier_from, "tier", health::Tier, v1::Tier, {
    Ebpf, KernelInterface, Portable, None,
});
words!(loss_to, loss_from, "cause", health::LossCause, v1::LossCause, {
    KernelBuffer, QueueFull, Quota, Filter, SensorDown, BadRecord, Corrupt, ShortLived,
});
words!(lane_to, lane_from, "lane", crate::id::Lane, v1::Lane, { Critical, Network, File });
words!(
    descriptor_to, descriptor_from, "descriptors", process::DescriptorKind, v1::DescriptorKind,
    { Closed, File, Directory, Pipe, Socket, Terminal, Device, Other }
);
words!(
    executable_to, executable_from, "exe_kind", process::ExecutableKind, v1::ExecutableKind,
    { File, Deleted, Memfd }
);
words!(hash_to, hash_from, "hash_state", process::HashState, v1::HashState, {
    Known, OverBudget, Vanished, TooLarge, Unreadable, NotTried,
});
words!(file_to, file_from, "action", file::Action, v1::FileAction, {
    Create, OpenWrite, WriteClose, Rename, Delete, Attributes,
});
words!(transport_to, transport_from, "transport", network::Transport, v1::Transport, {
    Tcp, Udp, Icmp, Icmp6, Sctp,
});
words!(
    connection_to, connection_from, "action", network::Action, v1::ConnectionAction,
    { Connect, Accept, Close, Fail }
);
words!(direction_to, direction_from, "direction", network::Direction, v1::Direction, {
    Inbound, Outbound,
});
words!(kernel_to, kernel_from, "object", kernel::Object, v1::KernelObject, { Module, BpfProgram });
words!(login_to, login_from, "action", login::Action, v1::LoginAction, { Open, Close, Fail });
words!(role_to, role_from, "role", key::Role, v1::Role, {
    Viewer, Analyst, Responder, Lead, Admin, Automation,
});
words!(holder_to, holder_from, "holder_kind", key::HolderKind, v1::HolderKind, {
    File, Hardware, Browser,
});
words!(lease_end_to, lease_end_from, "lease.end", scope::LeaseEnd, v1::LeaseEnd, { Release, Hold });
words!(override_to, override_from, "overrides", scope::Override, v1::Override, {
    NetworkRoot, ClusterQuorum, ControlPlane, PackagedFile,
});
words!(
    snapshot_to, snapshot_from, "profile", action::SnapshotProfile, v1::SnapshotProfile,
    { Triage, Memory, Full }
);
words!(
    artefact_to, artefact_from, "outcome", crate::snapshot::Outcome, v1::ArtefactOutcome,
    { Taken, Cut, Missed }
);
words!(verdict_to, verdict_from, "verdict", receipt::Verdict, v1::Verdict, {
    Complete, Partial, Failed, Refused, Expired, Unknown, Planned,
});
words!(refusal_to, refusal_from, "refusal", receipt::Refusal, v1::Refusal, {
    BadSignature, UnknownSigner, NotAuthorised, NotATarget, WrongHost, TooEarly, Replayed,
    UnknownAction, NotCanonical, IdentityMismatch, Protected, LocalPolicy, NotCited,
    CitationTooOld, OutsideCitation, TotalUsedUp, NoKeyring, BadInput, Held, KeyringExpired,
    MoreSigners,
});
words!(outcome_to, outcome_from, "outcome", receipt::StepOutcome, v1::StepOutcome, {
    Done, Already, Failed, Undone, Skipped,
});
words!(
    goodbye_to, goodbye_from, "goodbye.reason", super::session::GoodbyeReason,
    v1::GoodbyeReason, { Stopping, Replaced, Revoked, BadInput, Busy }
);
