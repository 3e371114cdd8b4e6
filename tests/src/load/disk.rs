//! The disk's own pace: what one `fdatasync` takes, alone and beside a load.

use std::{
    fs::File,
    io::Write,
    path::Path,
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::Context;
use cordon_shared::time::{Clock, SystemClock};

use crate::{histogram::Histogram, wait};

/// Written before each sync: about what the journal of a busy collector writes.
const PIECE_BYTES: usize = 64 << 10;

/// Between two syncs beside a load: often enough to see it, seldom enough not to be it.
const PAUSE: Duration = Duration::from_millis(50);

/// Writes and syncs so often, one after the other.
pub(super) fn probe(folder: &Path, count: usize) -> anyhow::Result<Histogram> {
    let mut histogram = Histogram::default();
    let mut file = tempfile::tempfile_in(folder).context("make a file to sync")?;
    for _ in 0..count {
        once(&mut file, &mut histogram)?;
    }
    Ok(histogram)
}

/// A probe that runs beside a load.
#[derive(Debug)]
pub(super) struct During(JoinHandle<anyhow::Result<Histogram>>);

impl During {
    /// What it saw, at its end.
    pub(super) fn finish(self) -> anyhow::Result<Histogram> {
        self.0.join().ok().context("the probe ended badly")?
    }
}

/// Writes and syncs now and then, for so long.
pub(super) fn during(folder: &Path, duration: Duration) -> anyhow::Result<During> {
    let mut file = tempfile::tempfile_in(folder).context("make a file to sync")?;
    let probing = move || {
        let mut histogram = Histogram::default();
        let end = SystemClock.boottime().saturating_add(duration);
        while SystemClock.boottime() < end {
            once(&mut file, &mut histogram)?;
            wait::pause(PAUSE);
        }
        Ok(histogram)
    };
    let thread = thread::Builder::new().name("probe".to_owned()).spawn(probing);
    Ok(During(thread.context("start a probe")?))
}

fn once(file: &mut File, histogram: &mut Histogram) -> anyhow::Result<()> {
    file.write_all(&[0x5a; PIECE_BYTES]).context("write to a probe")?;
    let began = SystemClock.boottime();
    file.sync_data().context("sync a probe")?;
    histogram.add(SystemClock.boottime().since(began));
    Ok(())
}
