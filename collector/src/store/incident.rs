//! Incidents: their phases, their processes, and a timeline that only grows (IN-2: no statement of
//! this file changes or removes an entry).
//!
//! Which detection belongs where, which phase follows which, and what is done about it is decided by
//! pure functions that the caller passes in ([`Judge`]); here it becomes true, in one transaction.

mod act;
mod gather;
mod parts;
mod scope;
mod write;

use cordon_shared::{
    detection::Severity,
    id::{AgentId, DetectionId, HostId, IncidentId, ProcessUid},
    incident::{Phase, PhaseState, Phases, Verdict},
    time::Timestamp,
};
use sqlx::any::AnyRow;

use self::write::append_once;
pub use self::{
    act::{Act, ChangedTask, NewPassage, NewTask, OpenedIncident},
    gather::{Answer, Joined, Judge},
    parts::{FoundRow, IncidentParts, OrderRow, PassageRow, TaskRow},
    scope::{DeclaredRow, IndicatorRow, NewHost, ScopeRow},
};
pub(super) use self::{
    scope::step_agent,
    write::{append, step},
};
use super::{Page, Store, StoreError, column, commit, failed};

/// An open incident, as far as it matters for what belongs to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenIncident {
    /// Its name.
    pub id: IncidentId,
    /// The processes that it is about.
    pub subjects: Vec<ProcessUid>,
    /// What they descend from.
    pub ancestors: Vec<ProcessUid>,
    /// When the first and the last of its events happened.
    pub span: (Timestamp, Timestamp),
    /// Whether the detection's host is not in its scope: what they have in common is an indicator.
    pub is_elsewhere: bool,
}

/// An incident to be opened, should the detection belong to none that is open.
#[derive(Clone, Debug)]
pub struct NewIncident {
    /// Its name.
    pub id: IncidentId,
    /// Its phases at the start.
    pub phases: Phases,
    /// When.
    pub at: Timestamp,
}

/// An incident as it is kept.
#[derive(Clone, Debug)]
pub struct IncidentRow {
    /// Its name.
    pub id: IncidentId,
    /// The first detection's title.
    pub title: String,
    /// The highest of its detections, or what a person set.
    pub severity: Severity,
    /// `open` or `closed`.
    pub state: String,
    /// What it was found to be.
    pub verdict: Option<Verdict>,
    /// Why.
    pub verdict_reason: Option<String>,
    /// Who said so.
    pub verdict_by: Option<String>,
    /// Who leads it.
    pub lead: Option<String>,
    /// Begin and end of the watch window.
    pub watch: Option<(Timestamp, Timestamp)>,
    /// When it was closed.
    pub closed: Option<Timestamp>,
    /// Who closed it.
    pub closed_by: Option<String>,
    /// Why, when gates were open.
    pub closed_reason: Option<String>,
    /// The first host.
    pub host: HostId,
    /// Its agent.
    pub agent: AgentId,
    /// When it was opened.
    pub opened: Timestamp,
    /// When something last happened.
    pub updated: Timestamp,
    /// Its phases, with the moment that each got its state.
    pub phases: [(PhaseState, Timestamp); 6],
}

/// Something that happened, to be put into an incident's timeline.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// When it happened.
    pub at: Timestamp,
    /// When we learned of it.
    pub recorded: Timestamp,
    /// `detection`, `command`, `receipt`, `phase`, …
    pub kind: &'static str,
    /// Who did it: a person, `automation`, `collector`, `agent`.
    pub actor: String,
    /// In words.
    pub text: String,
    /// What it is about: `detection ID`, `command ID`, or nothing.
    pub object: String,
}

/// An entry of a timeline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntryRow {
    /// Rises by one; the first is 1.
    pub number: u64,
    /// When it happened.
    pub at: Timestamp,
    /// When we learned of it.
    pub recorded: Timestamp,
    /// What kind of thing.
    pub kind: String,
    /// Who did it.
    pub actor: String,
    /// In words.
    pub text: String,
    /// What it is about.
    pub object: String,
}

/// What became of a detection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gathered {
    /// The detection that stands for it: itself, or the one whose count it raised.
    pub detection: DetectionId,
    /// The incident that it belongs to; none when it is suppressed.
    pub incident: Option<IncidentId>,
    /// What was new.
    pub news: News,
}

/// What a detection changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    /// Nothing: it was derived before.
    Nothing,
    /// A count.
    Repeated,
    /// A detection in an incident that was open.
    Joined,
    /// A detection and its incident.
    Opened,
    /// A detection, or its count, that somebody keeps from becoming an incident.
    Suppressed,
}

impl IncidentRow {
    fn read(row: &AnyRow, phases: [(PhaseState, Timestamp); 6]) -> Result<Self, StoreError> {
        Ok(Self {
            id: column::parsed(row, "id", IncidentId::parse)?,
            title: column::text(row, "title")?,
            severity: column::parsed(row, "severity", Severity::parse)?,
            state: column::text(row, "state")?,
            verdict: column::parsed_maybe(row, "verdict", Verdict::parse)?,
            verdict_reason: column::text_maybe(row, "verdict_reason")?,
            verdict_by: column::text_maybe(row, "verdict_by")?,
            lead: column::text_maybe(row, "lead")?,
            watch: column::time_maybe(row, "watch_from_ns")?
                .zip(column::time_maybe(row, "watch_until_ns")?),
            closed: column::time_maybe(row, "closed_ns")?,
            closed_by: column::text_maybe(row, "closed_by")?,
            closed_reason: column::text_maybe(row, "closed_reason")?,
            host: column::parsed(row, "host_id", HostId::parse)?,
            agent: column::parsed(row, "agent_id", AgentId::parse)?,
            opened: column::time(row, "opened_ns")?,
            updated: column::time(row, "updated_ns")?,
            phases,
        })
    }
}

impl Store {
    /// Adds an entry to an incident's timeline, unless it has one of that kind about that object.
    /// Says whether it did.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn note_once(&self, id: IncidentId, entry: &NewEntry) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let is_new = append_once(&mut tx, id, entry).await?;
        commit(tx).await?;
        Ok(is_new)
    }

    /// A page of incidents, newest first.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn incidents(&self, page: &Page) -> Result<Vec<IncidentRow>, StoreError> {
        let rows = sqlx::query("select * from incident where id < $1 order by id desc limit $2")
            .bind(page.before())
            .bind(page.rows())
            .fetch_all(&self.readers)
            .await
            .map_err(failed("list the incidents"))?;
        let mut incidents = Vec::with_capacity(rows.len());
        for row in &rows {
            let id = column::parsed(row, "id", IncidentId::parse)?;
            incidents.push(IncidentRow::read(row, self.phases(id).await?)?);
        }
        Ok(incidents)
    }

    /// One incident.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or of the database.
    pub async fn incident(&self, id: IncidentId) -> Result<IncidentRow, StoreError> {
        let row = sqlx::query("select * from incident where id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await
            .map_err(failed("read an incident"))?;
        let row = row.ok_or(StoreError::NotFound { what: "incident", id: id.to_string() })?;
        IncidentRow::read(&row, self.phases(id).await?)
    }

    async fn phases(&self, id: IncidentId) -> Result<[(PhaseState, Timestamp); 6], StoreError> {
        let rows = sqlx::query("select * from incident_phase where incident_id = $1")
            .bind(id.to_string())
            .fetch_all(&self.readers)
            .await
            .map_err(failed("read the phases of an incident"))?;
        read_phases(&rows)
    }

    /// The timeline of an incident from entry `after` on, oldest first, a page at most.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn timeline(&self, id: IncidentId, after: u64) -> Result<Vec<EntryRow>, StoreError> {
        let rows = sqlx::query(
            "select * from incident_entry where incident_id = $1 and number > $2 \
             order by number limit $3",
        )
        .bind(id.to_string())
        .bind(column::to_number(after))
        .bind(Page::default().rows())
        .fetch_all(&self.readers)
        .await
        .map_err(failed("read a timeline"))?;
        rows.iter().map(read_entry).collect()
    }
}

fn read_phases(rows: &[AnyRow]) -> Result<[(PhaseState, Timestamp); 6], StoreError> {
    let mut phases = [(PhaseState::Pending, Timestamp::default()); 6];
    for row in rows {
        let phase = column::parsed(row, "phase", Phase::parse)?;
        let state = column::parsed(row, "state", PhaseState::parse)?;
        phases[phase.index()] = (state, column::time(row, "since_ns")?);
    }
    Ok(phases)
}

fn read_entry(row: &AnyRow) -> Result<EntryRow, StoreError> {
    Ok(EntryRow {
        number: column::count(row, "number")?,
        at: column::time(row, "at_ns")?,
        recorded: column::time(row, "recorded_ns")?,
        kind: column::text(row, "kind")?,
        actor: column::text(row, "actor")?,
        text: column::text(row, "text")?,
        object: column::text(row, "object")?,
    })
}
