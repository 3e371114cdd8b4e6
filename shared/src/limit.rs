//! Every bound that two modules must agree on: number, unit, reason.
//!
//! A bound that only one module knows lives in that module. A peer or a kernel record can make us
//! allocate no more than these say.

use std::time::Duration;

/// Revision of the wire that this build speaks. A peer one revision older works, both ways.
pub const WIRE_REVISION: u32 = 1;

// --- The road, from the host up ---

/// Observations waiting between sensors and enrichment: about one second of a busy build host
/// (chosen).
pub const SENSOR_QUEUE_OBSERVATIONS: usize = 8_192;

/// Events waiting between enrichment and spool (chosen: four full batches).
pub const ENRICH_QUEUE_EVENTS: usize = 1_024;

/// Events of one batch: large enough that gRPC is not the cost (from 50 on, FACTS of the
/// transport), small enough that a lost ack repeats little.
pub const BATCH_EVENTS_MAX: usize = 256;

/// Bytes of a batch's body before compression, and after.
pub const BATCH_BODY_BYTES_MAX: usize = 1 << 20;

/// Raw bytes at which a batch is sealed though it has room for more events (chosen: a quarter of
/// the bound, so that one more event always fits).
pub const BATCH_SEAL_BYTES: usize = 256 << 10;

/// Entries of a batch's string table: every event can bring about a hundred of its own.
pub const BATCH_STRINGS_MAX: usize = 32_768;

/// Entries of a batch's process table: at most actor, parent and object of each event.
pub const BATCH_PROCESSES_MAX: usize = 3 * BATCH_EVENTS_MAX;

/// How long a critical event may wait for its batch to fill: a part of the 50 ms from event to
/// detection.
pub const SEAL_DELAY_CRITICAL: Duration = Duration::from_millis(10);

/// The same for the network and file lanes, where more events per batch are worth more.
pub const SEAL_DELAY_BULK: Duration = Duration::from_millis(50);

/// One string of an event: `PATH_MAX` is 4,096 (limits.h); arguments are cut before.
pub const TEXT_BYTES_MAX: usize = 4_096;

/// A log record's message.
pub const LOG_MESSAGE_BYTES_MAX: usize = 16_384;

/// All arguments of one launch together; the rest is counted in `argv_bytes_cut`.
pub const ARGV_BYTES_MAX: usize = 4_096;

/// Arguments of one launch.
pub const ARGV_COUNT_MAX: usize = 512;

/// Steps of an ancestry: deeper trees exist, but are cut at the root's end.
pub const ANCESTRY_MAX: usize = 16;

/// Fields of one log record.
pub const LOG_FIELDS_MAX: usize = 64;

/// Entries of a batch's body, those inside its events included: its tables, and log records that have
/// the most.
pub const BATCH_ENTRIES_MAX: usize =
    BATCH_STRINGS_MAX + BATCH_PROCESSES_MAX + BATCH_EVENTS_MAX + BATCH_EVENTS_MAX * LOG_FIELDS_MAX;

// --- The session ---

/// One gRPC message: a batch and its framing.
pub const MESSAGE_BYTES_MAX: usize = (1 << 20) + (64 << 10);

/// Batches of one agent that may be unacknowledged.
pub const CREDIT_BATCHES: u32 = 16;

/// Bytes of one agent that may be unacknowledged.
pub const CREDIT_BYTES: u64 = 4 << 20;

/// Each side says that it lives.
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(3);

/// A peer that said nothing for so long is gone.
pub const HEARTBEAT_DEAD: Duration = Duration::from_secs(10);

/// First and longest delay between attempts to reach the collector.
pub const RECONNECT_FIRST: Duration = Duration::from_millis(200);
/// The longest: a fleet is back within 15 s of its collector.
pub const RECONNECT_MAX: Duration = Duration::from_secs(10);

/// A TLS handshake, a connection preface, the first message: each within this time.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Positions that a hello may carry: three lanes of as many epochs as a spool can hold.
pub const HELLO_POSITIONS_MAX: usize = 3 * SPOOL_EPOCHS_MAX;

/// Openings of a spool that are still undrained before the oldest counts as one more loss: an agent
/// that crashes for days without a collector.
pub const SPOOL_EPOCHS_MAX: usize = 1_024;

/// Characters of a host name: 253 (RFC 1035 section 2.3.4, in presentation form).
pub const HOST_NAME_CHARS_MAX: usize = 253;

/// A host fact other than the name.
pub const HOST_FACT_CHARS_MAX: usize = 256;

// --- The collector ---

/// Batches waiting between the gateway and the journal.
pub const INGEST_QUEUE_BATCHES: usize = 64;

/// Batches waiting for detection; when full, it reads on from the journal.
pub const DETECT_QUEUE_BATCHES: usize = 64;

/// Detections waiting for an incident.
pub const DETECTION_QUEUE: usize = 4_096;

/// How far an event's corrected time may lie from its reception before the lake files it under the
/// day of reception.
pub const PLAUSIBLE_PAST: Duration = Duration::from_secs(30 * 24 * 3_600);
/// The same, ahead of us.
pub const PLAUSIBLE_FUTURE: Duration = Duration::from_secs(15 * 60);

// --- Identity ---

/// Life of an agent's certificate; it renews at half of it.
pub const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(24 * 3_600);

/// How long after its end an unrevoked certificate may still renew.
pub const RENEWAL_GRACE: Duration = Duration::from_secs(30 * 24 * 3_600);

// --- Commands ---

/// A signed command, encoded.
pub const COMMAND_BYTES_MAX: usize = 256 << 10;

/// Signatures on one payload.
pub const SIGNATURES_MAX: usize = 16;

/// Depth of a target tree: 2^20 agents.
pub const TARGET_PROOF_MAX: usize = 20;

/// The oldest event that automation may cite, unless the keyring says less.
pub const CITATION_AGE_MAX: Duration = Duration::from_secs(60);

/// Keys of a keyring, admins included.
pub const KEYRING_KEYS_MAX: usize = 4_096;

/// From a command's not-before to its expiry: a weekend, and a day for the carrier who brings it by
/// hand (chosen). Agents remember its id for as long.
pub const COMMAND_LIFETIME_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);

/// What one person's signature alone contains lasts at most so long.
pub const LEASE_SINGLE_MAX: Duration = Duration::from_secs(60 * 60);

/// The largest process id: `PID_MAX_LIMIT` of linux/threads.h.
pub const PID_MAX: u32 = 4 << 20;

/// Steps, and what is left open, of one receipt: a tree of so many processes is told of by number.
pub const RECEIPT_STEPS_MAX: usize = 512;

/// What one receipt tells as found: enough to act on by hand; a host that has more says so, and is not
/// clean anyway (chosen).
pub const RECEIPT_FINDINGS_MAX: usize = 256;

/// Bytes of one sentence of a receipt.
pub const RECEIPT_TEXT_BYTES_MAX: usize = 512;

// --- Snapshots ---

/// The container of one snapshot (chosen: a triage of a large host has a tenth; what is larger is no
/// triage, and must still fit on the disk of a small host).
pub const SNAPSHOT_BYTES_MAX: u64 = 256 << 20;

/// One entry of a snapshot before compression (chosen: the agent holds one in memory while it is
/// written; an executable of a usual size fits).
pub const SNAPSHOT_ENTRY_BYTES_MAX: u64 = 16 << 20;

/// Entries of one snapshot: the closed set, and room for the sets of later releases.
pub const SNAPSHOT_ENTRIES_MAX: usize = 64;

/// Data of one chunk of an upload: a quarter of a message, so that a slow link loses little.
pub const SNAPSHOT_CHUNK_BYTES_MAX: usize = 256 << 10;
