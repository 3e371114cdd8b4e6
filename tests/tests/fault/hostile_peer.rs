//! What an enrolled agent that has turned can send: each is refused, costs little, stops nothing.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use cordon_proto::v1::collector_message::Message as Down;
use cordon_shared::id::{Epoch, EventSeq};
use cordon_tests::{oracle, peer::Peer, synth, testbed::Testbed};

const A_WHILE: Duration = Duration::from_secs(60);

/// Memory that one hostile message may cost the collector: a message of the largest size, as it
/// comes and decoded, and the allocator's own.
const HOSTILE_BYTES_MAX: u64 = 24 << 20;

/// A collector, a peer that will misbehave and one that will not.
struct Scene {
    testbed: Testbed,
    hostile: Peer,
    honest: Peer,
}

impl Scene {
    async fn start() -> Self {
        let testbed = Testbed::start().unwrap();
        let token = testbed.api().token(2).unwrap();
        let sessions = testbed.collector().addresses().sessions;
        let hostile = Peer::enrol(&token, sessions).await.unwrap();
        let honest = Peer::enrol(&token, sessions).await.unwrap();
        Self { testbed, hostile, honest }
    }

    fn memory(&self) -> u64 {
        self.testbed.collector().process().memory_bytes_peak().unwrap()
    }

    /// The honest peer is served, the lake holds what it sent and nothing else, and no thread of the
    /// collector has panicked.
    async fn unharmed(mut self) {
        let epoch = Epoch::from_u64(9).unwrap();
        let mut stream = synth::Stream::new("honest", epoch, 100);
        let (mut link, _) = self.honest.session().await.unwrap();
        let batch = stream.batch(100).unwrap();
        link.send(batch.bytes().clone()).await;
        link.acked(epoch, batch.header().last_seq()).await.unwrap();
        let markers = (1..=100).filter_map(EventSeq::from_u64).map(|it| stream.marker(it));
        let generated = oracle::generated(markers);
        let rows = self.testbed.settle([], &generated, A_WHILE).unwrap();
        rows.must_conserve(&generated).unwrap();
        let strangers = rows.0.iter().filter(|it| it.agent == self.hostile.id.to_string()).count();
        assert_eq!(strangers, 0, "rows of what was refused");
        let log = self.testbed.collector().process().log().unwrap();
        assert!(!log.contains("panicked"), "{log}");
    }
}

/// A protobuf field: its key, and what follows.
fn field(number: u8, wire_type: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | wire_type];
    bytes.extend_from_slice(rest);
    bytes
}

/// A field of bytes: key, length, bytes.
fn bytes_field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut rest = Vec::new();
    let mut length = content.len();
    while length >= 0x80 {
        rest.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    rest.push(u8::try_from(length).unwrap());
    rest.extend_from_slice(content);
    field(number, 2, &rest)
}

#[tokio::test(flavor = "multi_thread")]
async fn f_27_malformed_messages_end_the_stream_and_are_counted() {
    let scene = Scene::start().await;
    let cases: [(&str, Vec<u8>); 6] = [
        ("garbage", vec![0xff; 64]),
        ("a varint without an end", field(2, 0, &[0x80; 12])),
        ("a length beyond the message", field(2, 2, &[0x7f])),
        ("a batch that is a number", field(2, 0, &[1])),
        ("a group that never ends", field(2, 3, &[])),
        ("a batch of no batch", bytes_field(2, &bytes_field(1, &[0xff; 100]))),
    ];
    for (name, bytes) in cases {
        let mut stream = scene.hostile.raw().await.unwrap();
        stream.send(bytes).await;
        let end = stream.end().await.with_context(|| name).unwrap();
        let is_refused = end.contains("InvalidArgument") || end.contains("Internal");
        assert!(is_refused, "{name}: {end}");
    }
    let broken = scene.testbed.api().metric("cordon_gateway_broken_streams_total").unwrap();
    assert!(broken >= 6.0, "{broken} streams were counted");
    scene.unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_27_fields_of_a_newer_wire_are_passed_over() {
    let scene = Scene::start().await;
    let stream = scene.hostile.raw().await.unwrap();
    stream.send(bytes_field(15, b"of a newer release")).await;
    stream.send([bytes_field(3, &[]), bytes_field(14, &[1, 2, 3])].concat()).await;
    drop(stream);
    scene.unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_28_oversized_messages_are_refused_before_they_are_held() {
    let scene = Scene::start().await;
    let hello = |inside: &[u8]| bytes_field(1, inside);
    let cases: [(&str, Vec<u8>); 4] = [
        ("100 MB in one message", vec![0; 100 << 20]),
        ("half a million positions", hello(&bytes_field(4, &[]).repeat(500_000))),
        ("a host name of 1 MB", hello(&bytes_field(1, &bytes_field(1, &vec![b'a'; 1_000_000])))),
        ("groups in groups", field(15, 3, &[]).repeat(500_000)),
    ];
    let before = scene.memory();
    for (name, bytes) in cases {
        let mut stream = scene.hostile.raw().await.unwrap();
        stream.send(Bytes::from(bytes)).await;
        stream.end().await.with_context(|| name).unwrap();
        let grown = scene.memory() - before;
        assert!(grown < HOSTILE_BYTES_MAX, "{name}: {grown} bytes more");
    }
    scene.unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_29_bombs_and_lying_headers_are_refused() {
    let scene = Scene::start().await;
    let epoch = Epoch::from_u64(8).unwrap();
    let good = synth::Stream::new("hostile", epoch, 100).batch(4).unwrap();
    let before = scene.memory();
    for it in synth::hostile(&good) {
        let (mut link, _) = scene.hostile.session().await.unwrap();
        link.send(it.bytes).await;
        let heard = link.hear().await;
        let is_refused = matches!(heard, Ok(Down::BatchRefused(_) | Down::Goodbye(_)));
        assert!(is_refused, "{}: {heard:?}", it.name);
        let grown = scene.memory() - before;
        assert!(grown < HOSTILE_BYTES_MAX, "{}: {grown} bytes more", it.name);
    }
    scene.unharmed().await;
}
