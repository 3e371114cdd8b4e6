//! One delivery from beginning to end: the order in which the stages of containment follow.

use cordon_shared::{
    command::{Command, Delivery, action::Action},
    crypto::signing::SignedBytes,
    digest::Sha256,
    event::{
        Body, Event,
        receipt::{Receipt, Refusal, Verdict},
    },
    id::{CommandId, IncidentId},
    keyring::Bundle,
    time::{ClockSample, Timestamp},
    wire,
};
use tracing::{error, info, warn};

use super::{
    Answer, Beacon, Containment, Mode, Parts,
    errand::{self, ERRANDS_MAX},
    execute::{Doors, Report, cut, execute, rehearse},
    hold::Now,
    host::{HostError, HostFacts},
    journal::{Deed, Intent},
    keyring::StoreError,
    link::LinkFacts,
    news::News,
    plan::{self, Plan, plan},
    verify::{Ground, Refused, Times, Verified, verify},
};

impl Containment {
    /// Takes its parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            beacon: None,
            is_tended: false,
            news: News::default(),
            errands: Vec::new(),
            under_way: 0,
        }
    }

    /// Obeys a command, or says why not; never twice (CM-2, F-33).
    ///
    /// Returns after the answer is on disk; the answer is then safe to be lost on its way, because a
    /// restart hands it out again. Nothing is answered to what has not even a command's id.
    pub fn handle(&mut self, delivery: &Delivery) -> Option<Answer> {
        let received = self.parts.clock.sample();
        let (id, incident, sha256) = wire::command::peek(&delivery.signed)?;
        if let Some(entry) = self.parts.journal.find(id)
            && entry.payload_sha256 == sha256
        {
            let receipt = entry.receipt.clone();
            return receipt.map(|it| self.answer(id, it));
        }
        let is_known = self.parts.journal.find(id).is_some();
        let facts = match self.parts.host.facts() {
            Ok(facts) => facts,
            Err(error) => {
                // Without a look at the host nothing can be planned, and nothing is touched.
                error!("failed to look at the host: {error}");
                HostFacts::default()
            }
        };
        let judged = match is_known {
            true => Err(Refused::new(Refusal::Replayed, "another command had this id")),
            false => verify(delivery, &self.ground(&facts)),
        };
        let about = About { id, incident, sha256, received };
        match judged {
            Ok(verified) => self.obey(&verified, &facts, received),
            Err(refused) => self.refuse(about, refused),
        }
    }

    fn ground<'a>(&'a self, facts: &'a HostFacts) -> Ground<'a> {
        let parts = &self.parts;
        let times = self.times();
        Ground {
            agent: parts.agent,
            host_name: &parts.host_name,
            host_tier: &parts.host_tier,
            is_held: parts.is_held,
            keyring: parts.keyring.as_ref().and_then(|it| it.keyring()),
            times,
            boottime: parts.clock.boottime(),
            witness: parts.witness.as_ref(),
            facts,
            deeds: parts.journal.automation_deeds(times.local),
            holds: parts.book.holds(),
        }
    }

    pub(super) fn times(&self) -> Times {
        let collector = self.beacon.map(|it| {
            let sample = ClockSample { boottime: it.boottime, realtime: it.realtime };
            sample.realtime_at(self.parts.clock.boottime())
        });
        Times { local: self.parts.clock.now(), collector }
    }

    fn obey(
        &mut self,
        verified: &Verified,
        facts: &HostFacts,
        received: ClockSample,
    ) -> Option<Answer> {
        let command = &verified.command;
        let sha256 = verified.payload_sha256;
        let about = About { id: command.id, incident: command.incident, sha256, received };
        let now = self.clocks();
        let link = match self.look(command) {
            Ok(link) => link,
            Err(error) => return self.not_begun(about, &error),
        };
        let files = self.look_at_files(command);
        let ground = plan::Ground {
            facts,
            files: &files,
            ledger: &self.parts.ledger,
            persons: u32::try_from(verified.holders.len()).unwrap_or(u32::MAX),
            protected: &self.parts.policy.protected,
            book: &self.parts.book,
            link: &link,
            now: &now,
        };
        let plan = match plan(command, ground) {
            Ok(plan) => plan,
            Err(error) => {
                let mut refused = Refused::new(error.refusal, &error.detail);
                refused.command = Some(Box::new(command.clone()));
                return self.refuse(about, refused);
            }
        };
        if command.is_dry_run || self.parts.policy.mode == Mode::Observe {
            let detail = match self.parts.policy.mode {
                Mode::Observe => "this host only observes",
                Mode::Enforce => "a dry run",
            };
            let receipt = self.receipt(about, rehearse(&plan), detail, received);
            return self.conclude(&receipt, command.expires);
        }
        if plan.is_errand() && self.under_way >= ERRANDS_MAX {
            let report = errand::failed("this agent does two long works already; order it again");
            let receipt = self.receipt(about, report, &command.reason, received);
            return self.conclude(&receipt, command.expires);
        }
        if let Err(error) = self.parts.journal.begin(self.intent(verified, received)) {
            return self.not_begun(about, &error);
        }
        if plan.is_errand() {
            return self.send_out(about, verified, &plan, (&link, &now));
        }
        let began = self.parts.clock.sample();
        let report = self.execute(verified, &plan, (&link, &now));
        info!("{} {}: {}", command.action.name(), command.id, report.verdict.as_str());
        let receipt = self.receipt(about, report, &command.reason, began);
        self.conclude(&receipt, command.expires)
    }

    /// One look at the network, for what concerns it.
    fn look(&self, command: &Command) -> Result<LinkFacts, HostError> {
        let is_meant = matches!(
            command.action,
            Action::Isolate { .. } | Action::Release { .. } | Action::RenewLease { .. }
        );
        if is_meant {
            self.parts.link.facts(self.parts.book.far_ends())
        } else {
            Ok(LinkFacts::default())
        }
    }

    pub(super) fn execute(
        &mut self,
        verified: &Verified,
        plan: &Plan,
        (link, now): (&LinkFacts, &Now),
    ) -> Report {
        let before = self.parts.book.holds().clone();
        let undone = |why: String| Report { open: vec![why], ..Report::of(Verdict::Failed) };
        let in_force = match self.in_force(&before, link) {
            Ok(in_force) => in_force,
            Err(error) => return undone(error.to_string()),
        };
        if let Some(after) = self.holds_after(verified, now)
            && let Err(error) = self.parts.book.put(after, &link.far_ends)
        {
            return undone(error.to_string());
        }
        if let Err(error) = self.enter(&verified.command, plan) {
            return undone(error.to_string());
        }
        let parts = &self.parts;
        let doors = Doors {
            host: &*parts.host,
            link: &*parts.link,
            files: &*parts.files,
            before: in_force.as_ref(),
            clock: &*parts.clock,
            protected: &parts.policy.protected,
        };
        let mut report = execute(plan, doors);
        self.settle(&mut report, before);
        self.leave(&verified.command, plan, &mut report);
        report
    }

    fn intent(&self, verified: &Verified, received: ClockSample) -> Intent {
        let command = &verified.command;
        Intent {
            command: command.id,
            incident: command.incident,
            expires: command.expires,
            realtime: received.realtime,
            boot: self.parts.boot,
            payload_sha256: verified.payload_sha256,
            is_automation: verified.is_automation,
            deed: Deed::of(command),
        }
    }

    /// The intent is not on disk, so nothing was done; nor would a receipt be remembered.
    fn not_begun(&self, about: About, error: &dyn std::error::Error) -> Option<Answer> {
        error!("failed to begin a command: {error}");
        let report = Report::of(Verdict::Failed);
        let detail = format!("nothing was done: {error}");
        let receipt = self.receipt(about, report, &detail, about.received);
        Some(self.answer(about.id, wire::receipt::sign(&receipt, &self.parts.receipt_key)))
    }

    fn refuse(&mut self, about: About, refused: Refused) -> Option<Answer> {
        warn!("refused command {}: {refused}", about.id);
        let report = Report { refusal: refused.refusal, ..Report::of(refused.verdict) };
        let receipt = self.receipt(about, report, &refused.detail, about.received);
        match refused.command {
            Some(command) => self.conclude(&receipt, command.expires),
            // Signed by nobody we know: not worth a place on the disk.
            None => {
                let signed = wire::receipt::sign(&receipt, &self.parts.receipt_key);
                Some(self.answer(about.id, signed))
            }
        }
    }

    pub(super) fn receipt(
        &self,
        about: About,
        report: Report,
        detail: &str,
        began: ClockSample,
    ) -> Receipt {
        Receipt {
            command: about.id,
            agent: self.parts.agent,
            incident: about.incident,
            verdict: report.verdict,
            refusal: report.refusal,
            detail: cut(detail),
            steps: report.steps,
            open: report.open,
            findings: report.findings,
            ledger: report.entries.iter().filter(|it| it.1).map(|it| it.0).collect(),
            received: about.received,
            began,
            ended: self.parts.clock.sample(),
            command_sha256: about.sha256,
        }
    }

    /// Makes a receipt durable, then hands it out.
    pub(super) fn conclude(&mut self, receipt: &Receipt, expires: Timestamp) -> Option<Answer> {
        let signed = wire::receipt::sign(receipt, &self.parts.receipt_key);
        let ended = self.parts.journal.end(
            receipt.command,
            expires,
            receipt.command_sha256,
            signed.clone(),
        );
        if let Err(error) = ended {
            // It is handed out all the same; a restart would say `unknown`, which is then not wrong.
            error!("failed to journal a receipt: {error}");
        }
        Some(self.answer(receipt.command, signed))
    }

    pub(super) fn answer(&self, command: CommandId, signed: SignedBytes) -> Answer {
        let ClockSample { boottime, realtime } = self.parts.clock.sample();
        let body = Body::Receipt(signed);
        Answer { command, event: Event { boottime, realtime, exercise: None, body } }
    }

    /// Takes a keyring that came; says whether it changed anything.
    ///
    /// # Errors
    /// [`StoreError`]; what was in force stays so.
    pub fn take_keyring(&mut self, bundle: &Bundle) -> Result<bool, StoreError> {
        match &mut self.parts.keyring {
            Some(store) => store.offer(bundle),
            // Nothing is pinned: nobody could say whose keyring it is.
            None => Ok(false),
        }
    }

    /// Versions of the keyring's policy and members, for the hello.
    #[must_use]
    pub fn keyring_versions(&self) -> (u64, u64) {
        self.parts.keyring.as_ref().map_or((0, 0), super::keyring::Store::versions)
    }

    /// Hears the collector's clock; the newest counts.
    pub fn hear(&mut self, beacon: Beacon) {
        self.beacon = Some(beacon);
    }

    /// Hears this agent's standing, as a welcome tells it.
    pub fn stand(&mut self, host_tier: String, is_held: bool) {
        self.parts.host_tier = host_tier;
        self.parts.is_held = is_held;
    }

    /// Hears that a receipt is safe in the spool.
    pub fn reported(&mut self, command: CommandId) {
        if let Err(error) = self.parts.journal.reported(command) {
            // It will be handed out once more: the collector knows a receipt by its command.
            warn!("failed to note a reported receipt: {error}");
        }
    }
}

/// What every receipt repeats of its command.
#[derive(Clone, Copy)]
pub(super) struct About {
    pub(super) id: CommandId,
    pub(super) incident: Option<IncidentId>,
    pub(super) sha256: Sha256,
    pub(super) received: ClockSample,
}
