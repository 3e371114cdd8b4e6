//! TCP sockets as `/proc/net/tcp` and `tcp6` list them, and who holds them.

use std::{
    collections::HashMap,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
};

use super::{process::pids, read_capped};

/// The lists of a host with a hundred thousand sockets; what lies beyond is not seen.
const LIST_BYTES_MAX: usize = 32 << 20;

/// States of `include/net/tcp_states.h` that matter here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum State {
    /// Open both ways.
    Established,
    /// Waiting for peers.
    Listen,
    /// On its way in or out.
    Other,
}

/// One line of the list.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Socket {
    /// This side.
    pub local: SocketAddr,
    /// The other side.
    pub remote: SocketAddr,
    /// State.
    pub state: State,
    /// Names it under `/proc/PID/fd`; 0 when nobody holds it any more.
    pub inode: u64,
}

/// All TCP sockets of the reader's network namespace.
#[must_use]
pub fn tcp(root: &Path) -> Vec<Socket> {
    let mut sockets = Vec::new();
    for name in ["net/tcp", "net/tcp6"] {
        let bytes = read_capped(&root.join(name), LIST_BYTES_MAX).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        sockets.extend(text.lines().skip(1).filter_map(parse));
    }
    sockets
}

/// `sl local rem st tx:rx tr:tm retr uid timeout inode …`, addresses in hexadecimal host order.
#[must_use]
pub fn parse(line: &str) -> Option<Socket> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let local = address(fields.next()?)?;
    let remote = address(fields.next()?)?;
    let state = match fields.next()? {
        "01" => State::Established,
        "0A" => State::Listen,
        _ => State::Other,
    };
    let inode = fields.nth(5)?.parse().ok()?;
    Some(Socket { local, remote, state, inode })
}

fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut words = [0_u8; 16];
    let bytes = words.get_mut(..address.len() / 2)?;
    hex_to(address, bytes)?;
    // The kernel prints each 32-bit word as its host reads it.
    for word in bytes.chunks_exact_mut(4) {
        if cfg!(target_endian = "little") {
            word.reverse();
        }
    }
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::new(words[0], words[1], words[2], words[3])),
        32 => IpAddr::V6(Ipv6Addr::from(words)).to_canonical(),
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

fn hex_to(text: &str, bytes: &mut [u8]) -> Option<()> {
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(())
}

/// Who holds which socket, by inode: as far as we may look.
#[must_use]
pub fn owners(root: &Path) -> HashMap<u64, u32> {
    let mut owners = HashMap::new();
    for pid in pids(root) {
        let Ok(entries) = fs::read_dir(root.join(pid.to_string()).join("fd")) else { continue };
        for entry in entries.flatten() {
            let Ok(target) = fs::read_link(entry.path()) else { continue };
            let inode = target.to_str().and_then(|it| it.strip_prefix("socket:["));
            if let Some(inode) = inode.and_then(|it| it.strip_suffix(']')?.parse().ok()) {
                owners.insert(inode, pid);
            }
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, path::Path};

    use expect_test::{Expect, expect};

    use super::{State, owners, parse, tcp};

    #[track_caller]
    fn check(line: &str, expect: &Expect) {
        let shown =
            parse(line).map(|it| format!("{} {} {:?} {}", it.local, it.remote, it.state, it.inode));
        expect.assert_eq(&shown.unwrap_or_else(|| "nothing".to_owned()));
    }

    #[test]
    fn an_ipv4_line_is_read() {
        check(
            "   0: 0100007F:1F90 0200000A:A000 01 00000000:00000000 00:00000000 00000000  1000        0 55555 1",
            &expect!["127.0.0.1:8080 10.0.0.2:40960 Established 55555"],
        );
    }

    #[test]
    fn ipv4_inside_ipv6_is_shown_as_ipv4() {
        check(
            "   0: 0000000000000000FFFF00000100007F:0016 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 7 1",
            &expect!["127.0.0.1:22 [::]:0 Listen 7"],
        );
    }

    #[test]
    fn a_line_of_anything_else_is_nothing() {
        check("0: zz:1 x:2 01", &expect!["nothing"]);
        check("", &expect!["nothing"]);
        check("0: 0100007F01:1F90 0200000A:A000 01 0:0 0:0 0 0 0 1", &expect!["nothing"]);
    }

    #[test]
    fn our_own_listener_is_in_the_list_and_ours() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let local = listener.local_addr().expect("is bound");
        let sockets = tcp(Path::new("/proc"));
        let ours = sockets.iter().find(|it| it.local == local).expect("it listens");
        assert_eq!(ours.state, State::Listen);
        assert_eq!(owners(Path::new("/proc")).get(&ours.inode), Some(&std::process::id()));
    }
}
