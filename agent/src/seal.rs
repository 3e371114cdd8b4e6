//! Sealing: events get their numbers and become batches in the spool.
//!
//! In: events, each with where its source stood after it. Out: sealed batches, written to the spool.
//! A batch is sealed when it is full, or when its first event has waited long enough. Only when the
//! spool has written a batch is its source told that it may let go ([`Committed`]): so what lies
//! between kernel and spool survives `kill -9`, and is not seen twice.
//!
//! It remembers the newest launches by their names, for citations.

mod memory;

use std::{sync::Arc, time::Duration};

use cordon_shared::{
    batch::{Builder, Origin, Source},
    event::{
        Body, Event,
        health::{Loss, LostRange},
    },
    id::{AgentId, BootId, EventId, Lane},
    limit,
    time::{Boottime, Clock},
};
use tracing::error;

pub use self::memory::Memory;
use crate::{
    sensor::{Committed, Position},
    spool::{Shed, Spool},
};

/// A batch that is being filled.
#[derive(Debug)]
struct Open {
    builder: Builder,
    since: Boottime,
}

/// One lane on its way into the spool.
#[derive(Debug, Default)]
struct Filling {
    open: Option<Open>,
    /// The lane's resumable source, when it has one.
    committed: Option<Arc<Committed>>,
}

/// Fills batches and spools them.
#[derive(Debug)]
pub struct Sealer {
    spool: Spool,
    lanes: [Filling; 3],
    agent: AgentId,
    boot: BootId,
    clock: Arc<dyn Clock>,
    memory: Arc<Memory>,
    /// Declarations that wait for their turn: a full disk must not make them endless.
    owed: Vec<Shed>,
    events_total: u64,
    batches_total: u64,
}

impl Sealer {
    /// Seals into `spool`, whose newest batches tell what happened just before.
    #[must_use]
    pub fn new(spool: Spool, agent: AgentId, boot: BootId, clock: Arc<dyn Clock>) -> Self {
        let memory = Arc::new(Memory::default());
        memory.refill(&spool, memory::Own { agent, boot, now: clock.boottime() });
        let (lanes, owed) = (Default::default(), Vec::new());
        Self { spool, lanes, agent, boot, clock, memory, owed, events_total: 0, batches_total: 0 }
    }

    /// The newest launches, for whoever judges citations.
    #[must_use]
    pub fn memory(&self) -> Arc<Memory> {
        Arc::clone(&self.memory)
    }

    /// Tells the source of a lane what is spooled from now on.
    pub fn release(&mut self, lane: Lane, committed: Arc<Committed>) {
        self.filling(lane).committed = Some(committed);
    }

    /// The spool, for leases and acknowledgements.
    pub fn spool(&mut self) -> &mut Spool {
        &mut self.spool
    }

    /// Events sealed since the start.
    #[must_use]
    pub fn events_total(&self) -> u64 {
        self.events_total
    }

    /// Batches spooled since the start.
    #[must_use]
    pub fn batches_total(&self) -> u64 {
        self.batches_total
    }

    /// Takes an event in. `from` is the lane of the sensor that saw it, and where its source stood:
    /// a loss of the network sensor goes up the critical lane, and says nothing of that lane's source.
    pub fn push(&mut self, event: &Event, from: Option<(Lane, Position)>) {
        let lane = event.body.lane();
        let source = match from {
            Some((of, position)) if of == lane => source(position),
            Some(_) | None => Source::default(),
        };
        if self.filling(lane).open.is_none() {
            let (epoch, seq) = self.spool.lane(lane).next();
            let origin = Origin { boot: self.boot, clock: self.clock.sample() };
            let builder = Builder::new(lane, epoch, seq, origin);
            let since = self.clock.boottime();
            self.filling(lane).open = Some(Open { builder, since });
        }
        let Some(open) = &mut self.lanes[lane.index()].open else { return };
        if let Some(seq) = open.builder.next_seq() {
            let epoch = self.spool.lane(lane).next().0;
            self.memory.remember(EventId { agent: self.agent, epoch, lane, seq }, event);
        }
        open.builder.push(event, source);
        self.events_total += 1;
        if open.builder.is_full() {
            self.seal(lane);
        }
    }

    /// An observation made no event: its source may let go as soon as all before it is spooled.
    pub fn pass(&mut self, lane: Lane, position: Position) {
        if position == Position::NONE {
            return;
        }
        let filling = self.filling(lane);
        match &mut filling.open {
            Some(open) => open.builder.reach(source(position)),
            None => {
                if let Some(committed) = &filling.committed {
                    committed.advance(position);
                }
            }
        }
    }

    /// Seals what has waited long enough. Says when to call again, if anything waits.
    pub fn tick(&mut self) -> Option<Duration> {
        let now = self.clock.boottime();
        let mut next: Option<Duration> = None;
        for lane in Lane::ALL {
            let Some(open) = &self.filling(lane).open else { continue };
            let waited = now.since(open.since);
            let delay = delay(lane);
            if waited >= delay {
                self.seal(lane);
            } else {
                let rest = delay.saturating_sub(waited);
                next = Some(next.map_or(rest, |it| it.min(rest)));
            }
        }
        next
    }

    /// Seals everything now.
    pub fn seal_all(&mut self) {
        for lane in Lane::ALL {
            self.seal(lane);
        }
    }

    /// Notes what the spool gave up: it will be declared with the next batches.
    pub fn owe(&mut self, shed: impl IntoIterator<Item = Shed>) {
        self.owed.extend(shed);
    }

    /// Declares what is owed, as events of the critical lane.
    pub fn declare(&mut self) {
        let now = self.clock.boottime();
        for shed in std::mem::take(&mut self.owed) {
            let range = shed.range.map(|(epoch, first, last)| LostRange { epoch, first, last });
            let loss = Loss {
                cause: shed.cause,
                sensor: None,
                lane: shed.lane,
                count: shed.count,
                is_count_exact: range.is_some(),
                from: now,
                until: now,
                range,
            };
            let realtime = self.clock.now();
            let body = Body::Loss(loss);
            self.push(&Event { boottime: now, realtime, exercise: None, body }, None);
        }
    }

    fn filling(&mut self, lane: Lane) -> &mut Filling {
        let [critical, network, file] = &mut self.lanes;
        match lane {
            Lane::Critical => critical,
            Lane::Network => network,
            Lane::File => file,
        }
    }

    fn seal(&mut self, lane: Lane) {
        let Some(open) = self.filling(lane).open.take() else { return };
        let reached = open.builder.source();
        match open.builder.seal() {
            Ok(batch) => {
                let shed = self.spool.push(&batch);
                self.owed.extend(shed);
                self.batches_total += 1;
            }
            // Only a defect of ours can make it: the events are gone, and the gap in their numbers
            // tells the collector so.
            Err(error) => error!("failed to seal a batch: {error}"),
        }
        if let Some(committed) = &self.filling(lane).committed {
            committed.advance(Position { epoch: reached.epoch, offset: reached.position });
        }
    }
}

fn source(position: Position) -> Source {
    Source { epoch: position.epoch, position: position.offset }
}

fn delay(lane: Lane) -> Duration {
    match lane {
        Lane::Critical => limit::SEAL_DELAY_CRITICAL,
        Lane::Network | Lane::File => limit::SEAL_DELAY_BULK,
    }
}
