//! Keeps the network as the holds say: after a command, after a restart, when a lease ends, and when
//! somebody has taken the packet filter away.
//!
//! The holds are changed first and on disk; then the network follows. So a crash in between is mended
//! by the next start, and always in the direction that was signed.

use cordon_shared::{command::action::Action, event::receipt::Verdict, id::CommandId};
use tracing::{error, info, warn};

use super::{
    Containment,
    execute::Report,
    firewall::Ruleset,
    hold::{Due, Hold, Holds, Now, file::FileError},
    host::HostError,
    link::LinkFacts,
    news::What,
    plan::network,
    verify::Verified,
};

/// How long ago the collector may have been heard to count as heard: three beacons.
const HEARD_WITHIN: std::time::Duration = std::time::Duration::from_secs(30);

/// The network is not as the holds say.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The host refused.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The holds cannot be kept.
    #[error(transparent)]
    File(#[from] FileError),
    /// More is to stay open than can be said.
    #[error("{0}")]
    Plan(String),
}

impl Containment {
    /// What the clocks say, and whether the collector is heard.
    pub(super) fn clocks(&self) -> Now {
        let sample = self.parts.clock.sample();
        let is_heard =
            self.beacon.is_some_and(|it| sample.boottime.since(it.boottime) < HEARD_WITHIN);
        Now { boot: self.parts.boot, sample, times: self.times(), is_heard }
    }

    /// The holds after a command, when it changes them.
    pub(super) fn holds_after(&self, verified: &Verified, now: &Now) -> Option<Holds> {
        let Verified { command, holders, .. } = verified;
        let mut holds = self.parts.book.holds().clone();
        if let Action::Isolate { allowed, .. } = &command.action {
            // The plan was refused when there was no room.
            let hold = Hold { holders: holders.clone(), ..Hold::of(command, allowed, now) };
            holds.add(command.id, hold).ok()?;
        } else if let Action::Release { hold } = &command.action {
            let _there = holds.end(*hold);
        } else if let Action::RenewLease { hold, lease } = &command.action {
            let _there = holds.renew(*hold, *lease, holders, now);
        } else {
            return None;
        }
        Some(holds)
    }

    /// What is in force by these holds; everything is let through when there is none.
    pub(super) fn in_force(
        &self,
        holds: &Holds,
        facts: &LinkFacts,
    ) -> Result<Option<Ruleset>, SettleError> {
        if holds.is_empty() {
            return Ok(None);
        }
        let ruleset = network::ruleset(holds, facts);
        ruleset.map(Some).map_err(|it| SettleError::Plan(it.detail))
    }

    /// A command that failed leaves the holds as they were before it.
    pub(super) fn settle(&mut self, report: &mut Report, before: Holds) {
        if report.verdict != Verdict::Failed {
            return;
        }
        let far_ends = self.parts.book.far_ends().to_vec();
        if let Err(error) = self.parts.book.put(before, &far_ends) {
            error!("failed to take a hold back: {error}");
            report.open.push("the hold is on record until the agent starts again".to_owned());
        }
    }

    /// Makes the network what the holds say, where it is not; says whether it was not. To be called
    /// once at the start and again and again.
    ///
    /// # Errors
    /// [`SettleError`]: the network is as it was.
    pub fn tend(&mut self) -> Result<bool, SettleError> {
        if self.parts.book.is_damaged() {
            return Ok(false);
        }
        self.end_leases()?;
        // The first time also when it is closed: for an agent in another cgroup than the one before.
        let is_first = !std::mem::replace(&mut self.is_tended, true);
        if self.parts.book.holds().is_empty() {
            return if is_first { Ok(self.open_unheld()) } else { Ok(false) };
        }
        let is_closed = self.parts.link.is_closed()?;
        if is_closed && !is_first {
            return Ok(false);
        }
        if !is_closed {
            warn!("the network was open while this host is held: it is closed again");
        }
        self.close_again()?;
        if !is_closed {
            self.tell(What::PutBack, None);
        }
        Ok(!is_closed)
    }

    /// Whoever may not ask has closed nothing.
    fn open_unheld(&self) -> bool {
        let is_closed = self.parts.link.is_closed().unwrap_or(false);
        if is_closed {
            warn!("the network was closed and nobody holds it: it is opened");
        }
        is_closed && self.parts.link.open().unwrap_or(false)
    }

    fn close_again(&self) -> Result<(), SettleError> {
        let facts = self.parts.link.facts(self.parts.book.far_ends())?;
        if let Some(ruleset) = self.in_force(self.parts.book.holds(), &facts)? {
            self.parts.link.close(&ruleset)?;
            self.parts.link.cut(&ruleset)?;
        }
        Ok(())
    }

    fn end_leases(&mut self) -> Result<(), SettleError> {
        let due = self.parts.book.holds().due(&self.clocks());
        if due.is_empty() {
            return Ok(());
        }
        let mut after = self.parts.book.holds().clone();
        let before = after.clone();
        let (mut ended, mut stayed): (Vec<CommandId>, Vec<CommandId>) = Default::default();
        for it in due {
            match it {
                Due::Release(command) => {
                    after.end(command);
                    ended.push(command);
                }
                Due::Stay(command) => {
                    warn!("the lease of {command} has ended; it stays, as was signed");
                    after.stay(command);
                    stayed.push(command);
                }
            }
        }
        let far_ends = self.parts.book.far_ends().to_vec();
        self.parts.book.put(after, &far_ends)?;
        for command in ended.iter().copied() {
            info!("the lease of {command} has ended");
            self.tell(What::Ended, Some((command, before.get(command))));
        }
        for command in stayed {
            self.tell(What::Overdue, Some((command, before.get(command))));
        }
        if !ended.is_empty() && !self.parts.book.holds().is_empty() {
            self.close_again()?;
        } else if !ended.is_empty() {
            self.parts.link.open()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
