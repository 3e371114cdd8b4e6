//! Tier 1 of the network sensor: TCP connections and listeners, with the process, from the kernel.
//!
//! In: records of `bpf/network.bpf.c`. Out: [`Connection`] and [`Listen`].
//!
//! A connection that is asked for is told of when it is answered, since its source port is chosen in
//! between; one that is never answered is told of as failed when it is given up. A connection that
//! comes in is told of when accept(2) returns it.
//!
//! Known limits. A connection accepted through `io_uring` passes by accept(2): only its end is seen,
//! without a process, and not at all in a scope narrower than the host. The same holds for one that
//! is older than the sensor. UDP is not seen.

use std::{sync::Arc, time::Duration};

use cordon_shared::{
    event::{
        health,
        network::{Action, Direction, Transport},
    },
    time::Boottime,
};

use crate::sensor::{
    Actor, Connection, Fact, Listen, SensorError,
    ebpf::{
        self, Meaning, RingSensor, Start, program,
        record::{Record, Socket, SocketAction, SocketDirection},
    },
};

/// Opens the sensor: takes over pinned programs, or loads them.
///
/// # Errors
/// [`SensorError`] says which step the host refused: take the next tier.
pub fn open(start: &Start<'_>) -> Result<RingSensor, SensorError> {
    let loaded = ebpf::load(&program::NETWORK, start)?;
    let kind = health::Sensor::Network;
    RingSensor::open(kind, loaded, Box::new(Sockets), start.resume, Arc::clone(&start.clock))
}

/// What the records mean.
#[derive(Debug)]
struct Sockets;

impl Meaning for Sockets {
    fn fact(&mut self, record: &Record<'_>) -> Option<Fact> {
        match record {
            Record::Socket(it) => Some(fact(it)),
            Record::Exec(_) | Record::Fork(_) | Record::Exit(_) => None,
        }
    }
}

fn fact(socket: &Socket<'_>) -> Fact {
    let transport = Transport::Tcp;
    let action = match socket.action {
        SocketAction::Connect => Action::Connect,
        SocketAction::Accept => Action::Accept,
        SocketAction::Close => Action::Close,
        SocketAction::Fail => Action::Fail,
        SocketAction::Listen => {
            return Fact::Listen(Listen { actor: actor(socket), transport, local: socket.local });
        }
    };
    let direction = match socket.direction {
        SocketDirection::Unknown => None,
        SocketDirection::Inbound => Some(Direction::Inbound),
        SocketDirection::Outbound => Some(Direction::Outbound),
    };
    Fact::Connection(Box::new(Connection {
        action,
        actor: actor(socket),
        transport,
        direction,
        local: socket.local,
        remote: socket.remote,
        flow: socket.flow,
        bytes_sent: socket.bytes_sent,
        bytes_received: socket.bytes_received,
        duration: Duration::from_nanos(socket.duration_ns),
    }))
}

fn actor(socket: &Socket<'_>) -> Option<Actor> {
    let start_ticks = Some(Boottime::from_ns(socket.start_ns).as_ticks());
    (socket.pid != 0).then(|| Actor { pid: socket.pid, start_ticks, comm: socket.comm.into() })
}
