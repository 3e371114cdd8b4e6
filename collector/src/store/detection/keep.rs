//! Keeping what a page found: repeats are one row with a count, and events are looked up and counted
//! many to a statement.

use std::collections::{BTreeMap, HashMap, HashSet};

use cordon_shared::{
    detection::{Basis, Detection},
    id::{DetectionId, EventId, IncidentId, SuppressionId},
    incident::Indicator,
    time::Timestamp,
};

use crate::store::{StoreError, Tx, column, failed};

/// Rows of one statement (chosen: its cost is then the rows', and it stays short to prepare).
const STATEMENT_ROWS: usize = 64;

/// What one rule found about one process within a page: one detection with a count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Repeats {
    /// The first event's, which stands for the others.
    pub first: Detection,
    /// The newest event's: what is ordered rests on it.
    pub newest: Detection,
    /// All events, the first one's included.
    pub events: Vec<EventId>,
    /// What of them is worth looking for elsewhere, each once.
    pub indicators: Vec<Indicator>,
}

/// How repeats lie to what is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::store) enum Sight {
    /// All events were counted before, for this detection: nothing changed.
    Known(DetectionId),
    /// They are more events of that detection, whose count is raised.
    Repeated(DetectionId),
    /// A detection that is not kept yet.
    New(Box<Detection>),
}

/// Which events of a page were counted before, and which are to be.
#[derive(Debug)]
pub(in crate::store) struct Counted {
    known: HashMap<(String, EventId), DetectionId>,
    rows: Vec<(String, EventId, DetectionId)>,
}

impl Counted {
    /// Of no page.
    pub(in crate::store) fn none() -> Self {
        Self { known: HashMap::new(), rows: Vec::new() }
    }

    /// How many events were counted by now that were not before.
    pub(in crate::store) fn fresh(&self) -> usize {
        self.rows.len()
    }

    /// Looks up the events of a page.
    pub(in crate::store) async fn read(tx: &mut Tx, found: &[Repeats]) -> Result<Self, StoreError> {
        let mut events: BTreeMap<&str, Vec<EventId>> = BTreeMap::new();
        for it in found {
            events.entry(&it.first.rule.id).or_default().extend(&it.events);
        }
        let mut known = HashMap::new();
        for (rule, events) in events {
            for chunk in events.chunks(STATEMENT_ROWS) {
                let places: Vec<_> = (2..chunk.len() + 2).map(|it| format!("${it}")).collect();
                let text = format!(
                    "select event_id, detection_id from detection_event \
                     where rule_id = $1 and event_id in ({})",
                    places.join(", ")
                );
                let mut query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(rule.to_owned());
                for event in chunk {
                    query = query.bind(event.to_string());
                }
                let rows = query.fetch_all(&mut **tx).await;
                for row in rows.map_err(failed("look for detections"))? {
                    let event = column::parsed(&row, "event_id", EventId::parse)?;
                    let detection = column::parsed(&row, "detection_id", DetectionId::parse)?;
                    known.insert((rule.to_owned(), event), detection);
                }
            }
        }
        Ok(Self { known, rows: Vec::new() })
    }

    /// Counts the events of all detections that are kept by now.
    pub(in crate::store) async fn write(self, tx: &mut Tx) -> Result<(), StoreError> {
        for chunk in self.rows.chunks(STATEMENT_ROWS) {
            let places = (0..chunk.len()).map(|it| it * 3);
            let places: Vec<_> =
                places.map(|it| format!("(${}, ${}, ${})", it + 1, it + 2, it + 3)).collect();
            let text = format!(
                "insert into detection_event (rule_id, event_id, detection_id) values {}",
                places.join(", ")
            );
            let mut query = sqlx::query(sqlx::AssertSqlSafe(text));
            for (rule, event, detection) in chunk {
                query = query.bind(rule.clone()).bind(event.to_string());
                query = query.bind(detection.to_string());
            }
            query.execute(&mut **tx).await.map_err(failed("count detections"))?;
        }
        Ok(())
    }
}

/// Compares repeats with what is kept, and raises the count of the detection that they repeat.
pub(in crate::store) async fn look(
    tx: &mut Tx,
    counted: &mut Counted,
    repeats: &Repeats,
) -> Result<Sight, StoreError> {
    let rule = &repeats.first.rule.id;
    let (mut fresh, mut seen, mut known) = (Vec::new(), HashSet::new(), None);
    for event in &repeats.events {
        match counted.known.get(&(rule.clone(), *event)) {
            Some(id) => known = known.or(Some(*id)),
            None if seen.insert(*event) => fresh.push(*event),
            None => (),
        }
    }
    let first = match (fresh.first(), known) {
        (Some(first), _) => *first,
        (None, Some(id)) => return Ok(Sight::Known(id)),
        (None, None) => return Ok(Sight::Known(repeats.first.id)),
    };
    let earlier = repeated(tx, repeats, fresh.len()).await?;
    // The first event may be counted for another text of the rule: its name is taken.
    let id = earlier.unwrap_or_else(|| Detection::id_of(rule, first));
    counted.rows.extend(fresh.into_iter().map(|event| (rule.clone(), event, id)));
    Ok(match earlier {
        Some(id) => Sight::Repeated(id),
        None => {
            let basis = Basis::Event(first);
            let detection = Detection { id, basis, ..repeats.first.clone() };
            Sight::New(Box::new(detection))
        }
    })
}

/// The detection that these are more events of; its count is raised.
async fn repeated(
    tx: &mut Tx,
    repeats: &Repeats,
    fresh: usize,
) -> Result<Option<DetectionId>, StoreError> {
    let first = &repeats.first;
    let Some(subject) = &first.subject else { return Ok(None) };
    let row = sqlx::query(
        "update detection set count = count + $1, \
         last_ns = case when last_ns < $2 then $2 else last_ns end \
         where rule_id = $3 and rule_sha256 = $4 and agent_id = $5 and process_uid = $6 \
         returning id",
    )
    .bind(i64::try_from(fresh).unwrap_or(i64::MAX))
    .bind(repeats.newest.at.as_ns())
    .bind(first.rule.id.as_str())
    .bind(first.rule.sha256.to_string())
    .bind(first.agent.to_string())
    .bind(subject.uid.to_string())
    .fetch_optional(&mut **tx)
    .await
    .map_err(failed("count a detection"))?;
    row.map(|row| column::parsed(&row, "id", DetectionId::parse)).transpose()
}

/// Where a detection belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::store) enum Place {
    /// In this incident.
    Incident(IncidentId),
    /// In none, while this holds.
    Suppressed(SuppressionId),
}

impl Place {
    fn columns(self) -> (Option<String>, Option<String>) {
        match self {
            Self::Incident(it) => (Some(it.to_string()), None),
            Self::Suppressed(it) => (None, Some(it.to_string())),
        }
    }
}

/// Keeps a new detection, which begins with as many events as `counted` has of it; a person's report
/// counts as one.
pub(in crate::store) async fn insert(
    tx: &mut Tx,
    (detection, place): (&Detection, Place),
    counted: &Counted,
    (last, now): (Timestamp, Timestamp),
) -> Result<(), StoreError> {
    let events = counted.rows.iter().rev().take_while(|it| it.2 == detection.id).count().max(1);
    let (incident, suppression) = place.columns();
    let event = detection.basis.event().map(|it| it.to_string());
    sqlx::query(
        "insert into detection (id, rule_id, rule_sha256, title, severity, techniques, agent_id, \
         host_id, event_id, process_uid, summary, count, first_ns, last_ns, created_ns, \
         incident_id, suppression_id, reported_by) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, \
         $10, $11, $12, $13, $14, $15, $16, $17, $18)",
    )
    .bind(detection.id.to_string())
    .bind(detection.rule.id.as_str())
    .bind(detection.rule.sha256.to_string())
    .bind(detection.rule.title.as_str())
    .bind(detection.rule.severity.as_str())
    .bind(column::to_json(&detection.rule.techniques))
    .bind(detection.agent.to_string())
    .bind(detection.host.to_string())
    .bind(event.unwrap_or_default())
    .bind(detection.subject.as_ref().map(|it| it.uid.to_string()))
    .bind(detection.summary.as_str())
    .bind(i64::try_from(events).unwrap_or(i64::MAX))
    .bind(detection.at.as_ns())
    .bind(last.as_ns())
    .bind(now.as_ns())
    .bind(incident)
    .bind(suppression)
    .bind(detection.basis.reporter().map(str::to_owned))
    .execute(&mut **tx)
    .await
    .map_err(failed("keep a detection"))?;
    Ok(())
}

/// Puts a detection that was suppressed into an incident.
pub(in crate::store) async fn put(
    tx: &mut Tx,
    id: DetectionId,
    incident: IncidentId,
) -> Result<(), StoreError> {
    sqlx::query("update detection set incident_id = $1, suppression_id = null where id = $2")
        .bind(incident.to_string())
        .bind(id.to_string())
        .execute(&mut **tx)
        .await
        .map_err(failed("keep a detection"))?;
    Ok(())
}
