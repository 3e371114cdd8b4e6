//! Detections: one row for what one rule found about one process, with a count.
//!
//! A pair of rule and event counts once: derived again after a crash it changes nothing. Another
//! event of the same rule about the same process raises the count of the detection that is there.

mod keep;

use cordon_shared::{
    detection::{RuleSummary, Severity},
    digest::Sha256,
    id::{AgentId, DetectionId, EventId, HostId, IncidentId, ProcessUid, SuppressionId},
    time::Timestamp,
};
use sqlx::any::AnyRow;

pub use self::keep::Repeats;
pub(super) use self::keep::{Counted, Place, Sight, insert, look, put};
use super::{Page, Store, StoreError, Tx, column, failed};

/// A detection as it is kept.
#[derive(Clone, Debug)]
pub struct DetectionRow {
    /// Its name.
    pub id: DetectionId,
    /// Which rule.
    pub rule: RuleSummary,
    /// Where: the enrolment.
    pub agent: AgentId,
    /// Where: the machine.
    pub host: HostId,
    /// The incident that it belongs to; none when it was suppressed.
    pub incident: Option<IncidentId>,
    /// What keeps it from an incident.
    pub suppression: Option<SuppressionId>,
    /// The first event; none when a person reported it.
    pub event: Option<EventId>,
    /// Who reported it.
    pub reported_by: Option<String>,
    /// Whom it is about.
    pub process: Option<ProcessUid>,
    /// The first event in one line.
    pub summary: String,
    /// How many events.
    pub count: u64,
    /// When the first and the last happened.
    pub span: (Timestamp, Timestamp),
    /// When it was made.
    pub created: Timestamp,
}

impl DetectionRow {
    fn read(row: &AnyRow) -> Result<Self, StoreError> {
        let rule = RuleSummary {
            id: column::text(row, "rule_id")?,
            sha256: column::parsed(row, "rule_sha256", Sha256::parse)?,
            title: column::text(row, "title")?,
            severity: column::parsed(row, "severity", Severity::parse)?,
            techniques: column::json(row, "techniques")?,
        };
        let reported_by = column::text_maybe(row, "reported_by")?;
        Ok(Self {
            id: column::parsed(row, "id", DetectionId::parse)?,
            rule,
            agent: column::parsed(row, "agent_id", AgentId::parse)?,
            host: column::parsed(row, "host_id", HostId::parse)?,
            incident: column::parsed_maybe(row, "incident_id", IncidentId::parse)?,
            suppression: column::parsed_maybe(row, "suppression_id", SuppressionId::parse)?,
            event: match reported_by {
                Some(_) => None,
                None => Some(column::parsed(row, "event_id", EventId::parse)?),
            },
            reported_by,
            process: column::parsed_maybe(row, "process_uid", ProcessUid::parse)?,
            summary: column::text(row, "summary")?,
            count: column::count(row, "count")?,
            span: (column::time(row, "first_ns")?, column::time(row, "last_ns")?),
            created: column::time(row, "created_ns")?,
        })
    }
}

/// The incident that a detection is in; none when it was suppressed.
pub(super) async fn incident_of(
    tx: &mut Tx,
    id: DetectionId,
) -> Result<Option<IncidentId>, StoreError> {
    let row = sqlx::query("select incident_id from detection where id = $1")
        .bind(id.to_string())
        .fetch_one(&mut **tx)
        .await
        .map_err(failed("read a detection"))?;
    column::parsed_maybe(&row, "incident_id", IncidentId::parse)
}

impl Store {
    /// A page of detections, newest first; `page.before` is `CREATED_NS.ID`, as
    /// [`DetectionRow::cursor`] gives it.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn detections(
        &self,
        incident: Option<IncidentId>,
        page: &Page,
    ) -> Result<Vec<DetectionRow>, StoreError> {
        let cursor = page.before.as_deref().and_then(|it| it.split_once('.'));
        let (before_ns, before_id) = cursor.unwrap_or(("", ""));
        let before_ns = column::from_display(before_ns).unwrap_or(i64::MAX);
        let rows = sqlx::query(
            "select * from detection \
             where (created_ns < $1 or (created_ns = $1 and id < $2)) \
             and ($3 = '' or incident_id = $3) \
             order by created_ns desc, id desc limit $4",
        )
        .bind(before_ns)
        .bind(before_id)
        .bind(incident.map_or_else(String::new, |it| it.to_string()))
        .bind(page.rows())
        .fetch_all(&self.readers)
        .await
        .map_err(failed("list the detections"))?;
        rows.iter().map(DetectionRow::read).collect()
    }

    /// One detection.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or of the database.
    pub async fn detection(&self, id: DetectionId) -> Result<DetectionRow, StoreError> {
        let row = sqlx::query("select * from detection where id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await
            .map_err(failed("read a detection"))?;
        let row = row.ok_or(StoreError::NotFound { what: "detection", id: id.to_string() })?;
        DetectionRow::read(&row)
    }

    /// The events that a detection counted, at most a page of them, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn detection_events(&self, id: DetectionId) -> Result<Vec<EventId>, StoreError> {
        let rows = sqlx::query(
            "select event_id from detection_event where detection_id = $1 \
             order by event_id limit $2",
        )
        .bind(id.to_string())
        .bind(Page::default().rows())
        .fetch_all(&self.readers)
        .await
        .map_err(failed("list the events of a detection"))?;
        rows.iter().map(|row| column::parsed(row, "event_id", EventId::parse)).collect()
    }
}

impl DetectionRow {
    /// What asks for the page after this row.
    #[must_use]
    pub fn cursor(&self) -> String {
        format!("{}.{}", self.created.as_ns(), self.id)
    }
}
