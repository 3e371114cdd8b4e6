//! One direction of one connection: reads, applies the link, writes.

use std::{io, sync::atomic::Ordering, time::Duration};

use tokio::{net::TcpStream, sync::watch, time};

use super::{Direction, Link, Shared};

/// Bytes taken at once: small, so that a throttle is even.
const PIECE_BYTES: usize = 16 << 10;
/// Bytes taken at once where the link is throttled.
const THROTTLED_PIECE_BYTES: u64 = 1 << 10;

/// Forwards until one side closes, then closes the other's half.
pub(super) async fn run(from: &TcpStream, to: &TcpStream, direction: Direction, shared: &Shared) {
    let mut link = shared.link(direction).subscribe();
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let Ok(taken) = take(from, &mut buffer, &mut link).await else { break };
        let Some(piece) = buffer.get(..taken).filter(|it| !it.is_empty()) else { break };
        if hold(&mut link, taken).await.is_err() || put(to, piece).await.is_err() {
            break;
        }
        shared.bytes(direction).fetch_add(taken as u64, Ordering::SeqCst);
    }
    // Half a close is passed on; fails when the whole connection has gone.
    rustix::net::shutdown(to, rustix::net::Shutdown::Write).unwrap_or_default();
}

/// Reads the next piece, unless the link is a black hole.
async fn take(
    from: &TcpStream,
    buffer: &mut [u8],
    link: &mut watch::Receiver<Link>,
) -> io::Result<usize> {
    loop {
        let now = *link.borrow_and_update();
        let length = match now {
            Link::Throttled { bytes_per_s } => bytes_per_s.clamp(1, THROTTLED_PIECE_BYTES),
            Link::Passing | Link::Delayed(_) | Link::BlackHole => PIECE_BYTES as u64,
        };
        let length = usize::try_from(length).unwrap_or(PIECE_BYTES);
        // Both are cancel-safe: `readable` takes nothing.
        tokio::select! {
            biased;
            changed = link.changed() => changed.map_err(io::Error::other)?,
            ready = from.readable(), if now != Link::BlackHole => {
                ready?;
                match from.try_read(buffer.get_mut(..length).unwrap_or_default()) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
                    read => return read,
                }
            }
        }
    }
}

/// Keeps a piece for as long as the link says; a change of the link counts at once.
async fn hold(
    link: &mut watch::Receiver<Link>,
    bytes: usize,
) -> Result<(), watch::error::RecvError> {
    loop {
        let now = *link.borrow_and_update();
        let pause = match now {
            Link::Passing => return Ok(()),
            Link::Delayed(pause) => pause,
            Link::Throttled { bytes_per_s } => {
                Duration::from_nanos(1_000_000_000 * bytes as u64 / bytes_per_s.max(1))
            }
            Link::BlackHole => Duration::MAX,
        };
        tokio::select! {
            biased;
            changed = link.changed() => changed?,
            () = time::sleep(pause) => return Ok(()),
        }
    }
}

async fn put(to: &TcpStream, mut piece: &[u8]) -> io::Result<()> {
    while !piece.is_empty() {
        to.writable().await?;
        match to.try_write(piece) {
            Ok(written) => piece = piece.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
