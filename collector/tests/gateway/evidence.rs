//! Evidence comes in: what was ordered and is whole, from whoever took it, and nothing else.

use bytes::Bytes;
use cordon_collector::store::{AGENT_BYTES_MAX, EvidenceState, NewCommand};
use cordon_proto::v1::{self, snapshots_client::SnapshotsClient};
use cordon_shared::{
    crypto::signing::SigningKey,
    id::{CommandId, SnapshotId},
    limit,
    snapshot::Manifest,
    test_support::evidence,
    time::{Clock, SystemClock},
    wire::snapshot::{Chunk, Offer, chunk_to, offer_to, sign},
};
use tokio_stream::iter;
use tonic::{Code, Status, transport::Channel};

use crate::{
    agent::{Agent, connect, enrol},
    collector::{Collector, by},
};

/// Bytes of a chunk that make several of a small container.
const PIECE: usize = 100;

struct Bed {
    collector: Collector,
    agent: Agent,
}

impl Bed {
    async fn new() -> Self {
        let collector = Collector::start().await;
        let token = collector.token(|_| ()).await;
        let agent = enrol(collector.addresses.enrolment, &token).await.unwrap();
        Self { collector, agent }
    }

    /// Another enrolled agent.
    async fn other(&self) -> Agent {
        let token = self.collector.token(|_| ()).await;
        enrol(self.collector.addresses.enrolment, &token).await.unwrap()
    }

    /// A command of this action, given to the agent.
    async fn ordered(&self, number: u8, action: &'static str) -> CommandId {
        let id = CommandId::from_slice(&[number; 16]).unwrap();
        let new = NewCommand {
            id,
            incident: None,
            detection: None,
            agent: self.agent.id,
            host: self.collector.store.agent(self.agent.id).await.unwrap().host.id,
            action,
            summary: format!("{action} on web-1"),
            releases: None,
            delivery: Bytes::from_static(b"signed"),
            expires: SystemClock.now(),
        };
        self.collector.store.add_command(&new, &by(), |_| None).await.unwrap();
        id
    }

    async fn client(&self, agent: &Agent) -> SnapshotsClient<Channel> {
        let channel = connect(self.collector.sessions(), agent.tls()).await.unwrap();
        SnapshotsClient::new(channel).max_encoding_message_size(64 << 20)
    }

    async fn offer(&self, agent: &Agent, offer: v1::SnapshotOffer) -> Result<(u64, bool), Status> {
        let reply = self.client(agent).await.offer(offer).await?.into_inner();
        Ok((reply.received_bytes, reply.is_complete))
    }

    async fn upload(
        &self,
        agent: &Agent,
        chunks: Vec<v1::SnapshotChunk>,
    ) -> Result<(u64, bool), Status> {
        let reply = self.client(agent).await.upload(iter(chunks)).await?.into_inner();
        Ok((reply.received_bytes, reply.is_complete))
    }

    async fn state(&self, id: SnapshotId) -> EvidenceState {
        self.collector.store.evidence(id).await.unwrap().state
    }
}

/// A snapshot of the agent for a command; `number` names it.
fn sealed(bed: &Bed, number: u8, command: CommandId) -> (Manifest, Vec<u8>) {
    let (mut manifest, container) = evidence::sealed(bed.agent.id, command);
    manifest.snapshot = SnapshotId::from_slice(&[number; 16]).unwrap();
    manifest.incident = None;
    (manifest, container)
}

fn key() -> SigningKey {
    SigningKey::from_seed([4; 32])
}

fn offered(manifest: &Manifest, key: &SigningKey) -> v1::SnapshotOffer {
    offer_to(&Offer {
        snapshot: manifest.snapshot,
        command: manifest.command,
        size_bytes: manifest.size_bytes,
        manifest: sign(manifest, key),
    })
}

/// A container in pieces, from `offset` on.
fn pieces(id: SnapshotId, container: &[u8], offset: usize) -> Vec<v1::SnapshotChunk> {
    let mut at = offset as u64;
    let mut chunks = Vec::new();
    for data in container[offset..].chunks(PIECE) {
        let data = Bytes::copy_from_slice(data);
        let length = data.len() as u64;
        chunks.push(chunk_to(Chunk { snapshot: id, offset: at, data }));
        at += length;
    }
    chunks
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Status>, code: Code, words: &str) {
    let status = result.unwrap_err();
    assert_eq!(status.code(), code, "{status:?}");
    assert!(status.message().contains(words), "{status:?}");
}

#[tokio::test]
async fn what_was_ordered_comes_in_whole_and_is_kept_as_it_was_sent() {
    let bed = Bed::new().await;
    let command = bed.ordered(1, "snapshot").await;
    let (manifest, container) = sealed(&bed, 1, command);
    let size = container.len() as u64;
    let offer = offered(&manifest, &key());
    assert_eq!(bed.offer(&bed.agent, offer.clone()).await.unwrap(), (0, false));
    let chunks = pieces(manifest.snapshot, &container, 0);
    assert!(chunks.len() > 3);
    assert_eq!(bed.upload(&bed.agent, chunks).await.unwrap(), (size, true));
    assert_eq!(bed.state(manifest.snapshot).await, EvidenceState::Held);
    let path = bed.collector.dir().join(format!("data/evidence/{}.tar.zst", manifest.snapshot));
    assert_eq!(std::fs::read(path).unwrap(), container);
    let custody = bed.collector.store.custody(manifest.snapshot).await.unwrap();
    assert_eq!(custody.len(), 1);
    assert_eq!(custody[0].action, "evidence.receive");
    // Offered and sent again, it is here already, and nothing is written down twice.
    assert_eq!(bed.offer(&bed.agent, offer).await.unwrap(), (size, true));
    let again = pieces(manifest.snapshot, &container, 0);
    assert_eq!(bed.upload(&bed.agent, again).await.unwrap(), (size, true));
    assert_eq!(bed.collector.store.custody(manifest.snapshot).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_nobody_ordered_of_this_agent_is_not_taken() {
    let bed = Bed::new().await;
    let command = bed.ordered(1, "snapshot").await;
    let kill = bed.ordered(2, "kill").await;
    let unknown = CommandId::from_slice(&[99; 16]).unwrap();
    for not_ordered in [kill, unknown] {
        let offer = offered(&sealed(&bed, 1, not_ordered).0, &key());
        refused(bed.offer(&bed.agent, offer).await, Code::NotFound, "was ordered of this agent");
    }
    let (manifest, container) = sealed(&bed, 1, command);
    let forged = offered(&manifest, &SigningKey::from_seed([5; 32]));
    refused(bed.offer(&bed.agent, forged).await, Code::PermissionDenied, "receipt key");

    // Another agent, which has the same receipt key here: neither as itself nor as the first.
    let other = bed.other().await;
    let offer = offered(&manifest, &key());
    refused(bed.offer(&other, offer.clone()).await, Code::InvalidArgument, "agent_id");
    let mut own = manifest.clone();
    own.agent = other.id;
    let own = offered(&own, &key());
    refused(bed.offer(&other, own).await, Code::NotFound, "was ordered of this agent");
    bed.offer(&bed.agent, offer).await.unwrap();
    let chunks = pieces(manifest.snapshot, &container, 0);
    refused(bed.upload(&other, chunks).await, Code::NotFound, "is not known");
    assert_eq!(bed.state(manifest.snapshot).await, EvidenceState::Offered);
}

#[tokio::test]
async fn an_offer_is_the_one_of_its_manifest_and_one_for_each_command() {
    let bed = Bed::new().await;
    let command = bed.ordered(1, "snapshot").await;
    let good = sealed(&bed, 1, command).0;
    let offer = offered(&good, &key());
    let spoiled = [
        v1::SnapshotOffer {
            snapshot_id: Bytes::from_static(b"../../../etc/cron.d/x"),
            ..offer.clone()
        },
        v1::SnapshotOffer { snapshot_id: vec![2; 16].into(), ..offer.clone() },
        v1::SnapshotOffer { command_id: vec![2; 16].into(), ..offer.clone() },
        v1::SnapshotOffer { size_bytes: 1, ..offer.clone() },
        v1::SnapshotOffer { size_bytes: limit::SNAPSHOT_BYTES_MAX + 1, ..offer.clone() },
        v1::SnapshotOffer { manifest: None, ..offer.clone() },
    ];
    for it in spoiled {
        refused(bed.offer(&bed.agent, it).await, Code::InvalidArgument, "must be");
    }
    bed.offer(&bed.agent, offer).await.unwrap();
    let second = offered(&sealed(&bed, 2, command).0, &key());
    refused(bed.offer(&bed.agent, second).await, Code::FailedPrecondition, "stands for another");
    // The same name with another manifest is another one too.
    let mut changed = good;
    changed.host_name = "db-1".to_owned();
    let changed = offered(&changed, &key());
    refused(bed.offer(&bed.agent, changed).await, Code::FailedPrecondition, "stands for another");
}

#[tokio::test]
async fn what_is_not_the_container_of_the_manifest_is_thrown_away_and_may_come_anew() {
    let bed = Bed::new().await;
    let command = bed.ordered(1, "snapshot").await;
    let (manifest, container) = sealed(&bed, 1, command);
    let id = manifest.snapshot;
    bed.offer(&bed.agent, offered(&manifest, &key())).await.unwrap();
    let mut other = container.clone();
    other[50] ^= 1;
    let sent = bed.upload(&bed.agent, pieces(id, &other, 0)).await;
    refused(sent, Code::FailedPrecondition, "not the one of its manifest");
    assert_eq!(bed.offer(&bed.agent, offered(&manifest, &key())).await.unwrap(), (0, false));
    let longer = [container.as_slice(), &[0; PIECE * 2]].concat();
    let mut chunks = pieces(id, &longer, 0);
    let last = chunks.iter().position(|it| it.offset + it.data.len() as u64 > manifest.size_bytes);
    chunks.truncate(last.unwrap() + 1);
    refused(bed.upload(&bed.agent, chunks).await, Code::OutOfRange, "larger than");
    assert_eq!(bed.state(id).await, EvidenceState::Offered);
    // From where it was before it grew too long.
    let (received, _) = bed.offer(&bed.agent, offered(&manifest, &key())).await.unwrap();
    let rest = pieces(id, &container, usize::try_from(received).unwrap());
    assert!(bed.upload(&bed.agent, rest).await.unwrap().1);
}

#[tokio::test]
async fn only_what_follows_is_taken() {
    let bed = Bed::new().await;
    let command = bed.ordered(1, "snapshot").await;
    let (manifest, container) = sealed(&bed, 1, command);
    let id = manifest.snapshot;
    refused(bed.upload(&bed.agent, Vec::new()).await, Code::InvalidArgument, "snapshot_id");
    let early = pieces(id, &container, 0);
    refused(bed.upload(&bed.agent, early.clone()).await, Code::NotFound, "is not known");
    bed.offer(&bed.agent, offered(&manifest, &key())).await.unwrap();

    let gap = vec![early[1].clone()];
    refused(bed.upload(&bed.agent, gap).await, Code::FailedPrecondition, "`offset` must be 0");
    let twice = vec![early[0].clone(), early[0].clone()];
    refused(bed.upload(&bed.agent, twice).await, Code::FailedPrecondition, "`offset` must be 100");
    let mut other = early[1].clone();
    other.snapshot_id = vec![2; 16].into();
    refused(bed.upload(&bed.agent, vec![other]).await, Code::NotFound, "is not known");
    let mut path = early[1].clone();
    path.snapshot_id = Bytes::from_static(b"../../../../../x");
    let sent = bed.upload(&bed.agent, vec![path]).await;
    refused(sent, Code::NotFound, "is not known");
    let mut large = early[1].clone();
    large.data = vec![0; limit::SNAPSHOT_CHUNK_BYTES_MAX + 1].into();
    refused(bed.upload(&bed.agent, vec![large]).await, Code::InvalidArgument, "data");
    let rest = pieces(id, &container, PIECE);
    assert!(bed.upload(&bed.agent, rest).await.unwrap().1);
}

#[tokio::test]
async fn a_broken_upload_goes_on_where_it_was_also_over_a_restart_of_the_collector() {
    let mut bed = Bed::new().await;
    let command = bed.ordered(1, "snapshot").await;
    let (manifest, container) = sealed(&bed, 1, command);
    let id = manifest.snapshot;
    bed.offer(&bed.agent, offered(&manifest, &key())).await.unwrap();
    let mut chunks = pieces(id, &container, 0);
    chunks.truncate(2);
    assert_eq!(bed.upload(&bed.agent, chunks).await.unwrap(), (200, false));
    bed.collector.restart().await;
    assert_eq!(bed.offer(&bed.agent, offered(&manifest, &key())).await.unwrap(), (200, false));
    let rest = pieces(id, &container, 200);
    assert!(bed.upload(&bed.agent, rest).await.unwrap().1);
    // A crash before it was looked at as a whole: the next offer does so, and does not believe it.
    let command = bed.ordered(3, "snapshot").await;
    let (manifest, container) = sealed(&bed, 3, command);
    bed.offer(&bed.agent, offered(&manifest, &key())).await.unwrap();
    let path = bed.collector.dir().join(format!("data/evidence/{}.part", manifest.snapshot));
    cordon_shared::durable::write(&path, &vec![0; container.len()], 0o600).unwrap();
    assert_eq!(bed.offer(&bed.agent, offered(&manifest, &key())).await.unwrap(), (0, false));
    cordon_shared::durable::write(&path, &container, 0o600).unwrap();
    assert!(bed.offer(&bed.agent, offered(&manifest, &key())).await.unwrap().1);
    // A crash between the container's last byte and the note of it: the next offer notes it.
    let command = bed.ordered(2, "snapshot").await;
    let (manifest, container) = sealed(&bed, 2, command);
    bed.offer(&bed.agent, offered(&manifest, &key())).await.unwrap();
    let path = bed.collector.dir().join(format!("data/evidence/{}.tar.zst", manifest.snapshot));
    cordon_shared::durable::write(&path, &container, 0o600).unwrap();
    assert!(bed.offer(&bed.agent, offered(&manifest, &key())).await.unwrap().1);
    assert_eq!(bed.state(manifest.snapshot).await, EvidenceState::Held);
}

#[tokio::test]
async fn one_agent_may_keep_so_much_and_no_more() {
    let bed = Bed::new().await;
    let most = u8::try_from(AGENT_BYTES_MAX / limit::SNAPSHOT_BYTES_MAX).unwrap();
    for number in 1..=most + 1 {
        let command = bed.ordered(number, "snapshot").await;
        let mut manifest = sealed(&bed, number, command).0;
        manifest.size_bytes = limit::SNAPSHOT_BYTES_MAX;
        let sent = bed.offer(&bed.agent, offered(&manifest, &key())).await;
        match number > most {
            false => assert_eq!(sent.unwrap(), (0, false)),
            true => refused(sent, Code::FailedPrecondition, "more than one agent may keep"),
        }
    }
}
