use std::io;

use expect_test::expect;
use rustls::{CertificateError, Error};

use super::{distrust, tls_error};

#[test]
fn a_stranger_is_told_from_a_wrong_name() {
    let told = |error| distrust("https://c:7445", "`ca.pem`", &Error::InvalidCertificate(error));
    let lines = [
        told(CertificateError::UnknownIssuer),
        told(CertificateError::NotValidForName),
        told(CertificateError::Expired),
    ];
    expect![[r"
        the certificate of https://c:7445 is not from the pinned authority, `ca.pem`; if this is the right address, give that collector's `pki/authority.pem` with --ca, from its own disk
        the certificate of https://c:7445 is from the pinned authority, and not for this name; dial a name in `names` of `collector.toml`
        https://c:7445 does not prove to be the collector, by `ca.pem`: invalid peer certificate: Expired"]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn what_tls_says_is_found_inside_what_the_socket_says() {
    let inner = Error::InvalidCertificate(CertificateError::UnknownIssuer);
    let error = ureq::Error::Io(io::Error::new(io::ErrorKind::InvalidData, inner));
    assert!(tls_error(&error).is_some());
    assert!(tls_error(&ureq::Error::Io(io::ErrorKind::ConnectionRefused.into())).is_none());
}
