//! From when until when a certificate is good: told to who makes one, read from one that is there.
//!
//! It walks to that one field, and decides nothing: what a certificate is worth rustls says.

use crate::time::Timestamp;

/// From when until when a certificate is good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Validity {
    /// Not before; set it an hour into the past, for clocks that are behind.
    pub from: Timestamp,
    /// Not after.
    pub until: Timestamp,
}

/// From when until when a certificate is good, read out of its DER; `None` when it is none.
///
/// Only the way to the field is walked (RFC 5280 section 4.1): who needs to *trust* a certificate has
/// it verified by rustls.
#[must_use]
pub fn validity_of(certificate: &[u8]) -> Option<Validity> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut body, _) = element(certificate)?;
    // [0] version is there in every certificate of version 3.
    if body.first() == Some(&0xa0) {
        body = element(body)?.2;
    }
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        body = element(body)?.2;
    }
    let (_, validity, _) = element(body)?;
    let (from_tag, from, rest) = element(validity)?;
    let (until_tag, until, _) = element(rest)?;
    Some(Validity { from: moment(from_tag, from)?, until: moment(until_tag, until)? })
}

/// One DER element: tag, contents, what follows (X.690 section 8.1).
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, it| length << 8 | usize::from(*it)), rest)
        }
        _ => return None,
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((tag, contents, rest))
}

/// `UTCTime` (0x17) or `GeneralizedTime` (0x18), both in UTC and to the second.
fn moment(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let text = match tag {
        // Two digits: 50 and later are of the last century.
        0x17 if text.get(..2)? >= "50" => format!("19{text}"),
        0x17 => format!("20{text}"),
        0x18 => text.to_owned(),
        _ => return None,
    };
    let part = |from: usize, until: usize| text.get(from..until);
    let (date, time) = (
        format!("{}-{}-{}", part(0, 4)?, part(4, 6)?, part(6, 8)?),
        format!("{}:{}:{}", part(8, 10)?, part(10, 12)?, part(12, 14)?),
    );
    Timestamp::parse(&format!("{date}T{time}Z"))
}
