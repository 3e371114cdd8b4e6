use std::{net::SocketAddr, sync::Arc};

use cordon_shared::{
    digest::Sha256,
    event::{Body, Event},
    test_support::{event, process, samples},
    text::Text,
};
use expect_test::expect;

use super::of;

/// A launch of this program, with or without its digest.
fn launch(exe: &str, digest: Option<&[u8]>) -> Event {
    let mut sample = samples().remove(0);
    if let Body::ProcessLaunch(launch) = &mut sample.body {
        let mut process = process(7);
        process.exe = Text::from(exe);
        process.exe_sha256 = digest.map(Sha256::of);
        launch.process = Arc::new(process);
    }
    sample
}

/// A connection of a system's program with this other side.
fn connection(remote: &str) -> Event {
    let samples = samples();
    let found = samples.into_iter().find_map(|it| {
        if let Body::Connection(connection) = it.body { Some(connection) } else { None }
    });
    let mut connection = found.unwrap();
    connection.remote = remote.parse::<SocketAddr>().unwrap();
    connection.actor = None;
    event(Body::Connection(connection))
}

#[test]
fn what_every_machine_has_is_no_indicator() {
    let mut table = String::new();
    for (what, event) in [
        ("a shell", launch("/usr/bin/dash", Some(b"dash"))),
        ("a dropped program", launch("/opt2/.x", Some(b"x"))),
        ("one without a digest", launch("/opt2/.x", None)),
        ("one in an odd place without", launch("/tmp/.x", None)),
        ("far away", connection("203.0.113.9:443")),
        ("another host", connection("10.0.0.7:22")),
        ("this host", connection("127.0.0.1:80")),
        ("this host in other clothes", connection("[::ffff:127.0.0.1]:80")),
        ("this link", connection("[fe80::1]:80")),
    ] {
        let found: Vec<_> = of(&event).iter().map(ToString::to_string).collect();
        let found = found.join(", ").chars().take(30).collect::<String>();
        table.push_str(&format!("{what}: {found}\n"));
    }
    expect![[r#"
        a shell: 
        a dropped program: sha256 2d711642b726b04401627ca
        one without a digest: 
        one in an odd place without: path /tmp/.x
        far away: address 203.0.113.9
        another host: address 10.0.0.7
        this host: 
        this host in other clothes: 
        this link: 
    "#]]
    .assert_eq(&table);
}
