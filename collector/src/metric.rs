//! What the receiving half counts: each name once, with its meaning, as `/metrics` shows it.
//!
//! Beside the road: every stage calls in here; nothing is ever read back.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

/// What only rises.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Count {
    /// Batches that became durable for the first time.
    Batches,
    /// Events in them.
    Events,
    /// Bytes of them, as sealed.
    BatchBytes,
    /// Batches that were here already (F-18).
    Repeats,
    /// Batches that were refused for good (F-27 to F-29).
    Refused,
    /// Refused batches that were kept aside.
    RefusedKept,
    /// Refused batches for which there was no room: nobody has them any more.
    RefusedUnkept,
    /// Streams that were closed because their framing was broken.
    BrokenStreams,
    /// Acknowledgements sent.
    Acks,
    /// Numbers that were skipped and never came.
    MissingEvents,
    /// Records that the journal has lost.
    JournalLost,
    /// Syncs of the journal that failed.
    SyncFailures,
    /// Sessions begun.
    Sessions,
    /// Handshakes that failed or took too long.
    HandshakeFailures,
    /// Enrolments and renewals granted.
    CertificatesIssued,
    /// Enrolments and renewals refused.
    EnrolmentsRefused,
    /// Calls that the rate limits turned away.
    RateLimited,
    /// Concerns about agents: rivals, disagreements.
    Concerns,
    /// Records that the store did not take.
    StoreFailures,
    /// Rows that are in the lake now.
    LakeRows,
    /// Files that brought them.
    LakeFiles,
    /// Bytes of those files.
    LakeBytes,
    /// Commits of the lake that failed and were tried again.
    LakeFailures,
    /// Batches that cannot be filed and lie aside (F-49).
    LakeSetAside,
    /// Journal records that were lost before the lake had them.
    LakeGaps,
    /// Times that small files of the lake became a large one.
    LakeCompactions,
    /// Files that the lake's catalog names and that are gone.
    LakeMissing,
    /// Events that the rules were run over.
    WatchedEvents,
    /// Times that a rule broke on an event, which it did not judge (F-49).
    RulePanics,
    /// Detections and receipts that could not be kept (F-49).
    PassedOver,
    /// Detections that were new.
    Detections,
    /// Repeats that a suppression kept back.
    Suppressed,
    /// Incidents that were opened.
    Incidents,
    /// Commands that automation was made to sign.
    CommandsIssued,
    /// Commands that did not leave because something was missing (CM-1).
    UnfitCommands,
    /// Receipts that prove nothing.
    BadReceipts,
    /// Forensic containers that came whole.
    Evidence,
}

impl Count {
    /// The name in `/metrics`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Batches => "cordon_ingest_batches_total",
            Self::Events => "cordon_ingest_events_total",
            Self::BatchBytes => "cordon_ingest_bytes_total",
            Self::Repeats => "cordon_ingest_repeats_total",
            Self::Refused => "cordon_ingest_refused_total",
            Self::RefusedKept => "cordon_ingest_refused_kept_total",
            Self::RefusedUnkept => "cordon_ingest_refused_unkept_total",
            Self::BrokenStreams => "cordon_gateway_broken_streams_total",
            Self::Acks => "cordon_ingest_acks_total",
            Self::MissingEvents => "cordon_ingest_missing_events_total",
            Self::JournalLost => "cordon_journal_lost_records_total",
            Self::SyncFailures => "cordon_journal_sync_failures_total",
            Self::Sessions => "cordon_gateway_sessions_total",
            Self::HandshakeFailures => "cordon_gateway_handshake_failures_total",
            Self::CertificatesIssued => "cordon_pki_certificates_issued_total",
            Self::EnrolmentsRefused => "cordon_pki_refused_total",
            Self::RateLimited => "cordon_gateway_rate_limited_total",
            Self::Concerns => "cordon_gateway_concerns_total",
            Self::StoreFailures => "cordon_gateway_store_failures_total",
            Self::LakeRows => "cordon_lake_rows_total",
            Self::LakeFiles => "cordon_lake_files_total",
            Self::LakeBytes => "cordon_lake_bytes_total",
            Self::LakeFailures => "cordon_lake_failures_total",
            Self::LakeSetAside => "cordon_lake_set_aside_total",
            Self::LakeGaps => "cordon_lake_gap_records_total",
            Self::LakeCompactions => "cordon_lake_compactions_total",
            Self::LakeMissing => "cordon_lake_missing_files_total",
            Self::WatchedEvents => "cordon_watch_events_total",
            Self::RulePanics => "cordon_watch_rule_panics_total",
            Self::PassedOver => "cordon_watch_passed_over_total",
            Self::Detections => "cordon_watch_detections_total",
            Self::Suppressed => "cordon_watch_suppressed_total",
            Self::Incidents => "cordon_watch_incidents_total",
            Self::CommandsIssued => "cordon_response_commands_issued_total",
            Self::UnfitCommands => "cordon_response_unfit_commands_total",
            Self::BadReceipts => "cordon_response_bad_receipts_total",
            Self::Evidence => "cordon_gateway_evidence_total",
        }
    }

    /// Adds to it.
    pub fn add(self, count: u64) {
        counter!(self.as_str()).increment(count);
    }
}

/// What goes up and down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// Agents with a live session.
    ConnectedAgents,
    /// Open TLS connections, all listeners together.
    Connections,
    /// The next index that the journal gives.
    JournalAppended,
    /// Below it all is on disk.
    JournalDurable,
    /// Bytes that the journal takes on disk.
    JournalBytes,
    /// Batches that wait for the journal.
    JournalQueue,
    /// 0 open, 1 behind, 2 stalled.
    JournalPressure,
    /// 1 while the disk has no room but for the state.
    DiskFull,
    /// Below it all is in the lake.
    LakePosition,
    /// Below it the rules were run over all, for good.
    WatchPosition,
}

impl Level {
    /// The name in `/metrics`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConnectedAgents => "cordon_gateway_connected_agents",
            Self::Connections => "cordon_gateway_connections",
            Self::JournalAppended => "cordon_journal_appended_position",
            Self::JournalDurable => "cordon_journal_durable_position",
            Self::JournalBytes => "cordon_journal_bytes",
            Self::JournalQueue => "cordon_journal_queue_batches",
            Self::JournalPressure => "cordon_journal_pressure",
            Self::DiskFull => "cordon_disk_full",
            Self::LakePosition => "cordon_lake_position",
            Self::WatchPosition => "cordon_watch_position",
        }
    }

    /// Sets it.
    pub fn set(self, value: u64) {
        // Exact up to 2^53, which no position here will reach.
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float by definition")]
        gauge!(self.as_str()).set(value as f64);
    }

    /// Adds one.
    pub fn rise(self) {
        gauge!(self.as_str()).increment(1.0);
    }

    /// Takes one off.
    pub fn fall(self) {
        gauge!(self.as_str()).decrement(1.0);
    }
}

/// What takes time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Time {
    /// One sync of the journal.
    JournalSync,
    /// From the reception of a batch to its acknowledgement.
    Ack,
    /// Checking one batch.
    Validate,
    /// Filing what was gathered.
    LakeCommit,
    /// Making a large file from small ones.
    LakeCompaction,
    /// From the reception of a batch to its rows in the lake.
    LakeLag,
    /// Running the rules over one batch.
    Rules,
    /// From an event, by the collector's clock, to its detection in the store.
    Detection,
    /// From the signature of a command to its receipt in the store.
    Command,
}

impl Time {
    /// The name in `/metrics`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JournalSync => "cordon_journal_sync_seconds",
            Self::Ack => "cordon_ingest_ack_seconds",
            Self::Validate => "cordon_ingest_validate_seconds",
            Self::LakeCommit => "cordon_lake_commit_seconds",
            Self::LakeCompaction => "cordon_lake_compaction_seconds",
            Self::LakeLag => "cordon_lake_lag_seconds",
            Self::Rules => "cordon_watch_rules_seconds",
            Self::Detection => "cordon_watch_detection_seconds",
            Self::Command => "cordon_response_command_seconds",
        }
    }

    /// Notes one duration.
    pub fn note(self, took: Duration) {
        histogram!(self.as_str()).record(took);
    }
}

/// Counts a command that was closed, by its verdict: one of a closed set.
pub fn commands_closed(verdict: &'static str) {
    counter!("cordon_response_commands_closed_total", "verdict" => verdict).increment(1);
}
