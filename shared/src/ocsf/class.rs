//! Which class and activity an event is, and how grave.

use crate::{
    crypto::signing::SignedBytes,
    event::{Body, file, login, network, receipt::Verdict},
    wire,
};

/// Informational.
const SEVERITY_INFORMATIONAL: i64 = 1;
/// Medium: the agent saw less than happened.
const SEVERITY_MEDIUM: i64 = 3;

const STATUS_UNKNOWN: i64 = 0;
const STATUS_SUCCESS: i64 = 1;
const STATUS_FAILURE: i64 = 2;
/// Of remediations only.
const STATUS_PARTIAL: i64 = 4;
const STATUS_OTHER: i64 = 99;

/// A class of the standard, with the activity of one event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Class {
    /// `class_uid`.
    pub uid: i64,
    /// Its caption.
    pub name: &'static str,
    /// `activity_id`.
    pub activity_id: i64,
    /// Its caption.
    pub activity_name: &'static str,
    /// `severity_id`.
    pub severity_id: i64,
    /// `status_id`.
    pub status_id: i64,
}

impl Class {
    const fn new(uid: i64, activity_id: i64, activity_name: &'static str) -> Self {
        let (severity_id, status_id, name) = (SEVERITY_INFORMATIONAL, STATUS_UNKNOWN, name(uid));
        Self { uid, name, activity_id, activity_name, severity_id, status_id }
    }

    const fn with_status(self, status_id: i64) -> Self {
        Self { status_id, ..self }
    }

    /// `category_uid`: the thousands of the class.
    #[must_use]
    pub const fn category_uid(&self) -> i64 {
        self.uid / 1_000
    }
}

/// The classes that events can be, ascending.
pub const UIDS: [i64; 10] = [0, 1001, 1002, 1007, 3002, 4001, 4003, 6002, 6008, 7001];

/// The caption of a class; empty for one that events cannot be.
#[must_use]
pub const fn name(uid: i64) -> &'static str {
    match uid {
        0 => "Base Event",
        1001 => "File System Activity",
        1002 => "Kernel Extension Activity",
        1007 => "Process Activity",
        3002 => "Authentication",
        4001 => "Network Activity",
        4003 => "DNS Activity",
        6002 => "Application Lifecycle",
        6008 => "Application Error",
        7001 => "Remediation Activity",
        _ => "",
    }
}

/// The class of an event.
#[must_use]
pub fn of(body: &Body) -> Class {
    let process = |id, name| Class::new(1007, id, name);
    match body {
        Body::ProcessLaunch(_) => process(1, "Launch"),
        Body::ProcessExit(_) => process(2, "Terminate"),
        Body::Ptrace(_) => process(3, "Open"),
        Body::CredentialChange(_) => process(5, "Set User ID"),
        Body::FileChange(it) => file_class(it.action),
        Body::Mount(it) if it.is_unmount => Class::new(1001, 13, "Unmount"),
        Body::Mount(_) => Class::new(1001, 12, "Mount"),
        Body::Connection(it) => connection_class(it.action),
        Body::Listen(_) => Class::new(4001, 7, "Listen"),
        Body::DnsQuery(_) => Class::new(4003, 1, "Query"),
        Body::KernelLoad(_) => Class::new(1002, 1, "Load"),
        Body::LoginSession(it) => login_class(it.action),
        Body::LogRecord(it) => {
            Class { severity_id: log_severity(it.severity), ..Class::new(0, 99, "Log Record") }
        }
        Body::Receipt(it) => receipt_class(it),
        Body::Health(_) => Class::new(6002, 99, "Health"),
        Body::Loss(_) => {
            Class { severity_id: SEVERITY_MEDIUM, ..Class::new(6008, 1, "General Error") }
        }
    }
}

fn file_class(action: file::Action) -> Class {
    let (id, name) = match action {
        file::Action::Create => (1, "Create"),
        file::Action::WriteClose => (3, "Update"),
        file::Action::Delete => (4, "Delete"),
        file::Action::Rename => (5, "Rename"),
        file::Action::Attributes => (6, "Set Attributes"),
        file::Action::OpenWrite => (14, "Open"),
    };
    Class::new(1001, id, name)
}

fn connection_class(action: network::Action) -> Class {
    match action {
        network::Action::Connect | network::Action::Accept => {
            Class::new(4001, 1, "Open").with_status(STATUS_SUCCESS)
        }
        network::Action::Close => Class::new(4001, 2, "Close"),
        network::Action::Fail => Class::new(4001, 4, "Fail").with_status(STATUS_FAILURE),
    }
}

fn login_class(action: login::Action) -> Class {
    let class = |id, name| Class::new(3002, id, name);
    match action {
        login::Action::Open => class(1, "Logon").with_status(STATUS_SUCCESS),
        login::Action::Close => class(2, "Logoff"),
        login::Action::Fail => class(1, "Logon").with_status(STATUS_FAILURE),
    }
}

/// Nobody may take `partial` for done, nor a plan for a deed.
fn receipt_class(signed: &SignedBytes) -> Class {
    let class = Class::new(7001, 99, "Receipt");
    let Ok(receipt) = wire::receipt::peek(signed) else { return class };
    class.with_status(match receipt.verdict {
        Verdict::Complete => STATUS_SUCCESS,
        Verdict::Partial => STATUS_PARTIAL,
        Verdict::Failed | Verdict::Refused | Verdict::Expired => STATUS_FAILURE,
        Verdict::Unknown => STATUS_UNKNOWN,
        Verdict::Planned => STATUS_OTHER,
    })
}

/// The standard's severity of a line of a log: 0 unknown, 1 informational, 2 low, 3 medium, 4 high,
/// 5 critical, 6 fatal.
fn log_severity(severity: Option<u8>) -> i64 {
    // RFC 5424 section 6.2.1.
    match severity {
        Some(0) => 6,
        Some(1) => 5,
        Some(2) => 4,
        Some(3) => 3,
        Some(4) => 2,
        Some(5..=7) => 1,
        Some(_) | None => 0,
    }
}
