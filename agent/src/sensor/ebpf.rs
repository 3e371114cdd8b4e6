//! Tier 1: programs in the kernel that record into a ring, and the sensor that reads it. Shared by
//! the process and the network sensor, which differ in their programs and in what a record means.
//!
//! In: records of one ring. Out: observations, each with the position after it.
//!
//! What makes it exactly once over `kill -9`: the ring is released only as far as the spool says
//! ([`Committed`]); with pins, programs and ring outlive the agent; the next agent reads on where the
//! spool's newest batch says, if that batch is of the same making of the ring. Records that found
//! the ring full are counted by the kernel, and each is declared exactly once ([`drops`]).
//!
//! The agent's own process is not recorded: its doings would feed on themselves. It is out of scope
//! by definition, hence no loss.
//!
//! Pace. The wakeup is what costs, not the record (FACTS: 3.4 µs of an exec's record against 10 with
//! its wakeup), so a busy ring is read every [`BUSY_WAIT`] and whenever 64 KiB have come. A ring in
//! which nothing came for so long is idle: its next record wakes the reader at once.

pub mod cgroup;
pub mod drops;
pub mod loader;
pub mod maps;
pub mod pins;
pub mod program;
pub mod record;
mod refusal;
pub mod ring;

use std::{fmt, io, ops::ControlFlow, os::fd::OwnedFd, path::Path, sync::Arc, time::Duration};

use cordon_shared::{
    entropy::Entropy,
    event::health::{self, LossCause},
    time::{Boottime, Clock},
};
use rustix::{
    event::{Timespec, epoll},
    io::Errno,
};

use self::{
    drops::{Declared, ring_position},
    loader::{Loaded, Origin},
    maps::Maps,
    program::Object,
    record::Record,
    refusal::broken,
    ring::Ring,
};
use super::{
    Committed, Fact, Observation, Outcome, Position, Sensor, SensorError,
    outbox::{self, Known, OBSERVATIONS_PER_BATCH},
    scope::Scope,
};

/// How long a busy ring is left alone: a fifth of the 50 ms from event to detection.
const BUSY_WAIT: Duration = Duration::from_millis(10);

/// How often the kernel's counters are looked at.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// How to begin, for either sensor.
#[derive(Debug)]
pub struct Start<'a> {
    /// Whose doings are recorded.
    pub scope: &'a Scope,
    /// The agent's folder of pins ([`pins::folder`]); `None`: the programs end with the process.
    pub pins: Option<&'a Path>,
    /// Where the newest batch in the spool of this sensor's lane says that the source stood.
    pub resume: Option<Position>,
    /// Bytes of the ring instead of the usual: a power of two, at least 64 KiB.
    pub ring_bytes: Option<u32>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives the ring's generation.
    pub entropy: &'a dyn Entropy,
}

/// Loads `object`, or takes over its pinned programs.
///
/// # Errors
/// As [`loader::load`].
pub fn load(object: &'static Object, start: &Start<'_>) -> Result<Loaded, SensorError> {
    loader::load(&loader::Settings {
        object,
        scope: start.scope,
        pins: start.pins,
        ring_bytes: start.ring_bytes,
        clock: start.clock.as_ref(),
        entropy: start.entropy,
    })
}

/// What a record means to one sensor.
pub trait Meaning: Send + fmt::Debug {
    /// The fact; `None` when no program of this sensor writes such a record.
    fn fact(&mut self, record: &Record<'_>) -> Option<Fact>;
}

/// A sensor of the first tier.
#[derive(Debug)]
pub struct RingSensor {
    kind: health::Sensor,
    ring: Ring,
    maps: Maps,
    meaning: Box<dyn Meaning>,
    clock: Arc<dyn Clock>,
    wakeups: OwnedFd,
    committed: Arc<Committed>,
    declared: Declared,
    /// Of the newest observation.
    at: Position,
    pace: Pace,
    counted: Option<Boottime>,
    is_resumed: bool,
    /// To be handed over first.
    gap: Option<Observation>,
    lacks: Vec<String>,
    /// What keeps the programs running.
    held: loader::Held,
}

/// How eager the next reading is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pace {
    /// There is more: read on at once.
    Full,
    /// It was emptied: give it time to fill.
    Busy,
    /// Nothing came for a while: sleep until something does.
    Idle,
}

impl RingSensor {
    /// Reads on in what was loaded. `resume` is where the spool's newest batch of this lane says
    /// that the source stood; it counts when it is of this making of the ring.
    ///
    /// # Errors
    /// [`SensorError::Broken`] when a map cannot be read or no wakeups can be had.
    pub fn open(
        kind: health::Sensor,
        loaded: Loaded,
        meaning: Box<dyn Meaning>,
        resume: Option<Position>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SensorError> {
        let Loaded { mut ring, mut maps, generation, origin, lacks, held } = loaded;
        let released = ring.committed();
        let spooled = resume.filter(|it| {
            it.epoch == generation
                && (released..=ring.produced()).contains(&ring_position(it.offset))
        });
        let at = Position {
            epoch: generation,
            offset: spooled.map_or(released, |it| it.offset.max(released)),
        };
        let declared =
            maps.declared().map_err(broken("read what was declared"))?.restart(at.offset);
        maps.set_declared(declared).map_err(broken("keep what was declared"))?;
        ring.commit(ring_position(at.offset));
        let wakeups = wakeups(&ring).map_err(broken("wait for the ring"))?;
        let is_resumed = origin != Origin::Fresh;
        let is_gap = resume.is_some_and(|it| it.epoch != generation);
        let now = clock.boottime();
        let gap = gap(origin, is_gap, now)
            .map(|known| outbox::loss(kind, LossCause::SensorDown, known, at));
        let committed = Arc::new(Committed::new(at));
        let pace = Pace::Full;
        let counted = None;
        Ok(Self {
            kind,
            ring,
            maps,
            meaning,
            clock,
            wakeups,
            committed,
            declared,
            at,
            pace,
            counted,
            is_resumed,
            gap,
            lacks,
            held,
        })
    }

    /// One line for people: what is not seen for want of an optional program, whether the programs
    /// outlive the agent.
    #[must_use]
    pub fn describe(&self) -> String {
        let life = if self.held.is_held() { "programs end with the agent" } else { "pinned" };
        std::iter::once(life)
            .chain(self.lacks.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// Releases what the spool has.
    fn release(&mut self) -> io::Result<()> {
        let spooled = self.committed.position().offset;
        self.ring.commit(ring_position(spooled));
        let declared = self.declared.settle(spooled);
        if declared != self.declared {
            self.declared = declared;
            self.maps.set_declared(declared)?;
        }
        Ok(())
    }

    /// Waits as the pace says, at most `wait`.
    fn pause(&mut self, wait: Duration) -> io::Result<()> {
        let wait = match self.pace {
            Pace::Full => return Ok(()),
            Pace::Busy => wait.min(BUSY_WAIT),
            Pace::Idle => {
                self.maps.set_asleep(true)?;
                // What came before the programs saw it wakes nobody.
                if self.ring.produced() > ring_position(self.at.offset) {
                    return Ok(());
                }
                wait
            }
        };
        let wait = Timespec::try_from(wait).map_err(io::Error::other)?;
        let mut events = [epoll::Event {
            flags: epoll::EventFlags::empty(),
            data: epoll::EventData::new_u64(0),
        }];
        match epoll::wait(&self.wakeups, &mut events, Some(&wait)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads records, at most a batch. What is no record is counted as a loss of its own.
    fn drain(&mut self, into: &mut Vec<Observation>) -> io::Result<()> {
        let Self { ring, meaning, kind, at, .. } = self;
        let epoch = at.epoch;
        let mut room = OBSERVATIONS_PER_BATCH.saturating_sub(into.len());
        let before = ring_position(at.offset);
        let now = self.clock.boottime();
        let stood = ring.read(before, &mut |offset, bytes| {
            let source = Position { epoch, offset };
            let decoded = record::decode(bytes).ok();
            let fact = decoded.and_then(|it| Some((it.at_ns(), meaning.fact(&it)?)));
            into.push(match fact {
                Some((at_ns, fact)) => Observation { at: Boottime::from_ns(at_ns), source, fact },
                None => {
                    let known = Known { count: 1, is_exact: true, from: now, until: now };
                    outbox::loss(*kind, LossCause::BadRecord, known, source)
                }
            });
            room = room.saturating_sub(1);
            if room == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if stood > before {
            at.offset = stood;
        }
        self.pace = match self.pace {
            _any if room == 0 => Pace::Full,
            _any if stood > before => Pace::Busy,
            Pace::Full => Pace::Busy,
            Pace::Busy | Pace::Idle => Pace::Idle,
        };
        Ok(())
    }

    /// Declares what the kernel dropped since the last time.
    fn declare(&mut self, into: &mut Vec<Observation>) -> io::Result<()> {
        let now = self.clock.boottime();
        if self.counted.is_some_and(|it| now.since(it) < COUNT_EVERY) {
            return Ok(());
        }
        self.counted = Some(now);
        let dropped = self.maps.dropped()?;
        let Some((declared, loss)) = self.declared.declare(dropped, self.at.offset, now) else {
            return Ok(());
        };
        // Before it is handed over: an agent that dies in between must know that it may have been.
        self.maps.set_declared(declared)?;
        self.declared = declared;
        self.at.offset = loss.offset;
        let drops::Loss { count, from, until, .. } = loss;
        let known = Known { count, is_exact: true, from, until };
        into.push(outbox::loss(self.kind, LossCause::KernelBuffer, known, self.at));
        Ok(())
    }
}

impl Sensor for RingSensor {
    fn kind(&self) -> health::Sensor {
        self.kind
    }

    fn sense(
        &mut self,
        wait: Duration,
        into: &mut Vec<Observation>,
    ) -> Result<Outcome, SensorError> {
        let before = into.len();
        into.extend(self.gap.take());
        self.release().map_err(broken("release the ring"))?;
        self.pause(wait).map_err(broken("wait for the ring"))?;
        self.drain(into).map_err(broken("read the ring"))?;
        self.declare(into).map_err(broken("read the ring's counters"))?;
        Ok(if into.len() > before { Outcome::Data } else { Outcome::Nothing })
    }

    fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    fn outlives_agent(&self) -> bool {
        !self.held.is_held()
    }

    fn committed(&self) -> Option<Arc<Committed>> {
        Some(Arc::clone(&self.committed))
    }
}

/// Tells of each wakeup by the kernel, not of data that lies there: what is read and not yet
/// released would be told of for ever.
fn wakeups(ring: &Ring) -> io::Result<OwnedFd> {
    let wakeups = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
    epoll::add(&wakeups, ring, epoll::EventData::new_u64(0), flags)?;
    Ok(wakeups)
}

/// What is known of what the programs from before recorded and nobody can read: they are another
/// making than the spool's newest batch knows, or an outdated set. Since when nothing was recorded when
/// there were none is not known here.
fn gap(origin: Origin, is_other: bool, now: Boottime) -> Option<Known> {
    let (count, since) = match origin {
        Origin::Replaced { unread, since } => (unread, since),
        Origin::Resumed if is_other => (0, None),
        Origin::Fresh | Origin::Resumed => return None,
    };
    Some(Known { count, is_exact: false, from: since.unwrap_or(now), until: now })
}

#[cfg(test)]
mod tests;
