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

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_are_refused_politely() {
    let (mut collector, agent) = enrolled().await;
    let channel = crate::agent::connect(collector.sessions(), agent.tls()).await.unwrap();
    let mut client = v1::snapshots_client::SnapshotsClient::new(channel);
    let status = client.offer(v1::SnapshotOffer::default()).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unimplemented);
    collector.stop().await;
}
