//! What a restart owes: the receipts of commands that a crash came between, saying what is known, and
//! those that are not known to be safe yet.

use cordon_shared::{
    event::receipt::{Receipt, Verdict},
    time::{Boottime, ClockSample},
};

use super::{
    Answer, Containment,
    execute::{Report, snapshot},
    host::State,
    journal::{Deed, DeedKind, Intent},
};

impl Containment {
    /// What a restart owes: receipts that are not known to be safe, and one for each command that a
    /// crash left unfinished, saying what is known (F-37).
    pub fn recover(&mut self) -> Vec<Answer> {
        self.settle_entries();
        for intent in self.parts.journal.unfinished() {
            let report = self.aftermath(&intent);
            let now = self.parts.clock.sample();
            // As long ago by either clock; only the wall clock was kept.
            let ago = now.realtime.since(intent.realtime).as_nanos();
            let ago_ns = u64::try_from(ago).unwrap_or(u64::MAX);
            let boottime = Boottime::from_ns(now.boottime.as_ns().saturating_sub(ago_ns));
            let began = ClockSample { realtime: intent.realtime, boottime };
            let receipt = Receipt {
                command: intent.command,
                agent: self.parts.agent,
                incident: intent.incident,
                verdict: report.verdict,
                refusal: None,
                detail: "begun before a restart of the agent".to_owned(),
                steps: report.steps,
                open: report.open,
                findings: report.findings,
                ledger: report.entries.iter().filter(|it| it.1).map(|it| it.0).collect(),
                received: began,
                began,
                ended: now,
                command_sha256: intent.payload_sha256,
            };
            drop(self.conclude(&receipt, intent.expires));
        }
        let unreported = self.parts.journal.unreported();
        unreported.into_iter().map(|(command, signed)| self.answer(command, signed)).collect()
    }

    /// What is known of a deed that a crash interrupted. A process of an earlier boot has ended.
    fn aftermath(&self, intent: &Intent) -> Report {
        if let Some(sealed) = self.parts.kit.shelf.find(intent.command) {
            return snapshot::report(&sealed.manifest);
        }
        let Deed { kind, process, is_tree } = intent.deed;
        let (mut verdict, mut open) = (Verdict::Unknown, Vec::new());
        let is_gone = intent.boot != self.parts.boot
            || matches!(self.parts.host.state(process), Ok(State::Gone));
        match kind {
            DeedKind::Files => return self.aftermath_of_files(intent),
            DeedKind::Kill if is_gone && (!is_tree || intent.boot != self.parts.boot) => {
                verdict = Verdict::Complete;
            }
            DeedKind::Kill if is_gone => {
                open.push(format!("{} has ended; its tree is not known", process.pid));
            }
            DeedKind::Kill | DeedKind::Suspend | DeedKind::Resume => {
                open.push(format!("{} may be as it was, stopped, or ended", process.pid));
            }
            DeedKind::Other => open.push("how far it got is not known".to_owned()),
        }
        Report { open, ..Report::of(verdict) }
    }
}
