//! The beginning of a session: hello in, welcome out.
//!
//! On the road: before the first batch. What the agent says was acknowledged is compared with what
//! is durable here; where the two disagree (F-20, F-55) the agent begins a new epoch and people
//! hear of it. Compared are numbers and, where both sides know it, the digest of the last batch.
//!
//! A welcome vouches for nothing that the agent may still have to declare: where a number is missing
//! between what the agent holds for acknowledged and what is here, its batch may have been refused,
//! and the answer lost with the last stream. The agent sends from there again, and hears it again.

use std::sync::Arc;

use cordon_proto::v1;
use cordon_shared::{
    arrival::Host,
    id::{AgentId, EventSeq, Lane},
    limit,
    wire::session::{self as words, Hello, LanePosition},
};
use tokio::sync::mpsc;
use tonic::{Status, Streaming};
use tracing::{debug, warn};

use super::{
    AccessError, Ground,
    boot::BootEpoch,
    credit,
    stream::{Stream, is_broken},
};
use crate::{
    gateway::{admission::TooMany, concern::Concern, hello, registry::Connected, status},
    ingest::board::Position,
    listen::Peer,
    metric::Count,
    store::{AgentRow, Greeting, Standing, StoreError},
};

/// A caller whose certificate named an agent.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) agent: AgentId,
    pub(super) peer: Arc<Peer>,
    pub(super) outbox: mpsc::Sender<Result<v1::CollectorMessage, Status>>,
}

/// One session, whole.
pub(super) async fn run(
    ground: Arc<Ground>,
    caller: Caller,
    mut inbound: Streaming<v1::AgentMessage>,
) {
    let refusal = caller.outbox.clone();
    match open(&ground, caller, &mut inbound).await {
        Ok((stream, welcome)) => stream.run(welcome, inbound).await,
        Err(status) => {
            debug!("a session was refused: {status}");
            drop(refusal.try_send(Err(status)));
        }
    }
}

async fn open(
    ground: &Arc<Ground>,
    caller: Caller,
    inbound: &mut Streaming<v1::AgentMessage>,
) -> Result<(Stream, v1::Welcome), Status> {
    let hello = first(inbound).await?;
    let received = ground.clock.now();
    caller.peer.settle();
    let agent = caller.agent;
    let row = match ground.store.agent(agent).await {
        Ok(row) => row,
        Err(StoreError::NotFound { .. }) => {
            return Err(status::of(&AccessError::Unknown(agent)));
        }
        Err(error) => return Err(status::of(&error)),
    };
    if row.standing == Standing::Revoked {
        return Err(status::of(&AccessError::Revoked(agent)));
    }
    greet(ground, &row, &hello).await;
    let connected = Connected {
        agent,
        boot: hello.host.boot,
        source: caller.peer.address.ip(),
        since: received,
        last_seen: received,
    };
    let entered = ground.registry.enter(connected);
    let entry = entered.ok_or_else(|| status::of(&TooMany { whom: "this agent" }))?;
    // A revocation between the check above and the entry would find no stream to cut.
    if ground.revocations.contains(agent) {
        ground.registry.leave(agent, entry.id);
        return Err(status::of(&AccessError::Revoked(agent)));
    }
    let durable = ground.ingest.board().positions(agent);
    let disagreed = disagreements(&hello.positions, &durable);
    for concern in &disagreed {
        concern.raise(&ground.store, Some(agent), received).await;
    }
    let stream = Stream::new(Arc::clone(ground), caller, entry, &hello, received);
    let welcome = welcome(ground, &row, told(&hello.positions, &durable), &disagreed);
    Ok((stream, welcome))
}

/// The hello, which comes first and soon.
async fn first(inbound: &mut Streaming<v1::AgentMessage>) -> Result<Hello, Status> {
    let message = tokio::time::timeout(limit::HANDSHAKE_TIMEOUT, inbound.message()).await;
    let Ok(message) = message else {
        return Err(Status::deadline_exceeded("a hello must come within 5 s"));
    };
    let message = message.inspect_err(|status| {
        if is_broken(status) {
            Count::BrokenStreams.add(1);
        }
    });
    match message?.and_then(|it| it.message) {
        Some(v1::agent_message::Message::Hello(wire)) => {
            words::hello_from(&wire).map_err(|error| {
                Count::BrokenStreams.add(1);
                status::of(&error)
            })
        }
        _ => {
            Count::BrokenStreams.add(1);
            Err(Status::invalid_argument("the first message must be a hello"))
        }
    }
}

/// Keeps what the machine says of itself, where that changed; a session goes on without it.
async fn greet(ground: &Ground, row: &AgentRow, said: &Hello) {
    let (facts, sensors) = (hello::facts(&said.host), hello::sensors(&said.sensors));
    let host = Host { id: row.host.id, name: facts.name.clone(), os: facts.os.clone() };
    ground.ingest.hosts().set(row.id, host);
    let boot = said.host.boot;
    if row.host.facts == facts && row.boot == Some(boot) && row.sensors == sensors {
        return;
    }
    let greeting = Greeting { facts, boot, sensors };
    if let Err(error) = ground.store.greet(row.id, &greeting, ground.clock.now()).await {
        Count::StoreFailures.add(1);
        warn!("failed to record a hello: {error}");
    }
}

fn welcome(
    ground: &Ground,
    row: &AgentRow,
    positions: Vec<LanePosition>,
    disagreed: &[Concern],
) -> v1::Welcome {
    words::welcome_to(&words::Welcome {
        agent: row.id,
        positions,
        credit: credit::granted(*ground.ingest.pressure().borrow()),
        clock: ground.clock.sample(),
        wire_revision: limit::WIRE_REVISION,
        host_tier: row.host.tier.clone(),
        is_held: row.standing == Standing::Held,
        disagreed: disagreed.iter().filter_map(lane_of).collect(),
    })
}

fn lane_of(concern: &Concern) -> Option<Lane> {
    match concern {
        Concern::Disagreed { lane, .. } => Some(*lane),
        Concern::Rival { .. } | Concern::Refused { .. } | Concern::WrongTokens { .. } => None,
    }
}

/// What is here, as far as nothing is missing since what the agent holds for acknowledged.
fn told(agent: &[LanePosition], durable: &[Position]) -> Vec<LanePosition> {
    let acked = |at: &Position| {
        let it = agent.iter().find(|it| it.lane == at.lane && it.epoch == at.epoch);
        it.and_then(|it| it.acked).map_or(0, |(seq, _)| seq.as_u64())
    };
    let whole = durable.iter().filter(|it| it.whole_from <= acked(it).saturating_add(1));
    let told = whole.filter_map(|it| {
        let acked = Some((EventSeq::from_u64(it.seq)?, it.digest));
        Some(LanePosition { lane: it.lane, epoch: it.epoch, acked })
    });
    told.collect()
}

/// Where the agent holds for acknowledged what is not here. At most one for each lane: the new
/// epoch that it begins is the same for all of them.
fn disagreements(agent: &[LanePosition], durable: &[Position]) -> Vec<Concern> {
    let here =
        |it: &LanePosition| durable.iter().find(|at| at.lane == it.lane && at.epoch == it.epoch);
    let disagrees = |it: &&LanePosition| match (it.acked, here(it)) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some((seq, digest)), Some(here)) if seq.as_u64() == here.seq => digest != here.digest,
        (Some((seq, _)), Some(here)) => seq.as_u64() > here.seq,
    };
    let of_lane = |lane: Lane| {
        let it = agent.iter().filter(|it| it.lane == lane).find(disagrees)?;
        Some(Concern::Disagreed {
            lane,
            epoch: it.epoch,
            agent_seq: it.acked.map_or(0, |(seq, _)| seq.as_u64()),
            collector_seq: here(it).map_or(0, |at| at.seq),
        })
    };
    Lane::ALL.into_iter().filter_map(of_lane).collect()
}

/// The estimate that a session begins with.
pub(super) fn boot_epoch(hello: &Hello, received: cordon_shared::time::Timestamp) -> BootEpoch {
    BootEpoch::new(received, hello.clock.boottime)
}

#[cfg(test)]
mod tests;
