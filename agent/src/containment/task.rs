//! Containment as a task: requests in, answers out, both bounded.
//!
//! A command takes as long as its host does, so each is handled on a blocking thread while the queue
//! waits. The queue is short on purpose: a session whose commands wait here sends no
//! acknowledgement of them, and the collector sends them again.

use cordon_shared::{command::Delivery, id::CommandId, keyring::Bundle};
use tokio::{
    sync::{mpsc, oneshot},
    task::spawn_blocking,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{Answer, Beacon, Containment};

/// Requests waiting (chosen: what a person can send in a burst).
pub const QUEUE_REQUESTS: usize = 64;

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
    /// A receipt is safe in the spool.
    Reported(CommandId),
    /// Which keyring is in force: versions of policy and members.
    KeyringVersions(oneshot::Sender<(u64, u64)>),
}

/// Serves requests until told to stop, then those that were already queued.
///
/// Begins with what a restart owes. A receipt that cannot be handed on any more stays in the journal
/// and is handed out at the next start.
pub async fn run(
    mut containment: Containment,
    mut inbox: mpsc::Receiver<Request>,
    answers: mpsc::Sender<Answer>,
    stop: CancellationToken,
) {
    for answer in containment.recover() {
        send(&answers, answer).await;
    }
    loop {
        // Both branches are cancel-safe. The stop comes first, or a flood would hide it.
        let request = tokio::select! {
            biased;
            () = stop.cancelled(), if !inbox.is_closed() => { inbox.close(); continue }
            request = inbox.recv() => request,
        };
        let Some(request) = request else { return };
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
                    send(&answers, answer).await;
                }
            }
            Request::Keyring(bundle) => match containment.take_keyring(&bundle) {
                Ok(true) => info!("took keyring {:?}", containment.keyring_versions()),
                Ok(false) => (),
                Err(refused) => warn!("refused a keyring: {refused}"),
            },
            Request::Beacon(beacon) => containment.hear(beacon),
            Request::Standing { host_tier, is_held } => containment.stand(host_tier, is_held),
            Request::Reported(command) => containment.reported(command),
            Request::KeyringVersions(reply) => {
                let _gone = reply.send(containment.keyring_versions());
            }
        }
    }
}

async fn send(answers: &mpsc::Sender<Answer>, answer: Answer) {
    if answers.send(answer).await.is_err() {
        warn!("a receipt waits in the journal: nobody takes it");
    }
}
