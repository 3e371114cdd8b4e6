//! A way from this machine into the demo's network: to the responders' port, and nowhere else.
//!
//! The collector lives in a network of the demo's own, which no browser reaches. This listens on
//! loopback outside of it, and hands on bytes both ways. It adds nothing: TLS goes through it whole.

use std::{
    fs::File,
    io,
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
};

use anyhow::{Context as _, anyhow};
use nix::sched::{CloneFlags, setns};

/// Connections at one time (chosen: a few browsers; the next one waits).
const OPEN_MAX: usize = 64;

/// Opens it: `outside` is where it listens, this thread's network where it leads.
///
/// # Errors
/// When it cannot listen.
pub(super) fn open(outside: File, inside: SocketAddr) -> anyhow::Result<SocketAddr> {
    let (met, meetings) = mpsc::sync_channel(1);
    let (told, address) = mpsc::sync_channel(1);
    thread::Builder::new().name("door".to_owned()).spawn(move || {
        let listener = listen(&outside);
        let Ok(listener) = listener else { return drop(told.send(listener.map(|_| None))) };
        drop(told.send(listener.local_addr().map(Some)));
        for stream in listener.incoming().flatten() {
            if met.send(stream).is_err() {
                return;
            }
        }
    })?;
    thread::Builder::new().name("hall".to_owned()).spawn(move || lead(&meetings, inside))?;
    let address =
        address.recv().context("open the demo's door")?.context("open the demo's door")?;
    address.ok_or_else(|| anyhow!("the demo's door has no address"))
}

fn listen(outside: &File) -> io::Result<TcpListener> {
    setns(outside, CloneFlags::CLONE_NEWNET)?;
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
}

/// Connects each who came, from this side.
fn lead(meetings: &Receiver<TcpStream>, inside: SocketAddr) {
    let open = Arc::new(AtomicUsize::new(0));
    for near in meetings {
        if open.load(Ordering::Relaxed) >= OPEN_MAX {
            continue;
        }
        let Ok(far) = TcpStream::connect(inside) else { continue };
        open.fetch_add(1, Ordering::Relaxed);
        let open = Arc::clone(&open);
        thread::spawn(move || {
            // A connection that breaks is the browser's to tell.
            drop(both_ways(near, far));
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

fn both_ways(near: TcpStream, far: TcpStream) -> io::Result<()> {
    let (near_too, far_too) = (near.try_clone()?, far.try_clone()?);
    let up = thread::spawn(move || one_way(near_too, far_too));
    let down = one_way(far, near);
    drop(up.join());
    down
}

fn one_way(mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    let copied = io::copy(&mut from, &mut to);
    // The other side hears that nothing more comes.
    drop(to.shutdown(Shutdown::Write));
    copied.map(drop)
}
