//! Live TCP connections: which there are, and their end, over netlink (`sock_diag(7)`).
//!
//! `SOCK_DESTROY` ends a connection as if the far end had sent a reset, whoever holds it; it needs
//! `CAP_NET_ADMIN` and `CONFIG_INET_DIAG_DESTROY`. A packet filter alone leaves a connection that was
//! open standing in silence, and open again once the filter is gone.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::OwnedFd,
};

use rustix::{
    io::Errno,
    net::{
        RecvFlags, SendFlags,
        netlink::{SOCK_DIAG, SocketAddrNetlink},
        recv, sendto,
    },
};

use super::netlink::{ACK, ANSWER_BYTES, ERROR, HEADER_BYTES, REQUEST, messages, open};

/// `SOCK_DIAG_BY_FAMILY`, `SOCK_DESTROY`.
const BY_FAMILY: u16 = 20;
const DESTROY: u16 = 21;

/// `NLM_F_DUMP`.
const DUMP: u16 = 0x300;

/// `NLMSG_DONE`.
const DONE: u16 = 3;

/// `struct inet_diag_req_v2`, `struct inet_diag_sockid`.
const REQUEST_BYTES: usize = 56;
const ID_BYTES: usize = 48;

const TCP: u8 = 6;
const INET: u8 = 2;
const INET6: u8 = 10;

/// `include/net/tcp_states.h`: all but `TIME_WAIT`, `CLOSE`, `LISTEN` and `NEW_SYN_RECV`, which carry
/// nothing.
const CARRYING: u32 = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11;

/// Connections that are looked at (chosen: a large proxy's; each takes 100 bytes here).
const SOCKETS_MAX: usize = 262_144;

/// A connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connection {
    family: u8,
    /// As the kernel names it.
    id: [u8; ID_BYTES],
    /// The far end.
    pub remote: SocketAddr,
}

/// What became of the connections that were to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cut {
    /// They ended.
    pub ended: usize,
    /// The kernel would not end them.
    pub left: usize,
}

/// The live TCP connections of this network namespace.
///
/// # Errors
/// What the kernel says.
pub fn connections() -> io::Result<Vec<Connection>> {
    let socket = open(SOCK_DIAG)?;
    let (mut buffer, mut found) = (vec![0; ANSWER_BYTES], Vec::new());
    for family in [INET, INET6] {
        let dump = request(BY_FAMILY, REQUEST | DUMP, family, CARRYING, &[0; ID_BYTES]);
        sendto(&socket, &dump, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        read(&socket, &mut buffer, &mut found)?;
    }
    Ok(found)
}

/// Ends every connection that `is_kept` does not keep. One that has ended by itself is ended.
///
/// # Errors
/// What the kernel says when it cannot be asked.
pub fn cut(is_kept: impl Fn(SocketAddr) -> bool) -> io::Result<Cut> {
    let mut done = Cut::default();
    let (socket, mut buffer) = (open(SOCK_DIAG)?, vec![0; ANSWER_BYTES]);
    for it in connections()?.iter().filter(|it| !is_kept(it.remote)) {
        let end = request(DESTROY, REQUEST | ACK, it.family, CARRYING, &it.id);
        sendto(&socket, &end, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        match read(&socket, &mut buffer, &mut Vec::new()) {
            Ok(()) => done.ended += 1,
            Err(error) if error.kind() == io::ErrorKind::NotFound => done.ended += 1,
            Err(_) => done.left += 1,
        }
    }
    Ok(done)
}

fn request(kind: u16, flags: u16, family: u8, states: u32, id: &[u8; ID_BYTES]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + REQUEST_BYTES);
    bytes.extend(u32::try_from(HEADER_BYTES + REQUEST_BYTES).unwrap_or(0).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    // Sequence and port; then family, protocol, no extensions, padding.
    bytes.extend([0; 8]);
    bytes.extend([family, TCP, 0, 0]);
    bytes.extend(states.to_ne_bytes());
    bytes.extend(id);
    bytes
}

/// Reads one answer to its end.
fn read(socket: &OwnedFd, buffer: &mut [u8], found: &mut Vec<Connection>) -> io::Result<()> {
    loop {
        let bytes = match recv(socket, &mut *buffer, RecvFlags::empty()) {
            Ok((_, bytes)) => bytes,
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        for it in messages(buffer.get(..bytes).unwrap_or_default()) {
            match it.kind {
                DONE => return Ok(()),
                ERROR => match it.code() {
                    Some(0) => return Ok(()),
                    Some(code) => return Err(io::Error::from_raw_os_error(code.wrapping_neg())),
                    None => return Err(io::ErrorKind::InvalidData.into()),
                },
                BY_FAMILY if found.len() < SOCKETS_MAX => found.extend(connection(it.body)),
                _ => (),
            }
        }
    }
}

/// `struct inet_diag_msg`, as far as its id.
fn connection(body: &[u8]) -> Option<Connection> {
    let family = *body.first()?;
    let id: [u8; ID_BYTES] = body.get(4..4 + ID_BYTES)?.try_into().ok()?;
    let port = u16::from_be_bytes([id[2], id[3]]);
    let far: [u8; 16] = id.get(20..36)?.try_into().ok()?;
    let address = match family {
        INET => IpAddr::V4(Ipv4Addr::new(far[0], far[1], far[2], far[3])),
        INET6 => IpAddr::V6(Ipv6Addr::from(far)).to_canonical(),
        _ => return None,
    };
    Some(Connection { family, id, remote: SocketAddr::new(address, port) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_read_from_what_the_kernel_sends() {
        let mut body = vec![0; 72];
        body[0] = INET;
        body[6..8].copy_from_slice(&443_u16.to_be_bytes());
        body[24..28].copy_from_slice(&[192, 0, 2, 7]);
        let found = connection(&body).expect("it is whole");
        assert_eq!(found.remote, "192.0.2.7:443".parse().expect("an address"));
        body[0] = INET6;
        body[24..40].copy_from_slice(&Ipv4Addr::new(192, 0, 2, 7).to_ipv6_mapped().octets());
        let found = connection(&body).expect("it is whole");
        assert_eq!(found.remote, "192.0.2.7:443".parse().expect("an address"));
        assert_eq!(connection(&body[..40]), None);
        body[0] = 1;
        assert_eq!(connection(&body), None);
    }

    #[test]
    fn messages_end_with_what_is_cut_short() {
        let one = request(BY_FAMILY, REQUEST, INET, CARRYING, &[0; ID_BYTES]);
        let all: Vec<_> = messages(&one).collect();
        let [it] = all.as_slice() else { panic!("it is one, and whole: {all:?}") };
        assert_eq!((it.kind, it.body.len()), (BY_FAMILY, REQUEST_BYTES));
        assert_eq!(messages(&one[..one.len() - 1]).count(), 0);
        assert_eq!(messages(&[3, 0, 0, 0, 0, 0, 0, 0]).count(), 0);
    }
}
