//! Whole handshakes in memory: who gets in, and what the clock does.

use std::{io, time::Duration};

use expect_test::{Expect, expect};
use rcgen::{CertificateParams, Issuer};
use rustls::{ClientConnection, HandshakeKind, ServerConnection};

use super::*;
use crate::{
    crypto::cert::{agent_profile, authority_profile, collector_profile},
    entropy::SeededEntropy,
    id::AgentId,
    time::{Boottime, ClockSample, FakeClock},
};

const DAY: Duration = Duration::from_secs(24 * 3_600);
/// 2027-01-15T08:00:00Z.
const NOW: Timestamp = Timestamp::from_ns(1_800_000_000_000_000_000);

fn clock(at: Timestamp) -> Arc<dyn Clock> {
    Arc::new(FakeClock::at(ClockSample { boottime: Boottime::default(), realtime: at }))
}

fn around(at: Timestamp, life: Duration) -> Validity {
    Validity { from: at.saturating_sub(Duration::from_secs(3_600)), until: at.saturating_add(life) }
}

/// An authority with the leaves that a test needs.
struct Authority {
    params: CertificateParams,
    key: TlsKey,
    der: CertificateDer<'static>,
}

impl Authority {
    fn new(seed: u64) -> Self {
        let entropy = SeededEntropy::new(seed);
        let name = format!("authority {seed}");
        let params = authority_profile(&name, around(NOW, 3_650 * DAY), &entropy);
        let key = TlsKey::random().unwrap();
        let der = params.self_signed(key.as_rcgen()).unwrap().der().clone();
        Self { params, key, der }
    }

    fn issue(&self, params: &CertificateParams) -> Identity {
        let key = TlsKey::random().unwrap();
        let issuer = Issuer::from_params(&self.params, self.key.as_rcgen());
        let leaf = params.signed_by(key.as_rcgen(), &issuer).unwrap().der().clone();
        Identity { chain: vec![leaf, self.der.clone()], key }
    }

    fn collector(&self, validity: Validity) -> Identity {
        self.issue(&collector_profile(&[], validity, &SeededEntropy::new(2)).unwrap())
    }

    fn agent(&self, validity: Validity) -> Identity {
        let agent = AgentId::from_slice(&[7; 16]).unwrap();
        self.issue(&agent_profile(agent, validity, &SeededEntropy::new(3)))
    }
}

/// Carries bytes between the two until both are done or one refuses.
fn shake(server: Arc<ServerConfig>, client: Arc<ClientConfig>) -> Result<String, rustls::Error> {
    let mut server = ServerConnection::new(server)?;
    let mut client = ClientConnection::new(client, collector_name())?;
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut wire = io::Cursor::new(wire);
        while server.read_tls(&mut wire).unwrap() > 0 {
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut wire = io::Cursor::new(wire);
        while client.read_tls(&mut wire).unwrap() > 0 {
            client.process_new_packets()?;
        }
        if !client.is_handshaking() && !server.is_handshaking() && !client.wants_write() {
            let kind = matches!(
                client.handshake_kind(),
                Some(HandshakeKind::Full) | Some(HandshakeKind::FullWithHelloRetryRequest)
            );
            return Ok(format!(
                "{:?}, {:?}, {}, full: {kind}, client certificates: {}",
                client.protocol_version().unwrap(),
                client.negotiated_key_exchange_group().unwrap().name(),
                String::from_utf8_lossy(client.alpn_protocol().unwrap_or_default()),
                server.peer_certificates().map_or(0, <[_]>::len),
            ));
        }
    }
    Ok("no end".to_owned())
}

#[track_caller]
fn check(server: Arc<ServerConfig>, client: Arc<ClientConfig>, expect: &Expect) {
    let shown = match shake(server, client) {
        Ok(shown) => shown,
        Err(rustls::Error::InvalidCertificate(error)) => {
            format!("{error:?}").split(['{', '(']).next().unwrap_or_default().trim().to_owned()
        }
        Err(error) => error.to_string(),
    };
    expect.assert_eq(&shown);
}

fn sessions(authority: &Authority) -> Arc<ServerConfig> {
    let identity = authority.collector(around(NOW, 90 * DAY));
    session_server(&identity, std::slice::from_ref(&authority.der), clock(NOW)).unwrap()
}

fn agent(of: &Authority, trusts: &Authority, at: Timestamp) -> Arc<ClientConfig> {
    let own = around(NOW, DAY);
    let trusted = std::slice::from_ref(&trusts.der);
    session_client(&of.agent(own), trusted, own, clock(at)).unwrap()
}

#[test]
fn an_agent_and_its_collector_meet_on_1_3_with_a_post_quantum_key() {
    let ours = Authority::new(1);
    check(
        sessions(&ours),
        agent(&ours, &ours, NOW),
        &expect!["TLSv1_3, X25519MLKEM768, h2, full: true, client certificates: 2"],
    );
}

#[test]
fn nothing_is_resumed_on_the_agents_listener() {
    let ours = Authority::new(1);
    let server = sessions(&ours);
    // A client that would like to resume.
    let mut client = ClientConfig::clone(&agent(&ours, &ours, NOW));
    client.resumption = Resumption::in_memory_sessions(4);
    let client = Arc::new(client);
    let want = expect!["TLSv1_3, X25519MLKEM768, h2, full: true, client certificates: 2"];
    check(Arc::clone(&server), Arc::clone(&client), &want);
    check(server, client, &want);
}

#[test]
fn a_certificate_of_another_root_is_refused_by_either_side() {
    let (ours, theirs) = (Authority::new(1), Authority::new(2));
    check(sessions(&ours), agent(&theirs, &ours, NOW), &expect!["UnknownIssuer"]);
    check(sessions(&theirs), agent(&ours, &ours, NOW), &expect!["UnknownIssuer"]);
}

#[test]
fn a_session_without_a_client_certificate_is_refused() {
    let ours = Authority::new(1);
    let client = renewal_client(std::slice::from_ref(&ours.der), None, clock(NOW)).unwrap();
    check(sessions(&ours), client, &expect!["peer sent no certificates"]);
}

#[test]
fn an_agents_leaf_is_no_server_and_a_collectors_leaf_is_no_client() {
    let ours = Authority::new(1);
    let trusted = std::slice::from_ref(&ours.der);
    let server = session_server(&ours.agent(around(NOW, DAY)), trusted, clock(NOW)).unwrap();
    check(server, agent(&ours, &ours, NOW), &expect!["InvalidPurposeContext"]);
    let own = around(NOW, DAY);
    let client = session_client(&ours.collector(own), trusted, own, clock(NOW)).unwrap();
    check(sessions(&ours), client, &expect!["InvalidPurposeContext"]);
}

#[test]
fn an_expired_agent_has_no_session_but_reaches_the_renewal() {
    let ours = Authority::new(1);
    let trusted = std::slice::from_ref(&ours.der);
    let own = around(NOW.saturating_sub(3 * DAY), DAY);
    let client = session_client(&ours.agent(own), trusted, own, clock(NOW)).unwrap();
    check(sessions(&ours), client, &expect!["ExpiredContext"]);
    let identity = ours.collector(around(NOW, 90 * DAY));
    let server = open_server(&identity, &[ALPN_H2], clock(NOW)).unwrap();
    let client = renewal_client(trusted, Some(own), clock(NOW)).unwrap();
    check(
        server,
        client,
        &expect!["TLSv1_3, X25519MLKEM768, h2, full: true, client certificates: 0"],
    );
}

#[test]
fn f_13_an_agent_whose_clock_is_wrong_by_years_still_reaches_its_collector() {
    let ours = Authority::new(1);
    let reached = expect!["TLSv1_3, X25519MLKEM768, h2, full: true, client certificates: 2"];
    for at in ["1970-01-01T00:00:00Z", "2026-12-01T00:00:00Z", "2038-01-20T00:00:00Z"] {
        let at = Timestamp::parse(at).unwrap();
        check(sessions(&ours), agent(&ours, &ours, at), &reached);
    }
    check(sessions(&ours), agent(&ours, &ours, Timestamp::from_ns(i64::MIN)), &reached);
    check(sessions(&ours), agent(&ours, &ours, Timestamp::from_ns(i64::MAX)), &reached);
}

#[test]
fn f_13_a_collector_that_expired_is_refused_by_a_right_clock_and_by_a_wrong_one() {
    let ours = Authority::new(1);
    let identity = ours.collector(around(NOW.saturating_sub(9 * DAY), DAY));
    let trusted = std::slice::from_ref(&ours.der);
    for at in [NOW, Timestamp::from_ns(0), Timestamp::parse("2038-01-20T00:00:00Z").unwrap()] {
        let server = session_server(&identity, trusted, clock(NOW)).unwrap();
        check(server, agent(&ours, &ours, at), &expect!["ExpiredContext"]);
    }
}

#[test]
fn enrolment_trusts_the_pinned_authority_and_no_other() {
    let (ours, theirs) = (Authority::new(1), Authority::new(2));
    let pinned = || enrolment_client(Sha256::of(&ours.der), clock(NOW)).unwrap();
    let listener = |it: &Authority| {
        open_server(&it.collector(around(NOW, DAY)), &[ALPN_H2], clock(NOW)).unwrap()
    };
    check(
        listener(&ours),
        pinned(),
        &expect!["TLSv1_3, X25519MLKEM768, h2, full: true, client certificates: 0"],
    );
    check(listener(&theirs), pinned(), &expect!["UnknownIssuer"]);
}

#[test]
fn enrolment_refuses_a_stranger_who_shows_the_pinned_authority_beside_his_own_leaf() {
    let (ours, theirs) = (Authority::new(1), Authority::new(2));
    let mut identity = theirs.collector(around(NOW, DAY));
    identity.chain.push(ours.der.clone());
    let server = open_server(&identity, &[ALPN_H2], clock(NOW)).unwrap();
    let client = enrolment_client(Sha256::of(&ours.der), clock(NOW)).unwrap();
    check(server, client, &expect!["UnknownIssuer"]);
}

#[test]
fn a_key_that_is_not_the_leafs_is_refused_at_once() {
    let ours = Authority::new(1);
    let mut identity = ours.collector(around(NOW, DAY));
    identity.key = TlsKey::random().unwrap();
    let error = open_server(&identity, &[ALPN_H2], clock(NOW)).unwrap_err();
    assert_eq!(error.to_string(), "failed to take the certificate and its key");
    let none = session_server(&ours.collector(around(NOW, DAY)), &[], clock(NOW)).unwrap_err();
    assert_eq!(none.kind(), Kind::BadInput);
}
