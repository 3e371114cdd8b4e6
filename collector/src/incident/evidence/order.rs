//! A command with its receipt, read for what it proves.

use cordon_shared::{
    command::{
        Command,
        action::{Action, ProcessTarget, Question},
        scope::LeaseEnd,
    },
    id::{AgentId, CommandId, ProcessUid},
    time::Timestamp,
    wire,
};

use super::super::phase::Deed;
use crate::store::{CommandState, IncidentParts, OrderRow};

/// See the module.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its name.
    pub id: CommandId,
    /// To whom.
    pub agent: AgentId,
    /// The verb.
    pub name: String,
    /// What it is to the incident.
    pub deed: Deed,
    /// What it orders.
    pub action: Action,
    /// Whether it takes a snapshot.
    pub is_snapshot: bool,
    /// The process that it is about, and whether its descendants too.
    pub target: Option<(ProcessUid, bool)>,
    /// Whether no answer can come any more, or one came.
    pub is_over: bool,
    /// When it was issued.
    pub issued: Timestamp,
    /// When its receipt came.
    pub closed: Option<Timestamp>,
    /// What became of it.
    pub verdict: Option<String>,
    /// In one sentence.
    pub detail: String,
    /// How long it lasts, and what its end does.
    lease: Option<cordon_shared::command::scope::Lease>,
    /// Which questions were answered with a finding.
    pub hits: Vec<usize>,
}

impl Order {
    /// All that read, newest first; those that only plan are left out.
    #[must_use]
    pub fn all(parts: &IncidentParts) -> Vec<Self> {
        let orders = parts.orders.iter().filter_map(|row| Self::read(row, parts));
        orders.collect()
    }

    fn read(row: &OrderRow, parts: &IncidentParts) -> Option<Self> {
        let delivery = wire::command::decode_delivery(&row.delivery).ok()?;
        let command = wire::command::read(&delivery.signed).ok()?;
        if command.is_dry_run || row.verdict.as_deref() == Some("planned") {
            return None;
        }
        let receipt = row.receipt.as_deref().and_then(wire::receipt::kept);
        let findings = receipt.map(|it| it.findings).unwrap_or_default();
        let hits = findings.iter().filter_map(|it| usize::try_from(it.question).ok());
        let is_over = match row.state {
            CommandState::Closed | CommandState::Expired => true,
            CommandState::Issued | CommandState::Sent | CommandState::Seen => false,
        };
        Some(Self {
            id: row.id,
            agent: row.agent,
            name: row.action.clone(),
            deed: Deed::of(&row.action),
            is_snapshot: row.action == "snapshot",
            target: target(&command, row, parts),
            action: command.action,
            is_over,
            issued: row.issued,
            closed: row.closed,
            verdict: row.verdict.clone(),
            detail: row.detail.clone().unwrap_or_default(),
            lease: command.lease,
            hits: hits.collect(),
        })
    }

    /// Done, and seen to be done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.verdict.as_deref() == Some("complete")
    }

    /// Whether something of it may be so on the host.
    #[must_use]
    pub fn may_have_acted(&self) -> bool {
        match self.verdict.as_deref() {
            Some("refused" | "expired" | "failed") => false,
            Some(_) => true,
            None => !self.is_over,
        }
    }

    /// What became of it, in words.
    #[must_use]
    pub fn told(&self) -> String {
        let detail: String = self.detail.chars().take(200).collect();
        match (&self.verdict, self.is_over) {
            (Some(verdict), _) => format!("{} {} is {verdict}: {detail}", self.name, self.id),
            (None, true) => format!("{} {} expired without a receipt", self.name, self.id),
            (None, false) => format!("{} {} has no receipt yet", self.name, self.id),
        }
    }

    /// Whether it ends a process or takes a trace away: what came before it is swept for again.
    #[must_use]
    pub fn ends_or_removes(&self) -> bool {
        let is_kill = matches!(self.action, Action::Kill(_));
        (is_kill || self.deed == Deed::Removes) && self.may_have_acted()
    }

    /// Whether it isolates all of its host.
    #[must_use]
    pub fn isolates_whole(&self) -> bool {
        matches!(&self.action, Action::Isolate { container, .. } if container.is_empty())
    }

    /// Whether what it does lasts, and is to be ended.
    #[must_use]
    pub fn begins_hold(&self) -> bool {
        matches!(
            self.action,
            Action::Isolate { .. } | Action::Suspend(_) | Action::Block(_) | Action::LockAccount(_)
        )
    }

    /// Whether its hold was not ended: by a command that names it, by one that lets the process go on or
    /// ends it, or by its lease.
    #[must_use]
    pub fn holds_still(&self, orders: &[&Self], now: Timestamp) -> bool {
        let is_ended =
            orders.iter().any(|it| it.may_have_acted() && it.closed.is_some() && it.ends(self));
        !is_ended && self.end(orders).is_none_or(|end| now < end)
    }

    /// Whether a process that it ended or stopped is so still.
    #[must_use]
    pub fn stops_still(&self, orders: &[&Self]) -> bool {
        if let Action::Suspend(_) = &self.action {
            let goes_on = |it: &&Self| {
                matches!(it.action, Action::Resume(_)) && it.may_have_acted() && it.ends(self)
            };
            return !orders.iter().any(goes_on);
        }
        matches!(self.action, Action::Kill(_))
    }

    fn ends(&self, hold: &Self) -> bool {
        if let Action::Release { hold: id }
        | Action::Unblock { hold: id, .. }
        | Action::UnlockAccount { hold: id, .. } = &self.action
        {
            return *id == hold.id;
        }
        let goes_or_ends = matches!(self.action, Action::Resume(_) | Action::Kill(_));
        let is_stop = matches!(hold.action, Action::Suspend(_));
        goes_or_ends && is_stop && self.issued >= hold.issued && self.target == hold.target
    }

    /// When its lease ends and what it does is undone; nothing when it stays.
    fn end(&self, orders: &[&Self]) -> Option<Timestamp> {
        let renewals = orders.iter().filter_map(|it| {
            let Action::RenewLease { hold, lease } = &it.action else { return None };
            let is_it = *hold == self.id && it.is_complete();
            is_it.then_some((it.closed?, *lease))
        });
        let own = self.closed.zip(self.lease);
        let (from, lease) = renewals.chain(own).max_by_key(|(at, _)| *at)?;
        (lease.end == LeaseEnd::Release).then(|| from.saturating_add(lease.duration))
    }

    /// What it asks its host for.
    #[must_use]
    pub fn questions(&self) -> &[Question] {
        if let Action::Sweep { questions, .. } = &self.action { questions } else { &[] }
    }
}

/// The process that a command is about, by its name in the world.
fn target(command: &Command, row: &OrderRow, parts: &IncidentParts) -> Option<(ProcessUid, bool)> {
    let (Action::Kill(it) | Action::Suspend(it) | Action::Resume(it)) = &command.action else {
        return None;
    };
    let ProcessTarget { process, is_tree } = *it;
    // Automation's target is the process that it was shown; a person's is one of the host's last boot.
    let shown = parts.found.iter().find(|it| Some(it.id) == row.detection);
    let scope = parts.scope.iter().find(|it| it.host.is_some_and(|(_, it)| it == row.agent));
    let uid = match shown.and_then(|it| it.process) {
        Some(uid) => uid,
        None => process.uid(row.agent, scope?.boot?),
    };
    Some((uid, is_tree))
}
