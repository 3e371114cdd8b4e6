//! Sealing: events get their numbers and become batches in the spool.
//!
//! In: events, each with where its source stood after it. Out: sealed batches, written to the spool.
//! A batch is sealed when it is full, or when its first event has waited long enough. Only when the
//! spool has written a batch, or has written down that it is lost, is its source told that it may let
//! go ([`Committed`]): so what lies between kernel and spool survives `kill -9`, and is not seen
//! twice. What the spool owes is declared here, as events, as soon as there is room for them.
//!
//! It remembers the newest launches by their names, for citations.

mod memory;

use std::{sync::Arc, time::Duration};

use cordon_shared::{
    batch::{Builder, Origin, Source},
    event::{
        Body, Event,
        health::{Loss, LossCause, LostRange},
    },
    id::{AgentId, BootId, Epoch, EventId, EventSeq, Lane},
    limit,
    time::{Boottime, Clock},
};
use tracing::error;

pub use self::memory::Memory;
use crate::{
    sensor::{Committed, Position},
    spool::{Alive, Fate, Shed, Spool},
};

/// Losses in one batch of declarations (chosen: far below what a batch takes).
const DECLARED_AT_ONCE: usize = 64;

/// Until a declaration that found no room is tried again.
const DECLARE_AGAIN: Duration = Duration::from_secs(1);

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
    /// How far the source may let go, once the spool is settled.
    reached: Position,
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
    /// When the next declaration may be tried.
    declare_at: Boottime,
    /// Whether it is told which time before its start nobody saw.
    is_begun: bool,
    events_total: u64,
    batches_total: u64,
}

impl Sealer {
    /// Seals into `spool`, whose newest batches tell what happened just before.
    #[must_use]
    pub fn new(spool: Spool, agent: AgentId, boot: BootId, clock: Arc<dyn Clock>) -> Self {
        let memory = Arc::new(Memory::default());
        memory.refill(&spool, memory::Own { agent, boot, now: clock.boottime() });
        let (lanes, declare_at, is_begun) = (Default::default(), Boottime::default(), true);
        let (events_total, batches_total) = (0, 0);
        Self {
            spool,
            lanes,
            agent,
            boot,
            clock,
            memory,
            declare_at,
            is_begun,
            events_total,
            batches_total,
        }
    }

    /// Takes in, before anything else, what says which time nobody saw. While the spool does not have
    /// all of it the agent gives no sign of life, so that the next start says it again.
    pub fn begin(&mut self, blind: &[Event]) {
        let fates: Vec<_> = blind.iter().map(|it| self.push_now(it)).collect();
        self.is_begun = fates.iter().all(|it| *it == Fate::Spooled);
        // Nothing was seen yet, so nothing waits: a first sign of life, however soon the end comes.
        self.sync(true);
    }

    /// Makes durable what is spooled. `is_caught_up`: no observation waits before here, so that all
    /// before now, or before what is open, is in the spool.
    pub fn sync(&mut self, is_caught_up: bool) {
        if self.is_begun && is_caught_up {
            let open = self.lanes.iter().filter_map(|it| it.open.as_ref());
            let at = open.map(|it| it.since).min().unwrap_or_else(|| self.clock.boottime());
            self.spool.note_alive(Alive { boot: self.boot, at });
        }
        self.spool.sync();
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
    /// a loss of the network sensor goes up the critical lane, and says nothing of that lane's source;
    /// it is sealed at once, since its own source lets go of it.
    pub fn push(&mut self, event: &Event, from: Option<(Lane, Position)>) {
        let (lane, filled) = (event.body.lane(), self.fill(event, from));
        if let Some((of, position)) = from
            && of != lane
            && position != Position::NONE
        {
            filled.unwrap_or_else(|| self.seal(lane));
            self.pass(of, position);
        }
    }

    /// As [`Sealer::push`]; what became of the batch, when the event filled it.
    fn fill(&mut self, event: &Event, from: Option<(Lane, Position)>) -> Option<Fate> {
        let lane = event.body.lane();
        let source = match from {
            Some((of, position)) if of == lane => source(position),
            Some(_) | None => Source::default(),
        };
        let (epoch, seq) = self.next(lane);
        self.memory.remember(EventId { agent: self.agent, epoch, lane, seq }, event);
        if self.filling(lane).open.is_none() {
            let origin = Origin { boot: self.boot, clock: self.clock.sample() };
            let builder = Builder::new(lane, epoch, seq, origin);
            let since = self.clock.boottime();
            self.filling(lane).open = Some(Open { builder, since });
        }
        let open = self.lanes[lane.index()].open.as_mut()?;
        open.builder.push(event, source);
        self.events_total += 1;
        open.builder.is_full().then(|| self.seal(lane))
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
                filling.reached = position;
                self.let_go();
            }
        }
    }

    /// Epoch and number of the next event of a lane.
    #[must_use]
    pub fn next(&self, lane: Lane) -> (Epoch, EventSeq) {
        let (epoch, first) = self.spool.lane(lane).next();
        let open = self.lanes[lane.index()].open.as_ref();
        (epoch, open.and_then(|it| it.builder.next_seq()).unwrap_or(first))
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

    /// Takes an event of the agent's own in and seals it at once; says whether it is spooled.
    pub fn push_now(&mut self, event: &Event) -> Fate {
        let filled = self.fill(event, None);
        filled.unwrap_or_else(|| self.seal(event.body.lane()))
    }

    /// Declares what is owed, as events of the critical lane. On a full disk it is tried again a
    /// second later.
    pub fn declare(&mut self) {
        let now = self.clock.boottime();
        if now < self.declare_at || self.spool.owed().is_empty() {
            return;
        }
        self.seal(Lane::Critical);
        let (epoch, seq) = self.spool.lane(Lane::Critical).next();
        let origin = Origin { boot: self.boot, clock: self.clock.sample() };
        let mut builder = Builder::new(Lane::Critical, epoch, seq, origin);
        let mut losses = self.spool.owed();
        losses.truncate(DECLARED_AT_ONCE);
        for shed in &losses {
            let body = Body::Loss(loss(shed, now));
            let realtime = origin.clock.realtime;
            let event = Event { boottime: now, realtime, exercise: None, body };
            builder.push(&event, Source::default());
        }
        let fate = match builder.seal() {
            Ok(batch) => self.spool.declare(&batch, losses.len()),
            Err(error) => {
                error!("failed to seal a declaration: {error}");
                Fate::Lost
            }
        };
        match fate {
            Fate::Spooled => {
                self.events_total += losses.len() as u64;
                self.batches_total += 1;
            }
            Fate::Lost => self.declare_at = now.saturating_add(DECLARE_AGAIN),
        }
        self.let_go();
    }

    fn filling(&mut self, lane: Lane) -> &mut Filling {
        let [critical, network, file] = &mut self.lanes;
        match lane {
            Lane::Critical => critical,
            Lane::Network => network,
            Lane::File => file,
        }
    }

    fn seal(&mut self, lane: Lane) -> Fate {
        let Some(open) = self.filling(lane).open.take() else { return Fate::Spooled };
        let reached = open.builder.source();
        let (epoch, first) = self.spool.lane(lane).next();
        let next = open.builder.next_seq();
        let fate = match open.builder.seal() {
            Ok(batch) => self.spool.push(&batch),
            // Only a defect of ours can make it.
            Err(error) => {
                error!("failed to seal a batch: {error}");
                if let Some(last) = next.and_then(|it| EventSeq::from_u64(it.as_u64() - 1)) {
                    let (cause, range) = (LossCause::BadRecord, Some((epoch, first, last)));
                    let count = last.as_u64() + 1 - first.as_u64();
                    self.spool.owe(Shed { lane, cause, range, count });
                }
                Fate::Lost
            }
        };
        if fate == Fate::Spooled {
            self.batches_total += 1;
        }
        if reached != Source::default() {
            let reached = Position { epoch: reached.epoch, offset: reached.position };
            self.filling(lane).reached = reached;
        }
        self.let_go();
        fate
    }

    /// Lets the sources go as far as their batches are spooled or written down as lost.
    fn let_go(&self) {
        if self.spool.is_settled() {
            for filling in &self.lanes {
                if let Some(committed) = &filling.committed {
                    committed.advance(filling.reached);
                }
            }
        }
    }
}

fn loss(shed: &Shed, now: Boottime) -> Loss {
    Loss {
        cause: shed.cause,
        sensor: None,
        lane: shed.lane,
        count: shed.count,
        is_count_exact: shed.range.is_some(),
        from: now,
        until: now,
        range: shed.range.map(|(epoch, first, last)| LostRange { epoch, first, last }),
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

#[cfg(test)]
mod tests;
