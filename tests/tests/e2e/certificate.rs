//! Certificates that open no session: both sides say why, and what to do.

use std::net::SocketAddr;

use cordon_shared::{crypto::cert, id::AgentId};
use cordon_tests::{
    pki::{self, Authority, Good},
    testbed::{Agent, SOON, Testbed},
    wait,
};

/// An agent that is enrolled and not running, and can renew or not.
fn enrolled(testbed: &Testbed, can_renew: bool) -> Agent {
    let agent = testbed.prepare("web-1", |plan| {
        if !can_renew {
            // Nobody listens at port 9 of a test machine.
            plan.enrolment = SocketAddr::from(([127, 0, 0, 1], 9));
        }
    });
    let mut agent = agent.unwrap();
    agent.enroll(&testbed.api().token(1).unwrap()).unwrap();
    agent
}

fn reissue(testbed: &Testbed, agent: &Agent, good: Good) {
    let pki = testbed.collector().data().join("pki");
    let id = AgentId::parse(agent.id()).unwrap();
    pki::reissue(&pki, &agent.plan().data.join("identity"), id, good).unwrap();
}

#[track_caller]
fn says(who: &str, log: impl Fn() -> anyhow::Result<String>, words: &str) {
    wait::until(&format!("{who} says `{words}`"), SOON, || match log() {
        Ok(log) if log.contains(words) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .unwrap();
}

fn is_connected(testbed: &Testbed, agent: &Agent) -> bool {
    testbed.api().host(agent.id()).is_ok_and(|it| it["is_connected"] == true)
}

/// Both sides say why there is no session, and both go on.
#[track_caller]
fn refused(testbed: &mut Testbed, agent: &mut Agent, why: &str, what_to_do: &str) {
    agent.start().unwrap();
    let refusal = format!("the collector refuses our certificate: {why}");
    says("the agent", || agent.log(), &refusal);
    says("the agent", || agent.log(), what_to_do);
    says("the collector", || testbed.collector().process().log(), "a certificate was refused: ");
    assert!(!is_connected(testbed, agent));
    assert!(testbed.collector_mut().is_running().unwrap() && agent.is_running().unwrap());
}

#[test]
fn an_expired_certificate_opens_no_session_until_it_is_renewed() {
    let mut testbed = Testbed::start().unwrap();
    let mut agent = enrolled(&testbed, false);
    reissue(&testbed, &agent, Good::Before);
    refused(&mut testbed, &mut agent, "it has expired", "renewed at the addresses of `enrolment`");
    reissue(&testbed, &agent, Good::Now);
    wait::until_so("it is connected", SOON, || is_connected(&testbed, &agent)).unwrap();
    agent.stop().unwrap();
}

#[test]
fn an_expired_certificate_is_renewed_at_the_start() {
    let testbed = Testbed::start().unwrap();
    let mut agent = enrolled(&testbed, true);
    reissue(&testbed, &agent, Good::Before);
    agent.start().unwrap();
    says("the agent", || agent.log(), "renewed the certificate");
    wait::until_so("it is connected", SOON, || is_connected(&testbed, &agent)).unwrap();
    agent.stop().unwrap();
}

#[test]
fn a_certificate_that_ended_too_long_ago_is_not_renewed_either() {
    let mut testbed = Testbed::start().unwrap();
    let mut agent = enrolled(&testbed, true);
    reissue(&testbed, &agent, Good::LongBefore);
    let ended = "the certificate must be an agent's of this authority, ended at most 30 days ago";
    refused(&mut testbed, &mut agent, "it has expired", ended);
    let status = agent.status().unwrap();
    assert!(status.stdout.contains("enrol anew"), "{}", status.stdout);
    agent.stop().unwrap();
}

#[test]
fn an_agent_of_another_authority_is_told_so() {
    let mut testbed = Testbed::start().unwrap();
    let mut agent = enrolled(&testbed, false);
    let stranger = Authority::new().unwrap();
    let stranger = stranger.agent(AgentId::parse(agent.id()).unwrap(), Good::Now).unwrap();
    let folder = agent.plan().data.join("identity");
    stranger.key.write(&folder.join("tls.key")).unwrap();
    cert::write_certificates(&folder.join("tls.pem"), &stranger.chain).unwrap();
    let why = "it is not by this collector's authority";
    refused(&mut testbed, &mut agent, why, "enrol this host anew");
    agent.stop().unwrap();
}
