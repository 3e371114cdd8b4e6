//! Where the collector listens, and how others learn it.

use std::{io, net::SocketAddr, sync::Arc};

use arc_swap::ArcSwap;
use cordon_shared::durable;
use rustls::ServerConfig;

use super::StartError;
use crate::{
    layout::Layout,
    listen::{Listener, Rule},
};

/// The addresses that the listeners got.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Addresses {
    /// Agents.
    pub sessions: SocketAddr,
    /// Enrolment and renewal.
    pub enrolment: SocketAddr,
    /// Responders.
    pub api: SocketAddr,
}

impl Addresses {
    /// What these listeners got.
    pub(super) fn of(
        sessions: &Listener,
        enrolment: &Listener,
        api: &Listener,
    ) -> io::Result<Self> {
        let (sessions, enrolment) = (sessions.address()?, enrolment.address()?);
        Ok(Self { sessions, enrolment, api: api.address()? })
    }
}

/// Binds the listener that the configuration calls `listen.KEY`.
pub(super) async fn bind(
    key: &'static str,
    address: SocketAddr,
    (tls, rule): (Arc<ArcSwap<ServerConfig>>, Rule),
) -> Result<Listener, StartError> {
    let bound = Listener::bind(address, tls, rule).await;
    bound.map_err(|source| StartError::Bind { key, address, source })
}

/// Tells others, and those who started us, where we listen.
pub(super) fn announce(layout: &Layout, addresses: Addresses) -> io::Result<()> {
    let text = serde_json::to_string(&addresses).map_err(io::Error::other)?;
    durable::write(&layout.addresses(), text.as_bytes(), durable::MODE_PUBLIC)
}

/// Where hosts enrol: every name of the collector that is not this machine's alone, or, when there is
/// none, the address itself.
pub(super) fn reachable(names: &[String], address: SocketAddr) -> Vec<String> {
    let is_local = |it: &str| matches!(it, "localhost" | "127.0.0.1" | "::1");
    if address.ip().is_loopback() {
        return vec![address.to_string()];
    }
    let bracketed = |it: &String| if it.contains(':') { format!("[{it}]") } else { it.clone() };
    let far = names.iter().filter(|it| !is_local(it)).map(bracketed);
    far.map(|it| format!("{it}:{}", address.port())).collect()
}
