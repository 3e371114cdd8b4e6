//! The scope of an incident: hosts with phases of their own, and what is looked for. The writing half is
//! for the caller's transaction.

use cordon_shared::{
    id::{AgentId, BootId, HostId, IncidentId, ProcessUid},
    incident::{Declaration, Indicator, IndicatorKind, Phase, PhaseState, Phases},
    time::Timestamp,
};
use sqlx::any::AnyRow;

use super::{NewEntry, append, read_phases};
use crate::store::{Store, StoreError, Tx, column, failed};

/// Hosts of one scope (chosen: an incident that is larger is a fleet that is lost).
pub(super) const HOSTS_MAX: u64 = 1_000;
/// Indicators of one incident (chosen: what a person can still judge).
const INDICATORS_MAX: u64 = 1_000;

/// A host in scope, or a machine without an agent.
#[derive(Clone, Debug)]
pub struct ScopeRow {
    /// Its number in the incident.
    pub number: u64,
    /// Its name.
    pub name: String,
    /// Its record and its agent, when it has one.
    pub host: Option<(HostId, AgentId)>,
    /// The boot that its agent last said hello from.
    pub boot: Option<BootId>,
    /// When its agent last spoke.
    pub last_seen: Option<Timestamp>,
    /// Since when it is in scope.
    pub added: Timestamp,
    /// Who added it.
    pub added_by: String,
    /// Why.
    pub why: String,
    /// What people say of it.
    pub declared: Option<DeclaredRow>,
    /// Its phases, with the moment that each got its state.
    pub phases: [(PhaseState, Timestamp); 6],
}

/// What people say of a host.
#[derive(Clone, Debug)]
pub struct DeclaredRow {
    /// What.
    pub what: Declaration,
    /// What that rests on.
    pub evidence: String,
    /// Who.
    pub by: String,
    /// The second person.
    pub confirmed_by: Option<String>,
}

/// Something to look for.
#[derive(Clone, Debug)]
pub struct IndicatorRow {
    /// What.
    pub indicator: Indicator,
    /// When it was last found or given.
    pub seen: Timestamp,
    /// By whom.
    pub added_by: String,
    /// Where it comes from.
    pub why: String,
}

/// A host to be put into a scope.
#[derive(Clone, Debug)]
pub struct NewHost {
    /// Its name.
    pub name: String,
    /// Its record and its agent, when it has one.
    pub host: Option<(HostId, AgentId)>,
    /// Why.
    pub why: String,
}

impl ScopeRow {
    fn read(row: &AnyRow) -> Result<Self, StoreError> {
        let host = column::parsed_maybe(row, "host_id", HostId::parse)?;
        let agent = column::parsed_maybe(row, "agent_id", AgentId::parse)?;
        let declared = match column::parsed_maybe(row, "declaration", Declaration::parse)? {
            Some(what) => Some(DeclaredRow {
                what,
                evidence: column::text_maybe(row, "evidence")?.unwrap_or_default(),
                by: column::text_maybe(row, "declared_by")?.unwrap_or_default(),
                confirmed_by: column::text_maybe(row, "confirmed_by")?,
            }),
            None => None,
        };
        Ok(Self {
            number: column::count(row, "number")?,
            name: column::text(row, "name")?,
            host: host.zip(agent),
            boot: column::parsed_maybe(row, "boot_id", BootId::parse)?,
            last_seen: column::time_maybe(row, "last_seen_ns")?,
            added: column::time(row, "added_ns")?,
            added_by: column::text(row, "added_by")?,
            why: column::text(row, "why")?,
            declared,
            phases: [(PhaseState::Pending, Timestamp::default()); 6],
        })
    }
}

impl Store {
    /// The scope of an incident, in the order in which it grew.
    pub(super) async fn scope(&self, id: IncidentId) -> Result<Vec<ScopeRow>, StoreError> {
        let rows = sqlx::query(
            "select incident_host.*, agent.boot_id, agent.last_seen_ns from incident_host \
             left join agent on agent.id = incident_host.agent_id \
             where incident_id = $1 order by number",
        )
        .bind(id.to_string())
        .fetch_all(&self.readers)
        .await
        .map_err(failed("read a scope"))?;
        let mut hosts = rows.iter().map(ScopeRow::read).collect::<Result<Vec<_>, _>>()?;
        let rows = sqlx::query("select * from incident_host_phase where incident_id = $1")
            .bind(id.to_string())
            .fetch_all(&self.readers)
            .await
            .map_err(failed("read the phases of a scope"))?;
        for row in &rows {
            let number = column::count(row, "host_number")?;
            let phase = column::parsed(row, "phase", Phase::parse)?;
            let state = column::parsed(row, "state", PhaseState::parse)?;
            let since = column::time(row, "since_ns")?;
            for host in hosts.iter_mut().filter(|it| it.number == number) {
                host.phases[phase.index()] = (state, since);
            }
        }
        Ok(hosts)
    }

    /// What an incident looks for.
    pub(super) async fn indicators(&self, id: IncidentId) -> Result<Vec<IndicatorRow>, StoreError> {
        let rows = sqlx::query(
            "select * from incident_indicator where incident_id = $1 order by kind, value",
        )
        .bind(id.to_string())
        .fetch_all(&self.readers)
        .await
        .map_err(failed("read the indicators of an incident"))?;
        rows.iter()
            .map(|row| {
                Ok(IndicatorRow {
                    indicator: read_indicator(row)?,
                    seen: column::time(row, "seen_ns")?,
                    added_by: column::text(row, "added_by")?,
                    why: column::text(row, "why")?,
                })
            })
            .collect()
    }
}

fn read_indicator(row: &AnyRow) -> Result<Indicator, StoreError> {
    let kind = column::parsed(row, "kind", IndicatorKind::parse)?;
    column::parsed(row, "value", |text| Indicator::parse(kind, text))
}

/// Puts a host into a scope, unless it is there. Says whether it was new.
pub(super) async fn add_host(
    tx: &mut Tx,
    id: IncidentId,
    new: &NewHost,
    (by, at): (&str, Timestamp),
) -> Result<bool, StoreError> {
    let doing = failed("extend a scope");
    let agent = new.host.map(|(_, agent)| agent.to_string());
    let row = sqlx::query(
        "select coalesce(max(number), 0) as last, \
         coalesce(sum(case when agent_id = $2 or (agent_id is null and $2 = '' and name = $3) \
         then 1 else 0 end), 0) as known from incident_host where incident_id = $1",
    )
    .bind(id.to_string())
    .bind(agent.clone().unwrap_or_default())
    .bind(new.name.as_str())
    .fetch_one(&mut **tx)
    .await
    .map_err(&doing)?;
    let last = column::count(&row, "last")?;
    if column::count(&row, "known")? > 0 {
        return Ok(false);
    }
    if last >= HOSTS_MAX {
        let state = "has as many hosts in scope as an incident can";
        return Err(StoreError::Conflict { what: "incident", id: id.to_string(), state });
    }
    sqlx::query(
        "insert into incident_host (incident_id, number, name, host_id, agent_id, added_ns, \
         added_by, why) values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id.to_string())
    .bind(column::to_number(last + 1))
    .bind(new.name.as_str())
    .bind(new.host.map(|(host, _)| host.to_string()))
    .bind(agent)
    .bind(at.as_ns())
    .bind(by)
    .bind(new.why.as_str())
    .execute(&mut **tx)
    .await
    .map_err(&doing)?;
    Ok(true)
}

/// Notes what is looked for; what is known was seen again. Beyond the bound nothing is added.
pub(super) async fn add_indicator(
    tx: &mut Tx,
    id: IncidentId,
    indicator: &Indicator,
    why: &str,
    (by, at): (&str, Timestamp),
) -> Result<bool, StoreError> {
    let doing = failed("add an indicator");
    let row =
        sqlx::query("select count(*) as known from incident_indicator where incident_id = $1")
            .bind(id.to_string())
            .fetch_one(&mut **tx)
            .await
            .map_err(&doing)?;
    if column::count(&row, "known")? >= INDICATORS_MAX {
        return Ok(false);
    }
    sqlx::query(
        "insert into incident_indicator (incident_id, kind, value, seen_ns, added_by, why) \
         values ($1, $2, $3, $4, $5, $6) on conflict (incident_id, kind, value) do update \
         set seen_ns = excluded.seen_ns where incident_indicator.seen_ns < excluded.seen_ns",
    )
    .bind(id.to_string())
    .bind(indicator.kind().as_str())
    .bind(indicator.value())
    .bind(at.as_ns())
    .bind(by)
    .bind(why)
    .execute(&mut **tx)
    .await
    .map_err(&doing)?;
    Ok(true)
}

/// What a process descends from, as far as its launch told.
pub(super) async fn add_kin(
    tx: &mut Tx,
    id: IncidentId,
    process: ProcessUid,
    ancestors: &[ProcessUid],
) -> Result<(), StoreError> {
    for ancestor in ancestors {
        sqlx::query(
            "insert into incident_kin (incident_id, process_uid, ancestor_uid) \
             values ($1, $2, $3) on conflict (incident_id, process_uid, ancestor_uid) do nothing",
        )
        .bind(id.to_string())
        .bind(process.to_string())
        .bind(ancestor.to_string())
        .execute(&mut **tx)
        .await
        .map_err(failed("extend an incident"))?;
    }
    Ok(())
}

/// The numbers of the hosts in scope, or the number of the one with this agent.
pub(super) async fn numbers(
    tx: &mut Tx,
    id: IncidentId,
    agent: Option<AgentId>,
) -> Result<Vec<u64>, StoreError> {
    let rows = sqlx::query(
        "select number from incident_host where incident_id = $1 and ($2 = '' or agent_id = $2) \
         order by number",
    )
    .bind(id.to_string())
    .bind(agent.map_or_else(String::new, |it| it.to_string()))
    .fetch_all(&mut **tx)
    .await
    .map_err(failed("read a scope"))?;
    rows.iter().map(|row| column::count(row, "number")).collect()
}

/// Moves the phases of the host with this agent, if it is in scope, as `step` says.
pub(in crate::store) async fn step_agent(
    tx: &mut Tx,
    id: IncidentId,
    agent: AgentId,
    at: Timestamp,
    mut step: impl FnMut(&Phases) -> Option<Phases>,
) -> Result<(), StoreError> {
    step_agent_since(tx, id, agent, at, |it| step(&it.map(|(state, _)| state))).await
}

/// The same; `step` also sees the moment that each phase got its state.
pub(super) async fn step_agent_since(
    tx: &mut Tx,
    id: IncidentId,
    agent: AgentId,
    at: Timestamp,
    mut step: impl FnMut(&[(PhaseState, Timestamp); 6]) -> Option<Phases>,
) -> Result<(), StoreError> {
    for number in numbers(tx, id, Some(agent)).await? {
        step_host(tx, id, number, at, &mut step).await?;
    }
    Ok(())
}

/// Moves a host's own phases as `step` says; the timeline tells of what was closed or reopened.
pub(super) async fn step_host(
    tx: &mut Tx,
    id: IncidentId,
    number: u64,
    at: Timestamp,
    step: impl FnOnce(&[(PhaseState, Timestamp); 6]) -> Option<Phases>,
) -> Result<(), StoreError> {
    let doing = failed("move a phase of a host");
    let rows = sqlx::query(
        "select * from incident_host_phase where incident_id = $1 and host_number = $2",
    )
    .bind(id.to_string())
    .bind(column::to_number(number))
    .fetch_all(&mut **tx)
    .await
    .map_err(&doing)?;
    let before = read_phases(&rows)?;
    let Some(after) = step(&before) else { return Ok(()) };
    let before = before.map(|(state, _)| state);
    for phase in Phase::OF_HOST {
        let (was, is) = (before[phase.index()], after[phase.index()]);
        if was == is {
            continue;
        }
        sqlx::query(
            "insert into incident_host_phase (incident_id, host_number, phase, state, since_ns) \
             values ($1, $2, $3, $4, $5) on conflict (incident_id, host_number, phase) \
             do update set state = excluded.state, since_ns = excluded.since_ns",
        )
        .bind(id.to_string())
        .bind(column::to_number(number))
        .bind(phase.as_str())
        .bind(is.as_str())
        .bind(at.as_ns())
        .execute(&mut **tx)
        .await
        .map_err(&doing)?;
        if is == PhaseState::Active {
            continue;
        }
        let entry = NewEntry {
            at,
            recorded: at,
            kind: "phase",
            actor: "collector".to_owned(),
            text: format!("host {number}: {} {}", phase.as_str(), is.as_str()),
            object: format!("host {number}"),
        };
        append(tx, id, &entry).await?;
    }
    Ok(())
}
