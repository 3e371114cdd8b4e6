//! The event: an enriched fact of one host.
//!
//! The agent makes it from an observation and gives it a place in a lane when it is sealed into a
//! [`batch`](crate::batch); until then it has no number and cannot be sent. On the collector it
//! comes out of an opened batch. It never changes.
//!
//! Text is bytes ([`Text`](crate::text::Text)); what a sensor's tier cannot know is `None` or empty.

pub mod file;
pub mod health;
pub mod kernel;
pub mod login;
pub mod network;
pub mod process;
pub mod receipt;

use crate::{
    crypto::signing::SignedBytes,
    id::{ExerciseId, Lane},
    time::{Boottime, Timestamp},
};

/// One fact.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// When it happened, on the clock that never jumps.
    pub boottime: Boottime,
    /// When it happened, as the host's wall clock had it.
    pub realtime: Timestamp,
    /// The exercise that it belongs to: set by a verified `rehearse` alone.
    pub exercise: Option<ExerciseId>,
    /// What happened.
    pub body: Body,
}

/// What happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Body {
    /// An exec.
    ProcessLaunch(Box<process::Launch>),
    /// The last thread of a process ended.
    ProcessExit(process::Exit),
    /// A process changed who it is.
    CredentialChange(process::CredentialChange),
    /// A process took hold of another.
    Ptrace(process::Ptrace),
    /// A file changed.
    FileChange(Box<file::Change>),
    /// A file system came or went.
    Mount(file::Mount),
    /// A connection began, failed or ended.
    Connection(Box<network::Connection>),
    /// A socket began to listen.
    Listen(network::Listen),
    /// A name was asked for.
    DnsQuery(network::DnsQuery),
    /// Code entered the kernel.
    KernelLoad(kernel::Load),
    /// A login session opened, closed or failed.
    LoginSession(login::Session),
    /// A line of a log.
    LogRecord(login::LogRecord),
    /// What became of a command, signed by the agent's receipt key.
    Receipt(SignedBytes),
    /// The agent's own state.
    Health(health::Health),
    /// Events that were and are not here.
    Loss(health::Loss),
}

impl Body {
    /// The lane that carries it: a flood in one lane cannot cost another.
    #[must_use]
    pub fn lane(&self) -> Lane {
        match self {
            Self::ProcessLaunch(_)
            | Self::ProcessExit(_)
            | Self::CredentialChange(_)
            | Self::Ptrace(_)
            | Self::KernelLoad(_)
            | Self::LoginSession(_)
            | Self::Receipt(_)
            | Self::Health(_)
            | Self::Loss(_) => Lane::Critical,
            Self::Connection(_) | Self::Listen(_) | Self::DnsQuery(_) => Lane::Network,
            Self::FileChange(_) | Self::Mount(_) | Self::LogRecord(_) => Lane::File,
        }
    }

    /// A name for logs and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ProcessLaunch(_) => "process_launch",
            Self::ProcessExit(_) => "process_exit",
            Self::CredentialChange(_) => "credential_change",
            Self::Ptrace(_) => "ptrace",
            Self::FileChange(_) => "file_change",
            Self::Mount(_) => "mount",
            Self::Connection(_) => "connection",
            Self::Listen(_) => "listen",
            Self::DnsQuery(_) => "dns_query",
            Self::KernelLoad(_) => "kernel_load",
            Self::LoginSession(_) => "login_session",
            Self::LogRecord(_) => "log_record",
            Self::Receipt(_) => "receipt",
            Self::Health(_) => "health",
            Self::Loss(_) => "loss",
        }
    }
}
