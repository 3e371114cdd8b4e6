//! Incidents: their phases, their processes, and a timeline that only grows (IN-2: no statement of
//! this file changes or removes an entry).
//!
//! Which detection belongs where, and which phase follows which, is decided by pure functions that
//! the caller passes in; here it becomes true, in one transaction.

mod write;

use cordon_shared::{
    detection::{Detection, Severity},
    id::{AgentId, DetectionId, HostId, IncidentId, ProcessUid},
    incident::{Phase, PhaseState, Phases},
    time::Timestamp,
};
use sqlx::any::AnyRow;

pub(super) use self::write::{append, step};
use self::write::{extend, insert, open_incidents};
use super::{
    Page, Store, StoreError, column, commit,
    detection::{self, Kept},
    failed,
};

/// An open incident, as far as it matters for what belongs to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenIncident {
    /// Its name.
    pub id: IncidentId,
    /// The processes that it is about.
    pub subjects: Vec<ProcessUid>,
    /// What they descend from.
    pub ancestors: Vec<ProcessUid>,
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
    /// The highest of its detections.
    pub severity: Severity,
    /// `open` or `closed`.
    pub state: String,
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
    /// The incident that it belongs to.
    pub incident: IncidentId,
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
}

impl IncidentRow {
    fn read(row: &AnyRow, phases: [(PhaseState, Timestamp); 6]) -> Result<Self, StoreError> {
        Ok(Self {
            id: column::parsed(row, "id", IncidentId::parse)?,
            title: column::text(row, "title")?,
            severity: column::parsed(row, "severity", Severity::parse)?,
            state: column::text(row, "state")?,
            host: column::parsed(row, "host_id", HostId::parse)?,
            agent: column::parsed(row, "agent_id", AgentId::parse)?,
            opened: column::time(row, "opened_ns")?,
            updated: column::time(row, "updated_ns")?,
            phases,
        })
    }
}

impl Store {
    /// Keeps a detection and puts it where `place` says: into one of the open incidents of its
    /// agent, or, for nothing, into `new`. All or nothing.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn gather(
        &self,
        detection: &Detection,
        new: &NewIncident,
        place: impl FnOnce(&[OpenIncident]) -> Option<IncidentId> + Send,
    ) -> Result<Gathered, StoreError> {
        let mut tx = self.begin().await?;
        let (id, news) = match detection::keep(&mut tx, detection, new.at).await? {
            Kept::Known => (detection.id, News::Nothing),
            Kept::Repeated(id) => (id, News::Repeated),
            Kept::New => (detection.id, News::Joined),
        };
        if news != News::Joined {
            commit(tx).await?;
            let id = self.counted_by(detection).await?.unwrap_or(id);
            let incident = self.detection(id).await?.incident.ok_or(StoreError::Conflict {
                what: "detection",
                id: id.to_string(),
                state: "belongs to no incident",
            })?;
            return Ok(Gathered { detection: id, incident, news });
        }
        let open = open_incidents(&mut tx, detection.agent).await?;
        let joined = place(&open);
        let incident = joined.unwrap_or(new.id);
        if joined.is_none() {
            insert(&mut tx, detection, new).await?;
        }
        extend(&mut tx, incident, detection).await?;
        let entry = NewEntry {
            at: detection.at,
            recorded: new.at,
            kind: "detection",
            actor: "collector".to_owned(),
            text: format!("{}: {}", detection.rule.title, detection.summary),
            object: format!("detection {}", detection.id),
        };
        append(&mut tx, incident, &entry).await?;
        commit(tx).await?;
        let news = if joined.is_none() { News::Opened } else { News::Joined };
        Ok(Gathered { detection: id, incident, news })
    }

    /// The detection that counted this rule and event.
    async fn counted_by(&self, detection: &Detection) -> Result<Option<DetectionId>, StoreError> {
        let row = sqlx::query(
            "select detection_id from detection_event where rule_id = $1 and event_id = $2",
        )
        .bind(detection.rule.id.as_str())
        .bind(detection.event.to_string())
        .fetch_optional(&self.readers)
        .await
        .map_err(failed("look for a detection"))?;
        row.map(|row| column::parsed(&row, "detection_id", DetectionId::parse)).transpose()
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
