//! The portable network sensor: `/proc/net/tcp` read again and again, and what changed between two
//! reads.
//!
//! It needs no privilege. It misses what lives shorter than its period, and knows the owner only of
//! sockets whose process we may look into; both are said in the sensor's state, since nothing counts
//! what was missed.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use cordon_shared::{
    event::{
        health,
        network::{Action, Direction, Transport},
    },
    time::{Boottime, Clock},
};

use crate::sensor::{
    Actor, Connection, Fact, Listen, Observation, Outcome, Position, Sensor, SensorError,
    pace::Pace,
    procfs::{
        self,
        socket::{Socket, State},
    },
};

/// Between two reads (chosen: as for processes).
const PERIOD: Duration = Duration::from_secs(1);

/// A connection or listener that was there at the last read.
#[derive(Clone, Debug)]
struct Seen {
    actor: Option<Actor>,
    direction: Direction,
    since: Boottime,
}

/// What makes a line of the list the same one at the next read.
type Key = (SocketAddr, SocketAddr, State, u64);

/// The differences between two reads of the lists.
#[derive(Debug)]
pub struct Poll {
    root: PathBuf,
    clock: Arc<dyn Clock>,
    seen: HashMap<Key, Seen>,
    pace: Pace,
    is_first: bool,
}

impl Poll {
    /// Reads below `root`, which is `/proc` outside of tests. What is open already is taken as known.
    #[must_use]
    pub fn new(root: &Path, clock: Arc<dyn Clock>) -> Self {
        let pace = Pace::new(PERIOD, clock.boottime());
        Self { root: root.to_owned(), clock, seen: HashMap::new(), pace, is_first: true }
    }

    fn read(&mut self) {
        let sockets: Vec<_> = procfs::socket::tcp(&self.root)
            .into_iter()
            .filter(|it| it.state != State::Other && it.inode != 0)
            .collect();
        let listening: HashSet<u16> = sockets
            .iter()
            .filter(|it| it.state == State::Listen)
            .map(|it| it.local.port())
            .collect();
        let is_new = |it: &&Socket| !self.seen.contains_key(&key(it));
        let new: Vec<_> = sockets.iter().filter(is_new).copied().collect();
        // Looking for owners reads every process's descriptors: only when there is somebody to find.
        let owners =
            if new.is_empty() { HashMap::new() } else { procfs::socket::owners(&self.root) };
        let there: HashSet<Key> = sockets.iter().map(key).collect();
        self.gone(&there);
        for socket in new {
            self.came(&socket, owners.get(&socket.inode).copied(), &listening);
        }
        self.is_first = false;
    }

    fn came(&mut self, socket: &Socket, owner: Option<u32>, listening: &HashSet<u16>) {
        let is_inbound = listening.contains(&socket.local.port());
        let direction = if is_inbound { Direction::Inbound } else { Direction::Outbound };
        let actor = owner.and_then(|pid| {
            let stat = procfs::process::stat(&self.root, pid)?;
            Some(Actor { pid, start_ticks: Some(stat.key.start_ticks), comm: stat.comm })
        });
        let seen = Seen { actor, direction, since: self.clock.boottime() };
        if !self.is_first {
            let fact = match (socket.state, direction) {
                (State::Listen, _) => Fact::Listen(Listen {
                    actor: seen.actor.clone(),
                    transport: Transport::Tcp,
                    local: socket.local,
                }),
                (_, Direction::Inbound) => {
                    connection(socket, &seen, Action::Accept, Duration::ZERO)
                }
                (_, Direction::Outbound) => {
                    connection(socket, &seen, Action::Connect, Duration::ZERO)
                }
            };
            self.push(fact);
        }
        self.seen.insert(key(socket), seen);
    }

    fn gone(&mut self, there: &HashSet<Key>) {
        let gone: Vec<_> = self.seen.extract_if(|key, _| !there.contains(key)).collect();
        let now = self.clock.boottime();
        for ((local, remote, state, inode), seen) in gone {
            if state == State::Established {
                let socket = Socket { local, remote, state, inode };
                let lasted = now.since(seen.since);
                self.push(connection(&socket, &seen, Action::Close, lasted));
            }
        }
    }

    fn push(&mut self, fact: Fact) {
        let at = self.clock.boottime();
        self.pace.push(Observation { at, source: Position::NONE, fact });
    }
}

fn key(socket: &Socket) -> Key {
    (socket.local, socket.remote, socket.state, socket.inode)
}

/// The inode serves as flow: it names the socket for as long as it lives.
fn connection(socket: &Socket, seen: &Seen, action: Action, duration: Duration) -> Fact {
    Fact::Connection(Box::new(Connection {
        action,
        actor: seen.actor.clone(),
        transport: Transport::Tcp,
        direction: Some(seen.direction),
        local: socket.local,
        remote: socket.remote,
        flow: socket.inode,
        bytes_sent: 0,
        bytes_received: 0,
        duration,
    }))
}

impl Sensor for Poll {
    fn kind(&self) -> health::Sensor {
        health::Sensor::Network
    }

    fn sense(
        &mut self,
        wait: Duration,
        into: &mut Vec<Observation>,
    ) -> Result<Outcome, SensorError> {
        if self.pace.is_due(self.clock.as_ref(), wait) {
            self.read();
        }
        Ok(self.pace.hand_over(into))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, TcpStream},
        path::Path,
        sync::Arc,
        time::Duration,
    };

    use cordon_shared::{
        event::network::Action,
        time::{ClockSample, FakeClock},
    };

    use super::{PERIOD, Poll};
    use crate::sensor::{Fact, Observation, Sensor};

    fn read(poll: &mut Poll, clock: &FakeClock) -> Vec<Observation> {
        clock.advance(PERIOD);
        let mut seen = Vec::new();
        poll.sense(Duration::ZERO, &mut seen).expect("reads");
        seen
    }

    fn actions(seen: &[Observation], port: u16) -> Vec<(Action, Option<u32>)> {
        let mut actions: Vec<_> = seen
            .iter()
            .filter_map(|it| {
                let Fact::Connection(it) = &it.fact else { return None };
                let is_ours = it.local.port() == port || it.remote.port() == port;
                is_ours.then(|| (it.action, it.actor.as_ref().map(|it| it.pid)))
            })
            .collect();
        actions.sort_by_key(|it| format!("{it:?}"));
        actions
    }

    #[test]
    fn both_ends_of_a_connection_are_seen_with_their_process_and_then_closed() {
        let clock = Arc::new(FakeClock::at(ClockSample::default()));
        let mut poll = Poll::new(Path::new("/proc"), Arc::clone(&clock) as _);
        read(&mut poll, &clock);

        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let port = listener.local_addr().expect("bound").port();
        let client = TcpStream::connect(("127.0.0.1", port)).expect("connects");
        let (server, _) = listener.accept().expect("accepts");
        let own = Some(std::process::id());
        let seen = read(&mut poll, &clock);
        assert_eq!(actions(&seen, port), [(Action::Accept, own), (Action::Connect, own)]);
        assert!(
            seen.iter().any(|it| matches!(&it.fact, Fact::Listen(it) if it.local.port() == port))
        );

        drop((client, server));
        let seen = read(&mut poll, &clock);
        assert_eq!(actions(&seen, port), [(Action::Close, own), (Action::Close, own)]);
    }
}
