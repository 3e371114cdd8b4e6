//! For tests: one event of every kind, and as many random ones as a seed gives.
//!
//! Only behind the feature `test-support`; no program is built with it.

pub mod evidence;
pub mod order;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use crate::{
    batch::{Builder, Origin, Sealed, Source},
    crypto::signing::{Signature, SignedBytes},
    digest::Sha256,
    entropy::{Entropy, SeededEntropy},
    event::{
        Body, Event,
        file::{self, Change, Identity, Mount},
        health::{Health, Loss, LossCause, LostRange, Sensor, SensorState, Tier},
        kernel,
        login::{self, LogRecord},
        network::{self, Connection, Direction, DnsQuery, Listen, Transport},
        process::{
            Ancestor, CredentialChange, Credentials, DescriptorKind, Ending, ExecutableKind, Exit,
            HashState, Launch, Process, Ptrace,
        },
    },
    id::{AgentId, BootId, Epoch, EventSeq, ExerciseId, Lane, ProcessKey},
    text::Text,
    time::{Boottime, ClockSample, Timestamp},
};

/// The agent of the samples.
///
/// # Panics
/// Never: its bytes are not all zero.
#[must_use]
pub fn agent() -> AgentId {
    AgentId::from_slice(&[0xa9; 16]).expect("16 bytes, not all zero")
}

/// Boot and clocks of the samples: the host booted at 2025-11-24T16:00:00Z, a thousand seconds ago.
#[must_use]
pub fn origin() -> Origin {
    let clock = ClockSample {
        boottime: Boottime::from_ns(1_000_000_000_000),
        realtime: Timestamp::from_ns(1_764_001_000_000_000_000),
    };
    Origin { boot: BootId([0xb0; 16]), clock }
}

/// A process with every field set.
#[must_use]
pub fn process(pid: u32) -> Process {
    Process {
        key: ProcessKey { pid, start_ticks: 90_000 + u64::from(pid) },
        exec_count: 1,
        exe: Text::from("/usr/bin/dash"),
        exe_sha256: Some(Sha256::of(b"dash")),
        argv: vec![Text::from("sh"), Text::from("-c"), Text::from(b"echo \xff\\".as_slice())],
        cwd: Text::from("/srv/www"),
        credentials: Some(Credentials {
            uid: 33,
            euid: 33,
            gid: 33,
            egid: 33,
            auid: Credentials::UNSET,
            session: Credentials::UNSET,
            capabilities: 0x400,
        }),
        user: Text::from("www-data"),
        cgroup: Text::from("/system.slice/nginx.service"),
        container: Text::from("4f2a"),
        parent: Some(ProcessKey { pid: pid - 1, start_ticks: 80_000 }),
        namespace_pid: Some(7),
        comm: Text::from("sh"),
    }
}

/// A file's identity with every field set.
#[must_use]
pub fn identity() -> Identity {
    Identity {
        device: 0xfe00,
        inode: 123_456,
        ctime: Timestamp::from_ns(1_763_000_000_000_000_001),
        mtime: Timestamp::from_ns(1_762_000_000_000_000_002),
        size_bytes: 125_640,
        mode: 0o100_755,
        owner_uid: 0,
        owner_gid: 0,
        links: 1,
    }
}

/// An event at the time of the samples.
#[must_use]
pub fn event(body: Body) -> Event {
    let boottime = Boottime::from_ns(999_500_000_000);
    Event { boottime, realtime: origin().clock.realtime_at(boottime), exercise: None, body }
}

/// One event of every kind, every field set.
#[must_use]
pub fn samples() -> Vec<Event> {
    let actor = Arc::new(process(4711));
    let parent = Arc::new(process(4710));
    let bodies = [
        process_samples(&actor, &parent),
        file_samples(&actor),
        network_samples(&actor),
        other_samples(&actor),
    ];
    let mut events: Vec<Event> = bodies.into_iter().flatten().map(event).collect();
    if let Some(first) = events.first_mut() {
        first.exercise = ExerciseId::from_slice(&[0xe0; 16]);
    }
    events
}

fn process_samples(actor: &Arc<Process>, parent: &Arc<Process>) -> Vec<Body> {
    let credentials = actor.credentials.unwrap_or_default();
    vec![
        Body::ProcessLaunch(Box::new(Launch {
            process: Arc::clone(actor),
            parent: Some(Arc::clone(parent)),
            ancestry: vec![
                Ancestor { key: parent.key, exe: Text::from("/usr/sbin/nginx") },
                Ancestor { key: ProcessKey { pid: 1, start_ticks: 3 }, exe: Text::EMPTY },
            ],
            exe_file: Some(identity()),
            exe_kind: ExecutableKind::File,
            hash_state: HashState::Known,
            descriptors: Some([
                DescriptorKind::Socket,
                DescriptorKind::Socket,
                DescriptorKind::Terminal,
            ]),
            argv_bytes_cut: 12,
            is_running_at_start: false,
        })),
        Body::ProcessExit(Exit {
            process: Arc::clone(actor),
            ending: Ending::Signal { number: 9, has_dumped_core: false },
        }),
        Body::CredentialChange(CredentialChange {
            process: Arc::clone(actor),
            before: credentials,
            after: Credentials { euid: 0, ..credentials },
        }),
        Body::Ptrace(Ptrace { tracer: Arc::clone(actor), target: Arc::clone(parent), request: 16 }),
    ]
}

fn file_samples(actor: &Arc<Process>) -> Vec<Body> {
    vec![
        Body::FileChange(Box::new(Change {
            action: file::Action::Rename,
            actor: Some(Arc::clone(actor)),
            path: Text::from("/srv/www/avatar.php"),
            path_before: Text::from("/srv/www/avatar.png"),
            file: Some(identity()),
            sha256: Some(Sha256::of(b"avatar")),
            is_directory: false,
            count: 3,
        })),
        Body::Mount(Mount {
            actor: Some(Arc::clone(actor)),
            source: Text::from("tmpfs"),
            target: Text::from("/etc"),
            file_system: Text::from("tmpfs"),
            flags: 6,
            is_unmount: false,
        }),
    ]
}

fn network_samples(actor: &Arc<Process>) -> Vec<Body> {
    vec![
        Body::Connection(Box::new(Connection {
            action: network::Action::Close,
            actor: Some(Arc::clone(actor)),
            transport: Transport::Tcp,
            direction: Some(Direction::Outbound),
            local: SocketAddr::from((Ipv4Addr::new(10, 0, 0, 7), 40_000)),
            remote: SocketAddr::from((Ipv6Addr::LOCALHOST, 4444)),
            flow: 77,
            bytes_sent: 1_000,
            bytes_received: 2_000,
            duration: Duration::from_millis(1_500),
        })),
        Body::Listen(Listen {
            actor: Some(Arc::clone(actor)),
            transport: Transport::Tcp,
            local: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080)),
        }),
        Body::DnsQuery(DnsQuery {
            actor: Some(Arc::clone(actor)),
            name: Text::from("c2.example"),
            kind: 28,
            server: Some((IpAddr::V4(Ipv4Addr::new(9, 9, 9, 9)), 53)),
        }),
    ]
}

fn other_samples(actor: &Arc<Process>) -> Vec<Body> {
    vec![
        Body::KernelLoad(kernel::Load {
            actor: Some(Arc::clone(actor)),
            object: kernel::Object::Module,
            name: Text::from("rootkit"),
            path: Text::from("/tmp/rootkit.ko"),
            sha256: Some(Sha256::of(b"rootkit")),
        }),
        Body::LoginSession(login::Session {
            action: login::Action::Open,
            user: Text::from("root"),
            uid: 0,
            service: Text::from("sshd"),
            terminal: Text::from("pts/0"),
            remote: Some((IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 50_000)),
            session: 3,
            actor: Some(Arc::clone(actor)),
        }),
        Body::LogRecord(LogRecord {
            source: Text::from("auth"),
            unit: Text::from("sshd"),
            message: Text::from("Accepted publickey for root"),
            severity: Some(6),
            fields: vec![(Text::from("method"), Text::from("publickey"))],
            cursor: Text::from("1:4096"),
        }),
        Body::Receipt(SignedBytes {
            payload_type: "cordon.v1.Receipt".to_owned(),
            payload: vec![10, 1, 7].into(),
            signatures: vec![Signature {
                key_id: Sha256::of(b"receipt key"),
                value: vec![5; 64].into(),
            }],
        }),
        Body::Health(Health {
            sensors: vec![SensorState {
                sensor: Sensor::Process,
                tier: Tier::Ebpf,
                reason: "loaded".to_owned(),
            }],
            cpu_ns: 5_000_000,
            rss_bytes: 9 << 20,
            spool_bytes_used: 1 << 20,
            spool_bytes_max: 256 << 20,
            events_total: 9_999,
            agent_sha256: Some(Sha256::of(b"agent")),
        }),
        Body::Loss(Loss {
            cause: LossCause::Quota,
            sensor: Some(Sensor::File),
            lane: Lane::File,
            count: 256,
            is_count_exact: true,
            from: Boottime::from_ns(5),
            until: Boottime::from_ns(9),
            range: lost_range(),
        }),
    ]
}

fn lost_range() -> Option<LostRange> {
    Some(LostRange {
        epoch: Epoch::from_u64(17)?,
        first: EventSeq::FIRST,
        last: EventSeq::from_u64(256)?,
    })
}

/// Random but valid events: the same for the same seed.
#[derive(Debug)]
pub struct Random {
    entropy: SeededEntropy,
    samples: Vec<Event>,
}

impl Random {
    /// Begins the stream of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { entropy: SeededEntropy::new(seed), samples: samples() }
    }

    /// A number below `end`, which is at least 1.
    pub fn below(&self, end: u64) -> u64 {
        let mut bytes = [0; 8];
        self.entropy.fill(&mut bytes);
        u64::from_le_bytes(bytes) % end.max(1)
    }

    /// Bytes of any kind, at most `length_max`.
    pub fn text(&self, length_max: u64) -> Text {
        let length = usize::try_from(self.below(length_max + 1)).unwrap_or(0);
        let mut bytes = vec![0; length];
        self.entropy.fill(&mut bytes);
        bytes.into()
    }

    /// A process, unlike any other with near certainty.
    pub fn process(&self) -> Process {
        let mut process = process(2 + u32::try_from(self.below(4_000_000)).unwrap_or(0));
        process.key.start_ticks = self.below(1 << 40);
        process.exe = self.text(64);
        process.argv = (0..self.below(6)).map(|_| self.text(40)).collect();
        process
    }

    /// An event of the given lane.
    pub fn event(&self, lane: Lane) -> Event {
        let of_lane: Vec<_> = self.samples.iter().filter(|it| it.body.lane() == lane).collect();
        let choice = usize::try_from(self.below(of_lane.len() as u64)).unwrap_or(0);
        let mut event =
            of_lane.get(choice).map_or_else(|| self.samples[0].clone(), |it| (*it).clone());
        event.boottime = Boottime::from_ns(self.below(1_000_000_000_000));
        event.realtime = origin().clock.realtime_at(event.boottime);
        if let Body::ProcessLaunch(launch) = &mut event.body {
            launch.process = Arc::new(self.process());
        }
        event
    }

    /// A sealed batch of `count` events, numbered from `first_seq`.
    ///
    /// # Panics
    /// When `count` is 0 or more than a batch takes.
    pub fn batch(&self, lane: Lane, epoch: Epoch, first_seq: EventSeq, count: usize) -> Sealed {
        let mut builder = Builder::new(lane, epoch, first_seq, origin());
        for _ in 0..count {
            builder.push(&self.event(lane), Source::default());
        }
        builder.seal().expect("1..=256 valid events")
    }
}
