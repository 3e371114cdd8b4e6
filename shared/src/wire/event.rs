//! Events ↔ the body of a batch: a table of strings, a table of processes, and events that point
//! into them.
//!
//! [`Writer`] fills the tables; [`Reader`] checks them once and then turns event after event back.

mod actor;
mod other;
mod process;

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use cordon_proto::v1;
use prost::Message;

pub use self::other::{sensors_from, sensors_to};
use super::{WireError, refuse};
use crate::{
    batch::Origin,
    event::{self, Body, Event},
    id::{BootId, ExerciseId},
    limit,
    text::Text,
    time::{Boottime, ClockSample, Timestamp},
};

/// Takes events in, gives the body of a batch out.
#[derive(Debug)]
pub struct Writer {
    clock: ClockSample,
    body: v1::BatchBody,
    strings: HashMap<Bytes, u32>,
    processes: HashMap<Arc<event::process::Process>, u32>,
    raw_bytes: usize,
}

impl Writer {
    /// Begins a body of events of one boot, whose wall-clock times are told against one sample.
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        let clock = origin.clock;
        let boot_id = Bytes::copy_from_slice(&origin.boot.0);
        Self {
            clock,
            body: v1::BatchBody { clock: Some(clock_to(clock)), boot_id, ..Default::default() },
            strings: HashMap::new(),
            processes: HashMap::new(),
            raw_bytes: 64,
        }
    }

    /// Adds an event.
    pub fn push(&mut self, event: &Event) {
        let expected = self.clock.realtime_at(event.boottime);
        let wire = v1::Event {
            boottime_ns: event.boottime.as_ns(),
            realtime_skew_ns: event.realtime.as_ns().saturating_sub(expected.as_ns()),
            exercise: event.exercise.map_or_else(Bytes::new, |it| it.as_bytes().to_vec().into()),
            body: Some(self.body(&event.body)),
        };
        self.raw_bytes += wire.encoded_len() + 4;
        self.body.events.push(wire);
    }

    /// Events so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.body.events.len()
    }

    /// Bytes of the body so far, near enough to decide when to seal.
    #[must_use]
    pub fn raw_bytes(&self) -> usize {
        self.raw_bytes
    }

    /// The body.
    #[must_use]
    pub fn finish(self) -> v1::BatchBody {
        self.body
    }

    /// Index of a string in the table.
    fn text(&mut self, text: &Text) -> u32 {
        self.bytes(text.to_bytes())
    }

    fn bytes(&mut self, bytes: Bytes) -> u32 {
        if bytes.is_empty() {
            return 0;
        }
        if let Some(index) = self.strings.get(&bytes) {
            return *index;
        }
        self.raw_bytes += bytes.len() + 4;
        self.body.strings.push(bytes.clone());
        let index = u32::try_from(self.body.strings.len()).unwrap_or(0);
        self.strings.insert(bytes, index);
        index
    }

    fn body(&mut self, body: &Body) -> v1::event::Body {
        use v1::event::Body as Wire;
        match body {
            Body::ProcessLaunch(it) => Wire::ProcessLaunch(self.launch(it)),
            Body::ProcessExit(it) => Wire::ProcessExit(self.exit(it)),
            Body::CredentialChange(it) => Wire::CredentialChange(self.credential_change(it)),
            Body::Ptrace(it) => Wire::Ptrace(self.ptrace(it)),
            Body::FileChange(it) => Wire::FileChange(self.file_change(it)),
            Body::Mount(it) => Wire::Mount(self.mount(it)),
            Body::Connection(it) => Wire::Connection(self.connection(it)),
            Body::Listen(it) => Wire::Listen(self.listen(it)),
            Body::DnsQuery(it) => Wire::DnsQuery(self.dns_query(it)),
            Body::KernelLoad(it) => Wire::KernelLoad(self.kernel_load(it)),
            Body::LoginSession(it) => Wire::LoginSession(self.login_session(it)),
            Body::LogRecord(it) => Wire::LogRecord(self.log_record(it)),
            Body::Receipt(it) => Wire::Receipt(super::signed::to_wire(it)),
            Body::Health(it) => Wire::Health(other::health_to(it)),
            Body::Loss(it) => Wire::Loss(other::loss_to(it)),
        }
    }
}

/// Reads events out of a body whose tables were checked.
#[derive(Debug)]
pub struct Reader<'a> {
    strings: &'a [Bytes],
    processes: Vec<Arc<event::process::Process>>,
    origin: Origin,
}

impl<'a> Reader<'a> {
    /// Checks the tables.
    ///
    /// # Errors
    /// [`WireError`] for an oversized string, a bad process, or a missing clock.
    pub fn new(body: &'a v1::BatchBody) -> Result<Self, WireError> {
        if body.strings.iter().any(|it| it.is_empty() || it.len() > limit::LOG_MESSAGE_BYTES_MAX) {
            return refuse("strings", "1..=16384 bytes each");
        }
        let Some(clock) = &body.clock else { return refuse("clock", "present") };
        let Some(boot) = BootId::from_slice(&body.boot_id) else {
            return refuse("boot_id", "16 bytes");
        };
        let origin = Origin { boot, clock: clock_from(clock) };
        let mut reader = Self { strings: &body.strings, processes: Vec::new(), origin };
        let mut processes = Vec::with_capacity(body.processes.len());
        for process in &body.processes {
            processes.push(Arc::new(reader.process(process)?));
        }
        reader.processes = processes;
        Ok(reader)
    }

    /// Boot and clocks of the host.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Turns one event back.
    ///
    /// # Errors
    /// [`WireError`] naming the field and the rule.
    pub fn event(&self, wire: &v1::Event) -> Result<Event, WireError> {
        let boottime = Boottime::from_ns(wire.boottime_ns);
        let expected = self.origin.clock.realtime_at(boottime);
        let realtime = expected.as_ns().saturating_add(wire.realtime_skew_ns);
        let exercise = match wire.exercise.as_ref() {
            [] => None,
            bytes => match ExerciseId::from_slice(bytes) {
                Some(id) => Some(id),
                None => return refuse("exercise", "16 bytes"),
            },
        };
        let Some(body) = &wire.body else { return refuse("body", "present") };
        let body = self.body(body)?;
        Ok(Event { boottime, realtime: Timestamp::from_ns(realtime), exercise, body })
    }

    fn text(&self, field: &'static str, index: u32) -> Result<Text, WireError> {
        if index == 0 {
            return Ok(Text::EMPTY);
        }
        match self.strings.get(index as usize - 1) {
            Some(bytes) => Ok(Text::from_bytes(bytes.clone())),
            None => refuse(field, "an index into `strings`"),
        }
    }

    fn body(&self, body: &v1::event::Body) -> Result<Body, WireError> {
        use v1::event::Body as Wire;
        Ok(match body {
            Wire::ProcessLaunch(it) => Body::ProcessLaunch(Box::new(self.launch(it)?)),
            Wire::ProcessExit(it) => Body::ProcessExit(self.exit(it)?),
            Wire::CredentialChange(it) => Body::CredentialChange(self.credential_change(it)?),
            Wire::Ptrace(it) => Body::Ptrace(self.ptrace(it)?),
            Wire::FileChange(it) => Body::FileChange(Box::new(self.file_change(it)?)),
            Wire::Mount(it) => Body::Mount(self.mount(it)?),
            Wire::Connection(it) => Body::Connection(Box::new(self.connection(it)?)),
            Wire::Listen(it) => Body::Listen(self.listen(it)?),
            Wire::DnsQuery(it) => Body::DnsQuery(self.dns_query(it)?),
            Wire::KernelLoad(it) => Body::KernelLoad(self.kernel_load(it)?),
            Wire::LoginSession(it) => Body::LoginSession(self.login_session(it)?),
            Wire::LogRecord(it) => Body::LogRecord(self.log_record(it)?),
            Wire::Receipt(it) => Body::Receipt(super::signed::from_wire(it)?),
            Wire::Health(it) => Body::Health(other::health_from(it)?),
            Wire::Loss(it) => Body::Loss(other::loss_from(it)?),
        })
    }
}

/// Domain → wire.
#[must_use]
pub fn clock_to(clock: ClockSample) -> v1::ClockSample {
    v1::ClockSample { boottime_ns: clock.boottime.as_ns(), realtime_ns: clock.realtime.as_ns() }
}

/// Wire → domain.
#[must_use]
pub fn clock_from(wire: &v1::ClockSample) -> ClockSample {
    ClockSample {
        boottime: Boottime::from_ns(wire.boottime_ns),
        realtime: Timestamp::from_ns(wire.realtime_ns),
    }
}

#[cfg(test)]
mod tests;
