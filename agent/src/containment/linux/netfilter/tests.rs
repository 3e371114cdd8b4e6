//! The ruleset in a real kernel, between two network namespaces of the test's own. It needs root and
//! `ip`; without, it says so in one line and passes.

#![expect(clippy::disallowed_methods, reason = "tests start programs and threads")]

use std::{
    fs,
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::Command,
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::Duration,
};

use nix::sched::{CloneFlags, unshare};

use super::{
    super::{link::sends_icmp, sockets},
    *,
};
use crate::containment::firewall::Opening;

/// How long a packet may take between two namespaces of one machine.
const SOON: Duration = Duration::from_secs(10);

/// How long it is waited for what must not come. It is not what the test rests on: the far end counts.
const A_MOMENT: Duration = Duration::from_millis(200);

const FAR_4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 99, 0, 2));
const FAR_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 2));
const COLLECTOR: u16 = 7443;
const OTHER: u16 = 8080;

pub(in crate::containment::linux) fn run(program: &str, arguments: &str) {
    let done = Command::new(program).args(arguments.split(' ')).output().expect("it starts");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{program} {arguments}: {said}");
}

/// Why the test cannot be here.
pub(in crate::containment::linux) fn unavailable() -> Option<&'static str> {
    if !rustix::process::geteuid().is_root() {
        return Some("root");
    }
    let found = Command::new("ip").arg("-V").output();
    if found.is_err() { Some("`ip` of iproute2") } else { None }
}

/// The other end of the cable: a thread in a namespace of its own.
struct Far {
    /// Its thread's id.
    tid: i32,
    ask: Sender<()>,
    counted: Receiver<u64>,
}

/// IP packets that came in, but for those of neighbour discovery and of multicast's upkeep.
fn received() -> u64 {
    let table = |path: &str| fs::read_to_string(path).expect("the kernel counts");
    let four = table("/proc/thread-self/net/snmp");
    let mut lines = four.lines().filter(|it| it.starts_with("Ip:"));
    let (names, counts) = (lines.next().expect("names"), lines.next().expect("counts"));
    let at = names.split(' ').position(|it| it == "InReceives").expect("it is counted");
    let four: u64 = counts.split(' ').nth(at).and_then(|it| it.parse().ok()).expect("a number");
    let six = table("/proc/thread-self/net/snmp6");
    let count = |name: &str| -> u64 {
        let line = six.lines().find(|it| it.split_whitespace().next() == Some(name));
        let number = line.and_then(|it| it.split_whitespace().nth(1)).expect("it is counted");
        number.parse().expect("a number")
    };
    let upkeep = [
        "Icmp6InNeighborSolicits",
        "Icmp6InNeighborAdvertisements",
        "Icmp6InRouterSolicits",
        "Icmp6InMLDv2Reports",
    ];
    four + count("Ip6InReceives") - upkeep.into_iter().map(count).sum::<u64>()
}

impl Far {
    /// Echoes TCP on two ports and UDP on one, over both families, once `plug` was called.
    fn start() -> Self {
        let (ask, asked) = mpsc::channel::<()>();
        let (count, counted) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).expect("root may");
            tell.send(rustix::thread::gettid().as_raw_nonzero().get()).expect("it is waited for");
            asked.recv().expect("the cable is plugged");
            run("ip", "link set lo up");
            run("ip", "addr add 10.99.0.2/24 dev far0");
            run("ip", "addr add fd99::2/64 dev far0 nodad");
            run("ip", "link set far0 up");
            for port in [COLLECTOR, OTHER] {
                let listener =
                    TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).expect("it is free");
                thread::spawn(move || listener.incoming().flatten().for_each(echo));
            }
            let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, OTHER)).expect("it is free");
            thread::spawn(move || {
                let mut word = [0; 16];
                while let Ok((bytes, from)) = socket.recv_from(&mut word) {
                    drop(socket.send_to(&word[..bytes], from));
                }
            });
            count.send(received()).expect("it is waited for");
            while asked.recv().is_ok() {
                count.send(received()).expect("it is waited for");
            }
        });
        let tid = told.recv_timeout(SOON).expect("it starts");
        Self { tid, ask, counted }
    }

    fn received(&self) -> u64 {
        self.ask.send(()).expect("it lives");
        self.counted.recv_timeout(SOON).expect("it answers")
    }
}

fn echo(mut stream: TcpStream) {
    thread::spawn(move || {
        let mut word = [0; 16];
        while let Ok(bytes @ 1..) = stream.read(&mut word) {
            if stream.write_all(&word[..bytes]).is_err() {
                return;
            }
        }
    });
}

/// Whether a word comes back over TCP.
fn answers(stream: &mut TcpStream, within: Duration) -> bool {
    stream.set_read_timeout(Some(within)).expect("not zero");
    let mut word = [0; 4];
    stream.write_all(b"word").is_ok() && stream.read_exact(&mut word).is_ok()
}

fn tcp(to: IpAddr, port: u16, within: Duration) -> Option<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::new(to, port), within).ok()?;
    answers(&mut stream, within).then_some(stream)
}

fn udp(to: IpAddr, within: Duration) -> bool {
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).expect("a port is free");
    socket.set_read_timeout(Some(within)).expect("not zero");
    let mut word = [0; 4];
    // The kernel may refuse at once what it may not send.
    socket.send_to(b"word", (to, OTHER)).is_ok() && socket.recv(&mut word).is_ok()
}

/// Plays on a thread of its own, in a namespace of its own.
pub(in crate::containment::linux) fn apart(play: impl FnOnce() + Send + 'static) {
    let played = thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).expect("root may");
        play();
    });
    if let Err(panic) = played.join() {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn nothing_but_the_collector_is_reached_from_the_moment_it_is_applied_until_it_is_removed() {
    if let Some(what) = unavailable() {
        return println!("skipped: an isolated namespace needs {what}");
    }
    apart(|| {
        let far = Far::start();
        run("ip", "link set lo up");
        run("ip", &format!("link add near0 type veth peer name far0 netns {}", far.tid));
        run("ip", "addr add 10.99.0.1/24 dev near0");
        run("ip", "addr add fd99::1/64 dev near0 nodad");
        // Nobody routes here, and the far end counts what it does not listen to.
        fs::write("/proc/sys/net/ipv6/conf/near0/router_solicitations", "0").expect("root may");
        run("ip", "link set near0 up");
        far.ask.send(()).expect("it lives");
        far.counted.recv_timeout(SOON).expect("it is up");
        assert!(!is_applied().expect("it can be asked"));
        assert!(!remove().expect("there is none to remove"));
        let mut open: Vec<TcpStream> = [FAR_4, FAR_6]
            .into_iter()
            .map(|to| tcp(to, OTHER, SOON).expect("it is reached before"))
            .collect();
        assert!(udp(FAR_4, SOON) && udp(FAR_6, SOON));
        let before = far.received();
        assert!(sends_icmp(FAR_4) && sends_icmp(FAR_6));
        assert_eq!(far.received(), before + 2, "what the far end counts is what is sent");

        let collector = |ip| Opening::Collector { at: SocketAddr::new(ip, COLLECTOR), only: None };
        let openings =
            vec![Opening::Loopback, collector(FAR_4), collector(FAR_6), Opening::Neighbours];
        apply(&Ruleset::new(openings).expect("few")).expect("root may");
        assert!(is_applied().expect("it can be asked"));
        let before = far.received();
        assert!(!open.iter_mut().any(|it| answers(it, A_MOMENT)), "an open connection is dead");
        let kept = Ruleset::new(vec![Opening::Loopback, collector(FAR_4), collector(FAR_6)]);
        let kept = kept.expect("few");
        let cut = sockets::cut(|it| kept.keeps(it)).expect("root may");
        assert_eq!(cut, sockets::Cut { ended: 2, left: 0 });
        for it in &mut open {
            let error = it.read(&mut [0]).expect_err("it has ended");
            assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
        }
        for to in [FAR_4, FAR_6] {
            assert!(tcp(to, OTHER, A_MOMENT).is_none(), "TCP to {to}");
            assert!(!udp(to, A_MOMENT), "UDP to {to}");
            let _refused = !sends_icmp(to);
        }
        assert_eq!(far.received(), before, "no packet has come to the far end");
        for to in [FAR_4, FAR_6] {
            assert!(tcp(to, COLLECTOR, SOON).is_some(), "the collector at {to}");
        }
        let local = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let at = local.local_addr().expect("it is bound");
        drop(TcpStream::connect_timeout(&at, SOON).expect("the host talks to itself"));

        assert!(remove().expect("root may"));
        assert!(!is_applied().expect("it can be asked"));
        for to in [FAR_4, FAR_6] {
            assert!(tcp(to, OTHER, SOON).is_some() && udp(to, SOON), "{to} is reached again");
        }
    });
}

#[test]
fn a_second_ruleset_takes_the_place_of_the_first_and_a_wrong_one_changes_nothing() {
    if let Some(what) = unavailable() {
        return println!("skipped: a ruleset in place of another needs {what}");
    }
    apart(|| {
        run("ip", "link set lo up");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let at = listener.local_addr().expect("it is bound");
        let is_open = || TcpStream::connect_timeout(&at, A_MOMENT).is_ok();
        apply(&Ruleset::new(vec![Opening::Loopback]).expect("few")).expect("root may");
        assert!(is_open());
        apply(&Ruleset::new(Vec::new()).expect("few")).expect("root may");
        assert!(!is_open());
        let mut broken = firewall::make(&Ruleset::new(vec![Opening::Loopback]).expect("few"));
        // The hook of the last chain is one that is not there.
        let hook = broken.windows(8).rposition(|it| it == [8, 0, 1, 0, 0, 0, 0, 3]).expect("it is");
        broken[hook + 7] = 99;
        assert!(talk(&broken).is_err());
        assert!(!is_open() && is_applied().expect("it can be asked"));
        assert!(remove().expect("root may") && is_open());
    });
}
