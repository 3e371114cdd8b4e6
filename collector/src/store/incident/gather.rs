//! Gathering: what a page of the journal changes, in one transaction: detections, the incidents that
//! they join or open, what is done about each, and how far the journal was read.
//!
//! Because all of it is true together or not at all, a crash can neither lose the command that a
//! detection calls for nor make a second one: what is derived again is known, and changes nothing.

use std::collections::{HashMap, hash_map::Entry};

use cordon_shared::{
    detection::Detection,
    id::{AgentId, IncidentId, SuppressionId},
    incident::{Indicator, PhaseState, Phases},
    time::Timestamp,
};

use super::{
    Gathered, NewEntry, NewHost, NewIncident, News, OpenIncident,
    scope::{add_host, add_indicator, step_agent_since},
    write::{
        OPEN_MAX, append, extend, host_name, incidents_alike, insert, open_incidents, step_since,
    },
};
use crate::store::{
    By, Store, StoreError, Tx, audit, command,
    command::NewCommand,
    commit,
    detection::{self, Counted, Place, Repeats, Sight},
    position, suppression,
};

/// What is done about a detection.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Nothing, and nothing is to be said about it.
    Nothing,
    /// This signed command goes out.
    Command(Box<NewCommand>),
    /// Nothing; the timeline says why.
    Note(String),
}

/// A detection has joined.
#[derive(Clone, Copy, Debug)]
pub struct Joined {
    /// The phases, with the moment that each got its state.
    pub phases: [(PhaseState, Timestamp); 6],
    /// When the event happened.
    pub at: Timestamp,
}

/// Decides while a page is gathered. It must not remember a decision as done: the transaction may
/// fail, and then another judge is asked again.
pub trait Judge: Send {
    /// An incident to be opened, should a detection belong to none that is open.
    fn open(&mut self) -> NewIncident;

    /// Which of the open incidents of its agent a detection belongs to.
    fn place(&mut self, detection: &Detection, open: &[OpenIncident]) -> Option<IncidentId>;

    /// What keeps a detection from becoming an incident.
    fn suppressed(&self, detection: &Detection) -> Option<SuppressionId>;

    /// The phases after a detection has joined, of the incident or of the host that it is about;
    /// nothing when they stay.
    fn joined(&mut self, joined: &Joined) -> Option<Phases>;

    /// What is done about a detection that no command was issued for.
    fn answer(&mut self, detection: &Detection, gathered: &Gathered) -> Answer;

    /// The phases after a command was issued; nothing when they stay.
    fn ordered(&mut self, phases: &Phases) -> Option<Phases>;
}

impl Store {
    /// Keeps detections, each with the events that repeat it, puts each into an incident, and keeps
    /// what is done about it, as `judge` says; `position` is the name and value of the reader's
    /// position. All or nothing.
    ///
    /// # Errors
    /// [`StoreError`] of the database: nothing of it is true.
    pub async fn gather(
        &self,
        found: &[Repeats],
        position: (&str, u64),
        by: &By,
        judge: &mut dyn Judge,
    ) -> Result<Vec<Gathered>, StoreError> {
        let mut tx = self.begin().await?;
        let mut gathered = Vec::with_capacity(found.len());
        let counted = Counted::read(&mut tx, found).await?;
        let mut desk = Desk { counted, open: HashMap::new(), by, judge };
        for repeats in found {
            gathered.push(match desk.judge.suppressed(&repeats.newest) {
                Some(suppression) => desk.suppress(&mut tx, repeats, suppression).await?,
                None => desk.gather(&mut tx, repeats).await?,
            });
        }
        desk.counted.write(&mut tx).await?;
        position::keep(&mut tx, position.0, position.1).await?;
        commit(tx).await?;
        Ok(gathered)
    }

    /// Keeps what a person reported and puts it into an incident, as `judge` says; nothing is ordered
    /// about it. All or nothing.
    ///
    /// # Errors
    /// [`StoreError`] of the database: nothing of it is true.
    pub async fn report(
        &self,
        detection: &Detection,
        by: &By,
        judge: &mut dyn Judge,
    ) -> Result<Gathered, StoreError> {
        let mut tx = self.begin().await?;
        let mut desk = Desk { counted: Counted::none(), open: HashMap::new(), by, judge };
        let gathered = desk.join(&mut tx, detection, (detection.at, &[]), Kept::Not).await?;
        let (object, detail) = (format!("detection {}", detection.id), &detection.summary);
        audit::append(&mut tx, by, "suspicion.report", &object, detail).await?;
        commit(tx).await?;
        Ok(gathered)
    }
}

/// Whether a detection has its row by now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kept {
    Not,
    /// It was suppressed, and its suppression has ended.
    Suppressed,
}

/// What one transaction knows: read once, and kept up while it goes on.
struct Desk<'a> {
    counted: Counted,
    /// The open incidents of the agents that occurred, newest first.
    open: HashMap<AgentId, Vec<OpenIncident>>,
    by: &'a By,
    judge: &'a mut dyn Judge,
}

impl Desk<'_> {
    async fn gather(&mut self, tx: &mut Tx, repeats: &Repeats) -> Result<Gathered, StoreError> {
        let gathered = match detection::look(tx, &mut self.counted, repeats).await? {
            Sight::Known(id) => {
                let incident = detection::incident_of(tx, id).await?;
                // It was answered, or its answer was a reason, in the transaction that kept it.
                return Ok(Gathered { detection: id, incident, news: News::Nothing });
            }
            Sight::Repeated(id) => {
                let Some(incident) = detection::incident_of(tx, id).await? else {
                    let detection = Detection { id, ..repeats.newest.clone() };
                    let found = (repeats.newest.at, repeats.indicators.as_slice());
                    let gathered = self.join(tx, &detection, found, Kept::Suppressed).await?;
                    self.answer(tx, &repeats.newest, &gathered).await?;
                    return Ok(gathered);
                };
                self.widen(&repeats.newest, incident);
                let incident = Some(incident);
                let gathered = Gathered { detection: id, incident, news: News::Repeated };
                if command::is_answered(tx, id).await? {
                    return Ok(gathered);
                }
                gathered
            }
            Sight::New(detection) => {
                let found = (repeats.newest.at, repeats.indicators.as_slice());
                self.join(tx, &detection, found, Kept::Not).await?
            }
        };
        self.answer(tx, &repeats.newest, &gathered).await?;
        Ok(gathered)
    }

    /// Keeps and counts what somebody keeps from becoming an incident.
    async fn suppress(
        &mut self,
        tx: &mut Tx,
        repeats: &Repeats,
        suppression: SuppressionId,
    ) -> Result<Gathered, StoreError> {
        let before = self.counted.fresh();
        let id = match detection::look(tx, &mut self.counted, repeats).await? {
            Sight::Known(id) => {
                return Ok(Gathered { detection: id, incident: None, news: News::Nothing });
            }
            Sight::Repeated(id) => id,
            Sight::New(detection) => {
                let times = (repeats.newest.at, self.by.at);
                let placed = (&*detection, Place::Suppressed(suppression));
                detection::insert(tx, placed, &self.counted, times).await?;
                detection.id
            }
        };
        let events = self.counted.fresh() - before;
        suppression::count(tx, suppression, events, repeats.newest.at).await?;
        Ok(Gathered { detection: id, incident: None, news: News::Suppressed })
    }

    async fn answer(
        &mut self,
        tx: &mut Tx,
        detection: &Detection,
        gathered: &Gathered,
    ) -> Result<(), StoreError> {
        let by = self.by;
        let Some(incident) = gathered.incident else { return Ok(()) };
        match self.judge.answer(detection, gathered) {
            Answer::Nothing => Ok(()),
            Answer::Command(new) => command::issue(tx, &new, by, |it| self.judge.ordered(it)).await,
            Answer::Note(text) => {
                let entry = NewEntry {
                    at: by.at,
                    recorded: by.at,
                    kind: "response",
                    actor: by.principal.clone(),
                    text,
                    object: format!("detection {}", gathered.detection),
                };
                append(tx, incident, &entry).await
            }
        }
    }

    /// Puts a new detection into an incident that is open, or opens one.
    async fn join(
        &mut self,
        tx: &mut Tx,
        detection: &Detection,
        (last, indicators): (Timestamp, &[Indicator]),
        kept: Kept,
    ) -> Result<Gathered, StoreError> {
        let agent = detection.agent;
        let open = match self.open.entry(agent) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(open_incidents(tx, agent).await?),
        };
        let mut place = self.judge.place(detection, open);
        if place.is_none() && !indicators.is_empty() {
            let alike = incidents_alike(tx, agent, indicators).await?;
            place = self.judge.place(detection, &alike);
            let it = alike.into_iter().find(|it| Some(it.id) == place);
            open.extend(it.map(|it| OpenIncident { is_elsewhere: false, ..it }));
        }
        let (incident, news) = match place {
            Some(incident) => (incident, News::Joined),
            None => {
                let new = self.judge.open();
                insert(tx, detection, &new).await?;
                let (subjects, ancestors) = (Vec::new(), Vec::new());
                let span = (detection.at, last);
                let is_elsewhere = false;
                let it = OpenIncident { id: new.id, subjects, ancestors, span, is_elsewhere };
                open.insert(0, it);
                open.truncate(OPEN_MAX);
                (new.id, News::Opened)
            }
        };
        let times = (last, self.by.at);
        match kept {
            Kept::Suppressed => detection::put(tx, detection.id, incident).await?,
            Kept::Not => {
                let placed = (detection, Place::Incident(incident));
                detection::insert(tx, placed, &self.counted, times).await?;
            }
        }
        if let Some(open) = open.iter_mut().find(|it| it.id == incident) {
            extend(tx, open, detection).await?;
            open.span = (open.span.0.min(detection.at), open.span.1.max(last));
        }
        let entry = NewEntry {
            at: detection.at,
            recorded: self.by.at,
            kind: "detection",
            actor: detection.basis.reporter().unwrap_or("collector").to_owned(),
            text: format!("{}: {}", detection.rule.title, detection.summary),
            object: format!("detection {}", detection.id),
        };
        append(tx, incident, &entry).await?;
        let who = ("collector", self.by.at);
        for indicator in indicators {
            add_indicator(tx, incident, indicator, &detection.rule.title, who).await?;
        }
        if news == News::Joined {
            self.widen_scope(tx, incident, detection).await?;
        }
        Ok(Gathered { detection: detection.id, incident: Some(incident), news })
    }

    /// The host of a detection that has joined is in scope, and phases go back as far as they must.
    async fn widen_scope(
        &mut self,
        tx: &mut Tx,
        incident: IncidentId,
        detection: &Detection,
    ) -> Result<(), StoreError> {
        let name = host_name(tx, detection.agent).await?;
        let why = format!("detected there: {}", detection.rule.title);
        let host = NewHost { name, host: Some((detection.host, detection.agent)), why };
        if add_host(tx, incident, &host, ("collector", self.by.at)).await? {
            let entry = NewEntry {
                at: detection.at,
                recorded: self.by.at,
                kind: "scope",
                actor: "collector".to_owned(),
                text: format!("`{}` is in scope: {}", host.name, host.why),
                object: format!("detection {}", detection.id),
            };
            append(tx, incident, &entry).await?;
        }
        let at = detection.at;
        step_since(tx, incident, self.by.at, |phases| {
            self.judge.joined(&Joined { phases: *phases, at })
        })
        .await?;
        let judge = &mut *self.judge;
        step_agent_since(tx, incident, detection.agent, self.by.at, |phases| {
            judge.joined(&Joined { phases: *phases, at })
        })
        .await
    }

    /// What was repeated makes the time of its incident longer.
    fn widen(&mut self, newest: &Detection, incident: IncidentId) {
        let open = self.open.get_mut(&newest.agent).into_iter().flatten();
        for it in open.filter(|it| it.id == incident) {
            it.span.1 = it.span.1.max(newest.at);
        }
    }
}
