//! One stream: hello and welcome, then batches up, and acknowledgements, commands and keyrings down.

use std::time::Duration;

use cordon_proto::v1::{
    self, agent_message::Message as Up, collector_message::Message as Down,
    session_client::SessionClient,
};
use cordon_shared::{
    batch::Sealed,
    event::health::LossCause,
    id::{CommandId, Epoch, EventSeq, Lane},
    limit,
    time::Boottime,
    wire::{
        self,
        event::{clock_from, clock_to},
        session::{self as words, Welcome},
    },
};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, transport::Channel};
use tracing::{info, warn};

use super::{Session, SessionError, credit::Window, hello};
use crate::{
    containment::{Beacon, task},
    road,
    spool::Shed,
};

/// Messages waiting for HTTP/2 (chosen: enough to fill a window while the next are leased).
const OUTBOX_MESSAGES: usize = 8;

/// Commands whose intent is being written (chosen: as containment's own queue).
const SEEN_MAX: usize = task::QUEUE_REQUESTS;

/// What a stream knows.
struct Stream<'a> {
    session: &'a mut Session,
    outbox: mpsc::Sender<v1::AgentMessage>,
    window: Window,
    heard: Boottime,
    beats: u64,
    seen: mpsc::Sender<CommandId>,
}

/// Runs one stream to its end.
pub(super) async fn run(session: &mut Session, channel: Channel, address: &str) -> SessionError {
    match open(session, channel).await {
        Ok((mut stream, mut inbound, mut seen)) => {
            info!("connected to {address}");
            match stream.serve(&mut inbound, &mut seen).await {
                Err(error) => error,
                Ok(()) => SessionError::Ended,
            }
        }
        Err(error) => error,
    }
}

type Opened<'a> = (Stream<'a>, Streaming<v1::CollectorMessage>, mpsc::Receiver<CommandId>);

async fn open(session: &mut Session, channel: Channel) -> Result<Opened<'_>, SessionError> {
    let mut client =
        SessionClient::new(channel).max_decoding_message_size(limit::MESSAGE_BYTES_MAX);
    let (outbox, outgoing) = mpsc::channel(OUTBOX_MESSAGES);
    let hello = hello::make(session).await;
    send(&outbox, Up::Hello(hello)).await?;
    let opening = async {
        let reply = client.stream(ReceiverStream::new(outgoing)).await;
        let mut inbound = reply.map_err(refused)?.into_inner();
        let first = inbound.message().await.map_err(refused)?;
        match first.and_then(|it| it.message) {
            Some(Down::Welcome(wire)) => Ok((inbound, words::welcome_from(&wire)?)),
            Some(Down::Goodbye(wire)) => Err(SessionError::Goodbye(words::goodbye_from(&wire)?)),
            _ => Err(wire::WireError::new("message", "a welcome first").into()),
        }
    };
    let opened = tokio::time::timeout(limit::HANDSHAKE_TIMEOUT, opening).await;
    let (inbound, welcome) = opened.map_err(|_elapsed| SessionError::Silent)??;
    let (seen, seen_inbox) = mpsc::channel(SEEN_MAX);
    let heard = session.clock.boottime();
    let window = Window::new(welcome.credit);
    let stream = Stream { session, outbox, window, heard, beats: 0, seen };
    stream.heed(welcome).await;
    Ok((stream, inbound, seen_inbox))
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn refused(status: tonic::Status) -> SessionError {
    SessionError::Refused(status.message().to_owned())
}

async fn send(outbox: &mpsc::Sender<v1::AgentMessage>, message: Up) -> Result<(), SessionError> {
    let message = v1::AgentMessage { message: Some(message) };
    outbox.send(message).await.map_err(|_closed| SessionError::Ended)
}

impl Stream<'_> {
    /// Takes in what the welcome says.
    async fn heed(&self, welcome: Welcome) {
        for lane in welcome.disagreed {
            warn!(%lane, "the collector's position and ours disagree: a new epoch begins");
            self.session.road.ask(road::Request::RenewEpoch(lane)).await;
        }
        // What the collector has already need not be sent.
        for position in welcome.positions {
            if let Some((seq, _)) = position.acked {
                let ack = road::Request::Ack(position.lane, position.epoch, seq);
                self.session.road.ask(ack).await;
            }
        }
        let (host_tier, is_held) = (welcome.host_tier, welcome.is_held);
        self.contain(task::Request::Standing { host_tier, is_held }).await;
        self.beacon(welcome.clock.realtime).await;
    }

    async fn contain(&self, request: task::Request) {
        if self.session.containment.send(request).await.is_err() {
            warn!("containment has ended: what came for it is not obeyed");
        }
    }

    async fn beacon(&self, realtime: cordon_shared::time::Timestamp) {
        let boottime = self.session.clock.boottime();
        self.contain(task::Request::Beacon(Beacon { realtime, boottime })).await;
    }

    async fn serve(
        &mut self,
        inbound: &mut Streaming<v1::CollectorMessage>,
        seen: &mut mpsc::Receiver<CommandId>,
    ) -> Result<(), SessionError> {
        let mut sealed = self.session.road.sealed();
        let mut renewed = self.session.renewed.clone();
        renewed.mark_unchanged();
        let mut beat = tokio::time::interval(limit::HEARTBEAT_EVERY);
        let mut may_lease = true;
        loop {
            if may_lease {
                may_lease = self.lease().await?;
            }
            // All branches are cancel-safe: receives, a tick, and watches.
            tokio::select! {
                biased;
                message = inbound.message() => {
                    let message = message.map_err(refused)?.and_then(|it| it.message);
                    self.heard = self.session.clock.boottime();
                    self.hear(message.ok_or(SessionError::Ended)?).await?;
                    may_lease = true;
                }
                Some(command) = seen.recv() => {
                    let command_id = command.as_bytes().to_vec().into();
                    send(&self.outbox, Up::CommandSeen(v1::CommandSeen { command_id })).await?;
                }
                _ = beat.tick() => self.beat()?,
                Ok(()) = renewed.changed() => return Err(SessionError::Renewed),
                changed = sealed.changed(), if !may_lease => {
                    changed.map_err(|_ended| SessionError::Ended)?;
                    may_lease = true;
                }
                () = tokio::time::sleep(Duration::ZERO), if may_lease => (),
            }
        }
    }

    fn beat(&mut self) -> Result<(), SessionError> {
        if self.session.clock.boottime().since(self.heard) > limit::HEARTBEAT_DEAD {
            return Err(SessionError::Silent);
        }
        self.beats += 1;
        let clock = Some(clock_to(self.session.clock.sample()));
        let beat = v1::Heartbeat { clock, count: self.beats };
        // A collector that reads nothing fills the queue; waiting here would hide that it is dead.
        let message = v1::AgentMessage { message: Some(Up::Heartbeat(beat)) };
        drop(self.outbox.try_send(message));
        Ok(())
    }

    /// Leases and sends what the window has room for. Says whether there may be more.
    async fn lease(&mut self) -> Result<bool, SessionError> {
        let mut has_sent = false;
        for lane in Lane::ALL {
            let (batches_max, bytes_max) = self.window.room();
            if batches_max == 0 {
                return Ok(false);
            }
            let batches_max = batches_max.min(OUTBOX_MESSAGES);
            let make = |reply| road::Request::Lease { lane, batches_max, bytes_max, reply };
            let batches = self.session.road.query(make).await.ok_or(SessionError::Ended)?;
            for batch in batches {
                self.send_batch(&batch).await?;
                has_sent = true;
            }
        }
        Ok(has_sent)
    }

    async fn send_batch(&mut self, batch: &Sealed) -> Result<(), SessionError> {
        let header = batch.header();
        let bytes = batch.bytes().len();
        self.window.sent(header.lane(), header.epoch(), header.last_seq(), bytes);
        let sealed = batch.bytes().clone();
        let sending = send(&self.outbox, Up::Batch(v1::Batch { sealed }));
        // A collector that stops reading is dead after as long as one that stops talking.
        let sent = tokio::time::timeout(limit::HEARTBEAT_DEAD, sending).await;
        sent.map_err(|_elapsed| SessionError::Silent)?
    }

    async fn hear(&mut self, message: Down) -> Result<(), SessionError> {
        match message {
            Down::Welcome(_) => Err(wire::WireError::new("welcome", "said once").into()),
            Down::Ack(wire) => {
                let ack = words::ack_from(&wire)?;
                self.window.settled(ack.lane, ack.epoch, ack.seq);
                let request = road::Request::Ack(ack.lane, ack.epoch, ack.seq);
                self.session.road.ask(request).await;
                Ok(())
            }
            Down::Credit(wire) => {
                self.window.grant(words::credit_from(&wire)?);
                Ok(())
            }
            Down::Heartbeat(wire) => {
                if let Some(clock) = &wire.clock {
                    self.beacon(clock_from(clock).realtime).await;
                }
                Ok(())
            }
            Down::Command(wire) => self.command(&wire).await,
            Down::Keyring(wire) => {
                let bundle = Box::new(wire::keyring::from_wire(&wire)?);
                self.contain(task::Request::Keyring(bundle)).await;
                Ok(())
            }
            Down::BatchRefused(wire) => self.batch_refused(&wire).await,
            Down::Goodbye(wire) => Err(SessionError::Goodbye(words::goodbye_from(&wire)?)),
        }
    }

    /// Hands a command to containment; when it is on disk there, the collector is told.
    async fn command(&self, wire: &v1::CommandDelivery) -> Result<(), SessionError> {
        let delivery = Box::new(wire::command::delivery_from(wire)?);
        let (seen, told) = oneshot::channel();
        let tell = self.seen.clone();
        self.contain(task::Request::Command { delivery, seen }).await;
        // Waits for one answer of containment, which is bounded; ends with it or with this stream.
        #[expect(clippy::disallowed_methods, reason = "ends by itself, and nothing depends on it")]
        drop(tokio::spawn(async move {
            if let Ok(command) = told.await {
                let _gone = tell.send(command).await;
            }
        }));
        Ok(())
    }

    async fn batch_refused(&mut self, wire: &v1::BatchRefused) -> Result<(), SessionError> {
        let lane = Lane::from_u8(u8::try_from(wire.lane).unwrap_or(0));
        let epoch = Epoch::from_u64(wire.epoch);
        let first = EventSeq::from_u64(wire.first_seq);
        let last = first.and_then(|it| it.checked_add(u64::from(wire.count.saturating_sub(1))));
        let (Some(lane), Some(epoch), Some(first), Some(last)) = (lane, epoch, first, last) else {
            return Err(wire::WireError::new("batch_refused", "about a batch").into());
        };
        // What was sent before it is let go of with it, so all of that must have been answered.
        if !self.window.is_oldest(lane, epoch, last) {
            let rule = "about the oldest batch that is not answered";
            return Err(wire::WireError::new("batch_refused", rule).into());
        }
        warn!(%lane, %epoch, %first, reason = wire.reason, "the collector refused a batch for good");
        self.window.settled(lane, epoch, last);
        let (cause, count) = (LossCause::Corrupt, u64::from(wire.count));
        let shed = Shed { lane, cause, range: Some((epoch, first, last)), count };
        self.session.road.ask(road::Request::Refused(shed)).await;
        Ok(())
    }
}
