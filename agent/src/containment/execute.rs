//! Runs a plan's steps in order, through its [`Doors`] and nothing else.
//!
//! A step that cannot be undone is tried for every process, and what lives on is named: the verdict
//! is then `partial`. Before the first of them, a failure undoes what was done (`failed`). `complete`
//! is said only after the host was seen to be so.
//!
//! It is bounded: by rounds and by [`TREE_TIME_MAX`], so that a tree that gives birth faster than it
//! can be stopped ends as `partial`, not as a loop (F-40).

mod files;

mod network;

mod report;

pub(super) mod snapshot;

pub(super) mod sweep;

use std::time::Duration;

use cordon_shared::{
    event::receipt::{Refusal, StepOutcome, StepReport, Verdict},
    id::ProcessKey,
    limit,
    time::{Boottime, Clock},
};

pub(super) use self::report::cut;
pub use self::report::{Report, rehearse};
use self::{files::OnFiles, network::Network, report::report};
use super::{
    files::Files,
    firewall::Ruleset,
    host::{Hit, Host, HostError, Signal, State},
    link::Link,
    plan::{Plan, Protected, Step, file::FileStep, process::untouchable},
};

/// How long a tree may take to be frozen, and how long its end may take.
pub const TREE_TIME_MAX: Duration = Duration::from_secs(1);

/// Looks for births in one step: each finds what the one before could not see yet.
const ROUNDS_MAX: usize = 1_000;

/// How long one wait for a change of a process lasts.
const WAIT: Duration = Duration::from_millis(1);

/// What a plan is run with.
#[derive(Clone, Copy, Debug)]
pub struct Doors<'a> {
    /// The door to processes.
    pub host: &'a dyn Host,
    /// The door to the network.
    pub link: &'a dyn Link,
    /// The door to files.
    pub files: &'a dyn Files,
    /// What the network lets through before the plan; everything when there is none.
    pub before: Option<&'a Ruleset>,
    /// What the time is.
    pub clock: &'a dyn Clock,
    /// What the local policy lets nobody touch.
    pub protected: &'a Protected,
}

/// Runs a plan.
#[must_use]
pub fn execute(plan: &Plan, doors: Doors<'_>) -> Report {
    let mut run = Run::new(doors);
    for (index, step) in plan.steps.iter().enumerate() {
        match run.step(step) {
            Flow::On => (),
            Flow::Stop(verdict, refusal) => {
                run.roll_back();
                let left = plan.steps.get(index + 1..).unwrap_or_default();
                run.tell_all(left.iter().map(|it| (it.to_string(), StepOutcome::Skipped)));
                return run.finish(verdict, refusal, &plan.open);
            }
        }
    }
    let verdict = match plan.open.is_empty() && run.open.is_empty() {
        true => Verdict::Complete,
        false => Verdict::Partial,
    };
    run.finish(verdict, None, &plan.open)
}

/// Whether the next step follows.
enum Flow {
    On,
    Stop(Verdict, Option<Refusal>),
}

/// A plan under way.
struct Run<'a> {
    host: &'a dyn Host,
    clock: &'a dyn Clock,
    protected: &'a Protected,
    network: Network<'a>,
    files: OnFiles<'a>,
    /// Frozen by us, in order: to be thawed when the plan is given up.
    frozen: Vec<ProcessKey>,
    /// Frozen by us and not named in the plan.
    births: Vec<ProcessKey>,
    /// Meant to be gone.
    killed: Vec<ProcessKey>,
    steps: Vec<StepReport>,
    open: Vec<String>,
}

impl<'a> Run<'a> {
    fn new(doors: Doors<'a>) -> Self {
        let Doors { host, link, files, before, clock, protected } = doors;
        let (network, files) = (Network::new(link, before), OnFiles::new(files));
        let (frozen, births, killed) = (Vec::new(), Vec::new(), Vec::new());
        let (steps, open) = (Vec::new(), Vec::new());
        Self { host, clock, protected, network, files, frozen, births, killed, steps, open }
    }

    fn step(&mut self, step: &Step) -> Flow {
        let told = match step {
            Step::CheckExe { process, sha256 } => match self.host.exe_sha256(*process) {
                Ok(found) if found == *sha256 => Ok(StepOutcome::Done),
                Ok(found) => {
                    self.tell(step.to_string(), StepOutcome::Failed, &format!("it is {found}"));
                    return Flow::Stop(Verdict::Refused, Some(Refusal::IdentityMismatch));
                }
                Err(error) => Err(error),
            },
            Step::Freeze(process) => self.freeze(*process),
            Step::FreezeBirths(root) => return self.freeze_births(*root, step),
            Step::Kill(process) => return self.kill(*process, step),
            Step::KillBirths(_) => return self.kill_births(),
            Step::ConfirmGone(root) => return self.confirm_gone(*root, step),
            Step::ConfirmStopped(_) => return self.confirm_stopped(step),
            Step::Thaw(process) => match self.host.signal(*process, Signal::Continue) {
                Ok(Hit::Sent) => Ok(StepOutcome::Done),
                Ok(Hit::Gone) => Ok(StepOutcome::Already),
                Err(error) => Err(error),
            },
            Step::Extend(..)
            | Step::Close(_)
            | Step::ConfirmCollector(_)
            | Step::CutFlows(_)
            | Step::ConfirmClosed(_)
            | Step::Open => return self.on_network(step),
            Step::Snapshot(_) | Step::Sweep(_) => {
                self.tell(step.to_string(), StepOutcome::Failed, "it is run on its own");
                return Flow::Stop(Verdict::Failed, None);
            }
            Step::OnFile(it) => return self.on_file(it),
        };
        match told {
            Ok(outcome) => {
                self.tell(step.to_string(), outcome, "");
                Flow::On
            }
            Err(error) => {
                self.tell(step.to_string(), StepOutcome::Failed, &chain(&error));
                Flow::Stop(Verdict::Failed, None)
            }
        }
    }

    fn on_network(&mut self, step: &Step) -> Flow {
        let done = self.network.step(step);
        let what = step.to_string();
        match done {
            network::Done::Well(outcome, detail) => {
                self.tell(what, outcome, &detail);
                Flow::On
            }
            network::Done::Open(open) => {
                self.tell(what, StepOutcome::Failed, &open.join("; "));
                self.open.extend(open);
                Flow::On
            }
            network::Done::Not(why) => {
                self.tell(what, StepOutcome::Failed, &why);
                Flow::Stop(Verdict::Failed, None)
            }
        }
    }

    fn on_file(&mut self, step: &FileStep) -> Flow {
        let (done, what) = (self.files.step(step), step.to_string());
        match done {
            files::Done::Well(outcome, detail) => {
                self.tell(what, outcome, &detail);
                Flow::On
            }
            files::Done::Open(open) => {
                self.tell(what, StepOutcome::Failed, &open.join("; "));
                self.open.extend(open);
                Flow::On
            }
            files::Done::Refused(why) => {
                self.tell(what, StepOutcome::Failed, &why);
                Flow::Stop(Verdict::Refused, Some(Refusal::IdentityMismatch))
            }
            files::Done::Not(why) => {
                self.tell(what, StepOutcome::Failed, &why);
                Flow::Stop(Verdict::Failed, None)
            }
        }
    }

    fn freeze(&mut self, process: ProcessKey) -> Result<StepOutcome, HostError> {
        if self.host.state(process)? == State::Stopped {
            return Ok(StepOutcome::Already);
        }
        match self.host.signal(process, Signal::Stop)? {
            Hit::Sent => {
                self.frozen.push(process);
                Ok(StepOutcome::Done)
            }
            Hit::Gone => Ok(StepOutcome::Already),
        }
    }

    /// Ends after the first look that finds nothing new: whoever could have given birth was frozen
    /// before that look began.
    fn freeze_births(&mut self, root: ProcessKey, step: &Step) -> Flow {
        let deadline = self.deadline();
        let mut members = vec![root];
        members.extend(&self.frozen);
        for _ in 0..ROUNDS_MAX {
            let facts = match self.host.facts() {
                Ok(facts) => facts,
                Err(error) => return self.give_up(step, &error),
            };
            let new: Vec<_> = facts
                .births(&members)
                .into_iter()
                .filter(|it| untouchable(*it, &facts, self.protected).is_none())
                .collect();
            if new.is_empty() {
                self.tell(step.to_string(), StepOutcome::Done, &count(self.births.len()));
                return Flow::On;
            }
            if self.clock.boottime() >= deadline {
                break;
            }
            for it in new {
                members.push(it);
                match self.freeze(it) {
                    Ok(_) => self.births.push(it),
                    Err(error) => return self.give_up(step, &error),
                }
            }
        }
        self.tell(step.to_string(), StepOutcome::Failed, &count(self.births.len()));
        self.open.push(format!("{} gives birth faster than it can be stopped", root.pid));
        Flow::On
    }

    fn give_up(&mut self, step: &Step, error: &HostError) -> Flow {
        self.tell(step.to_string(), StepOutcome::Failed, &chain(error));
        Flow::Stop(Verdict::Failed, None)
    }

    /// Never stops the plan: one that cannot be killed is no reason to spare the others.
    fn kill(&mut self, process: ProcessKey, step: &Step) -> Flow {
        match self.host.signal(process, Signal::Kill) {
            Ok(Hit::Sent) => {
                self.killed.push(process);
                self.tell(step.to_string(), StepOutcome::Done, "");
            }
            Ok(Hit::Gone) => self.tell(step.to_string(), StepOutcome::Already, ""),
            Err(error) => {
                self.tell(step.to_string(), StepOutcome::Failed, &chain(&error));
                self.open.push(format!("{} could not be killed", process.pid));
            }
        }
        Flow::On
    }

    fn kill_births(&mut self) -> Flow {
        for it in std::mem::take(&mut self.births).into_iter().rev() {
            self.kill(it, &Step::Kill(it));
        }
        Flow::On
    }

    fn confirm_gone(&mut self, root: ProcessKey, step: &Step) -> Flow {
        let deadline = self.deadline();
        let others = self.killed.iter().copied().filter(|it| *it != root);
        let waited: Vec<_> = std::iter::once(root).chain(others).collect();
        let mut alive = Vec::new();
        for it in waited {
            let left = deadline.since(self.clock.boottime());
            match self.host.wait_gone(it, left) {
                Ok(true) => (),
                Ok(false) | Err(_) => alive.push(it.pid.to_string()),
            }
        }
        // Those that could not be signalled are named already.
        alive.retain(|pid| !self.open.iter().any(|it| it.starts_with(&format!("{pid} "))));
        self.open.extend(alive.iter().map(|pid| format!("{pid} lives")));
        let outcome = if self.open.is_empty() { StepOutcome::Done } else { StepOutcome::Failed };
        self.tell(step.to_string(), outcome, &alive.join(" "));
        Flow::On
    }

    fn confirm_stopped(&mut self, step: &Step) -> Flow {
        let deadline = self.deadline();
        let mut running = Vec::new();
        for it in self.frozen.clone() {
            loop {
                match self.host.state(it) {
                    Ok(State::Stopped | State::Gone) => break,
                    Ok(State::Alive) if self.clock.boottime() < deadline => {
                        // Not for its end: for a moment in which it can come to a stop.
                        drop(self.host.wait_gone(it, WAIT));
                    }
                    Ok(State::Alive) | Err(_) => {
                        running.push(it.pid);
                        break;
                    }
                }
            }
        }
        self.open.extend(running.iter().map(|pid| format!("{pid} still runs")));
        let outcome = if running.is_empty() { StepOutcome::Done } else { StepOutcome::Failed };
        self.tell(step.to_string(), outcome, "");
        Flow::On
    }

    fn roll_back(&mut self) {
        match self.network.roll_back() {
            Some(Ok(())) => self.tell("close the network".to_owned(), StepOutcome::Undone, ""),
            Some(Err(error)) => {
                self.open.push("the network stays closed".to_owned());
                self.tell("open the network".to_owned(), StepOutcome::Failed, &chain(&error));
            }
            None => (),
        }
        for (what, back) in self.files.roll_back() {
            match back {
                Ok(()) => self.tell(what, StepOutcome::Undone, ""),
                Err(why) => {
                    self.open.push(format!("done and not taken back: {what}"));
                    self.tell(what, StepOutcome::Failed, &why);
                }
            }
        }
        for it in std::mem::take(&mut self.frozen).into_iter().rev() {
            match self.host.signal(it, Signal::Continue) {
                Ok(_) => self.tell(format!("freeze {}", it.pid), StepOutcome::Undone, ""),
                Err(error) => {
                    self.open.push(format!("{} stays frozen", it.pid));
                    self.tell(format!("thaw {}", it.pid), StepOutcome::Failed, &chain(&error));
                }
            }
        }
    }

    fn deadline(&self) -> Boottime {
        self.clock.boottime().saturating_add(TREE_TIME_MAX)
    }

    /// Steps past what a receipt takes are not told of one by one; what is open always is.
    fn tell(&mut self, step: String, outcome: StepOutcome, detail: &str) {
        if self.steps.len() < limit::RECEIPT_STEPS_MAX {
            self.steps.push(report(step, outcome, &cut(detail)));
        }
    }

    fn tell_all(&mut self, steps: impl Iterator<Item = (String, StepOutcome)>) {
        for (step, outcome) in steps {
            self.tell(step, outcome, "");
        }
    }

    fn finish(self, verdict: Verdict, refusal: Option<Refusal>, planned: &[String]) -> Report {
        let mut open: Vec<String> = planned.iter().cloned().chain(self.open).collect();
        open.truncate(limit::RECEIPT_STEPS_MAX);
        let OnFiles { findings, in_effect: entries, .. } = self.files;
        Report { verdict, refusal, steps: self.steps, open, findings, entries }
    }
}

fn count(births: usize) -> String {
    match births {
        0 => "none".to_owned(),
        1 => "1 process".to_owned(),
        more => format!("{more} processes"),
    }
}

/// An error with what is behind it.
fn chain(error: &HostError) -> String {
    format!("{error}: {}", error.source)
}

#[cfg(test)]
mod tests;
