//! Login sessions and lines of logs.

use std::{net::IpAddr, sync::Arc};

use super::process::Process;
use crate::text::Text;

/// What became of a login.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// It succeeded.
    Open,
    /// It ended.
    Close,
    /// It was refused.
    Fail,
}

/// A login session opened, closed or failed.
#[derive(Clone, PartialEq, Debug)]
pub struct Session {
    /// What became of it.
    pub action: Action,
    /// Account name.
    pub user: Text,
    /// Account number.
    pub uid: u32,
    /// The service that let it in: `sshd`, `login`, …
    pub service: Text,
    /// Terminal, when there is one.
    pub terminal: Text,
    /// From where.
    pub remote: Option<(IpAddr, u16)>,
    /// Audit session.
    pub session: u32,
    /// The local process.
    pub actor: Option<Arc<Process>>,
}

/// A line of a log.
#[derive(Clone, PartialEq, Debug)]
pub struct LogRecord {
    /// `journald`, `auth`, `nginx`, …
    pub source: Text,
    /// Unit or program.
    pub unit: Text,
    /// The line.
    pub message: Text,
    /// 0 (emergency) to 7 (debug), RFC 5424 section 6.2.1.
    pub severity: Option<u8>,
    /// What a parser took out of it.
    pub fields: Vec<(Text, Text)>,
    /// Where in the source it stood.
    pub cursor: Text,
}
