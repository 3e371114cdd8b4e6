//! A network that remembers what was done to it, and fails on demand.

use std::{
    io,
    sync::{Arc, Mutex},
};

use super::*;

/// What it does, and what was done.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) closed: Option<Ruleset>,
    pub(crate) is_collector_away: bool,
    pub(crate) leaks: Vec<String>,
    pub(crate) uncut: usize,
    /// The call that the host refuses.
    pub(crate) refuses: Option<&'static str>,
    pub(crate) done: Vec<String>,
}

/// A network; clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fake(pub(crate) Arc<Mutex<State>>);

impl Fake {
    pub(crate) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }

    /// What was done since the last time this was asked.
    pub(crate) fn done(&self) -> String {
        std::mem::take(&mut self.0.lock().unwrap().done).join(", ")
    }

    pub(crate) fn closed(&self) -> Option<Ruleset> {
        self.0.lock().unwrap().closed.clone()
    }

    fn call(&self, name: &'static str) -> Result<State, HostError> {
        let mut state = self.0.lock().unwrap();
        if state.refuses == Some(name) {
            let source = io::ErrorKind::PermissionDenied.into();
            return Err(HostError { doing: "change a network that refuses", source });
        }
        state.done.push(name.to_owned());
        Ok(state.clone())
    }
}

/// The facts of a host with a cgroup of the agent's own.
pub(crate) fn facts() -> LinkFacts {
    LinkFacts {
        far_ends: vec!["192.0.2.7:7443".parse().unwrap(), "192.0.2.7:7444".parse().unwrap()],
        is_proxied: false,
        cgroup: Some(Cgroup { id: 77, level: 2 }),
        dhcp: vec!["192.0.2.1".parse().unwrap()],
        is_shared: false,
        is_root_remote: false,
    }
}

impl Link for Fake {
    fn facts(&self, _: &[SocketAddr]) -> Result<LinkFacts, HostError> {
        self.call("look").map(|_| facts())
    }

    fn close(&self, ruleset: &Ruleset) -> Result<(), HostError> {
        self.call("close")?;
        self.change(|it| it.closed = Some(ruleset.clone()));
        Ok(())
    }

    fn open(&self) -> Result<bool, HostError> {
        self.call("open")?;
        Ok(self.0.lock().unwrap().closed.take().is_some())
    }

    fn is_closed(&self) -> Result<bool, HostError> {
        Ok(self.closed().is_some())
    }

    fn cut(&self, _: &Ruleset) -> Result<(usize, usize), HostError> {
        self.call("cut").map(|it| (3, it.uncut))
    }

    fn reaches(&self, _: &[SocketAddr], _: Duration) -> bool {
        self.call("reach").is_ok_and(|it| !it.is_collector_away)
    }

    fn leaks(&self, _: &Ruleset) -> Result<Vec<String>, HostError> {
        self.call("try").map(|it| it.leaks)
    }
}
