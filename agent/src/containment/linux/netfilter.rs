//! Hands transactions to the kernel's packet filter over netlink, in the network namespace of the
//! thread that calls.
//!
//! The kernel answers each message of a transaction; the first error is the transaction's, which then
//! has changed nothing. It needs `CAP_NET_ADMIN` and execs nothing.

use std::io;

use rustix::{
    io::Errno,
    net::{
        RecvFlags, SendFlags,
        netlink::{NETFILTER, SocketAddrNetlink},
        recv, sendto,
    },
};

use super::netlink;
use crate::containment::firewall::{self, Ruleset};

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
    let socket = netlink::open(NETFILTER)?;
    sendto(&socket, messages, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut wanted = netlink::messages(messages).filter(|it| it.flags & netlink::ACK != 0).count();
    let mut answer = vec![0; netlink::ANSWER_BYTES];
    let mut failed = None;
    while wanted > 0 {
        let bytes = match recv(&socket, answer.as_mut_slice(), RecvFlags::empty()) {
            Ok((_, bytes)) => bytes,
            Err(Errno::INTR) => continue,
            // The kernel gives up answering once one message was wrong.
            Err(Errno::AGAIN) if failed.is_some() => break,
            Err(error) => return Err(error.into()),
        };
        for it in netlink::messages(answer.get(..bytes).unwrap_or_default()) {
            let Some(code) = it.code() else { continue };
            wanted = wanted.saturating_sub(1);
            if code != 0 {
                failed = failed.or(Some(io::Error::from_raw_os_error(code.wrapping_neg())));
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

#[cfg(test)]
pub(super) mod tests;
