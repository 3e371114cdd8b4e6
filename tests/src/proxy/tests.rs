use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use cordon_shared::time::{Clock, SystemClock};

use super::{Direction, Link, Proxy};
use crate::wait;

const SOON: Duration = Duration::from_secs(20);
/// Long enough to see that nothing comes.
const WHILE: Duration = Duration::from_millis(150);

/// Both ends of one connection through a proxy.
struct Pair {
    proxy: Proxy,
    caller: TcpStream,
    target: TcpStream,
}

fn pair() -> Pair {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap()).unwrap();
    let caller = TcpStream::connect(proxy.address()).unwrap();
    let (target, _) = listener.accept().unwrap();
    for it in [&caller, &target] {
        it.set_read_timeout(Some(SOON)).unwrap();
    }
    Pair { proxy, caller, target }
}

fn read(from: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).unwrap();
    bytes
}

fn is_silent(from: &mut TcpStream) -> bool {
    from.set_read_timeout(Some(WHILE)).unwrap();
    let read = from.read(&mut [0]);
    from.set_read_timeout(Some(SOON)).unwrap();
    read.is_err_and(|it| matches!(it.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

#[test]
fn bytes_pass_once_and_in_order_both_ways() {
    let Pair { proxy, mut caller, mut target } = pair();
    let sent: Vec<u8> = (0..1_000_000_u32).map(|it| it.to_le_bytes()[1]).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| caller.write_all(&sent).unwrap());
        assert!(read(&mut target, sent.len()) == sent);
    });
    target.write_all(b"back").unwrap();
    assert_eq!(read(&mut caller, 4), b"back");
    wait::until("all is counted", SOON, || match proxy.bytes(Direction::ToTarget) {
        1_000_000 => Ok(()),
        bytes => Err(bytes),
    })
    .unwrap();
}

#[test]
fn a_black_hole_is_silent_and_gives_back_what_it_held() {
    let Pair { proxy, mut caller, mut target } = pair();
    proxy.set(Direction::ToTarget, Link::BlackHole);
    caller.write_all(b"held").unwrap();
    assert!(is_silent(&mut target));
    target.write_all(b"open").unwrap();
    assert_eq!(read(&mut caller, 4), b"open");
    proxy.set(Direction::ToTarget, Link::Passing);
    assert_eq!(read(&mut target, 4), b"held");
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn a_delay_delays() {
    let Pair { proxy, mut caller, mut target } = pair();
    proxy.set(Direction::ToTarget, Link::Delayed(Duration::from_millis(120)));
    let begin = SystemClock.boottime();
    caller.write_all(b"late").unwrap();
    assert_eq!(read(&mut target, 4), b"late");
    assert!(SystemClock.boottime().since(begin) >= Duration::from_millis(120));
}

#[test]
fn a_throttle_throttles() {
    let Pair { proxy, mut caller, mut target } = pair();
    proxy.set(Direction::ToTarget, Link::Throttled { bytes_per_s: 20_000 });
    let begin = SystemClock.boottime();
    caller.write_all(&[7; 4_000]).unwrap();
    assert_eq!(read(&mut target, 4_000), [7; 4_000]);
    assert!(SystemClock.boottime().since(begin) >= Duration::from_millis(190));
}

#[test]
fn a_cut_resets_both_ends() {
    let Pair { proxy, mut caller, mut target } = pair();
    proxy.cut();
    for end in [&mut caller, &mut target] {
        assert_eq!(end.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
    wait::until_so("no connection is open", SOON, || proxy.connections() == 0).unwrap();
}

#[test]
fn a_close_is_passed_on_as_half_a_close() {
    let Pair { proxy: _proxy, mut caller, mut target } = pair();
    caller.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(target.read(&mut [0]).unwrap(), 0);
    target.write_all(b"still").unwrap();
    assert_eq!(read(&mut caller, 5), b"still");
}

#[test]
fn a_new_target_is_for_new_connections() {
    let Pair { proxy, mut caller, mut target } = pair();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.retarget(other.local_addr().unwrap());
    let mut second = TcpStream::connect(proxy.address()).unwrap();
    let (mut moved, _) = other.accept().unwrap();
    second.write_all(b"new").unwrap();
    assert_eq!(read(&mut moved, 3), b"new");
    caller.write_all(b"old").unwrap();
    assert_eq!(read(&mut target, 3), b"old");
}

#[test]
fn a_proxy_that_accepts_nothing_leaves_new_callers_waiting() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap()).unwrap();
    let _first = TcpStream::connect(proxy.address()).unwrap();
    wait::until_so("the first is taken", SOON, || proxy.connections() == 1).unwrap();
    proxy.stop_accepting();
    let mut second = TcpStream::connect(proxy.address()).unwrap();
    second.write_all(b"hello").unwrap();
    assert!(is_silent(&mut second));
    assert_eq!(proxy.connections(), 1);
    proxy.accept_again();
    wait::until_so("the second is taken", SOON, || proxy.connections() == 2).unwrap();
}
