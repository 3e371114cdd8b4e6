//! Operands that several actions share ↔ wire.

use std::net::IpAddr;

use ::bytes::Bytes;
use cordon_proto::v1;

use super::{
    super::{WireError, bytes, refuse, required},
    file_from, file_to, path_from,
};
use crate::{
    command::action::{Artefact, Blocked, Network, Question},
    digest::Sha256,
    limit,
    text::Text,
};

/// Operands of one list (chosen: what people name by hand, many times over).
pub(super) const OPERANDS_MAX: usize = 4_096;

/// An account, unit, domain or container name: 253 is the longest domain name.
pub(super) const NAME_BYTES_MAX: usize = 253;

pub(super) fn name(field: &'static str, text: &str) -> Result<String, WireError> {
    if text.is_empty() || text.len() > NAME_BYTES_MAX {
        return refuse(field, "1..=253 bytes");
    }
    Ok(text.to_owned())
}

pub(super) fn line(wire: &Bytes) -> Result<Text, WireError> {
    if wire.is_empty() || wire.len() > limit::TEXT_BYTES_MAX || wire.contains(&b'\n') {
        return refuse("line", "one line of 1..=4096 bytes");
    }
    Ok(Text::from_bytes(wire.clone()))
}

pub(super) fn network_to(it: &Network) -> v1::Network {
    let address = match it.address {
        IpAddr::V4(it) => bytes(&it.octets()),
        IpAddr::V6(it) => bytes(&it.octets()),
    };
    v1::Network { address, prefix_bits: u32::from(it.prefix_bits) }
}

pub(super) fn networks_to(it: &[Network]) -> Vec<v1::Network> {
    it.iter().map(network_to).collect()
}

pub(super) fn network_from(wire: &v1::Network) -> Result<Network, WireError> {
    let address = match wire.address.len() {
        4 => <[u8; 4]>::try_from(wire.address.as_ref()).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(wire.address.as_ref()).ok().map(IpAddr::from),
        _ => None,
    };
    let Some(address) = address else { return refuse("address", "4 or 16 bytes") };
    let bits_max = if address.is_ipv4() { 32 } else { 128 };
    match u8::try_from(wire.prefix_bits) {
        Ok(prefix_bits) if prefix_bits <= bits_max => Ok(Network { address, prefix_bits }),
        Ok(_) | Err(_) => refuse("prefix_bits", "at most the bits of the address"),
    }
}

pub(super) fn networks_from(wire: &[v1::Network]) -> Result<Vec<Network>, WireError> {
    if wire.len() > OPERANDS_MAX {
        return refuse("networks", "at most 4096");
    }
    wire.iter().map(network_from).collect()
}

pub(super) fn blocked_to(it: &[Blocked]) -> Vec<v1::Blocked> {
    use v1::blocked::What;
    let one = |it: &Blocked| match it {
        Blocked::Sha256(it) => What::Sha256(bytes(it.as_bytes())),
        Blocked::Path(it) => What::Path(it.to_bytes()),
        Blocked::Network(it) => What::Network(network_to(it)),
        Blocked::Domain(it) => What::Domain(it.clone()),
    };
    it.iter().map(|it| v1::Blocked { what: Some(one(it)) }).collect()
}

pub(super) fn blocked_from(wire: &[v1::Blocked]) -> Result<Vec<Blocked>, WireError> {
    use v1::blocked::What;
    if wire.is_empty() || wire.len() > OPERANDS_MAX {
        return refuse("blocked", "1..=4096");
    }
    let one = |it: &v1::Blocked| match &it.what {
        Some(What::Sha256(it)) => {
            required("blocked.sha256", it, Sha256::from_slice).map(Blocked::Sha256)
        }
        Some(What::Path(it)) => path_from("blocked.path", it).map(Blocked::Path),
        Some(What::Network(it)) => network_from(it).map(Blocked::Network),
        Some(What::Domain(it)) => name("blocked.domain", it).map(Blocked::Domain),
        None => refuse("blocked", "of a kind that this program knows"),
    };
    wire.iter().map(one).collect()
}

pub(super) fn question_to(it: &Question) -> v1::SweepQuestion {
    use v1::sweep_question::Question as Kind;
    let question = match it {
        Question::Sha256(it) => Kind::Sha256(bytes(it.as_bytes())),
        Question::Path(it) => Kind::Path(it.to_bytes()),
        Question::Network(it) => Kind::Network(network_to(it)),
        Question::Domain(it) => Kind::Domain(it.clone()),
        Question::Yara(it) => Kind::YaraSha256(bytes(it.as_bytes())),
    };
    v1::SweepQuestion { question: Some(question) }
}

pub(super) fn question_from(wire: &v1::SweepQuestion) -> Result<Question, WireError> {
    use v1::sweep_question::Question as Kind;
    match &wire.question {
        Some(Kind::Sha256(it)) => {
            required("question.sha256", it, Sha256::from_slice).map(Question::Sha256)
        }
        Some(Kind::Path(it)) => path_from("question.path", it).map(Question::Path),
        Some(Kind::Network(it)) => network_from(it).map(Question::Network),
        Some(Kind::Domain(it)) => name("question.domain", it).map(Question::Domain),
        Some(Kind::YaraSha256(it)) => {
            required("question.yara_sha256", it, Sha256::from_slice).map(Question::Yara)
        }
        None => refuse("questions", "of a kind that this program knows"),
    }
}

pub(super) fn artefact_to(it: &Artefact) -> v1::remove::Artefact {
    use v1::remove::Artefact as Kind;
    match it {
        Artefact::CronLine { path, line } => {
            Kind::CronLine(v1::CronLine { path: path.to_bytes(), line: line.to_bytes() })
        }
        Artefact::SystemdUnit { path, sha256 } => Kind::SystemdUnit(v1::SystemdUnit {
            path: path.to_bytes(),
            sha256: bytes(sha256.as_bytes()),
        }),
        Artefact::AuthorizedKey { path, line } => {
            Kind::AuthorizedKey(v1::AuthorizedKey { path: path.to_bytes(), line: line.to_bytes() })
        }
        Artefact::TextLine { path, line } => {
            Kind::TextLine(v1::TextLine { path: path.to_bytes(), line: line.to_bytes() })
        }
        Artefact::Account(it) => Kind::Account(it.clone()),
        Artefact::File(it) => Kind::File(file_to(it)),
    }
}

pub(super) fn artefact_from(wire: &v1::Remove) -> Result<Artefact, WireError> {
    use v1::remove::Artefact as Kind;
    let path = |it: &Bytes| path_from("artefact.path", it);
    match &wire.artefact {
        Some(Kind::CronLine(it)) => {
            Ok(Artefact::CronLine { path: path(&it.path)?, line: line(&it.line)? })
        }
        Some(Kind::SystemdUnit(it)) => Ok(Artefact::SystemdUnit {
            path: path(&it.path)?,
            sha256: required("artefact.sha256", &it.sha256, Sha256::from_slice)?,
        }),
        Some(Kind::AuthorizedKey(it)) => {
            Ok(Artefact::AuthorizedKey { path: path(&it.path)?, line: line(&it.line)? })
        }
        Some(Kind::TextLine(it)) => {
            Ok(Artefact::TextLine { path: path(&it.path)?, line: line(&it.line)? })
        }
        Some(Kind::Account(it)) => name("artefact.account", it).map(Artefact::Account),
        Some(Kind::File(it)) => file_from(Some(it)).map(Artefact::File),
        None => refuse("artefact", "of a kind that this program knows"),
    }
}
