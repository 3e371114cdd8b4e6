//! The life of a session after its welcome.
//!
//! On the road: each batch is checked here, on the session's own task, and waits for room in the
//! journal's queue, the refused ones too, so that every answer comes in its turn; the journal's
//! outcomes become cumulative acknowledgements. Everything that can
//! wake it is in one `select!`. An agent that sends faster than it is answered is not read from.

use std::sync::Arc;

use bytes::Bytes;
use cordon_proto::v1::{self, collector_message::Message};
use cordon_shared::{
    batch::Header,
    id::{BootId, CommandId, Epoch, Lane},
    limit,
    time::{Boottime, Timestamp},
    wire::session::{self as words, Hello},
};
use tokio::sync::mpsc;
use tonic::{Code, Status, Streaming};
use tracing::{debug, info};

use super::{
    Ground,
    boot::BootEpoch,
    credit::{self, UnderWay},
    opening::{self, Caller},
};
use crate::{
    gateway::{
        concern::{self, Concern},
        registry::{Entry, Order, StreamId},
    },
    ingest::{
        Offer, Outcome, Repeat, Submission,
        validate::{Refused, validate},
    },
    metric::{Count, Time},
};

/// Raw bytes from which on a batch is checked on a thread of its own (chosen: about half a
/// millisecond of work).
const BLOCKING_RAW_BYTES: usize = 128 << 10;

/// How long a stopping collector waits for what one session has under way.
const DRAIN_GRACE: std::time::Duration = std::time::Duration::from_secs(2);

/// Why a stream ends.
enum End {
    /// The agent went, or does not read or speak any more.
    Gone,
    /// We say why, last.
    Goodbye(v1::GoodbyeReason, String),
}

/// One live stream.
pub(super) struct Stream {
    ground: Arc<Ground>,
    caller: Caller,
    id: StreamId,
    orders: mpsc::Receiver<Order>,
    boot: BootId,
    boot_epoch: BootEpoch,
    keyring: (u64, u64),
    under_way: UnderWay,
    /// Checked, and waiting for room in the journal's queue.
    stash: Option<Submission>,
    reply: mpsc::Sender<Outcome>,
    outcomes: mpsc::Receiver<Outcome>,
    heard: Boottime,
    beats: u64,
    concerns: u32,
}

impl Stream {
    pub(super) fn new(
        ground: Arc<Ground>,
        caller: Caller,
        entry: Entry,
        hello: &Hello,
        received: Timestamp,
    ) -> Self {
        // One place for each batch that may be under way, so that no outcome is ever dropped.
        let (reply, outcomes) = mpsc::channel(limit::CREDIT_BATCHES as usize + 1);
        let heard = ground.clock.boottime();
        Self {
            ground,
            caller,
            id: entry.id,
            orders: entry.orders,
            boot: hello.host.boot,
            boot_epoch: opening::boot_epoch(hello, received),
            keyring: hello.keyring_versions,
            under_way: UnderWay::default(),
            stash: None,
            reply,
            outcomes,
            heard,
            beats: 0,
            concerns: 0,
        }
    }

    /// Welcomes the agent, then runs until either side ends it.
    pub(super) async fn run(mut self, welcome: v1::Welcome, inbound: Streaming<v1::AgentMessage>) {
        info!(boot = %self.boot, source = %self.caller.peer.address, "an agent is connected");
        let end = match self.send(Message::Welcome(welcome)).await {
            Ok(()) => self.serve(inbound).await,
            Err(end) => end,
        };
        self.ground.registry.leave(self.caller.agent, self.id);
        match end {
            End::Gone => info!("an agent is gone"),
            End::Goodbye(reason, detail) => {
                info!(reason = reason.as_str_name(), detail, "a session ends");
                let goodbye = v1::Goodbye { reason: reason.into(), detail: detail.clone() };
                let said = self.send(Message::Goodbye(goodbye)).await;
                if let (Ok(()), Some(code)) = (said, code_of(reason)) {
                    drop(self.caller.outbox.try_send(Err(Status::new(code, detail))));
                }
            }
        }
    }

    async fn serve(&mut self, mut inbound: Streaming<v1::AgentMessage>) -> End {
        let ground = Arc::clone(&self.ground);
        let mut pressure = ground.ingest.pressure();
        let mut keyring = ground.keyring.clone();
        keyring.mark_changed();
        let mut heartbeat = tokio::time::interval(limit::HEARTBEAT_EVERY);
        loop {
            let is_reading = self.stash.is_none() && self.under_way.has_room();
            // All branches are cancel-safe: receivers, watches, a tick, a permit, and a stream that
            // keeps a half-read message itself.
            let flow = tokio::select! {
                biased;
                () = ground.stop.cancelled() => return self.drain().await,
                // Before any order: what an order rests on must be there when it comes.
                Ok(()) = keyring.changed() => {
                    let newest = keyring.borrow_and_update().clone();
                    match newest.newer_than(self.keyring) {
                        Some((versions, wire)) => {
                            self.keyring = versions;
                            self.send(Message::Keyring(wire)).await
                        }
                        None => Ok(()),
                    }
                }
                order = self.orders.recv() => self.obey(order).await,
                Some(outcome) = self.outcomes.recv() => self.pass_on(outcome).await,
                Ok(()) = pressure.changed() => {
                    let credit = credit::granted(*pressure.borrow_and_update());
                    self.send(Message::Credit(words::credit_to(credit))).await
                }
                _ = heartbeat.tick() => self.beat(is_reading).await,
                permit = ground.ingest.reserve(), if self.stash.is_some() => match permit {
                    Ok(permit) => {
                        if let Some(submission) = self.stash.take() {
                            permit.send(submission);
                        }
                        Ok(())
                    }
                    Err(_closed) => Err(End::Gone),
                },
                message = inbound.message(), if is_reading => match message {
                    Ok(Some(message)) => self.take(message).await,
                    Ok(None) => Err(End::Gone),
                    Err(status) => self.broken(&status),
                },
            };
            if let Err(end) = flow {
                return end;
            }
        }
    }

    /// Sends one message. An agent that does not read for as long as it may be silent is gone.
    async fn send(&self, message: Message) -> Result<(), End> {
        let message = v1::CollectorMessage { message: Some(message) };
        let sent =
            tokio::time::timeout(limit::HEARTBEAT_DEAD, self.caller.outbox.send(Ok(message))).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    async fn obey(&mut self, order: Option<Order>) -> Result<(), End> {
        match order {
            Some(Order::Command(delivery)) => self.send(Message::Command(*delivery)).await,
            Some(Order::End(reason)) => Err(End::Goodbye(reason, String::new())),
            // The registry dropped the stream without finding room to say why.
            None => Err(End::Goodbye(v1::GoodbyeReason::Replaced, String::new())),
        }
    }

    async fn beat(&mut self, is_reading: bool) -> Result<(), End> {
        let clock = self.ground.clock.sample();
        if is_reading && clock.boottime.since(self.heard) > limit::HEARTBEAT_DEAD {
            return Err(End::Gone);
        }
        self.beats += 1;
        let clock = Some(v1::ClockSample {
            boottime_ns: clock.boottime.as_ns(),
            realtime_ns: clock.realtime.as_ns(),
        });
        self.send(Message::Heartbeat(v1::Heartbeat { clock, count: self.beats })).await
    }

    /// Passes on what the journal says: acknowledgements are cumulative, so of all that have come
    /// the last of each lane and epoch is enough. A refusal comes after the acknowledgements of
    /// what was sent before it.
    async fn pass_on(&mut self, first: Outcome) -> Result<(), End> {
        let mut acks: Vec<(Lane, Epoch, u64)> = Vec::new();
        let mut next = Some(first);
        while let Some(outcome) = next {
            self.under_way.take();
            match outcome {
                Outcome::Stored { lane, epoch, seq, repeat } => {
                    if repeat == Repeat::Differs {
                        let collector_seq = seq;
                        let agent_seq = seq;
                        self.raise(Concern::Disagreed { lane, epoch, agent_seq, collector_seq })
                            .await;
                    }
                    match acks.iter_mut().find(|it| it.0 == lane && it.1 == epoch) {
                        Some(ack) => ack.2 = ack.2.max(seq),
                        None => acks.push((lane, epoch, seq)),
                    }
                }
                Outcome::Refused { header, reason } => {
                    self.acknowledge(std::mem::take(&mut acks)).await?;
                    self.refuse(&header, &reason).await?;
                }
            }
            next = self.outcomes.try_recv().ok();
        }
        self.acknowledge(acks).await
    }

    async fn acknowledge(&self, acks: Vec<(Lane, Epoch, u64)>) -> Result<(), End> {
        for (lane, epoch, seq) in acks {
            Count::Acks.add(1);
            let lane = i32::from(lane.as_u8());
            self.send(Message::Ack(v1::Ack { lane, epoch: epoch.as_u64(), seq })).await?;
        }
        Ok(())
    }

    async fn take(&mut self, message: v1::AgentMessage) -> Result<(), End> {
        let received = self.ground.clock.now();
        self.heard = self.ground.clock.boottime();
        let (agent, source) = (self.caller.agent, self.caller.peer.address.ip());
        if let Some(rival) = self.ground.registry.spoke(agent, self.id, received) {
            self.raise(Concern::Rival { boot: (self.boot, source), rival }).await;
        }
        match message.message {
            Some(v1::agent_message::Message::Batch(batch)) => {
                self.check(batch.sealed, received).await
            }
            Some(v1::agent_message::Message::Heartbeat(beat)) => {
                if let Some(clock) = beat.clock {
                    self.boot_epoch.note(received, Boottime::from_ns(clock.boottime_ns));
                }
                Ok(())
            }
            Some(v1::agent_message::Message::CommandSeen(seen)) => {
                if let Some(command) = CommandId::from_slice(&seen.command_id) {
                    self.ground.seen.note(agent, command, received);
                }
                Ok(())
            }
            Some(v1::agent_message::Message::Hello(_)) => {
                Count::BrokenStreams.add(1);
                let detail = "a hello comes once".to_owned();
                Err(End::Goodbye(v1::GoodbyeReason::BadInput, detail))
            }
            // Of a newer wire: passed over, as a release older must.
            None => Ok(()),
        }
    }

    async fn check(&mut self, sealed: Bytes, received: Timestamp) -> Result<(), End> {
        let began = self.ground.clock.boottime();
        let raw_bytes = Header::parse(&sealed).map_or(0, |it| it.body_raw_bytes());
        let checked = if raw_bytes < BLOCKING_RAW_BYTES {
            validate(sealed.clone())
        } else {
            let sealed = sealed.clone();
            match tokio::task::spawn_blocking(move || validate(sealed)).await {
                Ok(checked) => checked,
                Err(_stopped) => return Err(End::Gone),
            }
        };
        Time::Validate.note(self.ground.clock.boottime().since(began));
        match checked {
            Ok(batch) => self.stash(Offer::Checked(batch), received),
            Err(Refused::Batch { header, reason }) => {
                let reason = reason.to_string();
                self.stash(Offer::Refused { header, bytes: sealed, reason }, received);
            }
            Err(Refused::Framing(reason)) => {
                Count::BrokenStreams.add(1);
                let reason = reason.to_string();
                self.raise(Concern::Refused { reason: reason.clone() }).await;
                return Err(End::Goodbye(v1::GoodbyeReason::BadInput, reason));
            }
        }
        Ok(())
    }

    fn stash(&mut self, offer: Offer, received: Timestamp) {
        let origin = match &offer {
            Offer::Checked(batch) => Some(batch.contents().origin),
            // What a refused batch says of its origin counts as little as the rest of it.
            Offer::Refused { .. } => None,
        };
        let earlier = origin.filter(|it| it.boot != self.boot);
        // Of an earlier boot what the host believed is all there is.
        let believed = earlier.map(|it| it.clock.realtime_at(Boottime::from_ns(0)));
        let submission = Submission {
            agent: self.caller.agent,
            offer,
            received,
            boot_epoch: believed.unwrap_or_else(|| self.boot_epoch.at()),
            is_corrected: believed.is_none(),
            reply: self.reply.clone(),
        };
        self.under_way.add(submission.bytes().len());
        self.stash = Some(submission);
    }

    async fn refuse(&mut self, header: &Header, reason: &str) -> Result<(), End> {
        self.raise(Concern::Refused { reason: reason.to_owned() }).await;
        self.send(Message::BatchRefused(v1::BatchRefused {
            lane: i32::from(header.lane().as_u8()),
            epoch: header.epoch().as_u64(),
            first_seq: header.first_seq().as_u64(),
            count: u32::try_from(header.count()).unwrap_or(u32::MAX),
            reason: reason.to_owned(),
        }))
        .await
    }

    async fn raise(&mut self, concern: Concern) {
        self.concerns += 1;
        if self.concerns > concern::PER_STREAM_MAX {
            Count::Concerns.add(1);
            return;
        }
        let (agent, now) = (Some(self.caller.agent), self.ground.clock.now());
        concern.raise(&self.ground.store, agent, now).await;
    }

    /// The transport could not make a message of what came.
    fn broken(&self, status: &Status) -> Result<(), End> {
        if !is_broken(status) {
            debug!("a stream broke off: {status}");
            return Err(End::Gone);
        }
        Count::BrokenStreams.add(1);
        Err(End::Goodbye(v1::GoodbyeReason::BadInput, status.message().to_owned()))
    }

    /// The collector stops: nothing more is read, what is under way is answered, then goodbye.
    async fn drain(&mut self) -> End {
        let answered = async {
            if let Some(submission) = self.stash.take()
                && let Ok(permit) = self.ground.ingest.reserve().await
            {
                permit.send(submission);
            }
            while !self.under_way.is_empty() {
                let Some(outcome) = self.outcomes.recv().await else { return };
                if self.pass_on(outcome).await.is_err() {
                    return;
                }
            }
        };
        drop(tokio::time::timeout(DRAIN_GRACE, answered).await);
        End::Goodbye(v1::GoodbyeReason::Stopping, "the collector stops; come back".to_owned())
    }
}

/// Whether the transport could not make a message of what came, or only broke off.
pub(super) fn is_broken(status: &Status) -> bool {
    !matches!(status.code(), Code::Cancelled | Code::Unknown | Code::Unavailable)
}

/// What the call ends with beside the goodbye; nothing when all is well.
fn code_of(reason: v1::GoodbyeReason) -> Option<Code> {
    match reason {
        v1::GoodbyeReason::Unspecified
        | v1::GoodbyeReason::Stopping
        | v1::GoodbyeReason::Replaced => None,
        v1::GoodbyeReason::Revoked => Some(Code::PermissionDenied),
        v1::GoodbyeReason::BadInput => Some(Code::InvalidArgument),
        v1::GoodbyeReason::Busy => Some(Code::ResourceExhausted),
    }
}
