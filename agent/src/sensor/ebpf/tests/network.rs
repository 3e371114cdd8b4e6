//! The network programs: two processes of the test's own talk on loopback.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use cordon_shared::event::network::{Action, Direction};

use super::{Stage, sense};
use crate::sensor::{Connection, Fact, Observation, network};

/// The peers of the network test: this test binary, started again. Does nothing by itself.
#[test]
fn plays_a_peer_when_asked_to() {
    let Ok(role) = std::env::var("CORDON_TEST_PEER") else { return };
    let (role, port) = role.split_once(' ').expect("a role and a port");
    match role {
        "serve" => {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
            println!("port {}", listener.local_addr().expect("it is bound").port());
            let (mut stream, _) = listener.accept().expect("somebody comes");
            let mut asked = [0; 1_000];
            stream.read_exact(&mut asked).expect("a thousand bytes come");
            stream.write_all(&[7; 30_000]).expect("they are taken");
        }
        _ask => {
            let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("it listens");
            stream.write_all(&[1; 1_000]).expect("they are taken");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).expect("the answer comes");
            assert_eq!(answer.len(), 30_000);
            // Nobody listens on port 1.
            TcpStream::connect("127.0.0.1:1").expect_err("it is refused");
        }
    }
}

fn peer(stage: &Stage, role: &str) -> Child {
    let program = std::env::current_exe().expect("it runs");
    let name = "sensor::ebpf::tests::network::plays_a_peer_when_asked_to";
    let script = stage.joining(&format!("exec {} --exact {name} --nocapture", program.display()));
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(script).env("CORDON_TEST_PEER", role).stdout(Stdio::piped());
    stage.spawn(&mut command)
}

#[test]
fn both_ends_of_a_connection_are_seen_with_process_and_bytes() {
    let Some(stage) = Stage::set("network") else { return };
    let mut sensor = network::bpf::open(&stage.start()).expect("the kernel takes the programs");
    assert_eq!(sensor.describe(), "pinned");
    let mut server = peer(&stage, "serve 0");
    let mut said = String::new();
    let mut output = std::io::BufReader::new(server.stdout.take().expect("it is piped"));
    while !said.contains("port ") || !said.ends_with('\n') {
        said.clear();
        std::io::BufRead::read_line(&mut output, &mut said).expect("it says its port");
    }
    let port: u16 =
        said.rsplit(' ').next().and_then(|it| it.trim().parse().ok()).expect("a number");
    let mut client = peer(&stage, &format!("ask {port}"));
    let pids = (server.id(), client.id());
    assert!(client.wait().expect("it was started").success());
    std::io::copy(&mut output, &mut std::io::sink()).expect("the rest of its output");
    assert!(server.wait().expect("it was started").success());

    let of = |seen: &[Observation], action: Action| -> Vec<Connection> {
        let connections = seen.iter().filter_map(|it| match &it.fact {
            Fact::Connection(it) => Some(it.as_ref().clone()),
            _other => None,
        });
        connections.filter(|it| it.action == action).collect()
    };
    let seen = sense(&mut sensor, |seen| {
        of(seen, Action::Close).len() == 2 && of(seen, Action::Fail).len() == 1
    });
    let pid = |it: &Connection| it.actor.as_ref().map(|it| it.pid);
    let listened = seen.iter().any(|it| {
        matches!(&it.fact, Fact::Listen(it) if it.local.port() == port && it.actor.as_ref().map(|it| it.pid) == Some(pids.0))
    });
    assert!(listened, "the server's listen(2) was seen");
    let [connect] = of(&seen, Action::Connect).try_into().expect("one");
    let [accept] = of(&seen, Action::Accept).try_into().expect("one");
    assert_eq!((pid(&connect), pid(&accept)), (Some(pids.1), Some(pids.0)));
    assert_eq!((connect.remote, accept.local), (accept.local, connect.remote));
    assert_eq!((connect.local, connect.remote.port()), (accept.remote, port));
    assert_ne!(connect.flow, accept.flow);
    for close in of(&seen, Action::Close) {
        assert!(close.duration > Duration::ZERO);
        if close.direction == Some(Direction::Outbound) {
            assert_eq!((pid(&close), close.flow), (Some(pids.1), connect.flow));
            assert_eq!((close.local, close.remote), (connect.local, connect.remote));
            assert_eq!((close.bytes_sent, close.bytes_received), (1_000, 30_000));
        } else {
            assert_eq!((pid(&close), close.flow), (Some(pids.0), accept.flow));
            assert_eq!((close.local, close.remote), (accept.local, accept.remote));
            assert_eq!((close.bytes_sent, close.bytes_received), (30_000, 1_000));
        }
    }
    let [fail] = of(&seen, Action::Fail).try_into().expect("one");
    assert_eq!((pid(&fail), fail.remote.port()), (Some(pids.1), 1));
    assert_ne!(fail.local.port(), 0);
}
