//! One agent of a load: sends what is due when there is credit, hears what is acknowledged.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use bytes::Bytes;
use cordon_proto::v1::{self, agent_message::Message as Up, collector_message::Message as Down};
use cordon_shared::{
    limit,
    time::{Boottime, Clock, SystemClock},
};
use tokio::sync::mpsc;

use crate::{histogram::Histogram, peer::Link};

/// How long after the end the last acknowledgements may take.
const GRACE: Duration = Duration::from_secs(15);

/// A sealed batch, ready to be sent.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) bytes: Bytes,
    pub(super) last_seq: u64,
    pub(super) events: u64,
}

/// What every agent sends, and when.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) start: Boottime,
    pub(super) end: Duration,
    pub(super) interval: Duration,
    pub(super) batches: Vec<Batch>,
    pub(super) sealed_bytes: u64,
}

impl Schedule {
    /// Events of one agent.
    pub(super) fn events(&self) -> u64 {
        self.batches.iter().map(|it| it.events).sum()
    }
}

/// What one agent saw, or all.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent {
    pub(super) acked: u64,
    /// Until the schedule's end.
    pub(super) acked_in_time: u64,
    pub(super) from_due: Histogram,
    pub(super) from_sent: Histogram,
}

/// A batch that is under way.
struct Flying {
    last_seq: u64,
    events: u64,
    bytes: u64,
    due: Boottime,
    sent: Boottime,
}

/// What is under way, and what may be.
struct Window {
    batches_max: usize,
    bytes_max: u64,
    flying: VecDeque<Flying>,
    bytes: u64,
}

impl Window {
    fn has_room(&self, bytes: usize) -> bool {
        let fits = self.bytes + bytes as u64 <= self.bytes_max || self.flying.is_empty();
        self.flying.len() < self.batches_max && fits
    }

    /// Takes what is acknowledged out, and notes how long it took.
    fn acked(&mut self, seq: u64, at: Boottime, end: Boottime, sent: &mut Sent) {
        while let Some(first) = self.flying.front().filter(|it| it.last_seq <= seq) {
            sent.acked += first.events;
            if at <= end {
                sent.acked_in_time += first.events;
            }
            sent.from_due.add(at.since(first.due));
            sent.from_sent.add(at.since(first.sent));
            self.bytes -= first.bytes;
            self.flying.pop_front();
        }
    }
}

/// Sends everything, `offset` after the others; ends when all is acknowledged, or too late.
pub(super) async fn run(
    (link, batches_max, bytes_max): (Link, u32, u64),
    schedule: Arc<Schedule>,
    offset: Duration,
) -> anyhow::Result<Sent> {
    let (up, mut down) = link.split();
    let mut sent = Sent::default();
    let batches_max = usize::try_from(batches_max).unwrap_or(1);
    let mut window = Window { batches_max, bytes_max, flying: VecDeque::new(), bytes: 0 };
    let mut next = 0_usize;
    let mut due = schedule.start.saturating_add(offset);
    let end = schedule.start.saturating_add(schedule.end);
    let patience = end.saturating_add(GRACE);
    let mut beat = tokio::time::interval(limit::HEARTBEAT_EVERY);
    while next < schedule.batches.len() || !window.flying.is_empty() {
        let now = SystemClock.boottime();
        let batch = schedule.batches.get(next).filter(|it| window.has_room(it.bytes.len()));
        if let Some(batch) = batch.filter(|_| due <= now) {
            send(&up, batch.bytes.clone()).await?;
            window.bytes += batch.bytes.len() as u64;
            window.flying.push_back(Flying {
                last_seq: batch.last_seq,
                events: batch.events,
                bytes: batch.bytes.len() as u64,
                due,
                sent: now,
            });
            next += 1;
            due = due.saturating_add(schedule.interval);
            continue;
        }
        if now > patience {
            break;
        }
        let wait = if batch.is_some() { due.since(now) } else { GRACE };
        // All are cancel-safe: a stream that keeps a half-read message, a tick, a sleep.
        tokio::select! {
            biased;
            heard = down.message() => match heard.context("hear the collector")?.and_then(|it| it.message) {
                Some(Down::Ack(ack)) => {
                    window.acked(ack.seq, SystemClock.boottime(), end, &mut sent);
                }
                Some(Down::Credit(credit)) => {
                    window.batches_max = usize::try_from(credit.batches_max).unwrap_or(1);
                    window.bytes_max = credit.bytes_max;
                }
                Some(Down::Heartbeat(_) | Down::Keyring(_) | Down::Command(_)) => (),
                other @ (Some(Down::Welcome(_) | Down::BatchRefused(_) | Down::Goodbye(_)) | None) => {
                    bail!("an agent's session ended with {other:?}")
                }
            },
            _ = beat.tick() => say(&up, Up::Heartbeat(v1::Heartbeat::default())).await?,
            () = tokio::time::sleep(wait) => (),
        }
    }
    Ok(sent)
}

async fn send(up: &mpsc::Sender<v1::AgentMessage>, sealed: Bytes) -> anyhow::Result<()> {
    say(up, Up::Batch(v1::Batch { sealed })).await
}

async fn say(up: &mpsc::Sender<v1::AgentMessage>, message: Up) -> anyhow::Result<()> {
    let message = v1::AgentMessage { message: Some(message) };
    up.send(message).await.ok().context("an agent's session is gone")
}
