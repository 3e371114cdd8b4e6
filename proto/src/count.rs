//! Counts the entries of a message before anything is allocated for them: two bytes on the wire
//! would otherwise become a hundred in memory.
//!
//! Where entries may lie, the build knows from the `.proto` files. What is counted is what prost
//! would allocate one by one: each occurrence of a repeated message, text or bytes. The walk reads
//! keys and lengths as prost does, goes only where entries may be, and allocates nothing.

use prost::encoding::{WireType, decode_key, decode_varint};

use crate::v1;

/// Where the entries of a message lie.
#[derive(Debug)]
pub struct Shape(&'static [Field]);

/// A field that is an entry, or may have some inside.
#[derive(Debug)]
struct Field {
    number: u32,
    is_entry: bool,
    inside: Option<&'static Shape>,
}

/// A message whose entries can be counted.
pub trait Counted {
    /// Where they lie.
    fn shape() -> &'static Shape;
}

/// Why a message must not be decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CountError {
    /// It has more entries than it may have.
    TooMany,
    /// It is no protobuf, or has a group, of which the wire has none.
    Malformed,
}

/// Messages inside each other (chosen: twice what the wire has; prost stops at 100).
const DEPTH_MAX: usize = 16;

/// Counts the entries of a message, up to `entries_max`; says how many there are.
///
/// # Errors
/// [`CountError`]: it must not be decoded.
pub fn entries<M: Counted>(bytes: &[u8], entries_max: usize) -> Result<usize, CountError> {
    let mut left = entries_max;
    walk(M::shape(), bytes, &mut left, DEPTH_MAX)?;
    Ok(entries_max - left)
}

fn walk(shape: &Shape, mut bytes: &[u8], left: &mut usize, depth: usize) -> Result<(), CountError> {
    let malformed = || CountError::Malformed;
    while !bytes.is_empty() {
        let (number, wire_type) = decode_key(&mut bytes).ok().ok_or_else(malformed)?;
        let length = match wire_type {
            WireType::Varint => {
                decode_varint(&mut bytes).ok().ok_or_else(malformed)?;
                continue;
            }
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::LengthDelimited => decode_varint(&mut bytes).ok().ok_or_else(malformed)?,
            WireType::StartGroup | WireType::EndGroup => return Err(CountError::Malformed),
        };
        let length = usize::try_from(length).ok().ok_or_else(malformed)?;
        let (content, rest) = bytes.split_at_checked(length).ok_or_else(malformed)?;
        bytes = rest;
        let field = shape.0.iter().find(|it| it.number == number);
        // Of another wire type it is none of its entries, and prost refuses it.
        let Some(field) = field.filter(|_| wire_type == WireType::LengthDelimited) else {
            continue;
        };
        if field.is_entry {
            *left = left.checked_sub(1).ok_or(CountError::TooMany)?;
        }
        if let Some(inside) = field.inside {
            let depth = depth.checked_sub(1).ok_or(CountError::Malformed)?;
            walk(inside, content, left, depth)?;
        }
    }
    Ok(())
}

include!(concat!(env!("OUT_DIR"), "/shapes.rs"));

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::{CountError, entries, v1};

    fn hello(positions: usize) -> Vec<u8> {
        let hello = v1::Hello {
            positions: vec![v1::LanePosition::default(); positions],
            ..v1::Hello::default()
        };
        let message = Some(v1::agent_message::Message::Hello(hello));
        v1::AgentMessage { message }.encode_to_vec()
    }

    #[test]
    fn f_28_entries_are_counted_wherever_they_lie() {
        assert_eq!(entries::<v1::AgentMessage>(&hello(7), 7), Ok(7));
        assert_eq!(entries::<v1::AgentMessage>(&hello(8), 7), Err(CountError::TooMany));
        // A message that comes in parts is one message.
        let parts = [hello(4), hello(4)].concat();
        assert_eq!(entries::<v1::AgentMessage>(&parts, 7), Err(CountError::TooMany));
        let signed =
            v1::Signed { signatures: vec![v1::Signature::default(); 8], ..v1::Signed::default() };
        let request =
            v1::EnrolRequest { receipt_key_claim: Some(signed), ..v1::EnrolRequest::default() };
        let bytes = request.encode_to_vec();
        assert_eq!(entries::<v1::EnrolRequest>(&bytes, 8), Ok(8));
        assert_eq!(entries::<v1::EnrolRequest>(&bytes, 7), Err(CountError::TooMany));
    }

    #[test]
    fn bytes_that_look_like_entries_are_bytes() {
        let batch = v1::Batch { sealed: hello(100).into() };
        let message = Some(v1::agent_message::Message::Batch(batch));
        let bytes = v1::AgentMessage { message }.encode_to_vec();
        assert_eq!(entries::<v1::AgentMessage>(&bytes, 0), Ok(0));
    }

    #[test]
    fn every_cut_is_refused_or_shorter_and_a_group_is_refused() {
        let whole = hello(3);
        for cut in 1..whole.len() {
            let counted = entries::<v1::AgentMessage>(&whole[..cut], 9);
            assert_eq!(counted, Err(CountError::Malformed), "cut at {cut}");
        }
        assert_eq!(entries::<v1::AgentMessage>(&[0x7b], 9), Err(CountError::Malformed));
    }
}
