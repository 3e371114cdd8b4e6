//! Decides while a page is gathered: where a detection belongs, which phase follows, what is ordered.
//!
//! It joins the pure tables of `incident` and `response` to what the page rests on: the keyring, the
//! hosts and automation's key. One docket serves one try of one transaction; what it signed is sent
//! only after that was committed.

use std::{collections::HashMap, sync::Arc};

use cordon_shared::{
    command::Delivery,
    detection::Detection,
    entropy::Entropy,
    id::{AgentId, CommandId, IncidentId, SuppressionId},
    incident::Phases,
    keyring::Keyring,
    time::{Clock, Timestamp},
    wire,
};
use tracing::warn;

use super::{Parts, suppress};
use crate::{
    incident::{
        self,
        phase::{self, Deed, Trigger},
    },
    response::{
        decide::{DEEDS_WINDOW, Ground, Host, decide},
        sign::{Order, SignError, Signer},
    },
    store::{
        Answer, Gathered, Joined, Judge, NewCommand, NewIncident, News, OpenIncident, Repeats,
        Standing, Store, StoreError, SuppressionRow,
    },
};

/// What one try of one transaction rests on.
#[derive(Debug)]
pub(super) struct Docket<'a> {
    store: &'a Store,
    signer: &'a Signer,
    clock: &'a dyn Clock,
    entropy: &'a dyn Entropy,
    keyring: Option<Arc<Keyring>>,
    now: Timestamp,
    hosts: HashMap<AgentId, Option<Host>>,
    /// What people keep from becoming incidents now.
    suppressions: Vec<SuppressionRow>,
    issued: Vec<NewCommand>,
}

impl<'a> Docket<'a> {
    /// Reads the keyring in force, and the suppressions.
    pub(super) async fn open(parts: &'a mut Parts, now: Timestamp) -> Result<Self, StoreError> {
        let keyring = parts.ring.current().await?;
        let suppressions = parts.store.active_suppressions(now).await?;
        Ok(Self {
            store: &parts.store,
            signer: &parts.signer,
            clock: &*parts.clock,
            entropy: &*parts.entropy,
            keyring,
            now,
            hosts: HashMap::new(),
            suppressions,
            issued: Vec::new(),
        })
    }

    pub(super) fn store(&self) -> &Store {
        self.store
    }

    /// Learns the hosts of these detections. Of an agent that the store does not know (a restored
    /// backup has forgotten it) nothing can be kept, and its detections are left out.
    pub(super) async fn admit(&mut self, found: &[Repeats]) -> Result<Vec<Repeats>, StoreError> {
        let mut admitted = Vec::with_capacity(found.len());
        for repeats in found {
            let agent = repeats.first.agent;
            if !self.hosts.contains_key(&agent) {
                let host = self.host(agent).await?;
                self.hosts.insert(agent, host);
            }
            match self.hosts.get(&agent) {
                Some(Some(_)) => admitted.push(repeats.clone()),
                Some(None) | None => warn!(%agent, "a detection of an unknown agent is dropped"),
            }
        }
        Ok(admitted)
    }

    async fn host(&self, agent: AgentId) -> Result<Option<Host>, StoreError> {
        let row = match self.store.agent(agent).await {
            Ok(row) => row,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let since = self.now.saturating_sub(DEEDS_WINDOW);
        Ok(Some(Host {
            name: row.host.facts.name,
            tier: row.host.tier,
            is_revoked: row.standing == Standing::Revoked,
            deeds: self.store.automation_deeds(agent, since).await?,
        }))
    }

    /// What was issued, once the transaction is committed.
    pub(super) fn close(self) -> Vec<NewCommand> {
        self.issued
    }

    /// Signs an order about a detection.
    fn issue(&self, detection: &Detection, order: &Order) -> Result<NewCommand, SignError> {
        let signed = self.signer.sign(order, self.clock, self.entropy)?;
        let delivery = signed.deliveries.first().map(|(_, delivery): &(_, Delivery)| delivery);
        Ok(new_command(detection, order, signed.command, delivery, signed.expires))
    }
}

/// A row of the store for a signed order.
fn new_command(
    detection: &Detection,
    order: &Order,
    id: CommandId,
    delivery: Option<&Delivery>,
    expires: Timestamp,
) -> NewCommand {
    let key = detection.subject.as_ref().and_then(|it| it.key);
    let pid = key.map_or(0, |it| it.pid);
    NewCommand {
        id,
        incident: order.incident,
        detection: Some(detection.id),
        agent: detection.agent,
        host: detection.host,
        action: order.action.name(),
        summary: format!("kill the tree of pid {pid}: {}", detection.rule.title),
        releases: None,
        delivery: delivery.map(wire::command::encode_delivery).unwrap_or_default(),
        expires,
    }
}

impl Judge for Docket<'_> {
    fn open(&mut self) -> NewIncident {
        let id = IncidentId::random(self.clock, self.entropy);
        NewIncident { id, phases: phase::opening(), at: self.now }
    }

    fn place(&mut self, detection: &Detection, open: &[OpenIncident]) -> Option<IncidentId> {
        incident::place(detection, open)
    }

    fn suppressed(&self, detection: &Detection) -> Option<SuppressionId> {
        suppress::by(detection, &self.suppressions, self.now)
    }

    fn joined(&mut self, joined: &Joined) -> Option<Phases> {
        let trigger = phase::found(&joined.phases, joined.at);
        phase::next(&joined.phases.map(|(state, _)| state), trigger)
    }

    fn answer(&mut self, detection: &Detection, gathered: &Gathered) -> Answer {
        let Some(Some(host)) = self.hosts.get(&detection.agent) else { return Answer::Nothing };
        let Some(incident) = gathered.incident else { return Answer::Nothing };
        let ground = Ground {
            keyring: self.keyring.as_deref(),
            automation: self.signer.public(),
            host,
            now: self.now,
        };
        // The command carries the name of the detection that stands for this one.
        let named = Detection { id: gathered.detection, ..detection.clone() };
        let why = match decide(&named, incident, &ground) {
            Ok(order) => match self.issue(&named, &order) {
                Ok(new) => {
                    if let Some(Some(host)) = self.hosts.get_mut(&detection.agent) {
                        host.deeds += 1;
                    }
                    self.issued.push(new.clone());
                    return Answer::Command(Box::new(new));
                }
                Err(error) => error.to_string(),
            },
            Err(why) => why.to_string(),
        };
        // It was said when the first event of this detection came.
        if gathered.news == News::Repeated {
            return Answer::Nothing;
        }
        Answer::Note(format!("automation does nothing: {why}"))
    }

    fn ordered(&mut self, phases: &Phases) -> Option<Phases> {
        phase::next(phases, Trigger::Ordered(Deed::Contains))
    }
}
