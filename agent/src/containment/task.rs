//! Containment as a task: requests in, answers out, both bounded.
//!
//! A command takes as long as its host does, so each is handled on a blocking thread while the queue
//! waits. The queue is short on purpose: a session whose commands wait here sends no
//! acknowledgement of them, and the collector sends them again.
//!
//! Word of receipts that are safe comes through a queue of its own, which is served also while an
//! answer waits for room: whoever takes the answers gives that word, and neither waits for the other.
//!
//! Long work ([`errand`](super::errand)) runs on threads of its own; no command waits behind it.

use std::{sync::Arc, time::Duration};

use cordon_shared::{command::Delivery, id::CommandId, keyring::Bundle};
use tokio::{
    sync::{Notify, mpsc, oneshot},
    task::spawn_blocking,
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{
    Answer, Beacon, Containment,
    errand::{Done, ERRANDS_MAX},
};

/// Requests waiting (chosen: what a person can send in a burst).
pub const QUEUE_REQUESTS: usize = 64;

/// How often it is looked whether the network is as it is meant to be.
const TEND_EVERY: Duration = Duration::from_millis(100);

/// What can be asked of containment; the whole list.
#[derive(Debug)]
pub enum Request {
    /// A command came. `seen` is told its id once it is on disk, answered or refused: then, and not
    /// before, the session says so to the collector.
    Command {
        /// As it came.
        delivery: Box<Delivery>,
        /// Told when it is safe to say that it was seen; dropped when it was not.
        seen: oneshot::Sender<CommandId>,
    },
    /// A keyring came.
    Keyring(Box<Bundle>),
    /// The collector's clock was heard.
    Beacon(Beacon),
    /// A welcome told this agent's standing.
    Standing {
        /// Its tier.
        host_tier: String,
        /// Whether a person has yet to approve it.
        is_held: bool,
    },
    /// Which keyring is in force: versions of policy and members.
    KeyringVersions(oneshot::Sender<(u64, u64)>),
}

/// What the task is connected to.
#[derive(Debug)]
pub struct Ends {
    /// What is asked of it.
    pub inbox: mpsc::Receiver<Request>,
    /// Commands whose receipts are safe in the spool.
    pub reported: mpsc::Receiver<CommandId>,
    /// Where its answers go.
    pub answers: mpsc::Sender<Answer>,
    /// Notified when something may lie on the shelf of snapshots.
    pub sealed: Arc<Notify>,
}

/// Serves requests until told to stop, then those that were already queued.
///
/// Begins with what a restart owes. A receipt that cannot be handed on any more stays in the journal
/// and is handed out at the next start.
pub async fn run(mut containment: Containment, mut ends: Ends, stop: CancellationToken) {
    let mut said = String::new();
    tend(&mut containment, &mut said);
    for answer in containment.recover() {
        send(&mut containment, &mut ends, answer).await;
    }
    ends.sealed.notify_one();
    let (done, mut errands) = mpsc::channel(ERRANDS_MAX);
    let halt = CancellationToken::new();
    let mut tending = tokio::time::interval(TEND_EVERY);
    tending.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // All branches are cancel-safe. The stop comes first, or a flood would hide it.
        let request = tokio::select! {
            biased;
            () = stop.cancelled(), if !ends.inbox.is_closed() => { ends.inbox.close(); continue }
            Some(command) = ends.reported.recv() => { containment.reported(command); continue }
            _ = tending.tick() => { watch(&mut containment, &mut ends, &mut said).await; continue }
            Some(it) = errands.recv() => { settle(&mut containment, &mut ends, it).await; continue }
            request = ends.inbox.recv() => request,
        };
        let Some(request) = request else { break };
        match request {
            Request::Command { delivery, seen } => {
                let command = cordon_shared::wire::command::peek(&delivery.signed);
                // A command's effects are on processes and disk: never on the reactor's thread.
                let handled = spawn_blocking(move || {
                    let answer = containment.handle(&delivery);
                    (containment, answer)
                });
                let answer = match handled.await {
                    Ok((back, answer)) => {
                        containment = back;
                        answer
                    }
                    Err(failure) => {
                        // A panic is a bug, and the state went with it.
                        error!("containment ended: {failure}");
                        return;
                    }
                };
                if let Some((command, ..)) = command {
                    // A session that is gone asks again when it is back.
                    let _gone = seen.send(command);
                }
                if let Some(answer) = answer {
                    send(&mut containment, &mut ends, answer).await;
                }
                for errand in containment.errands() {
                    errand.start(done.clone(), halt.clone());
                }
            }
            Request::Keyring(bundle) => match containment.take_keyring(&bundle) {
                Ok(true) => info!("took keyring {:?}", containment.keyring_versions()),
                Ok(false) => (),
                Err(refused) => warn!("refused a keyring: {refused}"),
            },
            Request::Beacon(beacon) => containment.hear(beacon),
            Request::Standing { host_tier, is_held } => containment.stand(host_tier, is_held),
            Request::KeyringVersions(reply) => {
                let _gone = reply.send(containment.keyring_versions());
            }
        }
    }
    halt.cancel();
    while containment.under_way() > 0 {
        let Some(it) = errands.recv().await else { return };
        settle(&mut containment, &mut ends, it).await;
    }
}

/// A long work has ended: its receipt goes out, and what it sealed may go up.
async fn settle(containment: &mut Containment, ends: &mut Ends, done: Done) {
    if let Some(answer) = containment.settle_errand(done) {
        send(containment, ends, answer).await;
    }
    ends.sealed.notify_one();
}

/// Has the network as it is meant to be, and tells what happened to it.
async fn watch(containment: &mut Containment, ends: &mut Ends, said: &mut String) {
    tend(containment, said);
    for news in containment.news() {
        send(containment, ends, news).await;
    }
}

/// Two system calls while the host is held, none while it is not. What is wrong is said once.
fn tend(containment: &mut Containment, said: &mut String) {
    let wrong = containment.tend().err().map_or_else(String::new, |it| it.to_string());
    if !wrong.is_empty() && wrong != *said {
        warn!("the network may not be as it is meant to be: {wrong}");
    }
    *said = wrong;
}

/// Hands an answer on; meanwhile it hears which earlier ones are safe.
async fn send(containment: &mut Containment, ends: &mut Ends, answer: Answer) {
    loop {
        // Both branches are cancel-safe: a permit that is dropped is given back, and a receive.
        tokio::select! {
            permit = ends.answers.reserve() => {
                match permit {
                    Ok(permit) => permit.send(answer),
                    Err(_closed) => warn!("a receipt waits in the journal: nobody takes it"),
                }
                return;
            }
            Some(command) = ends.reported.recv() => containment.reported(command),
        }
    }
}
