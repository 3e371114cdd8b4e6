//! What every conversation over netlink has in common (`netlink(7)`): a socket, and messages in a
//! buffer.

use std::{io, os::fd::OwnedFd, time::Duration};

use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType, socket_with, sockopt};

/// How long the kernel may take to answer: it answers before `sendto` returns, unless memory is short.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// `struct nlmsghdr`.
pub(super) const HEADER_BYTES: usize = 16;

/// `NLM_F_REQUEST`, `NLM_F_ACK`.
pub(super) const REQUEST: u16 = 0x1;
pub(super) const ACK: u16 = 0x4;

/// `NLMSG_ERROR`: the answer to a message that wants one, with 0 for success.
pub(super) const ERROR: u16 = 2;

/// Room for one read of answers, each of which repeats at most its message.
pub(super) const ANSWER_BYTES: usize = 64 << 10;

/// A socket that waits for an answer no longer than the kernel may take.
pub(super) fn open(protocol: Protocol) -> io::Result<OwnedFd> {
    let (family, kind) = (AddressFamily::NETLINK, SocketType::RAW);
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, Some(protocol))?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(ANSWER_WITHIN))?;
    Ok(socket)
}

/// A message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) body: &'a [u8],
}

impl Message<'_> {
    /// The code of an answer: 0, or an error's number, negative.
    pub(super) fn code(&self) -> Option<i32> {
        let code = self.body.get(..4)?.try_into().ok().map(i32::from_ne_bytes);
        code.filter(|_| self.kind == ERROR)
    }
}

/// The messages of a buffer; what is cut short ends it.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?);
        let length = usize::try_from(length).ok()?;
        let half = |at: usize| bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes);
        let body = bytes.get(HEADER_BYTES..length)?;
        let message = Message { kind: half(4)?, flags: half(6)?, body };
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_cut_short_is_none() {
        let mut answer = [0; 36];
        answer[0] = 36;
        answer[4] = 2;
        answer[16..20].copy_from_slice(&(-2_i32).to_ne_bytes());
        let codes: Vec<_> = messages(&answer).map(|it| it.code()).collect();
        assert_eq!(codes, [Some(-2)]);
        assert_eq!(messages(&answer[..10]).count(), 0);
        answer[0] = 3;
        assert_eq!(messages(&answer).count(), 0, "shorter than its header");
    }
}
