//! The fields of each class as data: what the collector's columns are made from, and what the
//! mapping is held against by a test. A new attribute is one line here and one in the mapping.
//!
//! A name without `cordon_` is the standard's, at that place and of that type: a test holds it
//! against `standard.txt`. What the standard has no name for is called `cordon_…`, and inside such
//! an object or list anything.

/// What a field holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// A 64-bit signed number.
    Long,
    /// A truth value.
    Flag,
    /// An object with these fields.
    Object(&'static [Field]),
    /// A list of objects with these fields.
    List(&'static [Field]),
}

/// One field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// Its name in the standard, or `cordon_…`.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

const fn text(name: &'static str) -> Field {
    Field { name, kind: Kind::Text }
}

const fn long(name: &'static str) -> Field {
    Field { name, kind: Kind::Long }
}

const fn flag(name: &'static str) -> Field {
    Field { name, kind: Kind::Flag }
}

const fn object(name: &'static str, fields: &'static [Field]) -> Field {
    Field { name, kind: Kind::Object(fields) }
}

const fn list(name: &'static str, fields: &'static [Field]) -> Field {
    Field { name, kind: Kind::List(fields) }
}

/// What every row begins with.
pub const HEAD: &[Field] = &[
    long("activity_id"),
    text("activity_name"),
    long("category_uid"),
    long("class_uid"),
    text("class_name"),
    long("type_uid"),
    long("severity_id"),
    long("status_id"),
    long("time"),
    object("metadata", METADATA),
    object("device", DEVICE),
];

const METADATA: &[Field] = &[
    text("uid"),
    text("version"),
    object("product", PRODUCT),
    text("log_name"),
    text("log_provider"),
    long("logged_time"),
    text("original_time"),
];

const PRODUCT: &[Field] = &[text("name"), text("vendor_name"), text("version")];

const DEVICE: &[Field] = &[
    text("uid"),
    text("hostname"),
    long("type_id"),
    object("os", &[text("name"), long("type_id")]),
    text("boot_uid"),
];

const HASHES: &[Field] = &[long("algorithm_id"), text("algorithm"), text("value")];

const FILE: &[Field] = &[
    text("name"),
    text("path"),
    long("type_id"),
    long("size"),
    text("uid"),
    object("owner", &[text("uid")]),
    long("modified_time"),
    list("hashes", HASHES),
    long("cordon_changed_time"),
    long("cordon_gid"),
    long("cordon_links"),
    long("cordon_mode"),
];

const USER: &[Field] = &[text("uid"), text("name")];

const PARENT: &[Field] = &[
    long("pid"),
    text("uid"),
    text("name"),
    text("cmd_line"),
    object("file", FILE),
    object("user", USER),
];

const ANCESTOR: &[Field] = &[long("pid"), text("uid"), text("path")];

/// A process.
pub const PROCESS: &[Field] = &[
    long("pid"),
    text("uid"),
    text("name"),
    text("cmd_line"),
    object("file", FILE),
    object("user", USER),
    object("group", &[text("uid")]),
    long("auid"),
    long("euid"),
    long("egid"),
    text("working_directory"),
    object("session", &[text("uid")]),
    long("namespace_pid"),
    object("container", &[text("uid")]),
    object("parent_process", PARENT),
    list("ancestry", ANCESTOR),
    long("cordon_capabilities"),
    text("cordon_cgroup"),
];

const ACTOR: &[Field] = &[object("process", PROCESS)];

const ENDPOINT: &[Field] = &[text("ip"), long("port")];

const CREDENTIALS: &[Field] = &[
    long("uid"),
    long("euid"),
    long("gid"),
    long("egid"),
    long("auid"),
    long("session"),
    long("capabilities"),
];

const PROCESS_ACTIVITY: &[Field] = &[
    object("actor", ACTOR),
    object("process", PROCESS),
    long("exit_code"),
    long("launch_type_id"),
    text("cordon_stdin"),
    text("cordon_stdout"),
    text("cordon_stderr"),
    text("cordon_executable_kind"),
    text("cordon_hash_state"),
    long("cordon_exec_count"),
    long("cordon_argv_bytes_cut"),
    flag("cordon_is_running_at_start"),
    long("cordon_exit_signal"),
    flag("cordon_has_dumped_core"),
    object("cordon_credentials_before", CREDENTIALS),
    object("cordon_credentials_after", CREDENTIALS),
    long("cordon_ptrace_request"),
];

const FILE_ACTIVITY: &[Field] = &[
    object("actor", ACTOR),
    object("file", FILE),
    object("file_result", FILE),
    long("count"),
    text("cordon_mount_source"),
    text("cordon_mount_type"),
    long("cordon_mount_flags"),
];

const KERNEL_EXTENSION: &[Field] = &[
    object("actor", ACTOR),
    object("driver", &[object("file", FILE)]),
    text("cordon_kernel_object"),
    text("cordon_kernel_name"),
];

const AUTHENTICATION: &[Field] = &[
    object("actor", ACTOR),
    object("user", USER),
    object("src_endpoint", ENDPOINT),
    object("session", &[text("uid"), text("terminal")]),
    object("service", &[text("name")]),
    flag("is_remote"),
];

const NETWORK_ACTIVITY: &[Field] = &[
    object("actor", ACTOR),
    object("src_endpoint", ENDPOINT),
    object("dst_endpoint", ENDPOINT),
    object(
        "connection_info",
        &[text("uid"), long("protocol_num"), text("protocol_name"), long("direction_id")],
    ),
    flag("is_src_dst_assignment_known"),
    object("traffic", &[long("bytes_in"), long("bytes_out"), long("bytes")]),
    long("duration"),
];

const DNS_ACTIVITY: &[Field] = &[
    object("actor", ACTOR),
    object("dst_endpoint", ENDPOINT),
    object("query", &[text("hostname"), text("type")]),
];

const LOG_RECORD: &[Field] = &[
    text("message"),
    text("cordon_log_cursor"),
    list("cordon_log_fields", &[text("name"), text("value")]),
];

const REMEDIATION: &[Field] = &[
    text("message"),
    text("command_uid"),
    text("status"),
    long("start_time"),
    long("end_time"),
    text("cordon_verdict"),
    text("cordon_refusal"),
    text("cordon_incident"),
    text("cordon_command_sha256"),
    list("cordon_steps", &[text("step"), text("outcome"), text("detail")]),
    list("cordon_still_open", &[text("what")]),
    list("cordon_ledger", &[text("uid")]),
];

const HEALTH: &[Field] = &[
    object("app", &[text("name"), text("vendor_name")]),
    list("cordon_sensors", &[text("name"), text("tier"), text("reason")]),
    long("cordon_cpu_ns"),
    long("cordon_rss_bytes"),
    long("cordon_spool_bytes_used"),
    long("cordon_spool_bytes_max"),
    long("cordon_events_total"),
    text("cordon_agent_sha256"),
];

const LOSS: &[Field] = &[text("message"), long("start_time"), long("end_time")];

/// What every row ends with: flat, for pruning.
pub const FLAT: &[Field] = &[
    text("cordon_agent"),
    text("cordon_host"),
    text("cordon_host_name"),
    text("cordon_epoch"),
    text("cordon_lane"),
    long("cordon_seq"),
    text("cordon_kind"),
    long("cordon_received_time"),
    long("cordon_host_time"),
    long("cordon_boottime_ns"),
    text("cordon_process_uid"),
    text("cordon_parent_uid"),
    text("cordon_exe_path"),
    text("cordon_exe_sha256"),
    text("cordon_cmd_line"),
    text("cordon_user"),
    text("cordon_file_path"),
    text("cordon_file_path_before"),
    text("cordon_file_sha256"),
    text("cordon_src_ip"),
    text("cordon_dst_ip"),
    long("cordon_dst_port"),
    text("cordon_dns_name"),
    text("cordon_exercise"),
    text("cordon_loss_cause"),
    text("cordon_loss_lane"),
    text("cordon_loss_sensor"),
    long("cordon_loss_count"),
    flag("cordon_loss_is_exact"),
    text("cordon_loss_epoch"),
    long("cordon_loss_first_seq"),
    long("cordon_loss_last_seq"),
    long("cordon_process_start_ticks"),
];

/// The fields of a class between [`HEAD`] and [`FLAT`]; none for a class that is not one of
/// [`class::UIDS`](super::class::UIDS).
#[must_use]
pub fn of(class_uid: i64) -> &'static [Field] {
    match class_uid {
        0 => LOG_RECORD,
        1001 => FILE_ACTIVITY,
        1002 => KERNEL_EXTENSION,
        1007 => PROCESS_ACTIVITY,
        3002 => AUTHENTICATION,
        4001 => NETWORK_ACTIVITY,
        4003 => DNS_ACTIVITY,
        6002 => HEALTH,
        6008 => LOSS,
        7001 => REMEDIATION,
        _ => &[],
    }
}

/// All fields of a class, in order.
pub fn all(class_uid: i64) -> impl Iterator<Item = &'static Field> {
    HEAD.iter().chain(of(class_uid)).chain(FLAT)
}
