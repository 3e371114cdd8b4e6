//! Tells the response that an agent has a command in its journal, so that it is not sent again.
//!
//! On the upper road, beside the events: the session's word goes through a bounded queue to
//! whoever keeps commands. When that falls behind, the word is dropped: the command is then sent
//! once more, and the agent knows it already (CM-2).

use cordon_shared::{
    id::{AgentId, CommandId},
    time::Timestamp,
};
use tokio::sync::mpsc;
use tracing::debug;

/// Words that wait (chosen: an answer from each host of a large order).
const QUEUE: usize = 1_024;

/// An agent has a command in its journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CommandSeen {
    /// Who.
    pub agent: AgentId,
    /// Which.
    pub command: CommandId,
    /// When it said so.
    pub at: Timestamp,
}

/// The way in, for sessions.
#[derive(Clone, Debug)]
pub struct Seen(mpsc::Sender<CommandSeen>);

impl Seen {
    /// The way in, and the queue's other end.
    #[must_use]
    pub fn channel() -> (Self, mpsc::Receiver<CommandSeen>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(sender), receiver)
    }

    /// Passes the word on, if there is room.
    pub fn note(&self, agent: AgentId, command: CommandId, at: Timestamp) {
        if self.0.try_send(CommandSeen { agent, command, at }).is_err() {
            debug!(%agent, %command, "nobody had room for word of a command");
        }
    }
}
