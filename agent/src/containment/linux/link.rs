//! [`Link`] on Linux: netfilter for what may pass, `sock_diag` for what was open, and sockets of its
//! own to try what it says.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket},
    os::unix::fs::MetadataExt,
    path::Path,
    time::Duration,
};

use rustix::net::{
    AddressFamily, SendFlags, SocketFlags, SocketType, ipproto, sendto, socket_with,
};

use super::{netfilter, sockets};
use crate::containment::{
    firewall::{Cgroup, Ruleset},
    host::HostError,
    link::{Link, LinkFacts},
};
use crate::sensor::scope::v2_root;

/// How long a connection that must not come is waited for: one round trip on any network that a host
/// would answer from.
const NO_ANSWER_WITHIN: Duration = Duration::from_millis(300);

/// Addresses that belong to nobody (RFC 5737, RFC 3849): what is sent there leaves by the default route.
const NOBODY: [&str; 2] = ["192.0.2.1", "2001:db8::1"];

/// A port that discards what it gets, and the port of name servers.
const DISCARD: u16 = 9;
const DNS: u16 = 53;

/// Name servers of `/etc/resolv.conf` that are tried (resolver(3) uses three).
const SERVERS_MAX: usize = 3;

/// File systems that come over the network (the kernel's `fs` names).
const REMOTE: [&str; 6] = ["nfs", "nfs4", "cifs", "ceph", "9p", "afs"];

/// The network of the host that this program runs on.
#[derive(Clone, Debug, Default)]
pub struct Linux {
    /// `host:port` of each address of the collector: sessions and enrolment.
    pub collector: Vec<String>,
    /// `host:port` of the proxy on the way to it.
    pub proxy: Option<String>,
    /// The cgroup that the agent is scoped to, from the root of the hierarchy.
    pub scope: Option<String>,
}

impl Link for Linux {
    fn facts(&self, known: &[SocketAddr]) -> Result<LinkFacts, HostError> {
        let names = if self.proxy.is_some() { self.proxy.as_slice() } else { &self.collector };
        let far_ends = match resolve(names) {
            Err(error) if known.is_empty() => {
                return Err(failed("resolve the collector's addresses")(error));
            }
            // Behind a closed network no name resolves.
            Err(_) => known.to_vec(),
            Ok(found) => found,
        };
        let mounts = fs::read_to_string("/proc/self/mounts").map_err(failed("read the mounts"))?;
        Ok(LinkFacts {
            far_ends,
            is_proxied: self.proxy.is_some(),
            cgroup: cgroup(Path::new("/proc"))?,
            is_shared: self.scope.is_some() && is_first_namespace(Path::new("/proc"))?,
            dhcp: leases(Path::new("/run/systemd/netif/leases")),
            is_root_remote: is_root_remote(&mounts),
        })
    }

    fn close(&self, ruleset: &Ruleset) -> Result<(), HostError> {
        netfilter::apply(ruleset).map_err(failed("close the network"))
    }

    fn open(&self) -> Result<bool, HostError> {
        netfilter::remove().map_err(failed("open the network"))
    }

    fn is_closed(&self) -> Result<bool, HostError> {
        netfilter::is_applied().map_err(failed("ask after the packet filter"))
    }

    fn cut(&self, ruleset: &Ruleset) -> Result<(usize, usize), HostError> {
        let cut = sockets::cut(|it| ruleset.keeps(it)).map_err(failed("end open connections"))?;
        Ok((cut.ended, cut.left))
    }

    fn reaches(&self, far_ends: &[SocketAddr], timeout: Duration) -> bool {
        let each = timeout / u32::try_from(far_ends.len().max(1)).unwrap_or(u32::MAX);
        far_ends.iter().any(|it| TcpStream::connect_timeout(it, each).is_ok())
    }

    fn leaks(&self, ruleset: &Ruleset) -> Result<Vec<String>, HostError> {
        let servers = servers(&fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
        let nobody = NOBODY.iter().filter_map(|it| it.parse::<IpAddr>().ok());
        let mut leaks = Vec::new();
        for to in nobody.chain(servers.iter().copied()) {
            if ruleset.keeps(SocketAddr::new(to, DNS)) {
                continue;
            }
            let kind = if servers.contains(&to) { "DNS" } else { "UDP" };
            let port = if servers.contains(&to) { DNS } else { DISCARD };
            if sends_udp(SocketAddr::new(to, port)) {
                leaks.push(format!("{kind} to {to}"));
            }
            if sends_icmp(to) {
                leaks.push(format!("ICMP to {to}"));
            }
            if answers_tcp(SocketAddr::new(to, DNS)) {
                leaks.push(format!("TCP to {to}"));
            }
        }
        let live = sockets::connections().map_err(failed("list open connections"))?;
        let live: BTreeSet<_> = live.iter().map(|it| it.remote).collect();
        let others = elsewhere(Path::new("/proc"), self.scope.as_deref());
        let others = others.map_err(failed("look for other network namespaces"))?;
        leaks.extend(others.iter().map(|pid| {
            format!("a device of its own of the network namespace that process {pid} is in")
        }));
        let left = live.into_iter().filter(|it| !ruleset.keeps(*it));
        leaks.extend(left.map(|it| format!("an open connection with {it}")));
        Ok(leaks)
    }
}

fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> HostError {
    move |source| HostError { doing, source }
}

/// Every address of every name; an error when there is none, or when a name does not resolve.
fn resolve(names: &[String]) -> io::Result<Vec<SocketAddr>> {
    let mut found = BTreeSet::new();
    for name in names {
        found.extend(name.to_socket_addrs()?);
    }
    if found.is_empty() { Err(ErrorKind::NotFound.into()) } else { Ok(found.into_iter().collect()) }
}

/// Processes that this agent is to know of and that are in another network namespace than it: one of
/// each. What they send through this host is dropped; what they send over a device of their own is not.
fn elsewhere(proc: &Path, scope: Option<&str>) -> io::Result<Vec<u32>> {
    let namespace = |pid: &str| fs::read_link(proc.join(pid).join("ns/net"));
    let mut seen = BTreeSet::from([namespace("self")?]);
    let mut found = Vec::new();
    for entry in fs::read_dir(proc)? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|it| it.parse::<u32>().ok()) else { continue };
        let lines = fs::read_to_string(proc.join(&name).join("cgroup")).unwrap_or_default();
        let cgroup = lines.lines().find_map(|it| it.strip_prefix("0::"));
        let is_ours = scope.is_none_or(|scope| {
            let below = cgroup.and_then(|it| it.strip_prefix(scope));
            below.is_some_and(|it| it.is_empty() || it.starts_with('/'))
        });
        // One that has ended meanwhile is nowhere.
        if is_ours && namespace(&pid.to_string()).is_ok_and(|it| seen.insert(it)) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// The agent's own cgroup of version 2, unless it is the root's.
fn cgroup(proc: &Path) -> Result<Option<Cgroup>, HostError> {
    let doing = "find the agent's own cgroup";
    let lines = fs::read_to_string(proc.join("self/cgroup")).map_err(failed(doing))?;
    let Some(path) = lines.lines().find_map(|it| it.strip_prefix("0::/")) else { return Ok(None) };
    let level = path.split('/').filter(|it| !it.is_empty()).count();
    let Some(level) = u8::try_from(level).ok().filter(|it| *it > 0) else { return Ok(None) };
    let root = v2_root(proc).map_err(failed(doing))?;
    let id = fs::metadata(root.join(path)).map_err(failed(doing))?.ino();
    Ok(Some(Cgroup { id, level }))
}

/// Whether the agent's network namespace is that of the first process or of the kernel's threads,
/// whose first is process 2. Where neither can be seen it is taken for theirs.
fn is_first_namespace(proc: &Path) -> Result<bool, HostError> {
    let of = |pid: &str| fs::read_link(proc.join(pid).join("ns/net"));
    let own = of("self").map_err(failed("find the agent's own network namespace"))?;
    let mut seen = ["1", "2"].into_iter().filter_map(|it| of(it).ok()).peekable();
    Ok(seen.peek().is_none() || seen.any(|it| it == own))
}

/// `SERVER_ADDRESS` of the leases that systemd-networkd holds. A client of another kind asks over a
/// packet socket, which the packet filter does not see.
fn leases(folder: &Path) -> Vec<IpAddr> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let texts = entries.flatten().filter_map(|it| fs::read_to_string(it.path()).ok());
    let mut servers: Vec<IpAddr> = texts
        .filter_map(|it| it.lines().find_map(|it| it.strip_prefix("SERVER_ADDRESS=")?.parse().ok()))
        .collect();
    servers.sort_unstable();
    servers.dedup();
    servers
}

/// The last mount on `/` is the one that is seen.
fn is_root_remote(mounts: &str) -> bool {
    let fields = mounts.lines().map(|it| it.split(' ').collect::<Vec<_>>());
    let mut roots = fields.filter(|it| it.get(1) == Some(&"/"));
    let root = roots.next_back().and_then(|it| it.get(2).copied());
    root.is_some_and(|it| REMOTE.contains(&it))
}

/// `nameserver` lines of resolv.conf(5); one on the host itself is stopped where it asks on.
fn servers(text: &str) -> Vec<IpAddr> {
    let named =
        text.lines().filter_map(|it| it.trim().strip_prefix("nameserver")?.trim().parse().ok());
    named.filter(|it: &IpAddr| !it.is_loopback()).take(SERVERS_MAX).collect()
}

/// Whether the kernel lets a datagram go: what the filter drops on its way out is refused at once.
fn sends_udp(to: SocketAddr) -> bool {
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    UdpSocket::bind(any).is_ok_and(|it| it.send_to(&[0], to).is_ok())
}

pub(super) fn sends_icmp(to: IpAddr) -> bool {
    // An echo request: type, code, checksum, id, sequence; the kernel fills in the sum of version 6.
    let (family, protocol, word) = match to {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP, [8, 0, 0xf7, 0xfd, 0, 1, 0, 1]),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6, [128, 0, 0, 0, 0, 1, 0, 1]),
    };
    let socket = socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, Some(protocol));
    socket.is_ok_and(|it| sendto(&it, &word, SendFlags::empty(), &SocketAddr::new(to, 0)).is_ok())
}

/// A refusal is an answer, too.
fn answers_tcp(to: SocketAddr) -> bool {
    match TcpStream::connect_timeout(&to, NO_ANSWER_WITHIN) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::ConnectionRefused,
    }
}

#[cfg(test)]
mod tests;
