//! Names, key files, renewals.

use std::os::unix::fs::PermissionsExt;

use rcgen::Issuer;

use super::*;
use crate::{entropy::SeededEntropy, id::AgentId};

fn agent() -> AgentId {
    AgentId::from_slice(&[7; 16]).expect("16 bytes that are not zero")
}

fn validity() -> Validity {
    Validity {
        from: Timestamp::from_ns(1_700_000_000_000_000_000),
        until: Timestamp::from_ns(1_800_000_000_000_000_000),
    }
}

#[test]
fn an_agent_is_named_by_one_uri_only() {
    let uri = agent_uri(agent());
    assert_eq!(uri, "spiffe://cordon/agent/07070707-0707-0707-0707-070707070707");
    assert_eq!(parse_agent_uri(&uri), Some(agent()));
    for bad in [
        "",
        "spiffe://cordon/agent/",
        "spiffe://other/agent/07070707-0707-0707-0707-070707070707",
        "spiffe://cordon/agent/07070707070707070707070707070707",
        "spiffe://cordon/agent/07070707-0707-0707-0707-070707070707/x",
        "spiffe://cordon/agent/00000000-0000-0000-0000-000000000000",
    ] {
        assert_eq!(parse_agent_uri(bad), None, "{bad}");
    }
}

#[test]
fn pk_1_a_key_file_is_its_owners_alone_and_reads_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.key");
    let key = TlsKey::random().unwrap();
    key.write(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let read = TlsKey::read(&path).unwrap();
    assert_eq!(read.as_rcgen().public_key_raw(), key.as_rcgen().public_key_raw());
    assert_eq!(format!("{key:?}"), "TlsKey(..)");
}

#[test]
fn pk_1_a_request_carries_no_private_key() {
    let key = TlsKey::random().unwrap();
    let request = key.request().unwrap();
    let der = key.as_rcgen().serialize_der();
    // RFC 5915: the 32 private bytes follow `04 20` in the key's PKCS #8.
    let at = der.windows(2).position(|it| it == [0x04, 0x20]).unwrap() + 2;
    let private = &der[at..at + 32];
    assert!(!request.windows(32).any(|it| it == private));
}

#[test]
fn a_file_that_holds_no_key_is_refused_and_says_so() {
    for text in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
        let error = TlsKey::parse(text).unwrap_err();
        assert_eq!(error.to_string(), "a key file must be one P-256 key as PKCS #8 in PEM");
    }
    let missing = TlsKey::read(Path::new("/nonexistent/key")).unwrap_err();
    assert_eq!(missing.kind(), Kind::NotFound);
}

#[test]
fn a_renewal_holds_for_its_challenge_and_its_request_only() {
    let old = TlsKey::random().unwrap();
    let request = TlsKey::random().unwrap().request().unwrap();
    let proof = old.sign_renewal(b"challenge", &request).unwrap();
    let public = old.as_rcgen().public_key_raw();
    assert!(is_renewal(public, b"challenge", &request, &proof));
    assert!(!is_renewal(public, b"another", &request, &proof));
    assert!(!is_renewal(public, b"challenge", &request[1..], &proof));
    let other = TlsKey::random().unwrap();
    assert!(!is_renewal(other.as_rcgen().public_key_raw(), b"challenge", &request, &proof));
    assert!(!is_renewal(b"no key", b"challenge", &request, &proof));
}

#[test]
fn certificates_are_written_as_pem_and_read_back_in_order() {
    let entropy = SeededEntropy::new(1);
    let key = TlsKey::random().unwrap();
    let root = authority_profile("Cordon test", validity(), &entropy);
    let root_der = root.self_signed(key.as_rcgen()).unwrap().der().clone();
    let issuer = Issuer::from_params(&root, key.as_rcgen());
    let leaf_key = TlsKey::random().unwrap();
    let leaf = agent_profile(agent(), validity(), &entropy);
    let leaf = leaf.signed_by(leaf_key.as_rcgen(), &issuer).unwrap().der().clone();

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("chain.pem");
    let chain = [leaf, root_der];
    write_certificates(&path, &chain).unwrap();
    assert_eq!(read_certificates(&path).unwrap(), chain);
}

#[test]
fn a_certificate_file_with_a_key_in_it_is_refused() {
    let mut text = to_pem(&CertificateDer::from(vec![1, 2, 3]));
    assert_eq!(parse_certificates(&text).unwrap().len(), 1);
    text.push_str("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    assert!(parse_certificates(&text).is_err());
    assert!(parse_certificates("").is_err());
    let many = to_pem(&CertificateDer::from(vec![1])).repeat(CERTIFICATES_MAX + 1);
    assert!(parse_certificates(&many).is_err());
}

#[test]
fn a_collector_has_its_fixed_name_and_each_other_name_once() {
    let names = ["10.0.0.1".to_owned(), "ir.example".to_owned(), COLLECTOR_NAME.to_owned()];
    let params = collector_profile(&names, validity(), &SeededEntropy::new(1)).unwrap();
    assert_eq!(params.subject_alt_names.len(), 3);
    assert!(collector_profile(&["hôte".to_owned()], validity(), &SeededEntropy::new(1)).is_err());
}
