//! Observations in, events out.

use std::sync::Arc;

use cordon_shared::{
    event::{Body, process::Ending},
    id::ProcessKey,
    time::{Boottime, FakeClock},
};

use super::{Enricher, Settings};
use crate::sensor::{
    Exit, Fact, Fork, Observation, Position,
    scope::{Cgroup, Scope},
};

fn enricher(scope: Scope) -> Enricher {
    let (proc, passwd) = ("/nowhere".into(), "/nowhere".into());
    Enricher::new(Settings { proc, passwd, scope, clock: Arc::new(FakeClock::default()) })
}

fn seen(fact: Fact) -> Observation {
    Observation { at: Boottime::from_ns(5), source: Position::NONE, fact }
}

fn key(pid: u32) -> ProcessKey {
    ProcessKey { pid, start_ticks: 1 }
}

#[test]
fn a_fork_makes_no_event_and_an_exit_after_it_knows_its_parent() {
    let mut enricher = enricher(Scope::Host);
    let fork = Fork { child: key(3), parent: key(2) };
    assert_eq!(enricher.event(seen(Fact::Fork(fork))), None);
    let exit = Exit { process: key(3), ending: Ending::Code(0) };
    let event = enricher.event(seen(Fact::Exit(exit))).expect("an exit is an event");
    let Body::ProcessExit(exit) = event.body else { panic!("it is an exit") };
    assert_eq!(exit.process.parent, Some(key(2)));
}

#[test]
fn what_is_not_known_to_be_outside_the_scope_is_within() {
    let scope = Scope::Cgroup(Cgroup { path: "/a".into(), id: 1, level: 1 });
    let mut enricher = enricher(scope);
    let exit = Exit { process: key(3), ending: Ending::Code(0) };
    assert!(enricher.event(seen(Fact::Exit(exit))).is_some());
}
