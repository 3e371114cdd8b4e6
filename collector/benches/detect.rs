//! What detection costs: events judged a second by the shipped rules, and by ten times as many.
//! `cargo bench -p cordon-collector --bench detect`; a figure is worth something only with the
//! machine's name and load beside it. Below-linear growth is the ratio of the two.
#![expect(clippy::unwrap_used, reason = "a benchmark ends when it cannot be set up")]

use std::{net::SocketAddr, sync::Arc};

use cordon_collector::detect::{SHIPPED, engine::Engine, parse};
use cordon_shared::{
    arrival::{Arrival, Host},
    batch::{Builder, Source},
    event::{Body, Event, file, network, process::DescriptorKind},
    id::{Epoch, EventSeq, HostId, Lane},
    test_support::{agent, origin, samples},
    text::Text,
    time::Timestamp,
};
use divan::{Bencher, black_box, counter::ItemsCount};

/// Events of a batch, as an agent seals them.
const BATCH_EVENTS: usize = 256;

/// Launches as servers have them: what runs, and its arguments.
const LAUNCHES: &[(&str, &str)] = &[
    ("/usr/bin/dash", "sh -c cd / && run-parts --report /etc/cron.hourly"),
    ("/usr/bin/bash", "bash -c set -e; cd /srv/shop && ./bin/deploy --env production --wait 30"),
    ("/usr/bin/git", "git fetch --quiet --prune origin +refs/heads/*:refs/remotes/origin/*"),
    ("/usr/bin/python3.11", "/usr/bin/python3 /usr/bin/unattended-upgrade --dry-run"),
    ("/usr/sbin/nginx", "nginx: worker process"),
    ("/usr/bin/grep", "grep -q ^processor /proc/cpuinfo"),
    ("/usr/bin/rsync", "rsync -a --delete /srv/shop/media/ backup.example.org:/srv/media/"),
    ("/usr/bin/systemctl", "systemctl is-active --quiet nginx.service"),
    ("/usr/bin/curl", "curl -fsS --max-time 5 http://127.0.0.1:8080/health"),
    ("/usr/bin/node", "node --max-old-space-size=4096 /srv/shop/server.js --port 8080"),
    ("/usr/lib/postgresql/15/bin/postgres", "postgres: shop shop 127.0.0.1(51820) SELECT"),
    ("/usr/bin/awk", "awk {print $1} /var/log/nginx/access.log"),
    ("/usr/bin/sed", "sed -i s/^#*PermitRootLogin.*/PermitRootLogin no/ /etc/ssh/sshd_config"),
    ("/usr/bin/ssh", "ssh -o BatchMode=yes deploy@web-2 sudo systemctl reload nginx"),
    ("/usr/bin/tar", "tar czf /var/backups/shop-20261124.tgz /srv/shop/config"),
    ("/bin/true", "/bin/true"),
];

/// Files that were written.
const FILES: &[&str] = &[
    "/srv/shop/media/cache/4f/2a/4f2a9c.webp",
    "/srv/shop/.cache/selfcheck.json",
    "/etc/resolv.conf",
    "/var/www/html/sitemap.xml",
];

fn main() {
    divan::main();
}

/// The events of a batch: three of four are launches.
fn events() -> Vec<Event> {
    let samples = samples();
    let find = |is_it: fn(&Body) -> bool| samples.iter().find(|it| is_it(&it.body)).unwrap();
    let launch = find(|it| matches!(it, Body::ProcessLaunch(_)));
    let change = find(|it| matches!(it, Body::FileChange(_)));
    let connection = find(|it| matches!(it, Body::Connection(_)));
    let one = |index: usize| {
        let mut event = match index % 8 {
            6 => change.clone(),
            7 => connection.clone(),
            _ => launch.clone(),
        };
        event.exercise = None;
        if let Body::ProcessLaunch(it) = &mut event.body {
            let (exe, line) = LAUNCHES[index % LAUNCHES.len()];
            let process = Arc::make_mut(&mut it.process);
            process.exe = Text::from(exe);
            process.argv = line.splitn(3, ' ').map(Text::from).collect();
            it.descriptors =
                Some([DescriptorKind::Device, DescriptorKind::Pipe, DescriptorKind::File]);
        }
        if let Body::FileChange(it) = &mut event.body {
            it.action = file::Action::WriteClose;
            it.path = Text::from(FILES[index % FILES.len()]);
        }
        if let Body::Connection(it) = &mut event.body {
            it.action = network::Action::Connect;
            let port = u16::try_from(1_024 + index).unwrap();
            it.remote = SocketAddr::from(([10, 0, 0, 7], port));
        }
        event
    };
    (0..BATCH_EVENTS).map(one).collect()
}

fn arrival() -> Arrival {
    let (epoch, host) = (Epoch::from_u64(7).unwrap(), HostId::from_slice(&[4; 16]).unwrap());
    let mut builder = Builder::new(Lane::Critical, epoch, EventSeq::FIRST, origin());
    events().iter().for_each(|it| builder.push(it, Source::default()));
    let sealed = builder.seal().unwrap();
    Arrival {
        position: 1,
        agent: agent(),
        host: Arc::new(Host { id: host, name: "web-1".to_owned(), os: String::new() }),
        received: origin().clock.realtime,
        boot_epoch: Timestamp::from_ns(origin().clock.realtime.as_ns() - 1_000_000_000_000),
        is_corrected: true,
        header: *sealed.header(),
        contents: Arc::new(sealed.open().unwrap()),
    }
}

/// A rule that asks for other texts in the same way: each literal of its selections gets a number.
fn variant(text: &str, number: usize) -> String {
    let (mut lines, mut is_within) = (Vec::new(), false);
    for line in text.lines() {
        let is_top = !line.starts_with([' ', '#']);
        is_within = if is_top { line.starts_with("detection:") } else { is_within };
        let is_literal = is_within
            && !line.contains("condition:")
            && !line.contains("exists:")
            && line.split_once("- ").is_some_and(|(before, it)| {
                before.trim().is_empty() && it.len() > 2 && !it.contains([':', '\''])
            });
        lines.push(match line.strip_prefix("id: ") {
            Some(id) => format!("id: {id}-{number}"),
            None if is_literal => format!("{line}{number}"),
            None => line.to_owned(),
        });
    }
    lines.join("\n")
}

/// The shipped rules, so many times over, each time with other texts.
fn engine(times: usize) -> Engine {
    let rules = (0..times).flat_map(|number| {
        SHIPPED.iter().map(move |(file, text)| {
            let text = if number == 0 { (*text).to_owned() } else { variant(text, number) };
            (format!("{file}-{number}"), text)
        })
    });
    let rules: Vec<_> = rules.collect();
    let engine = Engine::new(rules.iter().map(|(file, text)| (file.as_str(), text.as_str())));
    assert_eq!(engine.problems(), []);
    assert_eq!(engine.rules().count(), SHIPPED.len() * times);
    engine
}

/// Events a second, by how many times the shipped rules are loaded.
#[divan::bench(args = [1, 10])]
fn judged(bencher: Bencher<'_, '_>, times: usize) {
    let (engine, arrival) = (engine(times), arrival());
    // What servers do every day is no detection.
    assert_eq!(engine.run(&arrival), []);
    bencher
        .counter(ItemsCount::new(BATCH_EVENTS))
        .bench_local(|| black_box(engine.run(black_box(&arrival))));
}

/// Rules compiled a second: what a reload costs.
#[divan::bench(args = [1, 10])]
fn compiled(bencher: Bencher<'_, '_>, times: usize) {
    assert!(parse::rule(SHIPPED[0].1).is_ok());
    bencher.counter(ItemsCount::new(SHIPPED.len() * times)).bench_local(|| engine(times));
}
