//! Requests to the kernel's routing tables (`rtnetlink(7)`): devices and addresses.
//!
//! Each is sent in the network namespace of the calling thread, and answered before it returns. All
//! numbers are in the machine's own byte order.

use std::{io, os::fd::AsFd};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netdevice::name_to_index,
    netlink::SocketAddrNetlink, recv, sendto, socket_with,
};

/// `RTM_NEWLINK`, `RTM_NEWADDR`.
pub(super) const NEW_LINK: u16 = 16;
pub(super) const NEW_ADDRESS: u16 = 20;

/// `NLM_F_REQUEST | NLM_F_ACK`.
const REQUEST_AND_ACK: u16 = 0x1 | 0x4;
/// `NLM_F_CREATE | NLM_F_EXCL`: a new one, or an error.
const NEW: u16 = 0x400 | 0x200;
/// `NLMSG_ERROR`: the answer to a request that wants one, with 0 for success.
const NLMSG_ERROR: u16 = 2;
/// `struct nlmsghdr`.
const HEADER_BYTES: usize = 16;
/// `struct nlattr`.
const ATTRIBUTE_HEADER_BYTES: usize = 4;

/// A request under construction.
pub(super) struct Request(Vec<u8>);

impl Request {
    /// About what is there.
    pub(super) fn change(kind: u16, fixed: &[u8]) -> Self {
        Self::of(kind, REQUEST_AND_ACK, fixed)
    }

    /// For something new.
    pub(super) fn create(kind: u16, fixed: &[u8]) -> Self {
        Self::of(kind, REQUEST_AND_ACK | NEW, fixed)
    }

    fn of(kind: u16, flags: u16, fixed: &[u8]) -> Self {
        // The length is known at the end; sequence and port are not looked at.
        let mut bytes = vec![0; 4];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(fixed);
        Self(bytes)
    }

    /// Adds an attribute.
    pub(super) fn with(mut self, kind: u16, value: &[u8]) -> Self {
        self.0.extend(attribute(kind, value));
        self
    }

    /// Sends it, and waits for the answer.
    ///
    /// # Errors
    /// The kernel's: mostly that this user may not.
    pub(super) fn send(mut self) -> io::Result<()> {
        let length = u32::try_from(self.0.len()).map_err(io::Error::other)?;
        self.0.splice(..4, length.to_ne_bytes());
        let (family, kind) = (AddressFamily::NETLINK, SocketType::RAW);
        // Protocol 0 of this family is `NETLINK_ROUTE`.
        let route = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
        sendto(&route, &self.0, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        let mut answer = [0; 1_024];
        let (_, bytes) = recv(&route, &mut answer, RecvFlags::empty())?;
        judge(answer.get(..bytes).unwrap_or_default())
    }
}

/// One attribute, padded; a value may be attributes in turn.
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = ATTRIBUTE_HEADER_BYTES + value.len();
    let mut bytes = u16::try_from(length).unwrap_or(u16::MAX).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(length.next_multiple_of(4), 0);
    bytes
}

/// A text as attributes have it: with a zero byte.
pub(super) fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[0]].concat()
}

/// The number of a device.
///
/// # Errors
/// When there is none of that name.
pub(super) fn index(device: &str) -> io::Result<u32> {
    let any = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    Ok(name_to_index(any.as_fd(), device)?)
}

/// The error number of an answer is the first word behind its header, negative.
fn judge(answer: &[u8]) -> io::Result<()> {
    let kind = answer.get(4..6).and_then(|it| it.try_into().ok()).map(u16::from_ne_bytes);
    let code = answer.get(HEADER_BYTES..HEADER_BYTES + 4);
    let code = code.and_then(|it| it.try_into().ok()).map(i32::from_ne_bytes);
    match (kind, code) {
        (Some(NLMSG_ERROR), Some(0)) => Ok(()),
        (Some(NLMSG_ERROR), Some(code)) => Err(io::Error::from_raw_os_error(code.wrapping_neg())),
        _ => Err(io::Error::other("the kernel's answer was not understood")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Request, attribute, judge, text};

    #[test]
    fn a_request_is_a_header_and_padded_attributes() {
        let request = Request::change(16, &[7; 16]).with(3, &text("lo"));
        assert_eq!(request.0.len(), 16 + 16 + 8);
        assert_eq!(attribute(3, b"lo\0"), [&[7, 0, 3, 0], b"lo\0\0".as_slice()].concat());
        assert_eq!(attribute(3, b"").len(), 4);
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
