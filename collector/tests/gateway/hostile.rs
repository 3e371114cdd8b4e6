//! What a hostile or broken agent sends over a real stream: each is answered, nothing stops.

use cordon_proto::v1::{self, agent_message::Message as Up, collector_message::Message as Down};
use cordon_shared::id::BootId;
use expect_test::{Expect, expect};

use crate::session::{batch, enrolled};

const BOOT: BootId = BootId([1; 16]);

/// Sends bytes as a batch, and shows what is heard.
async fn check(bytes: Vec<u8>, expect: &Expect) {
    let (mut collector, agent) = enrolled().await;
    let (mut link, _) = agent.session(collector.sessions(), BOOT).await;
    link.send(bytes).await;
    let shown = match link.hear().await {
        Ok(Down::BatchRefused(it)) => {
            format!("refused {}+{}: {}", it.first_seq, it.count, it.reason)
        }
        Ok(Down::Goodbye(it)) => format!("{}: {}", it.reason().as_str_name(), it.detail),
        other => format!("{other:?}"),
    };
    expect.assert_eq(&shown);
    // Whatever it was: the service is up.
    let (mut link, _) = agent.session(collector.sessions(), BOOT).await;
    link.send(batch(1, 9, 1, 3).bytes().clone()).await;
    link.acked(9, 3).await;
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_27_garbage_ends_the_stream() {
    check(
        vec![0xff; 100],
        &expect!["GOODBYE_REASON_BAD_INPUT: batch header: `magic` must be `CDNB`"],
    )
    .await;
    check(
        Vec::new(),
        &expect!["GOODBYE_REASON_BAD_INPUT: batch header: `length` must be at least 64 bytes"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_27_a_damaged_body_is_refused_and_the_stream_goes_on() {
    let mut bytes = batch(1, 7, 5, 3).bytes().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    check(bytes, &expect!["refused 5+3: the checksum of the batch's body is wrong"]).await;
}

/// A batch of three critical events that says this of its body, every checksum good.
fn around(body: &[u8], raw_bytes: u32) -> Vec<u8> {
    let mut bytes = batch(1, 7, 5, 3).bytes()[..28].to_vec();
    bytes.extend_from_slice(&u32::try_from(body.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(&raw_bytes.to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(body).to_le_bytes());
    bytes.extend_from_slice(&[0; 20]);
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    bytes.extend_from_slice(body);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn f_28_f_29_lies_and_bombs_are_refused_and_the_stream_goes_on() {
    let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 1).unwrap();
    let zstd =
        expect!["refused 5+3: batch body: `zstd` must be zstd of as many bytes as the header says"];
    check(around(&bomb, 1 << 20), &zstd).await;
    check(around(&bomb, 3), &zstd).await;
    let empty = zstd::bulk::compress(&[0x82, 0x7d, 0x00], 1).unwrap();
    let count = expect!["refused 5+3: batch body: `events` must be as many as the header says"];
    check(around(&empty, 3), &count).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_comes_after_the_acknowledgement_of_what_was_sent_before_it() {
    let (mut collector, agent) = enrolled().await;
    let (mut link, _) = agent.session(collector.sessions(), BOOT).await;
    let mut damaged = batch(9, 7, 41, 3).bytes().to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    for first in [1, 11, 21, 31] {
        link.send(batch(first, 7, first, 10).bytes().clone()).await;
    }
    link.send(damaged).await;
    link.send(batch(8, 7, 44, 3).bytes().clone()).await;
    let mut acked = 0;
    loop {
        match link.hear().await {
            Ok(Down::Ack(ack)) => acked = ack.seq,
            Ok(Down::BatchRefused(it)) => {
                assert_eq!((acked, it.first_seq, it.count), (40, 41, 3));
                break;
            }
            other => panic!("expected an answer, not {other:?}"),
        }
    }
    link.acked(7, 46).await;
    let kept = std::fs::read_dir(collector.dir().join("data/refused")).unwrap();
    assert_eq!(kept.count(), 1);
    collector.stop().await;
}

/// A connection broke after the answers left and before the agent read them.
#[tokio::test(flavor = "multi_thread")]
async fn a_welcome_vouches_for_nothing_behind_a_refusal_that_may_not_have_been_heard() {
    let (mut collector, agent) = enrolled().await;
    let (mut link, _) = agent.session(collector.sessions(), BOOT).await;
    let mut damaged = batch(9, 7, 41, 3).bytes().to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    link.send(batch(1, 7, 1, 40).bytes().clone()).await;
    link.send(damaged.clone()).await;
    link.send(batch(8, 7, 44, 3).bytes().clone()).await;
    loop {
        match link.hear().await {
            Ok(Down::Ack(ack)) if ack.seq == 46 => break,
            Ok(Down::Ack(_) | Down::BatchRefused(_)) => (),
            other => panic!("expected an answer, not {other:?}"),
        }
    }
    drop(link);
    collector.restart().await;

    // What the agent would let go of now, it would never declare.
    let (mut link, welcome) = agent.session(collector.sessions(), BOOT).await;
    assert_eq!(welcome.positions.iter().find(|it| it.seq > 40), None);
    link.send(damaged).await;
    assert!(matches!(link.hear().await, Ok(Down::BatchRefused(it)) if it.first_seq == 41));
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_28_a_message_of_a_hundred_megabytes_is_refused_before_it_is_held() {
    let (mut collector, agent) = enrolled().await;
    let (mut link, _) = agent.session(collector.sessions(), BOOT).await;
    link.send(vec![0; 50 << 20]).await;
    let end = link.end().await;
    assert!(end.contains("BAD_INPUT") || end.contains("OutOfRange"), "{end}");
    let (mut link, _) = agent.session(collector.sessions(), BOOT).await;
    link.send(batch(1, 9, 1, 3).bytes().clone()).await;
    link.acked(9, 3).await;
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_28_a_hello_of_half_a_million_positions_is_refused_before_it_is_decoded() {
    let (mut collector, agent) = enrolled().await;
    let mut link = agent.open(collector.sessions()).await;
    let positions = vec![v1::LanePosition::default(); 500_000];
    link.say(Up::Hello(v1::Hello { positions, ..crate::agent::hello(BOOT) })).await;
    expect!["InvalidArgument: a message may have 4096 entries at most"]
        .assert_eq(&link.end().await);
    let (mut link, _) = agent.session(collector.sessions(), BOOT).await;
    let positions = vec![v1::LanePosition::default(); 5_000];
    link.say(Up::Hello(v1::Hello { positions, ..crate::agent::hello(BOOT) })).await;
    expect!["GOODBYE_REASON_BAD_INPUT: a message may have 4096 entries at most"]
        .assert_eq(&link.end().await);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_begins_with_anything_but_a_hello_ends() {
    let (mut collector, agent) = enrolled().await;
    let mut link = agent.open(collector.sessions()).await;
    link.say(Up::Heartbeat(v1::Heartbeat::default())).await;
    expect!["InvalidArgument: the first message must be a hello"].assert_eq(&link.end().await);
    let (mut link, _) = agent.session(collector.sessions(), BOOT).await;
    link.say(Up::Hello(crate::agent::hello(BOOT))).await;
    expect!["GOODBYE_REASON_BAD_INPUT: a hello comes once"].assert_eq(&link.end().await);
    collector.stop().await;
}
