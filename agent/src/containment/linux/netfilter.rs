//! Hands transactions to the kernel's packet filter over netlink, in the network namespace of the
//! thread that calls.
//!
//! The kernel answers each message of a transaction; the first error is the transaction's, which then
//! has changed nothing. It needs `CAP_NET_ADMIN` and execs nothing.

use std::{io, os::fd::OwnedFd, time::Duration};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType,
        netlink::{self, SocketAddrNetlink},
        recv, sendto, socket_with, sockopt,
    },
};

use crate::containment::firewall::{self, Ruleset};

/// How long the kernel may take to answer: it answers before `sendto` returns, unless memory is short.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// `NLMSG_ERROR`: the answer to a message that wants one, with 0 for success.
const ERROR: u16 = 2;

/// Room for one read of answers, each of which repeats at most its message.
pub(super) const ANSWER_BYTES: usize = 64 << 10;

/// Makes a ruleset true, in place of the one before; all of it or nothing.
///
/// # Errors
/// What the kernel says: `PermissionDenied` without the capability, `Unsupported` without `nf_tables`.
pub fn apply(ruleset: &Ruleset) -> io::Result<()> {
    talk(&firewall::make(ruleset))
}

/// Removes the ruleset; says whether there was one.
///
/// # Errors
/// What the kernel says.
pub fn remove() -> io::Result<bool> {
    found(talk(&firewall::remove()))
}

/// Whether a ruleset is in force.
///
/// # Errors
/// What the kernel says.
pub fn is_applied() -> io::Result<bool> {
    found(talk(&firewall::is_there()))
}

fn found(answer: io::Result<()>) -> io::Result<bool> {
    match answer {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Sends messages, and waits for as many answers as were asked for.
fn talk(messages: &[u8]) -> io::Result<()> {
    let socket = open(netlink::NETFILTER)?;
    sendto(&socket, messages, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut wanted = headers(messages).filter(|it| it.wants_answer).count();
    let mut answer = vec![0; ANSWER_BYTES];
    let mut failed = None;
    while wanted > 0 {
        let bytes = match recv(&socket, answer.as_mut_slice(), RecvFlags::empty()) {
            Ok((_, bytes)) => bytes,
            Err(Errno::INTR) => continue,
            // The kernel gives up answering once one message was wrong.
            Err(Errno::AGAIN) if failed.is_some() => break,
            Err(error) => return Err(error.into()),
        };
        for it in headers(answer.get(..bytes).unwrap_or_default()) {
            let Some(code) = it.error else { continue };
            wanted = wanted.saturating_sub(1);
            if code != 0 {
                failed = failed.or(Some(io::Error::from_raw_os_error(code.wrapping_neg())));
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

/// A netlink socket that waits for an answer no longer than the kernel may take.
pub(super) fn open(protocol: Protocol) -> io::Result<OwnedFd> {
    let (family, kind) = (AddressFamily::NETLINK, SocketType::RAW);
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, Some(protocol))?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(ANSWER_WITHIN))?;
    Ok(socket)
}

/// A netlink message, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Header {
    wants_answer: bool,
    /// The code of an answer.
    error: Option<i32>,
}

/// The messages of a buffer; what is cut short ends it.
fn headers(mut bytes: &[u8]) -> impl Iterator<Item = Header> {
    std::iter::from_fn(move || {
        let word = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes);
        let half = |at: usize| bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes);
        let is_whole = |length: &usize| (16..=bytes.len()).contains(length);
        let length = usize::try_from(word(0)?).ok().filter(is_whole)?;
        let (kind, flags) = (half(4)?, half(6)?);
        let error = (kind == ERROR).then(|| word(16).map(u32::cast_signed)).flatten();
        // `NLM_F_ACK`
        let wants_answer = kind != ERROR && flags & 0x4 != 0;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Header { wants_answer, error })
    })
}

#[cfg(test)]
pub(super) mod tests;
