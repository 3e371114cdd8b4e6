//! Files, network, kernel, login, logs, health and loss ↔ wire.

use std::time::Duration;

use cordon_proto::v1;

use super::{super::kinds, Reader, Writer};
use crate::{
    digest::Sha256,
    event::{
        file::{Change, Mount},
        health::{Health, Loss, LostRange, SensorState},
        kernel::Load,
        login::{LogRecord, Session},
        network::{Connection, DnsQuery, Listen},
    },
    id::{Epoch, EventSeq},
    limit,
    time::Boottime,
    wire::{WireError, refuse},
};

/// Sensors that one health event can speak of.
const SENSORS_MAX: usize = 16;

impl Writer {
    pub(super) fn file_change(&mut self, it: &Change) -> v1::FileChange {
        v1::FileChange {
            action: kinds::file_to(it.action),
            actor: self.actor(it.actor.as_ref()),
            path: self.text(&it.path),
            path_before: self.text(&it.path_before),
            file: it.file.as_ref().map(super::actor::identity_to),
            sha256: self.digest(it.sha256.as_ref()),
            is_directory: it.is_directory,
            count: it.count,
        }
    }

    pub(super) fn mount(&mut self, it: &Mount) -> v1::Mount {
        v1::Mount {
            actor: self.actor(it.actor.as_ref()),
            source: self.text(&it.source),
            target: self.text(&it.target),
            file_system: self.text(&it.file_system),
            flags: it.flags,
            is_unmount: it.is_unmount,
        }
    }

    pub(super) fn connection(&mut self, it: &Connection) -> v1::Connection {
        v1::Connection {
            action: kinds::connection_to(it.action),
            actor: self.actor(it.actor.as_ref()),
            transport: kinds::transport_to(it.transport),
            direction: it.direction.map_or(0, kinds::direction_to),
            local: Some(self.endpoint(it.local.ip(), it.local.port())),
            remote: Some(self.endpoint(it.remote.ip(), it.remote.port())),
            flow: it.flow,
            bytes_sent: it.bytes_sent,
            bytes_received: it.bytes_received,
            duration_ns: u64::try_from(it.duration.as_nanos()).unwrap_or(u64::MAX),
        }
    }

    pub(super) fn listen(&mut self, it: &Listen) -> v1::Listen {
        v1::Listen {
            actor: self.actor(it.actor.as_ref()),
            transport: kinds::transport_to(it.transport),
            local: Some(self.endpoint(it.local.ip(), it.local.port())),
        }
    }

    pub(super) fn dns_query(&mut self, it: &DnsQuery) -> v1::DnsQuery {
        v1::DnsQuery {
            actor: self.actor(it.actor.as_ref()),
            name: self.text(&it.name),
            kind: u32::from(it.kind),
            server: it.server.map(|(address, port)| self.endpoint(address, port)),
        }
    }

    pub(super) fn kernel_load(&mut self, it: &Load) -> v1::KernelLoad {
        v1::KernelLoad {
            actor: self.actor(it.actor.as_ref()),
            object: kinds::kernel_to(it.object),
            name: self.text(&it.name),
            path: self.text(&it.path),
            sha256: self.digest(it.sha256.as_ref()),
        }
    }

    pub(super) fn login_session(&mut self, it: &Session) -> v1::LoginSession {
        v1::LoginSession {
            action: kinds::login_to(it.action),
            user: self.text(&it.user),
            uid: it.uid,
            service: self.text(&it.service),
            terminal: self.text(&it.terminal),
            remote: it.remote.map(|(address, port)| self.endpoint(address, port)),
            session: it.session,
            actor: self.actor(it.actor.as_ref()),
        }
    }

    pub(super) fn log_record(&mut self, it: &LogRecord) -> v1::LogRecord {
        let fields = it
            .fields
            .iter()
            .map(|(name, value)| v1::LogField { name: self.text(name), value: self.text(value) });
        let fields = fields.collect();
        v1::LogRecord {
            source: self.text(&it.source),
            unit: self.text(&it.unit),
            message: self.text(&it.message),
            severity: it.severity.map(u32::from),
            fields,
            cursor: self.text(&it.cursor),
        }
    }
}

impl Reader<'_> {
    pub(super) fn file_change(&self, wire: &v1::FileChange) -> Result<Change, WireError> {
        let path = self.text("path", wire.path)?;
        if path.is_empty() {
            return refuse("path", "present");
        }
        if wire.count == 0 {
            return refuse("count", "at least 1");
        }
        Ok(Change {
            action: kinds::file_from(wire.action)?,
            actor: self.actor("actor", wire.actor)?,
            path,
            path_before: self.text("path_before", wire.path_before)?,
            file: wire.file.as_ref().map(super::actor::identity_from),
            sha256: self.digest("sha256", wire.sha256)?,
            is_directory: wire.is_directory,
            count: wire.count,
        })
    }

    pub(super) fn mount(&self, wire: &v1::Mount) -> Result<Mount, WireError> {
        Ok(Mount {
            actor: self.actor("actor", wire.actor)?,
            source: self.text("source", wire.source)?,
            target: self.text("target", wire.target)?,
            file_system: self.text("file_system", wire.file_system)?,
            flags: wire.flags,
            is_unmount: wire.is_unmount,
        })
    }

    pub(super) fn connection(&self, wire: &v1::Connection) -> Result<Connection, WireError> {
        let direction = match wire.direction {
            0 => None,
            number => Some(kinds::direction_from(number)?),
        };
        Ok(Connection {
            action: kinds::connection_from(wire.action)?,
            actor: self.actor("actor", wire.actor)?,
            transport: kinds::transport_from(wire.transport)?,
            direction,
            local: self.socket("local", wire.local.as_ref())?,
            remote: self.socket("remote", wire.remote.as_ref())?,
            flow: wire.flow,
            bytes_sent: wire.bytes_sent,
            bytes_received: wire.bytes_received,
            duration: Duration::from_nanos(wire.duration_ns),
        })
    }

    pub(super) fn listen(&self, wire: &v1::Listen) -> Result<Listen, WireError> {
        Ok(Listen {
            actor: self.actor("actor", wire.actor)?,
            transport: kinds::transport_from(wire.transport)?,
            local: self.socket("local", wire.local.as_ref())?,
        })
    }

    pub(super) fn dns_query(&self, wire: &v1::DnsQuery) -> Result<DnsQuery, WireError> {
        let Ok(kind) = u16::try_from(wire.kind) else { return refuse("kind", "at most 65535") };
        let server = match &wire.server {
            None => None,
            server => Some(self.endpoint("server", server.as_ref())?),
        };
        Ok(DnsQuery {
            actor: self.actor("actor", wire.actor)?,
            name: self.text("name", wire.name)?,
            kind,
            server,
        })
    }

    pub(super) fn kernel_load(&self, wire: &v1::KernelLoad) -> Result<Load, WireError> {
        Ok(Load {
            actor: self.actor("actor", wire.actor)?,
            object: kinds::kernel_from(wire.object)?,
            name: self.text("name", wire.name)?,
            path: self.text("path", wire.path)?,
            sha256: self.digest("sha256", wire.sha256)?,
        })
    }

    pub(super) fn login_session(&self, wire: &v1::LoginSession) -> Result<Session, WireError> {
        let remote = match &wire.remote {
            None => None,
            remote => Some(self.endpoint("remote", remote.as_ref())?),
        };
        Ok(Session {
            action: kinds::login_from(wire.action)?,
            user: self.text("user", wire.user)?,
            uid: wire.uid,
            service: self.text("service", wire.service)?,
            terminal: self.text("terminal", wire.terminal)?,
            remote,
            session: wire.session,
            actor: self.actor("actor", wire.actor)?,
        })
    }

    pub(super) fn log_record(&self, wire: &v1::LogRecord) -> Result<LogRecord, WireError> {
        if wire.fields.len() > limit::LOG_FIELDS_MAX {
            return refuse("fields", "at most 64");
        }
        let mut fields = Vec::with_capacity(wire.fields.len());
        for it in &wire.fields {
            fields.push((self.text("fields.name", it.name)?, self.text("fields.value", it.value)?));
        }
        let severity = match wire.severity.map(u8::try_from) {
            None => None,
            Some(Ok(severity @ 0..=7)) => Some(severity),
            Some(_) => return refuse("severity", "0..=7"),
        };
        Ok(LogRecord {
            source: self.text("source", wire.source)?,
            unit: self.text("unit", wire.unit)?,
            message: self.text("message", wire.message)?,
            severity,
            fields,
            cursor: self.text("cursor", wire.cursor)?,
        })
    }
}

/// What each sensor got: domain → wire.
#[must_use]
pub fn sensors_to(sensors: &[SensorState]) -> Vec<v1::SensorState> {
    let wire = sensors.iter().map(|it| v1::SensorState {
        sensor: kinds::sensor_to(it.sensor),
        tier: kinds::tier_to(it.tier),
        reason: it.reason.clone(),
    });
    wire.collect()
}

/// What each sensor got: wire → domain.
///
/// # Errors
/// [`WireError`] for unknown words or too much of it.
pub fn sensors_from(wire: &[v1::SensorState]) -> Result<Vec<SensorState>, WireError> {
    if wire.len() > SENSORS_MAX {
        return refuse("sensors", "at most 16");
    }
    let mut sensors = Vec::with_capacity(wire.len());
    for it in wire {
        if it.reason.len() > limit::TEXT_BYTES_MAX {
            return refuse("sensors.reason", "at most 4096 bytes");
        }
        sensors.push(SensorState {
            sensor: kinds::sensor_from(it.sensor)?,
            tier: kinds::tier_from(it.tier)?,
            reason: it.reason.clone(),
        });
    }
    Ok(sensors)
}

pub(super) fn health_to(it: &Health) -> v1::Health {
    v1::Health {
        sensors: sensors_to(&it.sensors),
        cpu_ns: it.cpu_ns,
        rss_bytes: it.rss_bytes,
        spool_bytes_used: it.spool_bytes_used,
        spool_bytes_max: it.spool_bytes_max,
        events_total: it.events_total,
        agent_sha256: it.agent_sha256.map_or_else(Vec::new, |it| it.as_bytes().to_vec()).into(),
    }
}

pub(super) fn health_from(wire: &v1::Health) -> Result<Health, WireError> {
    let agent_sha256 = match wire.agent_sha256.as_ref() {
        [] => None,
        bytes => match Sha256::from_slice(bytes) {
            Some(digest) => Some(digest),
            None => return refuse("agent_sha256", "32 bytes"),
        },
    };
    Ok(Health {
        sensors: sensors_from(&wire.sensors)?,
        cpu_ns: wire.cpu_ns,
        rss_bytes: wire.rss_bytes,
        spool_bytes_used: wire.spool_bytes_used,
        spool_bytes_max: wire.spool_bytes_max,
        events_total: wire.events_total,
        agent_sha256,
    })
}

pub(super) fn loss_to(it: &Loss) -> v1::Loss {
    v1::Loss {
        cause: kinds::loss_to(it.cause),
        sensor: it.sensor.map_or(0, kinds::sensor_to),
        lane: kinds::lane_to(it.lane),
        count: it.count,
        is_count_exact: it.is_count_exact,
        from_boottime_ns: it.from.as_ns(),
        until_boottime_ns: it.until.as_ns(),
        epoch: it.range.map_or(0, |range| range.epoch.as_u64()),
        first_seq: it.range.map_or(0, |range| range.first.as_u64()),
        last_seq: it.range.map_or(0, |range| range.last.as_u64()),
    }
}

pub(super) fn loss_from(wire: &v1::Loss) -> Result<Loss, WireError> {
    let sensor = match wire.sensor {
        0 => None,
        number => Some(kinds::sensor_from(number)?),
    };
    Ok(Loss {
        cause: kinds::loss_from(wire.cause)?,
        sensor,
        lane: kinds::lane_from(wire.lane)?,
        count: wire.count,
        is_count_exact: wire.is_count_exact,
        from: Boottime::from_ns(wire.from_boottime_ns),
        until: Boottime::from_ns(wire.until_boottime_ns),
        range: range_from(wire)?,
    })
}

fn range_from(wire: &v1::Loss) -> Result<Option<LostRange>, WireError> {
    if wire.epoch == 0 {
        return Ok(None);
    }
    let numbers = (
        Epoch::from_u64(wire.epoch),
        EventSeq::from_u64(wire.first_seq),
        EventSeq::from_u64(wire.last_seq),
    );
    match numbers {
        (Some(epoch), Some(first), Some(last)) if first <= last => {
            Ok(Some(LostRange { epoch, first, last }))
        }
        _ => refuse("epoch, first_seq, last_seq", "a range of one epoch"),
    }
}
