//! Round trips, cuts, bombs and lies.

use cordon_proto::v1;
use expect_test::{Expect, expect};
use proptest::prelude::{ProptestConfig, any, proptest};
use prost::Message;

use super::{Header, Parts};
use crate::{
    batch::{BatchError, Builder, HEADER_BYTES, Sealed, Source},
    id::{Epoch, EventSeq, Lane},
    test_support::{Random, agent, origin, samples},
};

fn epoch() -> Epoch {
    Epoch::from_u64(17).expect("not zero")
}

fn sealed() -> Sealed {
    let mut builder = Builder::new(Lane::Critical, epoch(), EventSeq::FIRST, origin());
    for event in samples() {
        builder.push(&event, Source { epoch: 3, position: 4_096 });
    }
    builder.seal().expect("samples are valid")
}

/// A batch around any body, with a header that fits it save for what `lie` changes.
fn around(body: &[u8], raw_bytes: usize, count: u32) -> Vec<u8> {
    let parts = Parts {
        lane: Lane::File,
        epoch: epoch(),
        first_seq: EventSeq::FIRST,
        count,
        raw_bytes: u32::try_from(raw_bytes).expect("small"),
        source: Source::default(),
    };
    let header = Header::of(&parts, body);
    [header.to_bytes().as_slice(), body].concat()
}

fn around_message(body: &v1::BatchBody, count: u32) -> Vec<u8> {
    let raw = body.encode_to_vec();
    let packed = zstd::bulk::compress(&raw, 1).expect("compresses");
    around(&packed, raw.len(), count)
}

#[track_caller]
fn check(bytes: Vec<u8>, expect: &Expect) {
    let shown = match Sealed::parse(bytes.into()).and_then(|it| it.open()) {
        Ok(contents) => format!("{} events", contents.events.len()),
        Err(error) => error.to_string(),
    };
    expect.assert_eq(&shown);
}

#[test]
fn a_sealed_batch_opens_to_what_went_in() {
    let sealed = sealed();
    assert_eq!(sealed.header().source(), Source { epoch: 3, position: 4_096 });
    assert_eq!(sealed.header().last_seq().as_u64(), sealed.header().count() as u64);
    let contents = sealed.open().expect("our own batch opens");
    assert_eq!(contents.events, samples());
    assert_eq!(contents.origin, origin());
}

#[test]
fn events_are_named_by_their_place() {
    let sealed = sealed();
    let second = sealed.header().event_id(agent(), 1).expect("there is a second event");
    expect!["a9a9a9a9-a9a9-a9a9-a9a9-a9a9a9a9a9a9.0000000000000011.critical.2"]
        .assert_eq(&second.to_string());
    assert_eq!(sealed.header().event_id(agent(), sealed.header().count()), None);
}

#[test]
fn every_cut_of_a_batch_is_an_error() {
    let whole = sealed();
    let bytes = whole.bytes();
    for cut in 0..bytes.len() {
        assert!(Sealed::parse(bytes.slice(..cut)).is_err(), "cut at {cut}");
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let whole = sealed();
    for index in 0..whole.bytes().len() {
        for bit in 0..8 {
            let mut bytes = whole.bytes().to_vec();
            bytes[index] ^= 1 << bit;
            assert!(Sealed::parse(bytes.into()).is_err(), "bit {bit} of byte {index}");
        }
    }
}

#[test]
fn an_empty_batch_is_not_sealed() {
    let builder = Builder::new(Lane::File, epoch(), EventSeq::FIRST, origin());
    let refusal = builder.seal().expect_err("there is nothing in it");
    assert_eq!(refusal, BatchError::Body { field: "events", rule: "at least one" });
}

#[test]
fn a_bomb_finds_no_room() {
    // 64 MiB of zeros in a few kilobytes; the header admits to one.
    let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 19).expect("compresses");
    check(
        around(&bomb, 1 << 20, 1),
        &expect!["batch body: `zstd` must be zstd of as many bytes as the header says"],
    );
}

#[test]
fn a_header_cannot_ask_for_more_than_the_limit() {
    check(
        around(b"x", (1 << 20) + 1, 1),
        &expect!["batch header: `body_raw_bytes` must be 1..=1048576"],
    );
}

#[test]
fn a_batch_of_no_events_is_refused() {
    check(around(b"x", 1, 0), &expect!["batch header: `count` must be 1..=256"]);
}

#[test]
fn a_batch_of_too_many_events_is_refused() {
    check(around(b"x", 1, 257), &expect!["batch header: `count` must be 1..=256"]);
}

#[test]
fn a_count_that_the_body_does_not_keep_is_refused_before_anything_is_decoded() {
    let body = v1::BatchBody { events: vec![v1::Event::default(); 300_000], ..Default::default() };
    check(
        around_message(&body, 256),
        &expect!["batch body: `events` must be as many as the header says"],
    );
}

#[test]
fn a_table_without_end_is_refused_before_it_is_decoded() {
    let body = v1::BatchBody {
        events: vec![v1::Event::default()],
        strings: vec![bytes::Bytes::new(); 40_000],
        ..Default::default()
    };
    check(around_message(&body, 1), &expect!["batch body: `strings` must be at most 32768"]);
}

#[test]
fn f_28_a_list_without_end_inside_an_event_is_refused_before_it_is_decoded() {
    let ancestry = vec![v1::Ancestor::default(); 300_000];
    let launch = v1::ProcessLaunch { ancestry, ..Default::default() };
    let event =
        v1::Event { body: Some(v1::event::Body::ProcessLaunch(launch)), ..Default::default() };
    let body = v1::BatchBody { events: vec![event], ..Default::default() };
    check(
        around_message(&body, 1),
        &expect!["batch body: `entries` must be at most 50176, all together"],
    );
}

#[test]
fn noise_is_not_a_body() {
    let noise = [0xff; 100];
    let packed = zstd::bulk::compress(&noise, 1).expect("compresses");
    check(
        around(&packed, noise.len(), 1),
        &expect!["batch body: `protobuf` must be a cordon.v1.BatchBody"],
    );
}

#[test]
fn a_bad_event_is_named_by_its_place() {
    let mut body = v1::BatchBody {
        clock: Some(v1::ClockSample::default()),
        boot_id: vec![1; 16].into(),
        ..Default::default()
    };
    body.events.push(v1::Event::default());
    check(around_message(&body, 1), &expect!["event 0 of the batch: `body` must be present"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_events_survive_the_road(seed: u64, count in 1_usize..=256) {
        let random = Random::new(seed);
        let lane = Lane::ALL[usize::try_from(seed % 3).expect("below 3")];
        let mut builder = Builder::new(lane, epoch(), EventSeq::FIRST, origin());
        let events: Vec<_> = (0..count).map(|_| random.event(lane)).collect();
        for event in &events {
            builder.push(event, Source::default());
        }
        let sealed = builder.seal().expect("valid");
        assert_eq!(sealed.open().expect("opens").events, events);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, raw_bytes in 1_usize..5_000) {
        let _ignored = Sealed::parse(bytes.clone().into()).and_then(|it| it.open());
        let _ignored = Sealed::parse(around(&bytes, raw_bytes, 1).into()).and_then(|it| it.open());
    }

    #[test]
    fn no_body_makes_the_reader_panic(raw in proptest::collection::vec(any::<u8>(), 1..400)) {
        let packed = zstd::bulk::compress(&raw, 1).expect("compresses");
        let bytes = around(&packed, raw.len(), 1);
        let _ignored = Sealed::parse(bytes.into()).and_then(|it| it.open());
    }
}

#[test]
fn the_header_is_64_bytes() {
    assert_eq!(around(b"", 1, 1).len(), HEADER_BYTES);
}

/// One batch with every kind of event, as it was once sealed and may lie in a spool or a journal.
/// `UPDATE_EXPECT=1` writes it when it is missing, and never over one that is there.
#[test]
fn a_batch_that_was_sealed_once_opens_to_the_same_events() {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/batch/golden/every_kind_v1.bin");
    if std::env::var_os("UPDATE_EXPECT").is_some() && !path.try_exists().unwrap() {
        crate::durable::write(&path, sealed().bytes(), crate::durable::MODE_PUBLIC).unwrap();
    }
    let kept = Sealed::parse(std::fs::read(&path).unwrap().into()).unwrap();
    let contents = kept.open().unwrap();
    assert_eq!(contents.origin, origin());
    assert_eq!(contents.events, samples());
    assert_eq!(kept.header().to_bytes(), kept.bytes()[..HEADER_BYTES]);
}
