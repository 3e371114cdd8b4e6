//! Hostile batches, one line each (F-27, F-28, F-29).

use cordon_proto::v1;
use cordon_shared::{
    batch::Source,
    event::{Body, network},
    id::{Epoch, EventSeq, Lane},
    test_support::{Random, event, origin, samples},
};
use expect_test::{Expect, expect};
use prost::Message;

use super::*;

/// A header that says anything, with a good checksum of its own.
struct Lie {
    lane: u8,
    epoch: u64,
    first_seq: u64,
    count: u32,
    raw_bytes: usize,
}

fn around(body: &[u8], lie: &Lie) -> Vec<u8> {
    let mut bytes = b"CDNB\x01\0".to_vec();
    bytes.extend_from_slice(&[lie.lane, 0]);
    bytes.extend_from_slice(&lie.epoch.to_le_bytes());
    bytes.extend_from_slice(&lie.first_seq.to_le_bytes());
    bytes.extend_from_slice(&lie.count.to_le_bytes());
    bytes.extend_from_slice(&u32::try_from(body.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(&u32::try_from(lie.raw_bytes).unwrap().to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(body).to_le_bytes());
    bytes.extend_from_slice(&[0; 20]);
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    bytes.extend_from_slice(body);
    bytes
}

fn lie(count: u32, raw_bytes: usize) -> Lie {
    Lie { lane: 1, epoch: 7, first_seq: 1, count, raw_bytes }
}

fn message(body: &v1::BatchBody, count: u32) -> Vec<u8> {
    let raw = body.encode_to_vec();
    let packed = zstd::bulk::compress(&raw, 1).unwrap();
    around(&packed, &lie(count, raw.len()))
}

#[track_caller]
fn check(bytes: Vec<u8>, expect: &Expect) {
    let shown = match validate(bytes.into()) {
        Ok(it) => format!("{} events", it.header().count()),
        Err(Refused::Framing(error)) => format!("framing: {error}"),
        Err(Refused::Batch { reason, .. }) => format!("batch: {reason}"),
    };
    expect.assert_eq(&shown);
}

fn good(lane: Lane) -> Sealed {
    Random::new(3).batch(lane, Epoch::from_u64(7).unwrap(), EventSeq::FIRST, 5)
}

#[test]
fn a_good_batch_of_each_lane_is_taken() {
    for lane in Lane::ALL {
        check(good(lane).bytes().to_vec(), &expect!["5 events"]);
    }
}

#[test]
fn f_27_garbage_is_broken_framing() {
    check(Vec::new(), &expect!["framing: batch header: `length` must be at least 64 bytes"]);
    check(vec![0; 64], &expect!["framing: batch header: `magic` must be `CDNB`"]);
    check(
        b"GET / HTTP/1.1\r\nHost: collector.example.org\r\nAccept: */*\r\nConnection: close\r\n\r\n"
            .to_vec(),
        &expect!["framing: batch header: `magic` must be `CDNB`"],
    );
    let mut flipped = good(Lane::File).bytes().to_vec();
    flipped[20] ^= 1;
    check(flipped, &expect!["framing: the checksum of the batch's header is wrong"]);
}

#[test]
fn f_27_a_header_that_says_nonsense_is_broken_framing() {
    let with = |change: fn(&mut Lie)| {
        let mut lie = lie(1, 1);
        change(&mut lie);
        around(b"x", &lie)
    };
    check(with(|it| it.lane = 0), &expect!["framing: batch header: `lane` must be 1, 2 or 3"]);
    check(with(|it| it.lane = 4), &expect!["framing: batch header: `lane` must be 1, 2 or 3"]);
    check(with(|it| it.epoch = 0), &expect!["framing: batch header: `epoch` must be 1..=2^63-1"]);
    check(
        with(|it| it.first_seq = 0),
        &expect!["framing: batch header: `first_seq` must be 1..=2^63-1"],
    );
    check(
        with(|it| it.first_seq = (1 << 63) - 1),
        &expect!["framing: batch header: `first_seq` must be 1..=2^63-1"],
    );
    check(with(|it| it.count = 0), &expect!["framing: batch header: `count` must be 1..=256"]);
    check(with(|it| it.count = 257), &expect!["framing: batch header: `count` must be 1..=256"]);
}

#[test]
fn f_28_a_batch_that_says_it_is_huge_is_refused_unread() {
    let bytes = around(b"x", &lie(1, (1 << 20) + 1));
    check(bytes, &expect!["framing: batch header: `body_raw_bytes` must be 1..=1048576"]);
    let bytes = around(&vec![0; (1 << 20) + 1], &lie(1, 1));
    check(bytes, &expect!["framing: batch header: `body_bytes` must be 1..=1048576"]);
}

#[test]
fn f_28_a_million_elements_are_counted_before_they_are_held() {
    let events = vec![v1::Event::default(); 400_000];
    let body = v1::BatchBody { events, ..Default::default() };
    check(
        message(&body, 256),
        &expect!["batch: batch body: `events` must be as many as the header says"],
    );
    let strings = vec![Bytes::new(); 400_000];
    let body = v1::BatchBody { strings, events: vec![v1::Event::default()], ..Default::default() };
    check(message(&body, 1), &expect!["batch: batch body: `strings` must be at most 32768"]);
}

#[test]
fn f_29_a_bomb_finds_no_room() {
    let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 19).unwrap();
    let rule =
        expect!["batch: batch body: `zstd` must be zstd of as many bytes as the header says"];
    check(around(&bomb, &lie(1, 1 << 20)), &rule);
    check(around(&bomb, &lie(1, 1)), &rule);
    check(around(b"not zstd at all", &lie(1, 100)), &rule);
}

#[test]
fn f_27_a_body_that_is_no_batch_is_refused() {
    let packed = zstd::bulk::compress(&[0xff; 100], 1).unwrap();
    check(
        around(&packed, &lie(1, 100)),
        &expect!["batch: batch body: `protobuf` must be a cordon.v1.BatchBody"],
    );
}

#[test]
fn f_27_what_is_missing_is_named() {
    let event = v1::Event::default();
    let body = v1::BatchBody { events: vec![event.clone()], ..Default::default() };
    check(message(&body, 1), &expect!["batch: batch body: `clock` must be present"]);
    let boot_id = vec![1; 16].into();
    let body = v1::BatchBody { events: vec![event], boot_id, ..Default::default() };
    check(message(&body, 1), &expect!["batch: batch body: `clock` must be present"]);
    let boot_id = vec![1; 16].into();
    let clock = Some(v1::ClockSample::default());
    let events = vec![v1::Event::default()];
    let body = v1::BatchBody { events, boot_id, clock, ..Default::default() };
    check(message(&body, 1), &expect!["batch: event 0 of the batch: `body` must be present"]);
}

#[test]
fn f_27_an_event_in_the_wrong_lane_is_refused() {
    use cordon_shared::batch::Builder;

    let epoch = Epoch::from_u64(7).unwrap();
    let mut builder = Builder::new(Lane::File, epoch, EventSeq::FIRST, origin());
    let listen = samples().into_iter().find(|it| matches!(it.body, Body::Listen(_))).unwrap();
    builder.push(&listen, Source::default());
    let sealed = builder.seal().unwrap();
    check(
        sealed.bytes().to_vec(),
        &expect!["batch: batch body: `lane` must be the one that its events take"],
    );
}

#[test]
fn f_28_a_string_of_a_megabyte_is_refused() {
    use cordon_shared::{batch::Builder, text::Text};

    let epoch = Epoch::from_u64(7).unwrap();
    let mut builder = Builder::new(Lane::Network, epoch, EventSeq::FIRST, origin());
    let Some(Body::DnsQuery(query)) =
        samples().into_iter().map(|it| it.body).find(|it| matches!(it, Body::DnsQuery(_)))
    else {
        panic!("there is a sample of each kind")
    };
    let name = Text::from(vec![b'a'; 1_000_000]);
    let query = network::DnsQuery { name, ..query };
    builder.push(&event(Body::DnsQuery(query)), Source::default());
    check(
        builder.seal().unwrap().bytes().to_vec(),
        &expect!["batch: batch body: `strings` must be 1..=16384 bytes each"],
    );
}
