//! The first words: what this agent says of itself.

use cordon_proto::v1;
use cordon_shared::{
    limit,
    wire::session::{self as words, Hello, LanePosition},
};

use super::Session;
use crate::{containment::task, road};

/// Makes the hello of one connection.
pub(super) async fn make(session: &Session) -> v1::Hello {
    let acked = session.road.query(road::Request::Positions).await.unwrap_or_default();
    let positions = acked
        .iter()
        .map(|it| LanePosition { lane: it.lane, epoch: it.epoch, acked: it.at })
        // What is behind the limit was held for longer than any collector remembers.
        .take(limit::HELLO_POSITIONS_MAX);
    let hello = Hello {
        host: session.facts.clone(),
        process_nonce: session.process_nonce,
        clock: session.clock.sample(),
        positions: positions.collect(),
        sensors: session.sensors.clone(),
        keyring_versions: keyring(session).await,
        wire_revision: limit::WIRE_REVISION,
    };
    words::hello_to(&hello)
}

/// Versions of policy and members of the keyring in force; zeros when there is none.
async fn keyring(session: &Session) -> (u64, u64) {
    let (reply, answer) = tokio::sync::oneshot::channel();
    let asked = session.containment.send(task::Request::KeyringVersions(reply)).await;
    match asked {
        Ok(()) => answer.await.unwrap_or_default(),
        Err(_) => (0, 0),
    }
}
