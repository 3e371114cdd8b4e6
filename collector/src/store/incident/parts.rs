//! An incident with all that its gates look at, as it lies in the store.
//!
//! Several reads, not one snapshot: the number of the timeline's last entry is read first, and whoever
//! acts upon what was read gives it back, so that what came in between is not acted over.

use bytes::Bytes;
use cordon_shared::{
    id::{AgentId, CommandId, DetectionId, IncidentId, ProcessUid},
    incident::{Phase, TaskKind},
    time::Timestamp,
};
use sqlx::any::AnyRow;

use super::{EntryRow, IncidentRow, IndicatorRow, ScopeRow, read_entry};
use crate::store::{CommandState, Store, StoreError, column, failed};

/// Commands of an incident that are looked at, newest first (chosen: two sweeps of the largest fleet
/// that one machine serves).
const COMMANDS_MAX: i64 = 20_000;
/// Detections of an incident that are looked at (chosen; repeats are one).
const DETECTIONS_MAX: i64 = 10_000;
/// Notes that are shown (chosen: the timeline has all).
const NOTES_MAX: i64 = 500;
/// Hosts that a sweep is judged over (chosen: twice the largest fleet).
const FLEET_MAX: i64 = 20_000;

/// See the module.
#[derive(Clone, Debug)]
pub struct IncidentParts {
    /// The number of the timeline's last entry, before anything else was read.
    pub seen: u64,
    /// The incident.
    pub incident: IncidentRow,
    /// Its hosts.
    pub scope: Vec<ScopeRow>,
    /// What is looked for.
    pub indicators: Vec<IndicatorRow>,
    /// What is to be done.
    pub tasks: Vec<TaskRow>,
    /// Which gates were passed.
    pub passages: Vec<PassageRow>,
    /// What people wrote down.
    pub notes: Vec<EntryRow>,
    /// When a report was last written.
    pub reported: Option<Timestamp>,
    /// What was ordered, newest first.
    pub orders: Vec<OrderRow>,
    /// What was detected.
    pub found: Vec<FoundRow>,
    /// The approved agents: id and host name.
    pub fleet: Vec<(AgentId, String)>,
}

/// A task.
#[derive(Clone, Debug)]
pub struct TaskRow {
    /// Its number.
    pub number: u64,
    /// Its kind.
    pub kind: TaskKind,
    /// What.
    pub title: String,
    /// By whom.
    pub owner: Option<String>,
    /// Until when.
    pub due: Option<Timestamp>,
    /// When it was done, and who said so.
    pub done: Option<(Timestamp, String)>,
    /// When it was written down, and by whom.
    pub created: (Timestamp, String),
}

/// That a gate was passed.
#[derive(Clone, Debug)]
pub struct PassageRow {
    /// Of which phase.
    pub phase: Phase,
    /// Whether a person's word stood for evidence.
    pub is_override: bool,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// What it rested on.
    pub text: String,
}

/// A command as evidence.
#[derive(Clone, Debug)]
pub struct OrderRow {
    /// Its name.
    pub id: CommandId,
    /// To whom.
    pub agent: AgentId,
    /// The verb.
    pub action: String,
    /// The detection that called for it.
    pub detection: Option<DetectionId>,
    /// How far it is.
    pub state: CommandState,
    /// The encoded `CommandDelivery`.
    pub delivery: Bytes,
    /// When it was issued.
    pub issued: Timestamp,
    /// When its receipt came.
    pub closed: Option<Timestamp>,
    /// What became of it.
    pub verdict: Option<String>,
    /// In one sentence.
    pub detail: Option<String>,
    /// The encoded signed receipt, which was proved when it was kept.
    pub receipt: Option<Bytes>,
}

/// A detection as evidence.
#[derive(Clone, Debug)]
pub struct FoundRow {
    /// Its name.
    pub id: DetectionId,
    /// Where.
    pub agent: AgentId,
    /// Whom it is about.
    pub process: Option<ProcessUid>,
    /// What that one descends from, as far as its launch told.
    pub ancestors: Vec<ProcessUid>,
    /// When its first and its last event happened.
    pub span: (Timestamp, Timestamp),
}

impl Store {
    /// Reads an incident with everything.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or of the database.
    pub async fn incident_parts(&self, id: IncidentId) -> Result<IncidentParts, StoreError> {
        let query = "select coalesce(max(number), 0) as last from incident_entry \
                     where incident_id = $1 limit $2";
        let seen = self.rows_of(id, query, 1).await?;
        let seen = seen.first().map_or(Ok(0), |row| column::count(row, "last"))?;
        let incident = self.incident(id).await?;
        let query = "select * from incident_entry where incident_id = $1 and kind = 'report' \
                     order by number desc limit $2";
        let reported = self.rows_of(id, query, 1).await?;
        let query = "select * from incident_entry where incident_id = $1 and kind = 'note' \
                     order by number limit $2";
        let notes = self.rows_of(id, query, NOTES_MAX).await?;
        Ok(IncidentParts {
            seen,
            incident,
            scope: self.scope(id).await?,
            indicators: self.indicators(id).await?,
            tasks: self.tasks(id).await?,
            passages: self.passages(id).await?,
            notes: notes.iter().map(read_entry).collect::<Result<_, _>>()?,
            reported: reported.first().map(|row| column::time(row, "recorded_ns")).transpose()?,
            orders: self.orders(id).await?,
            found: self.found(id).await?,
            fleet: self.fleet().await?,
        })
    }

    async fn rows_of(
        &self,
        id: IncidentId,
        query: &'static str,
        rows_max: i64,
    ) -> Result<Vec<AnyRow>, StoreError> {
        sqlx::query(query)
            .bind(id.to_string())
            .bind(rows_max)
            .fetch_all(&self.readers)
            .await
            .map_err(failed("read the parts of an incident"))
    }

    async fn tasks(&self, id: IncidentId) -> Result<Vec<TaskRow>, StoreError> {
        let query = "select * from incident_task where incident_id = $1 order by number limit $2";
        let rows = self.rows_of(id, query, i64::MAX).await?;
        let read = |row: &AnyRow| {
            let done_by = column::text_maybe(row, "done_by")?;
            Ok(TaskRow {
                number: column::count(row, "number")?,
                kind: column::parsed(row, "kind", TaskKind::parse)?,
                title: column::text(row, "title")?,
                owner: column::text_maybe(row, "owner")?,
                due: column::time_maybe(row, "due_ns")?,
                done: column::time_maybe(row, "done_ns")?.zip(done_by),
                created: (column::time(row, "created_ns")?, column::text(row, "created_by")?),
            })
        };
        rows.iter().map(read).collect()
    }

    async fn passages(&self, id: IncidentId) -> Result<Vec<PassageRow>, StoreError> {
        let query =
            "select * from incident_passage where incident_id = $1 order by number limit $2";
        let rows = self.rows_of(id, query, i64::MAX).await?;
        let read = |row: &AnyRow| {
            Ok(PassageRow {
                phase: column::parsed(row, "phase", Phase::parse)?,
                is_override: column::flag(row, "is_override")?,
                at: column::time(row, "at_ns")?,
                by: column::text(row, "by_whom")?,
                text: column::text(row, "text")?,
            })
        };
        rows.iter().map(read).collect()
    }

    async fn orders(&self, id: IncidentId) -> Result<Vec<OrderRow>, StoreError> {
        let query = "select id, agent_id, action, detection_id, state, delivery, issued_ns, \
                     closed_ns, verdict, detail, receipt from command \
                     where incident_id = $1 order by issued_ns desc, id desc limit $2";
        let rows = self.rows_of(id, query, COMMANDS_MAX).await?;
        let read = |row: &AnyRow| {
            Ok(OrderRow {
                id: column::parsed(row, "id", CommandId::parse)?,
                agent: column::parsed(row, "agent_id", AgentId::parse)?,
                action: column::text(row, "action")?,
                detection: column::parsed_maybe(row, "detection_id", DetectionId::parse)?,
                state: column::parsed(row, "state", CommandState::parse)?,
                delivery: column::bytes(row, "delivery")?.into(),
                issued: column::time(row, "issued_ns")?,
                closed: column::time_maybe(row, "closed_ns")?,
                verdict: column::text_maybe(row, "verdict")?,
                detail: column::text_maybe(row, "detail")?,
                receipt: column::bytes_maybe(row, "receipt")?.map(Bytes::from),
            })
        };
        rows.iter().map(read).collect()
    }

    async fn found(&self, id: IncidentId) -> Result<Vec<FoundRow>, StoreError> {
        let query = "select id, agent_id, process_uid, first_ns, last_ns from detection \
                     where incident_id = $1 order by created_ns limit $2";
        let rows = self.rows_of(id, query, DETECTIONS_MAX).await?;
        let query = "select process_uid, ancestor_uid from incident_kin where incident_id = $1 \
                     limit $2";
        let mut kin = Vec::new();
        for row in &self.rows_of(id, query, i64::MAX).await? {
            let process = column::parsed(row, "process_uid", ProcessUid::parse)?;
            kin.push((process, column::parsed(row, "ancestor_uid", ProcessUid::parse)?));
        }
        let read = |row: &AnyRow| {
            let process = column::parsed_maybe(row, "process_uid", ProcessUid::parse)?;
            let above = kin.iter().filter(|(it, _)| Some(*it) == process);
            Ok(FoundRow {
                id: column::parsed(row, "id", DetectionId::parse)?,
                agent: column::parsed(row, "agent_id", AgentId::parse)?,
                process,
                ancestors: above.map(|(_, ancestor)| *ancestor).collect(),
                span: (column::time(row, "first_ns")?, column::time(row, "last_ns")?),
            })
        };
        rows.iter().map(read).collect()
    }

    async fn fleet(&self) -> Result<Vec<(AgentId, String)>, StoreError> {
        let rows = sqlx::query(
            "select agent.id, host.name from agent join host on host.id = agent.host_id \
             where agent.standing = 'approved' order by agent.id limit $1",
        )
        .bind(FLEET_MAX)
        .fetch_all(&self.readers)
        .await
        .map_err(failed("read the fleet"))?;
        rows.iter()
            .map(|row| Ok((column::parsed(row, "id", AgentId::parse)?, column::text(row, "name")?)))
            .collect()
    }
}
