//! Detections: one row for what one rule found about one process, with a count.
//!
//! A pair of rule and event counts once: derived again after a crash it changes nothing. Another
//! event of the same rule about the same process raises the count of the detection that is there.

use cordon_shared::{
    detection::{Detection, RuleSummary, Severity},
    digest::Sha256,
    id::{AgentId, DetectionId, EventId, HostId, IncidentId, ProcessUid},
    time::Timestamp,
};
use sqlx::any::AnyRow;

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
    /// The incident that it belongs to.
    pub incident: Option<IncidentId>,
    /// The first event.
    pub event: EventId,
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

/// What keeping a detection changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kept {
    /// That detection had counted this rule and event already: nothing changed.
    Known(DetectionId),
    /// It is one more event of that detection.
    Repeated(DetectionId),
    /// It is new.
    New,
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
        Ok(Self {
            id: column::parsed(row, "id", DetectionId::parse)?,
            rule,
            agent: column::parsed(row, "agent_id", AgentId::parse)?,
            host: column::parsed(row, "host_id", HostId::parse)?,
            incident: column::parsed_maybe(row, "incident_id", IncidentId::parse)?,
            event: column::parsed(row, "event_id", EventId::parse)?,
            process: column::parsed_maybe(row, "process_uid", ProcessUid::parse)?,
            summary: column::text(row, "summary")?,
            count: column::count(row, "count")?,
            span: (column::time(row, "first_ns")?, column::time(row, "last_ns")?),
            created: column::time(row, "created_ns")?,
        })
    }
}

/// Keeps a detection in the caller's transaction.
pub(super) async fn keep(
    tx: &mut Tx,
    detection: &Detection,
    now: Timestamp,
) -> Result<Kept, StoreError> {
    let known = sqlx::query(
        "select detection_id from detection_event where rule_id = $1 and event_id = $2",
    )
    .bind(detection.rule.id.as_str())
    .bind(detection.event.to_string())
    .fetch_optional(&mut **tx)
    .await
    .map_err(failed("look for a detection"))?;
    if let Some(row) = known {
        return column::parsed(&row, "detection_id", DetectionId::parse).map(Kept::Known);
    }
    let earlier = repeated(tx, detection).await?;
    let id = earlier.unwrap_or(detection.id);
    if earlier.is_none() {
        insert(tx, detection, now).await?;
    }
    sqlx::query(
        "insert into detection_event (rule_id, event_id, detection_id) values ($1, $2, $3)",
    )
    .bind(detection.rule.id.as_str())
    .bind(detection.event.to_string())
    .bind(id.to_string())
    .execute(&mut **tx)
    .await
    .map_err(failed("count a detection"))?;
    Ok(earlier.map_or(Kept::New, Kept::Repeated))
}

/// The detection that this one is one more event of; its count is raised.
async fn repeated(tx: &mut Tx, detection: &Detection) -> Result<Option<DetectionId>, StoreError> {
    let Some(subject) = &detection.subject else { return Ok(None) };
    let row = sqlx::query(
        "update detection set count = count + 1, \
         last_ns = case when last_ns < $1 then $1 else last_ns end \
         where rule_id = $2 and rule_sha256 = $3 and agent_id = $4 and process_uid = $5 \
         returning id",
    )
    .bind(detection.at.as_ns())
    .bind(detection.rule.id.as_str())
    .bind(detection.rule.sha256.to_string())
    .bind(detection.agent.to_string())
    .bind(subject.uid.to_string())
    .fetch_optional(&mut **tx)
    .await
    .map_err(failed("count a detection"))?;
    row.map(|row| column::parsed(&row, "id", DetectionId::parse)).transpose()
}

async fn insert(tx: &mut Tx, detection: &Detection, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query(
        "insert into detection (id, rule_id, rule_sha256, title, severity, techniques, agent_id, \
         host_id, event_id, process_uid, summary, count, first_ns, last_ns, created_ns) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1, $12, $12, $13)",
    )
    .bind(detection.id.to_string())
    .bind(detection.rule.id.as_str())
    .bind(detection.rule.sha256.to_string())
    .bind(detection.rule.title.as_str())
    .bind(detection.rule.severity.as_str())
    .bind(column::to_json(&detection.rule.techniques))
    .bind(detection.agent.to_string())
    .bind(detection.host.to_string())
    .bind(detection.event.to_string())
    .bind(detection.subject.as_ref().map(|it| it.uid.to_string()))
    .bind(detection.summary.as_str())
    .bind(detection.at.as_ns())
    .bind(now.as_ns())
    .execute(&mut **tx)
    .await
    .map_err(failed("keep a detection"))?;
    Ok(())
}

/// The incident that a detection is in.
pub(super) async fn incident_of(tx: &mut Tx, id: DetectionId) -> Result<IncidentId, StoreError> {
    let row = sqlx::query("select incident_id from detection where id = $1")
        .bind(id.to_string())
        .fetch_one(&mut **tx)
        .await
        .map_err(failed("read a detection"))?;
    let incident = column::parsed_maybe(&row, "incident_id", IncidentId::parse)?;
    let state = "belongs to no incident";
    incident.ok_or(StoreError::Conflict { what: "detection", id: id.to_string(), state })
}

/// Puts a detection into an incident.
pub(super) async fn assign(
    tx: &mut Tx,
    id: DetectionId,
    incident: IncidentId,
) -> Result<(), StoreError> {
    sqlx::query("update detection set incident_id = $1 where id = $2")
        .bind(incident.to_string())
        .bind(id.to_string())
        .execute(&mut **tx)
        .await
        .map_err(failed("put a detection into an incident"))?;
    Ok(())
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
