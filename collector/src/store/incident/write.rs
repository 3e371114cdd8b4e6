//! Incidents, the writing half: what the caller's transaction does to an incident.

use cordon_shared::{
    detection::{Detection, Severity},
    id::{AgentId, IncidentId, ProcessUid},
    incident::{Indicator, Phase, PhaseState, Phases},
    time::Timestamp,
};
use sqlx::any::AnyRow;

use super::{
    NewEntry, NewIncident, OpenIncident, OpenedIncident, read_phases,
    scope::{NewHost, add_host, add_kin},
};
use crate::store::{By, StoreError, Tx, column, failed};

/// Open incidents of one agent that a detection is compared with; older ones are left alone.
pub(super) const OPEN_MAX: usize = 200;

/// The newest open incidents that an agent is in the scope of, in SQL.
const NEWEST: &str = "select incident.id from incident join incident_host \
     on incident_host.incident_id = incident.id where incident.state = 'open' \
     and incident_host.agent_id = $1 order by incident.id desc limit $2";

/// The open incidents of an agent, newest first.
pub(super) async fn open_incidents(
    tx: &mut Tx,
    agent: AgentId,
) -> Result<Vec<OpenIncident>, StoreError> {
    let mut open: Vec<OpenIncident> = Vec::new();
    let spans = format!(
        "select incident.id as incident_id, \
         coalesce(min(detection.first_ns), incident.opened_ns) as first_ns, \
         coalesce(max(detection.last_ns), incident.opened_ns) as last_ns \
         from incident left join detection on detection.incident_id = incident.id \
         where incident.id in ({NEWEST}) group by incident.id, incident.opened_ns \
         order by incident.id desc"
    );
    for row in &rows_of(tx, spans, agent).await? {
        open.push(OpenIncident {
            id: column::parsed(row, "incident_id", IncidentId::parse)?,
            subjects: Vec::new(),
            ancestors: Vec::new(),
            span: (column::time(row, "first_ns")?, column::time(row, "last_ns")?),
            is_elsewhere: false,
        });
    }
    let processes = format!(
        "select incident_id, process_uid, is_subject from incident_process \
         where incident_id in ({NEWEST}) order by incident_id desc"
    );
    for row in &rows_of(tx, processes, agent).await? {
        let id = column::parsed(row, "incident_id", IncidentId::parse)?;
        let Ok(at) = open.binary_search_by(|it| id.cmp(&it.id)) else { continue };
        let uid = column::parsed(row, "process_uid", ProcessUid::parse)?;
        let is_subject = column::flag(row, "is_subject")?;
        if is_subject { open[at].subjects.push(uid) } else { open[at].ancestors.push(uid) }
    }
    Ok(open)
}

async fn rows_of(tx: &mut Tx, query: String, agent: AgentId) -> Result<Vec<AnyRow>, StoreError> {
    sqlx::query(sqlx::AssertSqlSafe(query))
        .bind(agent.to_string())
        .bind(i64::try_from(OPEN_MAX).unwrap_or(i64::MAX))
        .fetch_all(&mut **tx)
        .await
        .map_err(failed("read the open incidents"))
}

/// Opens an incident with its first detection's title.
pub(super) async fn insert(
    tx: &mut Tx,
    detection: &Detection,
    new: &NewIncident,
) -> Result<(), StoreError> {
    let doing = failed("open an incident");
    sqlx::query(
        "insert into incident (id, title, severity, state, host_id, agent_id, opened_ns, \
         updated_ns) values ($1, $2, $3, 'open', $4, $5, $6, $6)",
    )
    .bind(new.id.to_string())
    .bind(detection.rule.title.as_str())
    .bind(detection.rule.severity.as_str())
    .bind(detection.host.to_string())
    .bind(detection.agent.to_string())
    .bind(new.at.as_ns())
    .execute(&mut **tx)
    .await
    .map_err(&doing)?;
    insert_phases(tx, new.id, &new.phases, new.at).await?;
    let why = "its detection opened the incident".to_owned();
    let name = host_name(tx, detection.agent).await?;
    let host = NewHost { name, host: Some((detection.host, detection.agent)), why };
    add_host(tx, new.id, &host, ("collector", new.at)).await?;
    let entry = NewEntry {
        at: detection.at,
        recorded: new.at,
        kind: "phase",
        actor: "collector".to_owned(),
        text: format!("opened: {}", detection.rule.title),
        object: format!("incident {}", new.id),
    };
    append(tx, new.id, &entry).await
}

async fn insert_phases(
    tx: &mut Tx,
    id: IncidentId,
    phases: &Phases,
    at: Timestamp,
) -> Result<(), StoreError> {
    for (phase, state) in Phase::ALL.into_iter().zip(phases) {
        sqlx::query(
            "insert into incident_phase (incident_id, phase, state, since_ns) \
             values ($1, $2, $3, $4)",
        )
        .bind(id.to_string())
        .bind(phase.as_str())
        .bind(state.as_str())
        .bind(at.as_ns())
        .execute(&mut **tx)
        .await
        .map_err(failed("open an incident"))?;
    }
    Ok(())
}

/// Opens an incident by hand, with its first host.
pub(super) async fn insert_opened(
    tx: &mut Tx,
    new: &OpenedIncident,
    by: &By,
) -> Result<(), StoreError> {
    let (host, agent) = new.host.host.unzip();
    sqlx::query(
        "insert into incident (id, title, severity, state, host_id, agent_id, opened_ns, \
         updated_ns, severity_by) values ($1, $2, $3, 'open', $4, $5, $6, $6, $7)",
    )
    .bind(new.id.to_string())
    .bind(new.title.as_str())
    .bind(new.severity.as_str())
    .bind(host.map(|it| it.to_string()))
    .bind(agent.map(|it| it.to_string()))
    .bind(by.at.as_ns())
    .bind(by.principal.as_str())
    .execute(&mut **tx)
    .await
    .map_err(failed("open an incident"))?;
    insert_phases(tx, new.id, &new.phases, by.at).await?;
    add_host(tx, new.id, &new.host, (&by.principal, by.at)).await?;
    let entry = NewEntry {
        at: by.at,
        recorded: by.at,
        kind: "phase",
        actor: by.principal.clone(),
        text: format!("opened by hand: {}: {}", new.title, new.host.why),
        object: format!("incident {}", new.id),
    };
    append(tx, new.id, &entry).await
}

/// The name of an agent's host.
pub(super) async fn host_name(tx: &mut Tx, agent: AgentId) -> Result<String, StoreError> {
    let row = sqlx::query(
        "select host.name from agent join host on host.id = agent.host_id where agent.id = $1",
    )
    .bind(agent.to_string())
    .fetch_one(&mut **tx)
    .await
    .map_err(failed("read a host's name"))?;
    column::text(&row, "name")
}

/// Open incidents on other hosts that look for one of these, newest first, as far as it was seen within
/// the span; for what `agent` has found.
pub(super) async fn incidents_alike(
    tx: &mut Tx,
    agent: AgentId,
    indicators: &[Indicator],
) -> Result<Vec<OpenIncident>, StoreError> {
    let mut open: Vec<OpenIncident> = Vec::new();
    for indicator in indicators {
        let rows = sqlx::query(
            "select incident_indicator.incident_id, incident_indicator.seen_ns, \
             incident.opened_ns from incident_indicator \
             join incident on incident.id = incident_indicator.incident_id \
             where incident_indicator.kind = $1 and incident_indicator.value = $2 \
             and incident.state = 'open' and not exists (select 1 from incident_host \
             where incident_host.incident_id = incident.id and incident_host.agent_id = $3) \
             order by incident.id desc limit $4",
        )
        .bind(indicator.kind().as_str())
        .bind(indicator.value())
        .bind(agent.to_string())
        .bind(i64::try_from(OPEN_MAX).unwrap_or(i64::MAX))
        .fetch_all(&mut **tx)
        .await
        .map_err(failed("look for incidents alike"))?;
        for row in &rows {
            let id = column::parsed(row, "incident_id", IncidentId::parse)?;
            let span = (column::time(row, "opened_ns")?, column::time(row, "seen_ns")?);
            let (subjects, ancestors) = (Vec::new(), Vec::new());
            open.push(OpenIncident { id, subjects, ancestors, span, is_elsewhere: true });
        }
    }
    open.sort_by_key(|it| std::cmp::Reverse(it.id));
    open.dedup_by_key(|it| it.id);
    Ok(open)
}

/// Adds a detection's processes to an incident, and its severity when that is higher. What `open`
/// knows of is not written again.
pub(super) async fn extend(
    tx: &mut Tx,
    open: &mut OpenIncident,
    detection: &Detection,
) -> Result<(), StoreError> {
    let id = open.id;
    let severity = sqlx::query("select severity, severity_by from incident where id = $1")
        .bind(id.to_string())
        .fetch_one(&mut **tx)
        .await
        .map_err(failed("read an incident"))?;
    // What a person set stays.
    let is_set = column::text_maybe(&severity, "severity_by")?.is_some();
    let is_lower =
        column::parsed(&severity, "severity", Severity::parse)? < detection.rule.severity;
    if is_lower && !is_set {
        sqlx::query("update incident set severity = $1 where id = $2")
            .bind(detection.rule.severity.as_str())
            .bind(id.to_string())
            .execute(&mut **tx)
            .await
            .map_err(failed("extend an incident"))?;
    }
    let Some(subject) = &detection.subject else { return Ok(()) };
    if !open.subjects.contains(&subject.uid) {
        open.subjects.push(subject.uid);
        add_process(tx, id, subject.uid, true).await?;
        add_kin(tx, id, subject.uid, &subject.ancestry).await?;
    }
    for uid in &subject.ancestry {
        if !open.ancestors.contains(uid) && !open.subjects.contains(uid) {
            open.ancestors.push(*uid);
            add_process(tx, id, *uid, false).await?;
        }
    }
    Ok(())
}

async fn add_process(
    tx: &mut Tx,
    id: IncidentId,
    uid: ProcessUid,
    is_subject: bool,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into incident_process (incident_id, process_uid, is_subject) \
         values ($1, $2, $3) on conflict (incident_id, process_uid) do update \
         set is_subject = 1 where excluded.is_subject = 1",
    )
    .bind(id.to_string())
    .bind(uid.to_string())
    .bind(i32::from(is_subject))
    .execute(&mut **tx)
    .await
    .map_err(failed("extend an incident"))?;
    Ok(())
}

/// Moves an incident's phases as `step` says; nothing when it says nothing.
pub(in crate::store) async fn step(
    tx: &mut Tx,
    id: IncidentId,
    at: Timestamp,
    step: impl FnOnce(&Phases) -> Option<Phases>,
) -> Result<(), StoreError> {
    step_since(tx, id, at, |it| step(&it.map(|(state, _)| state))).await
}

/// The same; `step` also sees the moment that each phase got its state.
pub(super) async fn step_since(
    tx: &mut Tx,
    id: IncidentId,
    at: Timestamp,
    step: impl FnOnce(&[(PhaseState, Timestamp); 6]) -> Option<Phases>,
) -> Result<(), StoreError> {
    let rows = sqlx::query("select * from incident_phase where incident_id = $1")
        .bind(id.to_string())
        .fetch_all(&mut **tx)
        .await
        .map_err(failed("read the phases of an incident"))?;
    let before = read_phases(&rows)?;
    let Some(after) = step(&before) else { return Ok(()) };
    let before = before.map(|(state, _)| state);
    for phase in Phase::ALL {
        let (was, is) = (before[phase.index()], after[phase.index()]);
        if was == is {
            continue;
        }
        sqlx::query(
            "update incident_phase set state = $1, since_ns = $2 \
             where incident_id = $3 and phase = $4",
        )
        .bind(is.as_str())
        .bind(at.as_ns())
        .bind(id.to_string())
        .bind(phase.as_str())
        .execute(&mut **tx)
        .await
        .map_err(failed("move a phase"))?;
        let entry = NewEntry {
            at,
            recorded: at,
            kind: "phase",
            actor: "collector".to_owned(),
            text: format!("{}: {} to {}", phase.as_str(), was.as_str(), is.as_str()),
            object: format!("incident {id}"),
        };
        append(tx, id, &entry).await?;
    }
    Ok(())
}

/// Adds an entry to a timeline in the caller's transaction (IN-2).
pub(in crate::store) async fn append(
    tx: &mut Tx,
    id: IncidentId,
    entry: &NewEntry,
) -> Result<(), StoreError> {
    let doing = failed("append to a timeline");
    sqlx::query(
        "insert into incident_entry (incident_id, number, at_ns, recorded_ns, kind, actor, text, \
         object) select $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5, $6, $7 \
         from incident_entry where incident_id = $1",
    )
    .bind(id.to_string())
    .bind(entry.at.as_ns())
    .bind(entry.recorded.as_ns())
    .bind(entry.kind)
    .bind(entry.actor.as_str())
    .bind(entry.text.as_str())
    .bind(entry.object.as_str())
    .execute(&mut **tx)
    .await
    .map_err(&doing)?;
    sqlx::query("update incident set updated_ns = $1 where id = $2")
        .bind(entry.recorded.as_ns())
        .bind(id.to_string())
        .execute(&mut **tx)
        .await
        .map_err(&doing)?;
    Ok(())
}

/// Adds an entry unless the timeline has one of this kind about the same object: what is derived
/// again after a crash is said once.
pub(super) async fn append_once(
    tx: &mut Tx,
    id: IncidentId,
    entry: &NewEntry,
) -> Result<bool, StoreError> {
    let known = sqlx::query(
        "select number from incident_entry where incident_id = $1 and kind = $2 and object = $3 \
         limit 1",
    )
    .bind(id.to_string())
    .bind(entry.kind)
    .bind(entry.object.as_str())
    .fetch_optional(&mut **tx)
    .await
    .map_err(failed("look for an entry of a timeline"))?;
    if known.is_some() {
        return Ok(false);
    }
    append(tx, id, entry).await?;
    Ok(true)
}
