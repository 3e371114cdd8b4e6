//! A network namespace of one's own, with nothing in it but a loopback device that is up.

use std::io;

use nix::sched::{CloneFlags, unshare};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink::SocketAddrNetlink, recv,
    sendto, socket_with,
};

/// `RTM_NEWLINK` of `rtnetlink(7)`.
const RTM_NEWLINK: u16 = 16;
/// `NLM_F_REQUEST | NLM_F_ACK` of `netlink(7)`.
const REQUEST_AND_ACK: u16 = 0x1 | 0x4;
/// `NLMSG_ERROR`: the answer to a request that wants one, with 0 for success.
const NLMSG_ERROR: u16 = 2;
/// The loopback device is the first of every namespace.
const LOOPBACK: u32 = 1;
/// `IFF_UP` of `netdevice(7)`.
const IFF_UP: u32 = 1;
/// `struct nlmsghdr` and `struct ifinfomsg`.
const MESSAGE_BYTES: u32 = 32;

/// Moves this process into a new network namespace and sets its loopback device up.
///
/// # Errors
/// The system's: mostly that this user may not.
pub(super) fn enter_network_namespace() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    let (family, kind) = (AddressFamily::NETLINK, SocketType::RAW);
    // Protocol 0 of this family is `NETLINK_ROUTE`.
    let route = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    sendto(&route, &set_up(), SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut answer = [0; 256];
    let (_, bytes) = recv(&route, &mut answer, RecvFlags::empty())?;
    judge(answer.get(..bytes).unwrap_or_default())
}

/// "Device 1 is to be up", in the machine's own byte order.
fn set_up() -> Vec<u8> {
    let mut message = Vec::new();
    message.extend(MESSAGE_BYTES.to_ne_bytes());
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend(REQUEST_AND_ACK.to_ne_bytes());
    // sequence, port; then family, padding and type of the device, which are not looked at
    message.extend([0; 8]);
    message.extend([0; 4]);
    message.extend(LOOPBACK.to_ne_bytes());
    // flags, and which of them to change
    message.extend(IFF_UP.to_ne_bytes());
    message.extend(IFF_UP.to_ne_bytes());
    message
}

/// The error number of an answer is the first word behind its header, negative.
fn judge(answer: &[u8]) -> io::Result<()> {
    let kind = answer.get(4..6).and_then(|it| it.try_into().ok()).map(u16::from_ne_bytes);
    let code = answer.get(16..20).and_then(|it| it.try_into().ok()).map(i32::from_ne_bytes);
    match (kind, code) {
        (Some(NLMSG_ERROR), Some(0)) => Ok(()),
        (Some(NLMSG_ERROR), Some(code)) => Err(io::Error::from_raw_os_error(code.wrapping_neg())),
        _ => Err(io::Error::other("the kernel's answer was not understood")),
    }
}

#[cfg(test)]
mod tests {
    use super::{MESSAGE_BYTES, judge, set_up};

    #[test]
    fn a_message_is_as_long_as_it_says() {
        assert_eq!(set_up().len(), usize::try_from(MESSAGE_BYTES).unwrap());
    }

    #[test]
    fn an_answer_is_success_only_with_code_0() {
        let mut answer = [0; 36];
        assert!(judge(&answer).is_err(), "a kind that nobody asked for");
        answer[4] = 2;
        judge(&answer).unwrap();
        answer[16..20].copy_from_slice(&(-1_i32).to_ne_bytes());
        assert_eq!(judge(&answer).unwrap_err().raw_os_error(), Some(1));
        assert!(judge(&answer[..10]).is_err(), "cut short");
    }
}
