//! `cordon host` and `cordon token`: who is in, and who may come in.

use anyhow::Context as _;
use cordon_collector::api::view;

use crate::{
    args::{
        Listing, Output,
        fleet::{Host, Token},
    },
    client::Client,
    failure::{Failure, Why},
    render,
};

/// Hosts.
///
/// # Errors
/// What failed.
pub(crate) fn host(client: &Client, output: Output, host: &Host) -> anyhow::Result<()> {
    match host {
        Host::List(listing) => {
            let hosts: Vec<view::Host> = listed(client, "/api/v1/hosts", listing)?;
            render::list(output, &hosts)
        }
        Host::Show { host } => show(client, output, host),
        Host::Approve { host } => {
            let path = format!("/api/v1/hosts/{}/approve", segment(host)?);
            render::one(output, &client.post::<view::Host>(&path, &serde_json::json!({}))?)
        }
        Host::Revoke { host, reason } => {
            let path = format!("/api/v1/hosts/{}/revoke", segment(host)?);
            let body = view::Reason { reason: reason.clone() };
            render::one(output, &client.post::<view::Host>(&path, &body)?)
        }
    }
}

fn show(client: &Client, output: Output, host: &str) -> anyhow::Result<()> {
    let path = format!("/api/v1/hosts/{}", segment(host)?);
    let host: view::Host = client.get(&path, &Vec::new())?;
    render::one(output, &host)?;
    if output == Output::Table && !host.sensors.is_empty() {
        render::say("")?;
        render::list(output, &host.sensors)?;
    }
    isolated(client, output, &host)?;
    Ok(())
}

/// By whom a host is held isolated, as far as the collector knows.
fn isolated(client: &Client, output: Output, host: &view::Host) -> anyhow::Result<()> {
    if output != Output::Table {
        return Ok(());
    }
    let mut leases: Vec<view::Lease> =
        client.list("/api/v1/leases", &Vec::new(), crate::desk::ITEMS_MAX)?;
    leases.retain(|it| it.agent_id == host.agent_id);
    if leases.is_empty() {
        return Ok(());
    }
    render::say("\nIsolated")?;
    render::list(output, &leases)
}

/// Enrolment tokens.
///
/// # Errors
/// What failed.
pub(crate) fn token(client: &Client, output: Output, token: &Token) -> anyhow::Result<()> {
    match token {
        Token::List(listing) => {
            let tokens: Vec<view::Token> = listed(client, "/api/v1/tokens", listing)?;
            render::list(output, &tokens)
        }
        Token::Create(asked) => {
            let lifetime_ms = u64::try_from(asked.lifetime.as_millis());
            let new = view::NewToken {
                hosts_max: asked.hosts,
                lifetime_ms: lifetime_ms.context("read the lifetime")?,
                networks: asked.network.clone(),
                labels: asked.label.clone(),
                tier: asked.tier.clone(),
                is_held: asked.hold,
            };
            let made: view::MadeToken = client.post("/api/v1/tokens", &new)?;
            match output {
                Output::Json => render::one(output, &made),
                // Alone on its line, so that it can be taken by a script as it is.
                Output::Table => render::say(&made.token),
            }
        }
    }
}

/// A list, newest first.
///
/// # Errors
/// What failed.
pub(super) fn listed<T: serde::de::DeserializeOwned>(
    client: &Client,
    path: &str,
    listing: &Listing,
) -> anyhow::Result<Vec<T>> {
    client.list(path, &Vec::new(), listing.limit)
}

/// An id as a part of a path: nothing that could lead elsewhere.
///
/// # Errors
/// When it is none.
pub(crate) fn segment(id: &str) -> anyhow::Result<&str> {
    let is_id = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '.' | '_');
    let is_good = !id.is_empty() && id.chars().all(is_id) && id.chars().any(|it| it != '.');
    if !is_good {
        return Err(Failure::new(Why::Usage, format!("`{}` is no id", render::safe(id))).into());
    }
    Ok(id)
}
