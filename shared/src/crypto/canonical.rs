//! The bytes that are signed: the payload as it was sent, under a tag that says what it is.
//!
//! ```text
//! "CordonSignedV1" SP len(type) SP type SP len(payload) SP payload      lengths in decimal
//! ```
//!
//! After DSSE's pre-authentication encoding. What is signed is what was sent, never a re-encoding;
//! but a payload must also *be* its own re-encoding, or two readers could see two things in it.

use prost::Message;

/// Begins every signed text of ours, so that a signature means nothing anywhere else.
const TAG: &str = "CordonSignedV1";

/// The bytes that a signature over `payload` covers.
#[must_use]
pub fn to_signed(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("{TAG} {} {payload_type} {} ", payload_type.len(), payload.len());
    let mut bytes = Vec::with_capacity(head.len() + payload.len());
    bytes.extend_from_slice(head.as_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Decodes a payload, and refuses one that is not exactly what its value encodes to: unknown
/// fields, a field twice, a default written out.
#[must_use]
pub fn decode<M: Message + Default>(payload: &[u8]) -> Option<M> {
    let message = M::decode(payload).ok()?;
    (message.encode_to_vec() == payload).then_some(message)
}

#[cfg(test)]
mod tests {
    use cordon_proto::v1;
    use expect_test::expect;
    use prost::Message;

    use super::{decode, to_signed};

    #[test]
    fn the_signed_bytes_are_these() {
        let bytes = to_signed("cordon.v1.Command", b"\x01payload");
        expect!["CordonSignedV1 17 cordon.v1.Command 8 \u{1}payload"]
            .assert_eq(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_payload_with_anything_that_would_not_be_written_again_is_refused() {
        let good = v1::ProcessKey { pid: 4711, start_ticks: 9 }.encode_to_vec();
        assert!(decode::<v1::ProcessKey>(&good).is_some());

        let unknown_field = [good.as_slice(), &[0x7a, 0x00]].concat();
        assert!(decode::<v1::ProcessKey>(&unknown_field).is_none());
        let field_twice = [good.as_slice(), &good].concat();
        assert!(decode::<v1::ProcessKey>(&field_twice).is_none());
        let default_written_out = [0x08, 0x00];
        assert!(decode::<v1::ProcessKey>(&default_written_out).is_none());
    }
}
