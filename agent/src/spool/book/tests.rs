//! What the book keeps, and what damage to it costs.

use std::{path::Path, sync::Arc};

use cordon_shared::{
    event::health::LossCause,
    id::{Epoch, EventSeq, Lane},
    seglog::{Disk as _, Index, SimDisk},
};

use super::{Against, Book, LOSSES_MAX, slot::SLOT_BYTES};
use crate::spool::Shed;

fn open(disk: &SimDisk) -> Book {
    disk.create_dir(Path::new("/s")).expect("makes");
    Book::open(Arc::new(disk.clone()), Path::new("/s"))
}

fn shed(lane: Lane, first: u64, last: u64) -> Shed {
    let seq = |it| EventSeq::from_u64(it).expect("at least 1");
    let range = Some((Epoch::from_u64(7).expect("not zero"), seq(first), seq(last)));
    Shed { lane, cause: LossCause::Quota, range, count: last + 1 - first }
}

#[test]
fn losses_that_follow_each_other_are_one() {
    let mut book = open(&SimDisk::default());
    book.owe(shed(Lane::File, 1, 4));
    book.owe(shed(Lane::Network, 1, 2));
    book.owe(shed(Lane::File, 5, 9));
    assert_eq!(
        book.owed().copied().collect::<Vec<_>>(),
        [shed(Lane::File, 1, 9), shed(Lane::Network, 1, 2)]
    );
}

#[test]
fn however_many_losses_there_are_their_count_is_kept() {
    let disk = SimDisk::default();
    let mut book = open(&disk);
    let many = LOSSES_MAX as u64 + 100;
    for at in 0..many {
        book.owe(shed(Lane::File, 1 + at * 10, 3 + at * 10));
    }
    assert!(book.save(Against::Kill));
    let book = open(&disk);
    assert_eq!(book.owed().count(), LOSSES_MAX);
    assert_eq!(book.owed().map(|it| it.count).sum::<u64>(), many * 3);
}

#[test]
fn a_slot_that_was_torn_leaves_the_one_before_it_in_force() {
    let disk = SimDisk::default();
    let mut book = open(&disk);
    book.acknowledge(Lane::File, Index::from_u64(5));
    assert!(book.save(Against::PowerLoss));
    book.acknowledge(Lane::File, Index::from_u64(6));
    assert!(book.save(Against::PowerLoss));
    drop(book);
    let newest = 0;
    disk.flip(Path::new("/s/book"), newest + 16, 0);
    assert_eq!(open(&disk).floor(Lane::File), Index::from_u64(5));
    disk.flip(Path::new("/s/book"), SLOT_BYTES + 16, 0);
    assert!(!open(&disk).is_known());
}

#[test]
fn every_cut_of_a_slot_is_no_slot() {
    let mut state = super::State::default();
    let declared = Some(Index::from_u64(5));
    state.losses.push(super::Entry { shed: shed(Lane::Critical, 3, 9), declared });
    let whole = super::slot::encode(4, &state);
    assert_eq!(super::slot::decode(&whole), Some((4, state)));
    for cut in 0..whole.len() {
        assert_eq!(super::slot::decode(&whole[..cut]), None, "cut at {cut}");
    }
}
