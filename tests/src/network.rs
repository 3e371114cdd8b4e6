//! Networks of the tests' own: hosts and a collector in network namespaces, with wires between them
//! that can be pulled.
//!
//! ```text
//! centre: bridge 10.83.0.1 ── port2 ~~ veth ~~ eth0 10.83.0.2 :host
//!                          └─ port3 ~~ veth ~~ eth0 10.83.0.3 :host
//! ```
//!
//! A namespace is held by a process that waits for the end of its input, which is ours: when a test
//! ends, `kill -9` included, the holder ends, and the kernel takes namespace and wires back. Nothing of
//! the machine's own network is touched; no way leads out of a [`Network`].

use std::{
    ffi::OsStr,
    fs,
    io::Read as _,
    net::Ipv4Addr,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    time::Duration,
};

use anyhow::Context;
use rustix::{
    process::geteuid,
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use crate::{
    child::{Launch, note},
    wait,
};

const SOON: Duration = Duration::from_secs(10);

/// The network 10.83.0.0/24 (chosen: private by RFC 1918, and seen by nobody else).
const NETWORK: [u8; 3] = [10, 83, 0];
/// The centre's number in it; hosts have those above.
const CENTRE: u8 = 1;

/// A network namespace, while this value lives.
#[derive(Debug)]
pub struct Namespace {
    holder: process::Child,
    path: PathBuf,
}

impl Namespace {
    /// Why there can be none here, if so.
    #[must_use]
    pub fn unavailable() -> Option<&'static str> {
        if !geteuid().is_root() {
            return Some("not root");
        }
        let has_ip = ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"];
        let is_there = has_ip.iter().any(|it| fs::metadata(it).is_ok());
        (!is_there).then_some("no `ip`, of the package iproute2")
    }

    /// A new one, its loopback device up.
    ///
    /// # Errors
    /// When the kernel or `ip` refuses.
    #[expect(clippy::disallowed_methods, reason = "the holder is no program under test")]
    pub fn new() -> anyhow::Result<Self> {
        let holder = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut holder = holder.context("hold a network namespace")?;
        let path = PathBuf::from(format!("/proc/{}/ns/net", holder.id()));
        // A line is said from the inside: the namespace is there.
        let said = holder.stdout.take().context("listen to a holder")?.read(&mut [0]);
        let it = Self { holder, path };
        anyhow::ensure!(said.context("listen to a holder")? == 1, "no namespace can be made");
        it.ip(["link", "set", "lo", "up"])?;
        Ok(it)
    }

    /// Its file, for `setns` and `nsenter`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its holder's process id, by which `ip` knows it.
    fn pid(&self) -> String {
        self.holder.id().to_string()
    }

    /// Moves the calling thread into it.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn enter(path: &Path) -> anyhow::Result<()> {
        let file = fs::File::open(path).context("open a network namespace")?;
        let entered = move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network));
        entered.context("enter a network namespace")
    }

    /// Runs `ip` in it.
    fn ip<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> anyhow::Result<()> {
        let ip = Launch::new("ip", "ip").args(arguments).in_network(self);
        ip.run(SOON)?.expect_success().map(drop)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let what = "the holder of a network namespace ends";
        if let Err(error) =
            wait::until_so(what, SOON, || matches!(self.holder.try_wait(), Ok(Some(_))))
        {
            note(&format!("{error:#}"));
            drop(self.holder.kill());
            drop(self.holder.wait());
        }
    }
}

/// A centre, and as many hosts as a test asks for.
#[derive(Debug)]
pub struct Network {
    centre: Namespace,
}

impl Network {
    /// The centre, without hosts yet.
    ///
    /// # Errors
    /// When the kernel or `ip` refuses.
    pub fn new() -> anyhow::Result<Self> {
        let centre = Namespace::new()?;
        centre.ip(["link", "add", "bridge", "type", "bridge"])?;
        centre.ip(["address", "add", &format!("{}/24", address(CENTRE)), "dev", "bridge"])?;
        centre.ip(["link", "set", "bridge", "up"])?;
        Ok(Self { centre })
    }

    /// The namespace in the middle.
    #[must_use]
    pub fn centre(&self) -> &Namespace {
        &self.centre
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        address(CENTRE)
    }

    /// A host, wired to the centre; `number` is 2 to 254 and nobody else's.
    ///
    /// # Errors
    /// When the kernel or `ip` refuses.
    pub fn host(&self, number: u8) -> anyhow::Result<Host> {
        let namespace = Namespace::new()?;
        let port = format!("port{number}");
        let (pid, own) = (namespace.pid(), format!("{}/24", address(number)));
        let wire = ["link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &pid];
        self.centre.ip(wire)?;
        self.centre.ip(["link", "set", &port, "master", "bridge", "up"])?;
        namespace.ip(["address", "add", &own, "dev", "eth0"])?;
        namespace.ip(["link", "set", "eth0", "up"])?;
        Ok(Host { namespace, port })
    }

    /// Pulls a host's wire: both sides' packets go nowhere, and neither hears of it.
    ///
    /// # Errors
    /// When `ip` refuses.
    pub fn unplug(&self, host: &Host) -> anyhow::Result<()> {
        self.centre.ip(["link", "set", &host.port, "down"])
    }

    /// Puts it back.
    ///
    /// # Errors
    /// When `ip` refuses.
    pub fn plug(&self, host: &Host) -> anyhow::Result<()> {
        self.centre.ip(["link", "set", &host.port, "up"])
    }
}

fn address(number: u8) -> Ipv4Addr {
    let [a, b, c] = NETWORK;
    Ipv4Addr::new(a, b, c, number)
}

/// A host of a [`Network`].
#[derive(Debug)]
pub struct Host {
    namespace: Namespace,
    /// The centre's end of its wire.
    port: String,
}

impl Host {
    /// Its namespace.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }
}

#[cfg(test)]
mod tests {
    mod privileged {
        use std::time::Duration;

        use crate::{
            child::{Launch, degraded},
            network::{Namespace, Network},
            wait,
        };

        const SOON: Duration = Duration::from_secs(20);

        /// Whether a host hears the centre within a second.
        fn hears(network: &Network, host: &crate::network::Host) -> bool {
            // A connection that is refused was heard of; one into the void is not.
            let script = format!("echo > /dev/tcp/{}/9", network.address());
            let ask = Launch::new("ask", "timeout").args(["1", "bash", "-c", &script]);
            let asked = ask.in_network(host.namespace()).run(SOON).unwrap();
            asked.stderr.contains("refused")
        }

        #[test]
        fn a_wire_can_be_pulled_and_put_back_and_goes_with_its_namespaces() {
            if let Some(why) = Namespace::unavailable() {
                return degraded("a network of the test's own", why);
            }
            let network = Network::new().unwrap();
            let (one, two) = (network.host(2).unwrap(), network.host(3).unwrap());
            assert!(hears(&network, &one) && hears(&network, &two));
            network.unplug(&one).unwrap();
            assert!(!hears(&network, &one) && hears(&network, &two));
            network.plug(&one).unwrap();
            // What was sent into the void is asked for again only after a while.
            wait::until_so("the wire carries again", SOON, || hears(&network, &one)).unwrap();
            let own = Launch::new("ip", "ip").args(["-brief", "link"]).run(SOON).unwrap();
            assert!(!own.stdout.contains("port2"), "{}", own.stdout);
        }
    }
}
