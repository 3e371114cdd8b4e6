//! Something about an agent that people must hear of, as the gateway saw it.
//!
//! Beside the road: written to the audit log, counted, and logged. Never more than
//! [`PER_STREAM_MAX`] of one stream, so that a hostile agent cannot fill the log.

use std::{fmt, net::IpAddr};

use cordon_shared::{
    id::{AgentId, BootId, Epoch, Lane},
    time::Timestamp,
};
use tracing::warn;

use crate::{
    metric::Count,
    store::{By, Store},
};

/// Concerns of one stream that are written down; the rest is counted.
pub const PER_STREAM_MAX: u32 = 16;

/// What is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Concern {
    /// Two live streams with one identity, from different boots (F-17): a copied key.
    Rival {
        /// The boot that was there first, and where it came from.
        boot: (BootId, IpAddr),
        /// The boot that came second, and where that came from.
        rival: (BootId, IpAddr),
    },
    /// What the agent says was acknowledged is not what is here (F-20, F-55).
    Disagreed {
        /// The lane, which begins a new epoch.
        lane: Lane,
        /// The epoch in question.
        epoch: Epoch,
        /// What the agent has as the last acknowledged number.
        agent_seq: u64,
        /// What the collector has; 0 for none.
        collector_seq: u64,
    },
    /// A batch was refused for good (F-27 to F-29).
    Refused {
        /// Field and rule, or what else was wrong.
        reason: String,
    },
    /// Too many wrong tokens from one source (F-32).
    WrongTokens {
        /// From where.
        source: IpAddr,
    },
}

impl Concern {
    /// The name that the audit log carries.
    #[must_use]
    pub fn action(&self) -> &'static str {
        match self {
            Self::Rival { .. } => "agent.rival_identity",
            Self::Disagreed { .. } => "agent.position_disagreed",
            Self::Refused { .. } => "agent.batch_refused",
            Self::WrongTokens { .. } => "token.wrong",
        }
    }

    /// Counts it, logs it, writes it to the audit log.
    pub async fn raise(&self, store: &Store, agent: Option<AgentId>, at: Timestamp) {
        Count::Concerns.add(1);
        let object = agent.map_or_else(|| "enrolment".to_owned(), |it| format!("agent {it}"));
        warn!(object, "{self}");
        let by = By { principal: "collector".to_owned(), at };
        if let Err(error) = store.audit(&by, self.action(), &object, &self.to_string()).await {
            Count::StoreFailures.add(1);
            warn!("failed to write a concern to the audit log: {error}");
        }
    }
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rival { boot, rival } => write!(
                f,
                "one identity is live twice: boot {} from {} and boot {} from {}",
                boot.0, boot.1, rival.0, rival.1
            ),
            Self::Disagreed { lane, epoch, agent_seq, collector_seq } => write!(
                f,
                "lane {lane} of epoch {epoch}: the agent holds {agent_seq} for acknowledged, the \
                 collector has {collector_seq}"
            ),
            Self::Refused { reason } => write!(f, "a batch was refused: {reason}"),
            Self::WrongTokens { source } => write!(f, "too many wrong tokens from {source}"),
        }
    }
}
