//! The agent's own state, once a minute: what its sensors got, what it costs, how full its spool is.

use std::{io::Read, path::Path, time::Duration};

use cordon_shared::{
    digest::{Hasher, Sha256},
    event::{
        Body,
        health::{Health, SensorState},
    },
};
use tokio_util::sync::CancellationToken;

use crate::{road, sensor::procfs};

/// Between two statements.
const EVERY: Duration = Duration::from_secs(60);

/// Of the files below `/proc/self` that are read here.
const PROC_BYTES_MAX: usize = 4 << 10;

/// Read at once of our own executable.
const CHUNK_BYTES: usize = 64 << 10;

/// Says how the agent is, at once and then every minute.
pub async fn run(sensors: Vec<SensorState>, road: road::Handle, stop: CancellationToken) {
    let agent_sha256 = own_sha256();
    let mut tick = tokio::time::interval(EVERY);
    loop {
        // Both branches are cancel-safe.
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = tick.tick() => (),
        }
        let Some(usage) = road.query(road::Request::Usage).await else { return };
        let body = Body::Health(Health {
            sensors: sensors.clone(),
            cpu_ns: cpu_ns().unwrap_or(0),
            rss_bytes: rss_bytes().unwrap_or(0),
            spool_bytes_used: usage.bytes_used,
            spool_bytes_max: usage.bytes_max,
            events_total: usage.events_total,
            agent_sha256,
        });
        road.ask(road::Request::Own(Box::new(body), None)).await;
    }
}

/// Digest of our own executable, piece by piece: it is larger than our memory should be.
fn own_sha256() -> Option<Sha256> {
    let mut file = std::fs::File::open("/proc/self/exe").ok()?;
    let (mut hasher, mut chunk) = (Hasher::default(), vec![0; CHUNK_BYTES]);
    loop {
        let count = file.read(&mut chunk).ok()?;
        match chunk.get(..count)? {
            [] => return Some(hasher.finish()),
            part => hasher.update(part),
        }
    }
}

/// CPU time of all threads: the first number of `schedstat` is the main thread's alone, so the ticks
/// of `stat` (fields 14 and 15) serve.
fn cpu_ns() -> Option<u64> {
    let bytes = procfs::read_capped(Path::new("/proc/self/stat"), PROC_BYTES_MAX).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system).saturating_mul(cordon_shared::time::NS_PER_TICK))
}

/// Resident pages, the second number of `statm`.
fn rss_bytes() -> Option<u64> {
    let bytes = procfs::read_capped(Path::new("/proc/self/statm"), PROC_BYTES_MAX).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(u64::try_from(rustix::param::page_size()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::{cpu_ns, rss_bytes};

    #[test]
    fn we_use_some_memory_and_our_cpu_time_can_be_read() {
        assert!(rss_bytes().is_some_and(|it| it > 1 << 20));
        assert!(cpu_ns().is_some());
    }
}
