//! The fields of each class as data: what the collector's columns are made from, and what the
//! mapping is held against by a test. A new attribute is one line here and one in the mapping.

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
    object("product", &[text("name"), text("vendor_name"), text("version")]),
    long("logged_time"),
    text("original_time"),
];

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
    long("mode"),
    long("modified_time"),
    list("hashes", HASHES),
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
    long("auid"),
    long("euid"),
    long("egid"),
    text("working_directory"),
    object("session", &[text("uid")]),
    long("namespace_pid"),
    text("cgroup"),
    object("container", &[text("uid")]),
    object("parent_process", PARENT),
    list("ancestry", ANCESTOR),
];

const ACTOR: &[Field] = &[object("process", PROCESS)];

const ENDPOINT: &[Field] = &[text("ip"), long("port")];

const PROCESS_ACTIVITY: &[Field] = &[
    object("actor", ACTOR),
    object("process", PROCESS),
    long("exit_code"),
    long("launch_type_id"),
    object("file_descriptors", &[text("stdin"), text("stdout"), text("stderr")]),
    text("executable_kind"),
    text("hash_state"),
    long("exec_count"),
    long("argv_bytes_cut"),
    flag("is_running_at_start"),
];

const FILE_ACTIVITY: &[Field] = &[
    object("actor", ACTOR),
    object("file", FILE),
    object("file_before", FILE),
    long("count"),
    text("mount_source"),
    text("mount_type"),
];

const NETWORK_ACTIVITY: &[Field] = &[
    object("actor", ACTOR),
    object("src_endpoint", ENDPOINT),
    object("dst_endpoint", ENDPOINT),
    object(
        "connection_info",
        &[text("uid"), long("protocol_num"), text("protocol_name"), long("direction_id")],
    ),
    object("traffic", &[long("bytes_in"), long("bytes_out"), long("bytes")]),
    long("duration"),
    object("query", &[text("hostname"), long("type")]),
];

const REST: &[Field] = &[
    object("actor", ACTOR),
    object("driver", &[object("file", FILE), text("name"), text("kind")]),
    object("user", USER),
    object("src_endpoint", ENDPOINT),
    object("session", &[text("uid"), text("terminal")]),
    text("service"),
    text("message"),
    text("log_name"),
    text("command_uid"),
    text("verdict"),
    list("sensors", &[text("name"), text("tier"), text("reason")]),
    long("count"),
];

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
    long("cordon_boottime_ns"),
    text("cordon_process_uid"),
    text("cordon_parent_uid"),
    text("cordon_exe_path"),
    text("cordon_exe_sha256"),
    text("cordon_cmd_line"),
    text("cordon_user"),
    text("cordon_file_path"),
    text("cordon_src_ip"),
    text("cordon_dst_ip"),
    long("cordon_dst_port"),
    text("cordon_dns_name"),
    text("cordon_exercise"),
    text("cordon_loss_cause"),
    text("cordon_loss_lane"),
    long("cordon_loss_count"),
    flag("cordon_loss_is_exact"),
    text("cordon_loss_epoch"),
    long("cordon_loss_first_seq"),
    long("cordon_loss_last_seq"),
];

/// The fields of a class between [`HEAD`] and [`FLAT`]; those of [`class::UIDS`](super::class::UIDS)
/// that have none of their own share one table.
#[must_use]
pub fn of(class_uid: i64) -> &'static [Field] {
    match class_uid {
        1007 => PROCESS_ACTIVITY,
        1001 => FILE_ACTIVITY,
        4001 | 4003 => NETWORK_ACTIVITY,
        _ => REST,
    }
}

/// All fields of a class, in order.
pub fn all(class_uid: i64) -> impl Iterator<Item = &'static Field> {
    HEAD.iter().chain(of(class_uid)).chain(FLAT)
}
