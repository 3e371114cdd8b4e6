//! Token to certificate, and everything that must not become one.

use cordon_shared::{crypto::secret::Secret, digest::Sha256, enrolment::Token};
use cordon_tests::{
    child::Output,
    peer::Peer,
    pki::{Authority, Good},
    testbed::{Agent, SOON, Testbed},
    wait,
};

/// Enrols a new agent with a token that `spoil` has had in its hands.
fn enrol(testbed: &Testbed, spoil: impl FnOnce(&mut Token)) -> (Agent, Output) {
    let mut token = Token::parse(&testbed.api().token(1).unwrap()).unwrap();
    spoil(&mut token);
    let mut agent = testbed.prepare("web-1", |_| ()).unwrap();
    let output = agent.try_enroll(token.to_text().expose()).unwrap();
    (agent, output)
}

#[track_caller]
fn refused(output: &Output, because: &str) {
    assert_ne!(output.code(), 0, "{}", output.stdout);
    assert!(output.stderr.contains(because), "`{because}` is not in: {}", output.stderr);
}

#[test]
fn a_token_becomes_a_certificate_and_a_live_session() {
    let testbed = Testbed::start().unwrap();
    let mut agent = testbed.agent("web-1").unwrap();
    let connected = wait::until("the host is connected", SOON, || {
        let host = testbed.api().host(agent.id()).map_err(|it| format!("{it:#}"))?;
        if host["is_connected"] == true { Ok(host) } else { Err(host.to_string()) }
    });
    let host = connected.unwrap();
    assert_eq!(host["standing"], "approved");
    assert_eq!(host["sensors"][0]["sensor"], "process");
    agent.stop().unwrap();
}

#[test]
fn a_wrong_secret_is_refused() {
    let testbed = Testbed::start().unwrap();
    let (_agent, output) = enrol(&testbed, |token| token.secret = Secret::new([7; 32]));
    refused(&output, "the collector refused");
}

#[test]
fn what_is_no_token_is_refused_before_anybody_is_asked() {
    let testbed = Testbed::start().unwrap();
    let mut agent = testbed.prepare("web-1", |_| ()).unwrap();
    refused(&agent.try_enroll("cordon1.AAAA").unwrap(), "this is no enrolment token");
}

#[test]
fn a_collector_with_another_fingerprint_is_not_believed() {
    let testbed = Testbed::start().unwrap();
    let (_agent, output) = enrol(&testbed, |token| token.authority = Sha256::of(b"another"));
    refused(&output, "certificate is not by the authority that was pinned");
    let (_agent, output) = enrol(&testbed, |token| token.roots = Sha256::of(b"another"));
    refused(&output, "the collector's answer is not to be believed");
}

#[test]
fn a_token_that_is_used_up_lets_nobody_in() {
    let testbed = Testbed::start().unwrap();
    let token = testbed.api().token(1).unwrap();
    testbed.prepare("web-1", |_| ()).unwrap().enroll(&token).unwrap();
    let mut second = testbed.prepare("web-2", |_| ()).unwrap();
    refused(&second.try_enroll(&token).unwrap(), "the collector refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_opens_no_session() {
    let testbed = Testbed::start().unwrap();
    let token = testbed.api().token(1).unwrap();
    let sessions = testbed.collector().addresses().sessions;
    let mut peer = Peer::enrol(&token, sessions).await.unwrap();
    peer.session().await.unwrap();
    peer.identity = Authority::new().unwrap().agent(peer.id, Good::Now).unwrap();
    assert!(peer.session().await.is_err());
    let failures = testbed.api().metric("cordon_gateway_handshake_failures_total").unwrap();
    assert!(failures >= 1.0, "{failures}");
}

#[test]
fn f_16_a_revoked_agent_is_cut_off_and_stays_out() {
    let testbed = Testbed::start().unwrap();
    let mut agent = testbed.agent("web-1").unwrap();
    let is_connected = || testbed.api().host(agent.id()).is_ok_and(|it| it["is_connected"] == true);
    wait::until_so("the host is connected", SOON, is_connected).unwrap();
    let host = testbed.api().revoke(agent.id()).unwrap();
    assert_eq!(host["standing"], "revoked");
    wait::until_so("the host is cut off", SOON, || !is_connected()).unwrap();
    // It comes again, and is told why it stays out; what it holds, it keeps.
    wait::until_so("the agent is told", SOON, || {
        agent.log().is_ok_and(|it| it.contains("revoked"))
    })
    .unwrap();
    assert!(!is_connected());
    agent.stop().unwrap();
}
