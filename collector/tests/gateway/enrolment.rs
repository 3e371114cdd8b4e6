//! Enrolment over real TLS: tokens, claims, renewals.

use cordon_proto::v1;
use cordon_shared::{
    crypto::{cert::TlsKey, signing::SigningKey},
    time::Timestamp,
};
use expect_test::{Expect, expect};

use crate::{
    agent::{Agent, enrol, enrolment, request},
    collector::{Bearer, Collector, by},
    session::enrolled,
};

async fn check(
    collector: &Collector,
    bearer: &Bearer,
    spoil: impl FnOnce(&mut v1::EnrolRequest),
    expect: &Expect,
) {
    let (key, receipt) = (TlsKey::random().unwrap(), SigningKey::from_seed([4; 32]));
    let mut client = enrolment(collector.addresses.enrolment, bearer.authority).await;
    let mut request = request(bearer, &key, &receipt);
    spoil(&mut request);
    let shown = match client.enrol(request).await {
        Ok(_) => "enrolled".to_owned(),
        Err(status) => format!("{:?}: {}", status.code(), status.message()),
    };
    expect.assert_eq(&shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn f_32_each_wrong_enrolment_is_refused_in_its_own_words() {
    let mut collector = Collector::start().await;
    let good = collector.token(|_| ()).await;
    check(&collector, &good, |_| (), &expect!["enrolled"]).await;
    check(
        &collector,
        &good,
        |it| it.token_secret = vec![0; 32].into(),
        &expect!["Unauthenticated: the token is not known here"],
    )
    .await;
    check(
        &collector,
        &good,
        |it| it.token_secret = vec![0; 31].into(),
        &expect!["InvalidArgument: `token_secret` must be 32 bytes"],
    )
    .await;
    let expired = collector.token(|it| it.expires = Timestamp::from_ns(1)).await;
    check(&collector, &expired, |_| (), &expect!["PermissionDenied: the token has expired"]).await;
    let elsewhere = collector.token(|it| it.networks = vec!["192.0.2.0/24".to_owned()]).await;
    check(
        &collector,
        &elsewhere,
        |_| (),
        &expect!["PermissionDenied: the token is not for hosts at 127.0.0.1"],
    )
    .await;
    let once = collector.token(|it| it.uses_max = 1).await;
    check(&collector, &once, |_| (), &expect!["enrolled"]).await;
    check(&collector, &once, |_| (), &expect!["PermissionDenied: the token is used up"]).await;
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_held_is_not_registered() {
    let mut collector = Collector::start().await;
    let good = collector.token(|_| ()).await;
    check(
        &collector,
        &good,
        |it| it.receipt_key_claim.as_mut().unwrap().signatures[0].value = vec![0; 64].into(),
        &expect!["InvalidArgument: `receipt_key_claim` must be signed by the receipt key"],
    )
    .await;
    check(
        &collector,
        &good,
        |it| it.csr = TlsKey::random().unwrap().request().unwrap().into(),
        &expect!["InvalidArgument: `receipt_key_claim` must be about this token, key and request"],
    )
    .await;
    check(
        &collector,
        &good,
        |it| it.host = None,
        &expect!["InvalidArgument: `host` must be present"],
    )
    .await;
    // A request whose proof of possession does not hold; the claim is about it, as it should be.
    let (key, receipt) = (TlsKey::random().unwrap(), SigningKey::from_seed([4; 32]));
    let mut csr = key.request().unwrap();
    *csr.last_mut().unwrap() ^= 1;
    let claim = v1::ReceiptKeyClaim {
        token_id: good.id.as_bytes().to_vec().into(),
        receipt_key: receipt.public().as_bytes().to_vec().into(),
        csr_sha256: cordon_shared::digest::Sha256::of(&csr).as_bytes().to_vec().into(),
    };
    let claim = receipt.sign("cordon.v1.ReceiptKeyClaim", &claim);
    check(
        &collector,
        &good,
        |it| {
            it.csr = csr.into();
            it.receipt_key_claim = Some(cordon_shared::wire::signed::to_wire(&claim));
        },
        &expect![
            "InvalidArgument: the request must be PKCS #10 for a P-256 key, signed by that key"
        ],
    )
    .await;
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_agent_is_told_so_and_an_enrolled_one_learns_whom_to_obey() {
    let mut collector = Collector::start().await;
    let held = collector.token(|it| it.is_approved = false).await;
    let agent = enrol(collector.addresses.enrolment, &held).await.unwrap();
    assert!(agent.reply.is_held);
    assert_eq!(agent.reply.host_tier, "standard");
    assert_eq!(agent.reply.root_keys[0], SigningKey::from_seed([9; 32]).public().as_bytes()[..]);
    assert_eq!(agent.reply.root_threshold, 1);
    assert!(agent.reply.keyring.is_none());
    collector.stop().await;
}

async fn renew(
    collector: &Collector,
    agent: &Agent,
    spoil: impl FnOnce(&mut v1::RenewRequest),
) -> Result<v1::RenewReply, String> {
    let mut client =
        enrolment(collector.addresses.enrolment, collector.authority.fingerprint()).await;
    let challenge = client.challenge(v1::ChallengeRequest {}).await.unwrap().into_inner().challenge;
    let csr = TlsKey::random().unwrap().request().unwrap();
    let proof = agent.identity.key.sign_renewal(&challenge, &csr).unwrap();
    let mut request = v1::RenewRequest {
        certificate: agent.identity.chain[0].to_vec().into(),
        csr: csr.into(),
        challenge,
        proof: proof.into(),
    };
    spoil(&mut request);
    let renewed = client.renew(request).await;
    renewed.map(tonic::Response::into_inner).map_err(|it| it.message().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_key_becomes_a_new_certificate() {
    let (mut collector, agent) = enrolled().await;
    let reply = renew(&collector, &agent, |_| ()).await.unwrap();
    let der = rustls_pki_types::CertificateDer::from(reply.certificates[0].to_vec());
    let named = cordon_collector::pki::identity::agent_of(&der);
    assert_eq!(named, Some(agent.id));
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_without_its_proof_is_refused() {
    let (mut collector, agent) = enrolled().await;
    let bearer = collector.token(|_| ()).await;
    let other = enrol(collector.addresses.enrolment, &bearer).await.unwrap();
    let proof = renew(&collector, &agent, |it| it.proof = vec![0; 70].into()).await.unwrap_err();
    expect!["the proof must be by the old certificate's key, over the challenge and the request"]
        .assert_eq(&proof);
    let stolen = renew(&collector, &agent, |it| {
        it.certificate = other.identity.chain[0].to_vec().into();
    });
    expect!["the proof must be by the old certificate's key, over the challenge and the request"]
        .assert_eq(&stolen.await.unwrap_err());
    let old = renew(&collector, &agent, |it| it.challenge = vec![0; 56].into()).await.unwrap_err();
    expect!["the challenge must be one of the last minute"].assert_eq(&old);
    let none = renew(&collector, &agent, |it| it.certificate = vec![0; 56].into()).await;
    expect!["the certificate must be an agent's of this authority, ended at most 30 days ago"]
        .assert_eq(&none.unwrap_err());
    collector.store.revoke_agent(agent.id, "stolen", &by()).await.unwrap();
    let revoked = renew(&collector, &agent, |_| ()).await.unwrap_err();
    assert_eq!(revoked, format!("agent {} is revoked", agent.id));
    collector.stop().await;
}
