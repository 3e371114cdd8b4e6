//! The way out of a sensor: a bounded queue to enrichment, and the loop of a sensor's thread.
//!
//! In: what [`Sensor::sense`] appends. Out: batches of observations, in order. When the queue is
//! full, the thread of a resumable source waits (the source is the buffer, and counts what it cannot
//! keep); for any other source the newest batch is dropped, and the count goes out as a loss ahead
//! of the next batch that fits.

use std::time::Duration;

use cordon_shared::{
    event::health::{self, Loss, LossCause},
    id::Lane,
    limit,
    time::{Boottime, Clock},
};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_util::sync::CancellationToken;

use super::{Fact, Observation, Outcome, Position, Sensor, SensorError};

/// Observations that are handed over at once: a spool's batch.
pub const OBSERVATIONS_PER_BATCH: usize = limit::BATCH_EVENTS_MAX;

/// Batches that may wait, so that observations stay within their bound.
const BATCHES_WAITING: usize = limit::SENSOR_QUEUE_OBSERVATIONS / OBSERVATIONS_PER_BATCH;

/// The longest that a sensor may wait for something to happen, and so the longest that a stop of
/// its thread takes (chosen: a tenth of the stop's patience).
const SENSE_WAIT: Duration = Duration::from_millis(100);

/// A queue for one sensor: its bound is [`limit::SENSOR_QUEUE_OBSERVATIONS`].
#[must_use]
pub fn channel() -> (mpsc::Sender<Vec<Observation>>, mpsc::Receiver<Vec<Observation>>) {
    mpsc::channel(BATCHES_WAITING)
}

/// What to do when enrichment does not keep up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnFull {
    /// Wait: the source keeps what is not read.
    Wait,
    /// Drop the newest and count: the source keeps nothing.
    Drop,
}

/// Whether anybody still listens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Flow {
    /// Go on.
    Continue,
    /// The receiver is gone: stop.
    Stop,
}

/// A sensor's end of its queue.
#[derive(Debug)]
pub struct Outbox {
    sender: mpsc::Sender<Vec<Observation>>,
    sensor: health::Sensor,
    on_full: OnFull,
    /// Dropped since the last batch that fitted: how many, the first's and the last's time.
    dropped: Option<(u64, Boottime, Boottime)>,
}

impl Outbox {
    /// Sends what `sensor` sees.
    #[must_use]
    pub fn new(
        sender: mpsc::Sender<Vec<Observation>>,
        sensor: health::Sensor,
        on_full: OnFull,
    ) -> Self {
        Self { sender, sensor, on_full, dropped: None }
    }

    /// Hands over `batch`, or waits, or drops it and counts, as `on_full` says. An empty batch is
    /// nothing.
    pub fn send(&mut self, mut batch: Vec<Observation>) -> Flow {
        let (Some(first), Some(last)) = (batch.first(), batch.last()) else {
            return Flow::Continue;
        };
        let (first, last) = (first.at, last.at);
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        match self.on_full {
            OnFull::Wait => match self.sender.blocking_send(batch) {
                Ok(()) => Flow::Continue,
                Err(_closed) => Flow::Stop,
            },
            OnFull::Drop => {
                let permit = match self.sender.try_reserve() {
                    Ok(permit) => permit,
                    Err(TrySendError::Full(())) => {
                        let (before, since) = self.dropped.map_or((0, first), |it| (it.0, it.1));
                        self.dropped = Some((before.saturating_add(count), since, last));
                        return Flow::Continue;
                    }
                    Err(TrySendError::Closed(())) => return Flow::Stop,
                };
                if let Some((count, from, until)) = self.dropped.take() {
                    let loss = Known { count, is_exact: true, from, until };
                    batch.insert(0, self.loss(LossCause::QueueFull, loss));
                }
                permit.send(batch);
                Flow::Continue
            }
        }
    }

    /// Hands over the count of what was dropped, when there is room by now: a sensor that has gone
    /// quiet must not keep it.
    pub fn flush(&mut self) -> Flow {
        let Some((count, from, until)) = self.dropped else {
            return Flow::Continue;
        };
        match self.sender.try_reserve() {
            Ok(permit) => {
                let known = Known { count, is_exact: true, from, until };
                permit.send(vec![self.loss(LossCause::QueueFull, known)]);
                self.dropped = None;
                Flow::Continue
            }
            Err(TrySendError::Full(())) => Flow::Continue,
            Err(TrySendError::Closed(())) => Flow::Stop,
        }
    }

    fn loss(&self, cause: LossCause, known: Known) -> Observation {
        loss(self.sensor, cause, known, Position::NONE)
    }
}

/// How much is known of a loss.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// How many observations, as far as known.
    pub count: u64,
    /// Whether that is all of them.
    pub is_exact: bool,
    /// Since when.
    pub from: Boottime,
    /// Until when.
    pub until: Boottime,
}

/// A loss of `sensor`'s, as an observation.
#[must_use]
pub fn loss(
    sensor: health::Sensor,
    cause: LossCause,
    known: Known,
    source: Position,
) -> Observation {
    let Known { count, is_exact: is_count_exact, from, until } = known;
    let lane = lane_of(sensor);
    let sensor = Some(sensor);
    let fact = Loss { cause, sensor, lane, count, is_count_exact, from, until, range: None };
    Observation { at: until, source, fact: Fact::Loss(fact) }
}

/// The lane that a sensor's observations take.
#[must_use]
pub fn lane_of(sensor: health::Sensor) -> Lane {
    match sensor {
        health::Sensor::Process | health::Sensor::Kernel | health::Sensor::Login => Lane::Critical,
        health::Sensor::Network | health::Sensor::Dns => Lane::Network,
        health::Sensor::File | health::Sensor::Log => Lane::File,
    }
}

/// The loop of a sensor's thread: senses and hands over, until `stop`, the receiver's end, or a
/// broken source. `sender` is this sensor's end of [`channel`].
///
/// # Errors
/// What [`Sensor::sense`] returned; a loss that says since when the sensor is down was handed over
/// before.
pub fn run(
    sensor: &mut dyn Sensor,
    sender: mpsc::Sender<Vec<Observation>>,
    clock: &dyn Clock,
    stop: &CancellationToken,
) -> Result<(), SensorError> {
    let on_full = if sensor.committed().is_some() { OnFull::Wait } else { OnFull::Drop };
    let mut outbox = Outbox::new(sender, sensor.kind(), on_full);
    while !stop.is_cancelled() {
        let mut batch = Vec::new();
        let flow = match sensor.sense(SENSE_WAIT, &mut batch) {
            Ok(Outcome::Data) => outbox.send(batch),
            Ok(Outcome::Nothing) => outbox.flush(),
            Err(error) => {
                let now = clock.boottime();
                let known = Known { count: 0, is_exact: false, from: now, until: now };
                batch.push(outbox.loss(LossCause::SensorDown, known));
                // Whoever listens has it; when nobody does, nobody is left to tell.
                let (Flow::Continue | Flow::Stop) = outbox.send(batch);
                return Err(error);
            }
        };
        if flow == Flow::Stop {
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
