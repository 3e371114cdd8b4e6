//! Devices and addresses of the demo's networks.
//!
//! ```text
//! centre: bridge 10.83.0.1 fd83::1 ─┬─ port2 ~~ eth0 10.83.0.2 fd83::2 :web-1
//!                                   └─ …
//! ```

use std::{
    fs::File,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::AsRawFd as _,
};

use super::netlink::{NEW_ADDRESS, NEW_LINK, Request, attribute, index, text};

/// The network 10.83.0.0/24 and `fd83::/64` (chosen: private by RFC 1918 and RFC 4193).
const NETWORK_V4: [u8; 3] = [10, 83, 0];
const NETWORK_V6: u16 = 0xfd83;
const PREFIX_BITS_V4: u8 = 24;
const PREFIX_BITS_V6: u8 = 64;

/// The device that all ports of the centre hang on.
pub(super) const BRIDGE: &str = "bridge";
/// A host's end of its wire.
pub(super) const HOST_END: &str = "eth0";

/// `IFF_UP` of `netdevice(7)`.
const IFF_UP: u32 = 1;
/// `IFLA_IFNAME`, `IFLA_MASTER`, `IFLA_LINKINFO`, `IFLA_NET_NS_FD`.
const NAME: u16 = 3;
const MASTER: u16 = 10;
const LINK_INFO: u16 = 18;
const NETWORK_FILE: u16 = 28;
/// `IFLA_INFO_KIND`, `IFLA_INFO_DATA`, `VETH_INFO_PEER`.
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
const PEER: u16 = 1;
/// `IFA_ADDRESS`, `IFA_LOCAL`, `IFA_FLAGS`; `IFA_F_NODAD`: nobody else can have it.
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
const ADDRESS_FLAGS: u16 = 8;
const NO_DETECTION: u32 = 2;
/// `AF_INET`, `AF_INET6`.
const INET: u8 = 2;
const INET6: u8 = 10;

/// Both addresses of a number in the network.
pub(super) fn addresses(number: u8) -> [IpAddr; 2] {
    let [a, b, c] = NETWORK_V4;
    let v4 = Ipv4Addr::new(a, b, c, number);
    let v6 = Ipv6Addr::new(NETWORK_V6, 0, 0, 0, 0, 0, 0, u16::from(number));
    [v4.into(), v6.into()]
}

/// Sets a device up.
///
/// # Errors
/// The kernel's.
pub(super) fn up(device: &str) -> io::Result<()> {
    Request::change(NEW_LINK, &link(index(device)?, IFF_UP)).send()
}

/// A bridge that is up.
///
/// # Errors
/// The kernel's: mostly that it has none.
pub(super) fn bridge() -> io::Result<()> {
    let kind = attribute(INFO_KIND, b"bridge");
    Request::create(NEW_LINK, &link(0, 0))
        .with(NAME, &text(BRIDGE))
        .with(LINK_INFO, &kind)
        .send()?;
    up(BRIDGE)
}

/// A wire from a port of the bridge into another network, where its end is [`HOST_END`].
///
/// # Errors
/// The kernel's.
pub(super) fn to(port: &str, network: &File) -> io::Result<()> {
    let file = u32::try_from(network.as_raw_fd()).map_err(io::Error::other)?;
    let mut peer = link(0, 0).to_vec();
    peer.extend(attribute(NAME, &text(HOST_END)));
    peer.extend(attribute(NETWORK_FILE, &file.to_ne_bytes()));
    let mut info = attribute(INFO_KIND, b"veth");
    info.extend(attribute(INFO_DATA, &attribute(PEER, &peer)));
    let bridge = index(BRIDGE)?;
    Request::create(NEW_LINK, &link(0, 0)).with(NAME, &text(port)).with(LINK_INFO, &info).send()?;
    Request::change(NEW_LINK, &link(index(port)?, IFF_UP))
        .with(MASTER, &bridge.to_ne_bytes())
        .send()
}

/// Gives a device both addresses of a number.
///
/// # Errors
/// The kernel's; a kernel without IPv6 gives the first alone.
pub(super) fn assign(device: &str, number: u8) -> io::Result<()> {
    let index = index(device)?;
    for address in addresses(number) {
        let (family, bits, bytes) = match address {
            IpAddr::V4(it) => (INET, PREFIX_BITS_V4, it.octets().to_vec()),
            IpAddr::V6(it) => (INET6, PREFIX_BITS_V6, it.octets().to_vec()),
        };
        let mut fixed = vec![family, bits, 0, 0];
        fixed.extend(index.to_ne_bytes());
        Request::create(NEW_ADDRESS, &fixed)
            .with(LOCAL, &bytes)
            .with(ADDRESS, &bytes)
            .with(ADDRESS_FLAGS, &NO_DETECTION.to_ne_bytes())
            .send()?;
    }
    Ok(())
}

/// `struct ifinfomsg`: a device, with these flags set.
fn link(index: u32, flags: u32) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[4..8].copy_from_slice(&index.to_ne_bytes());
    bytes[8..12].copy_from_slice(&flags.to_ne_bytes());
    bytes[12..16].copy_from_slice(&flags.to_ne_bytes());
    bytes
}
