//! Who is let in by TLS: no certificate, another authority's, an expired one, a server's.

use std::{sync::Arc, time::Duration};

use cordon_collector::pki::authority::Authority;
use cordon_shared::{
    crypto::{
        cert::{self, TlsKey, Validity},
        tls::{self, Identity},
    },
    entropy::SystemEntropy,
    id::AgentId,
    time::{Clock, SystemClock},
};
use rustls::ClientConfig;

use crate::{
    agent::{Agent, Link, validity},
    collector::Collector,
    session::enrolled,
};

/// Whether a stranger gets as far as a stream; how far he got is not for him to know.
async fn is_let_in(collector: &Collector, config: Arc<ClientConfig>) -> bool {
    match Link::open(collector.sessions(), config).await {
        Err(_) => false,
        Ok(mut link) => !link.end().await.contains("certificate"),
    }
}

fn with(agent: &Agent, identity: &Identity) -> Arc<ClientConfig> {
    let clock = Arc::new(SystemClock);
    tls::session_client(identity, &agent.authorities, validity(), clock).unwrap()
}

fn leaf(authority: &Authority, agent: AgentId, validity: Validity) -> Identity {
    let key = TlsKey::random().unwrap();
    let profile = cert::agent_profile(agent, validity, &SystemEntropy);
    let leaf = authority.sign(&profile, key.as_rcgen()).unwrap();
    Identity { chain: vec![leaf], key }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_certificate_is_let_in() {
    let (mut collector, agent) = enrolled().await;
    let identity = leaf(&collector.authority, agent.id, validity());
    assert!(Link::open(collector.sessions(), with(&agent, &identity)).await.is_ok());
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_certificate_is_not_let_in() {
    let (mut collector, agent) = enrolled().await;
    let config =
        tls::renewal_client(&agent.authorities, Some(validity()), Arc::new(SystemClock)).unwrap();
    assert!(!is_let_in(&collector, config).await);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_is_not_let_in() {
    let (mut collector, agent) = enrolled().await;
    let dir = tempfile::tempdir().unwrap();
    let other = Authority::create(dir.path(), "other", SystemClock.now(), &SystemEntropy).unwrap();
    let identity = leaf(&other, agent.id, validity());
    assert!(!is_let_in(&collector, with(&agent, &identity)).await);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_is_not_let_in() {
    let (mut collector, agent) = enrolled().await;
    let now = SystemClock.now();
    let hour = Duration::from_secs(3_600);
    let ended = Validity { from: now.saturating_sub(25 * hour), until: now.saturating_sub(hour) };
    let identity = leaf(&collector.authority, agent.id, ended);
    assert!(!is_let_in(&collector, with(&agent, &identity)).await);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_servers_certificate_is_no_agent() {
    let (mut collector, agent) = enrolled().await;
    let key = TlsKey::random().unwrap();
    let profile = cert::collector_profile(&[], validity(), &SystemEntropy).unwrap();
    let leaf = collector.authority.sign(&profile, key.as_rcgen()).unwrap();
    let identity = Identity { chain: vec![leaf], key };
    assert!(!is_let_in(&collector, with(&agent, &identity)).await);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_not_on_record_is_told_to_enrol() {
    let (mut collector, agent) = enrolled().await;
    let stranger = AgentId::random(&SystemClock, &SystemEntropy);
    let identity = leaf(&collector.authority, stranger, validity());
    let mut link = Link::open(collector.sessions(), with(&agent, &identity)).await.unwrap();
    link.say(cordon_proto::v1::agent_message::Message::Hello(crate::agent::hello(
        cordon_shared::id::BootId([1; 16]),
    )))
    .await;
    let end = link.end().await;
    let wanted = format!("PermissionDenied: agent {stranger} is not on record here");
    assert!(end.starts_with(&wanted), "{end}");
    collector.stop().await;
}
