//! What is kept of what was refused, and what is not.

use cordon_shared::{
    id::{Epoch, EventSeq, Lane},
    seglog::SimDisk,
    test_support::{Random, agent},
    time::Timestamp,
};
use tokio::sync::mpsc;

use super::*;
use crate::ingest::Offer;

fn refused(first: u64, bytes: usize) -> Submission {
    let epoch = Epoch::from_u64(7).unwrap();
    let first = EventSeq::from_u64(first).unwrap();
    let sealed = Random::new(1).batch(Lane::File, epoch, first, 3);
    let mut padded = sealed.bytes().to_vec();
    padded.resize(padded.len().max(bytes), 0);
    let offer = Offer::Refused {
        header: *sealed.header(),
        bytes: padded.into(),
        reason: "broken".to_owned(),
    };
    Submission {
        agent: agent(),
        offer,
        received: Timestamp::from_ns(5),
        boot_epoch: Timestamp::from_ns(3),
        is_corrected: false,
        reply: mpsc::channel(1).0,
    }
}

fn open(disk: &SimDisk) -> Refusals {
    Refusals::open(Arc::new(disk.clone()), Path::new("/refused")).unwrap()
}

#[test]
fn the_oldest_are_kept_and_the_rest_is_counted() {
    let disk = SimDisk::default();
    let mut refusals = open(&disk);
    for first in 1..=BATCHES_MAX as u64 + 5 {
        refusals.keep(&refused(first, 0)).unwrap();
    }
    assert_eq!(disk.paths().len(), BATCHES_MAX);
    assert!(refusals.is_full);
    // A restart finds it as it was.
    let mut refusals = open(&disk);
    refusals.keep(&refused(9_999, 0)).unwrap();
    assert_eq!(disk.paths().len(), BATCHES_MAX);
}

#[test]
fn bytes_are_bounded_too() {
    let disk = SimDisk::default();
    let mut refusals = open(&disk);
    for first in 1..=300 {
        refusals.keep(&refused(first, 1 << 20)).unwrap();
    }
    assert_eq!(disk.paths().len(), 255);
    assert!(refusals.bytes <= BYTES_MAX);
}

#[test]
fn what_was_being_written_is_removed() {
    let disk = SimDisk::default();
    disk.put(Path::new("/refused/a.new"), b"half");
    assert!(open(&disk).kept.is_empty());
    assert_eq!(disk.paths(), Vec::<PathBuf>::new());
}
