//! The far end: a machine in the demo's network that plays the adversary's, and counts what reaches it.
//!
//! It waits for the shell that the deed wires to it, says to the shell what an intruder would say,
//! and listens to every frame on its wire. Nothing answers for it: what is counted is what got out.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    num::NonZeroU32,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SocketFlags, SocketType, recv, socket_with};

use super::{apart::Apart, probe::Kind, wait, wire};

/// Its number in the network.
pub(super) const NUMBER: u8 = 66;
/// The port that its shell calls.
const PORT: u16 = 4_444;
/// How long the shell may take to call (chosen: a hundred times what it takes).
const CALLS_WITHIN: Duration = Duration::from_secs(10);
/// A frame of the largest size that this wire carries.
const FRAME_BYTES_MAX: usize = 2_048;
/// `ETH_P_ALL` of `packet(7)`, in network order.
const EVERYTHING: u16 = 0x0003_u16.to_be();

/// See the module.
pub(super) struct Far {
    listener: TcpListener,
    seen: Arc<Mutex<Vec<Frame>>>,
}

/// An IP packet that reached it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Frame {
    /// Who sent it.
    pub(super) from: IpAddr,
    /// What it is; `None` for upkeep of the link.
    pub(super) kind: Option<Kind>,
}

impl Far {
    /// Begins to listen, in its network.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) fn listen(apart: &Apart) -> anyhow::Result<Self> {
        let [address, _] = wire::addresses(NUMBER);
        let (listener, wiretap) = apart.within(|| {
            let listener = TcpListener::bind((address, PORT)).context("listen at the far end")?;
            let every = NonZeroU32::new(EVERYTHING.into()).map(Protocol::from_raw);
            let (family, kind) = (AddressFamily::PACKET, SocketType::RAW);
            let wiretap = socket_with(family, kind, SocketFlags::CLOEXEC, every);
            Ok((listener, wiretap.context("listen to the far end's wire")?))
        })?;
        listener.set_nonblocking(true).context("listen at the far end")?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        thread::Builder::new().name("wiretap".to_owned()).spawn(move || tap(&wiretap, &kept))?;
        Ok(Self { listener, seen })
    }

    /// Where its shell calls.
    pub(super) fn address() -> SocketAddr {
        let [address, _] = wire::addresses(NUMBER);
        (address, PORT).into()
    }

    /// Waits for the shell.
    ///
    /// # Errors
    /// When it does not call.
    pub(super) fn answer(&self) -> anyhow::Result<Session> {
        wait::until("the shell calls the far end", CALLS_WITHIN, || {
            let Ok((stream, _)) = self.listener.accept() else { return Ok(None) };
            stream.set_nonblocking(false).context("answer the shell")?;
            Ok(Some(Session(stream)))
        })
    }

    /// What reached it from `host` so far, without the upkeep of the link.
    pub(super) fn heard_from(&self, host: u8) -> Vec<Kind> {
        let from = wire::addresses(host);
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().filter(|it| from.contains(&it.from)).filter_map(|it| it.kind).collect()
    }

    /// Forgets what it heard.
    pub(super) fn forget(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// The intruder's end of a shell.
pub(super) struct Session(TcpStream);

impl Session {
    /// Has the shell do something.
    ///
    /// # Errors
    /// When the connection is known to be dead.
    pub(super) fn say(&mut self, script: &str) -> anyhow::Result<()> {
        self.0.write_all(script.as_bytes()).context("talk to the shell")
    }

    /// What the shell says within a moment.
    pub(super) fn hear(&mut self, within: Duration) -> String {
        let mut said = [0; 4_096];
        let is_set = self.0.set_read_timeout(Some(within)).is_ok();
        let bytes = if is_set { self.0.read(&mut said).unwrap_or(0) } else { 0 };
        String::from_utf8_lossy(said.get(..bytes).unwrap_or_default()).into_owned()
    }
}

/// Keeps what it hears, for as long as the demo lives.
fn tap(wire: &OwnedFd, seen: &Mutex<Vec<Frame>>) {
    let mut frame = [0; FRAME_BYTES_MAX];
    while let Ok((_, bytes)) = recv(wire, &mut frame, RecvFlags::empty()) {
        if let Some(it) = read(frame.get(..bytes).unwrap_or_default()) {
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(it);
        }
    }
}

/// What a frame carries; nothing when it is no IP packet.
fn read(frame: &[u8]) -> Option<Frame> {
    let packet = frame.get(14..)?;
    match frame.get(12..14)? {
        [0x08, 0x00] => {
            let from: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
            let header = usize::from(packet.first()? & 0x0f) * 4;
            let kind = Kind::of(*packet.get(9)?, packet.get(header..)?, false);
            Some(Frame { from: IpAddr::from(from), kind })
        }
        [0x86, 0xdd] => {
            let from: [u8; 16] = packet.get(8..24)?.try_into().ok()?;
            let kind = Kind::of(*packet.get(6)?, packet.get(40..)?, true);
            Some(Frame { from: IpAddr::from(from), kind })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Frame, Kind, read};

    #[test]
    fn a_frame_is_told_by_sender_and_kind() {
        let mut udp = vec![0; 14 + 28];
        udp[12..14].copy_from_slice(&[0x08, 0x00]);
        udp[14] = 0x45;
        udp[14 + 9] = 17;
        udp[14 + 12..14 + 16].copy_from_slice(&[10, 83, 0, 2]);
        udp[14 + 22..14 + 24].copy_from_slice(&53_u16.to_be_bytes());
        let from = "10.83.0.2".parse().unwrap();
        assert_eq!(read(&udp), Some(Frame { from, kind: Some(Kind::Dns) }));
        for cut in 0..udp.len() - 4 {
            assert!(read(&udp[..cut]).is_none_or(|it| it.from == from), "cut at {cut}");
        }
        let mut arp = vec![0; 42];
        arp[12..14].copy_from_slice(&[0x08, 0x06]);
        assert_eq!(read(&arp), None);
    }
}
