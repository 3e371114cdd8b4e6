//! The steps of a plan that are about the network.
//!
//! Make before break: the collector is looked for behind the closed network, and when none of its
//! addresses answers, what was in force before is put back; a host that nobody can reach any more is
//! not contained but lost.

use std::time::Duration;

use cordon_shared::event::receipt::StepOutcome;

use super::chain;
use crate::containment::{firewall::Ruleset, host::HostError, link::Link, plan::Step};

/// How long the collector may take to answer through the closed network (chosen: three tries of a
/// connection over a slow link).
const REACHED_WITHIN: Duration = Duration::from_secs(7);

/// How a step ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Done {
    /// As it should, with a word on it.
    Well(StepOutcome, String),
    /// These stayed open.
    Open(Vec<String>),
    /// Not; the plan is given up.
    Not(String),
}

/// What a plan does to the network, and how to take it back.
#[derive(Debug)]
pub(super) struct Network<'a> {
    link: &'a dyn Link,
    before: Option<&'a Ruleset>,
    is_changed: bool,
}

impl<'a> Network<'a> {
    pub(super) fn new(link: &'a dyn Link, before: Option<&'a Ruleset>) -> Self {
        Self { link, before, is_changed: false }
    }

    pub(super) fn step(&mut self, step: &Step) -> Done {
        match step {
            Step::Extend(..) => Done::Well(StepOutcome::Done, String::new()),
            Step::Close(ruleset) => match self.link.close(ruleset) {
                Ok(()) => {
                    self.is_changed = true;
                    Done::Well(StepOutcome::Done, String::new())
                }
                Err(error) => Done::Not(chain(&error)),
            },
            Step::ConfirmCollector(far_ends) => match self.link.reaches(far_ends, REACHED_WITHIN) {
                true => Done::Well(StepOutcome::Done, String::new()),
                false => Done::Not("none of its addresses answers".to_owned()),
            },
            Step::CutFlows(ruleset) => match self.link.cut(ruleset) {
                Ok((ended, 0)) => Done::Well(StepOutcome::Done, format!("{ended} ended")),
                Ok((_, left)) => Done::Open(vec![format!("{left} connections could not be ended")]),
                Err(error) => Done::Open(vec![format!("open connections: {}", chain(&error))]),
            },
            Step::ConfirmClosed(ruleset) => match self.link.leaks(ruleset) {
                Ok(leaks) if leaks.is_empty() => Done::Well(StepOutcome::Done, String::new()),
                Ok(leaks) => Done::Open(leaks),
                Err(error) => Done::Open(vec![format!("not tried: {}", chain(&error))]),
            },
            Step::Open => match self.link.open() {
                Ok(true) => Done::Well(StepOutcome::Done, String::new()),
                Ok(false) => Done::Well(StepOutcome::Already, String::new()),
                Err(error) => Done::Not(chain(&error)),
            },
            Step::CheckExe { .. }
            | Step::Freeze(_)
            | Step::FreezeBirths(_)
            | Step::Kill(_)
            | Step::KillBirths(_)
            | Step::ConfirmGone(_)
            | Step::ConfirmStopped(_)
            | Step::Snapshot(_)
            | Step::OnFile(_)
            | Step::Sweep(_)
            | Step::Thaw(_) => Done::Not("it is not about the network".to_owned()),
        }
    }

    /// Puts back what was in force before the plan; nothing when it changed nothing.
    pub(super) fn roll_back(&mut self) -> Option<Result<(), HostError>> {
        if !std::mem::take(&mut self.is_changed) {
            return None;
        }
        Some(match self.before {
            Some(ruleset) => self.link.close(ruleset),
            None => self.link.open().map(drop),
        })
    }
}
