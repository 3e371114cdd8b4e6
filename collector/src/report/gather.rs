//! Reads what a report says: [`state`] from the store, [`lake`] from the events. The only part of
//! the report that reads anything.
//!
//! In: an incident's id. Out: [`Facts`]. Bounded: a page of detections and of commands,
//! [`ENTRIES_MAX`] entries; what was left out is said in `unread`.

pub mod lake;

use cordon_shared::{
    command::{Command as Order, Delivery, scope::LeaseEnd},
    crypto::signing::PublicKey,
    id::IncidentId,
    incident::Phase,
    time::Timestamp,
    wire::command as words,
};

use super::{
    clock::spoken,
    model::{Command, Detection, Entry, Evidence, Facts, Host, Incident, PhaseFacts},
    said::Said,
};
use crate::store::{
    AgentRow, CommandRow, DetectionRow, EntryRow, EvidenceRow, EvidenceState, IncidentRow,
    PAGE_ROWS_MAX, Page, Store, StoreError,
};

/// Entries of a timeline that a report shows (chosen: more than a person reads).
const ENTRIES_MAX: usize = 2_000;

/// For whom and with what a report is made.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Which incident.
    pub incident: IncidentId,
    /// When.
    pub now: Timestamp,
    /// For whom.
    pub principal: String,
    /// The keys that may sign, each with its holder.
    pub keys: Vec<(PublicKey, String)>,
}

/// What the store knows of an incident.
///
/// # Errors
/// [`StoreError::NotFound`], or of the database.
pub async fn state(store: &Store, asked: &Asked) -> Result<Facts, StoreError> {
    let row = store.incident(asked.incident).await?;
    let page = Page { before: None, rows_max: PAGE_ROWS_MAX };
    let mut detections = store.detections(Some(asked.incident), &page).await?;
    let mut commands = store.commands(Some(asked.incident), &page).await?;
    let mut unread = Vec::new();
    for (rows, what) in [(detections.len(), "detections"), (commands.len(), "commands")] {
        if rows >= page_rows() {
            unread.push(Said::new(format!("only the newest {rows} {what} are in this report")));
        }
    }
    detections.reverse();
    commands.reverse();
    let timeline = entries(store, asked.incident, &mut unread).await?;
    let hosts = hosts(store, &row, &detections).await?;
    let commands: Vec<_> = commands.iter().map(|it| command(it, &asked.keys)).collect();
    let kept = store.evidence_of(Some(asked.incident), &page).await?;
    let kept = kept.iter().rev().map(|it| snapshot(it, &hosts));
    let evidence = kept.chain(commands.iter().filter_map(|it| receipt(it, &hosts))).collect();
    Ok(Facts {
        made: asked.now,
        made_for: Said::new(asked.principal.as_str()),
        incident: incident(&row),
        phases: phases(&row),
        hosts,
        detections: detections.iter().map(detection).collect(),
        commands,
        timeline,
        processes: Vec::new(),
        indicators: Vec::new(),
        sweeps: Vec::new(),
        gaps: Vec::new(),
        evidence,
        tasks: Vec::new(),
        overrides: Vec::new(),
        unread,
    })
}

fn page_rows() -> usize {
    usize::try_from(PAGE_ROWS_MAX).unwrap_or(usize::MAX)
}

async fn entries(
    store: &Store,
    id: IncidentId,
    unread: &mut Vec<Said>,
) -> Result<Vec<Entry>, StoreError> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let after = entries.last().map_or(0, |it| it.number);
        let rows = store.timeline(id, after).await?;
        let is_last = rows.len() < page_rows();
        entries.extend(rows.iter().map(entry));
        if is_last {
            break;
        }
        if entries.len() >= ENTRIES_MAX {
            let text = format!("only the oldest {ENTRIES_MAX} entries of the timeline are here");
            unread.push(Said::new(text));
            break;
        }
    }
    entries.truncate(ENTRIES_MAX);
    // What happened earlier and was learned of later stands where it happened.
    entries.sort_by_key(|it| (it.at, it.number));
    Ok(entries)
}

fn entry(row: &EntryRow) -> Entry {
    Entry {
        number: row.number,
        at: row.at,
        kind: Said::new(row.kind.as_str()),
        actor: Said::new(row.actor.as_str()),
        text: Said::new(row.text.as_str()),
        object: Said::new(row.object.as_str()),
    }
}

async fn hosts(
    store: &Store,
    incident: &IncidentRow,
    detections: &[DetectionRow],
) -> Result<Vec<Host>, StoreError> {
    let mut agents = vec![incident.agent];
    for it in detections {
        if !agents.contains(&it.agent) {
            agents.push(it.agent);
        }
    }
    let mut hosts = Vec::with_capacity(agents.len());
    for agent in agents {
        match store.agent(agent).await {
            Ok(row) => hosts.push(host(&row)),
            // A restored backup has forgotten it; the incident still names it.
            Err(StoreError::NotFound { .. }) => {
                hosts.push(Host { agent_id: agent.to_string(), ..Host::default() });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(hosts)
}

fn host(row: &AgentRow) -> Host {
    Host {
        agent_id: row.id.to_string(),
        name: Said::new(row.host.facts.name.as_str()),
        tier: Said::new(row.host.tier.as_str()),
        system: Said::new(format!("{}, Linux {}", row.host.facts.os, row.host.facts.kernel)),
        standing: Said::new(row.standing.as_str()),
        last_seen: row.last_seen,
        ..Host::default()
    }
}

/// The incident itself.
#[must_use]
pub fn incident(row: &IncidentRow) -> Incident {
    Incident {
        incident_id: row.id.to_string(),
        title: Said::new(row.title.as_str()),
        severity: row.severity,
        state: Said::new(row.state.as_str()),
        verdict: verdict(row),
        lead: row.lead.as_deref().map(Said::new),
        opened: row.opened,
        updated: row.updated,
    }
}

/// What it was judged to be, why and by whom.
fn verdict(row: &IncidentRow) -> Option<Said> {
    let verdict = row.verdict?.as_str().replace('_', " ");
    let reason = row.verdict_reason.as_ref().filter(|it| !it.is_empty());
    let reason = reason.map_or_else(String::new, |it| format!(": {it}"));
    let by = row.verdict_by.as_ref().map_or_else(String::new, |it| format!(" ({it})"));
    Some(Said::new(format!("{verdict}{reason}{by}")))
}

/// Its six phases.
#[must_use]
pub fn phases(row: &IncidentRow) -> Vec<PhaseFacts> {
    let phases = Phase::ALL.into_iter().zip(row.phases);
    let phase = |(phase, (state, since))| PhaseFacts {
        phase,
        state,
        since,
        needs: Vec::new(),
        rests_on: Vec::new(),
    };
    phases.map(phase).collect()
}

fn detection(row: &DetectionRow) -> Detection {
    Detection {
        detection_id: row.id.to_string(),
        title: Said::new(row.rule.title.as_str()),
        rule_id: Said::new(row.rule.id.as_str()),
        severity: row.rule.severity,
        techniques: row.rule.techniques.iter().map(|it| Said::new(it.as_str())).collect(),
        agent_id: row.agent.to_string(),
        process_uid: row.process.map(|it| it.to_string()),
        event_id: row.event.map(|it| it.to_string()),
        summary: Said::new(row.summary.as_str()),
        count: row.count,
        first: row.span.0,
        last: row.span.1,
        found: row.created,
    }
}

fn command(row: &CommandRow, keys: &[(PublicKey, String)]) -> Command {
    let delivery = words::decode_delivery(&row.delivery).ok();
    let (order, signers) = signed(delivery.as_ref(), keys);
    Command {
        command_id: row.id.to_string(),
        agent_id: row.agent.to_string(),
        action: word(&row.action),
        summary: Said::new(row.summary.as_str()),
        issued_by: Said::new(row.issued_by.as_str()),
        signers,
        releases_id: row.releases.map(|it| it.to_string()),
        state: row.state.as_str().to_owned(),
        verdict: row.verdict.as_deref().map(word),
        detail: row.detail.as_deref().map(Said::new),
        steps: Vec::new(),
        open: Vec::new(),
        lease: order.as_ref().and_then(lease),
        issued: row.issued,
        closed: row.closed,
        receipt_event_id: row.receipt_event.map(|it| it.to_string()),
    }
}

/// A word of a closed set; shown as hosts' texts are, should a row have been written by hand.
fn word(it: &str) -> String {
    Said::new(it).cut(40)
}

/// The command as it was signed, and who signed it: a name only for a signature that was checked.
fn signed(delivery: Option<&Delivery>, keys: &[(PublicKey, String)]) -> (Option<Order>, Vec<Said>) {
    let Some(Delivery { signed, .. }) = delivery else { return (None, Vec::new()) };
    let trusted: Vec<_> = keys.iter().map(|it| it.0).collect();
    let opened = words::open(signed, &trusted).ok();
    let good = opened.as_ref().map_or(&[][..], |it| it.signers.as_slice());
    let name = |key: &cordon_shared::digest::Sha256| {
        let id: String = key.to_string().chars().take(16).collect();
        let holder = keys.iter().find(|it| good.contains(&it.0) && it.0.id() == *key);
        match holder {
            Some((_, holder)) => Said::new(format!("{holder} (key {id})")),
            None => Said::new(format!("key {id}, which the keyring in force does not hold")),
        }
    };
    let signers = signed.signatures.iter().map(|it| name(&it.key_id)).collect();
    (opened.map(|it| it.command), signers)
}

fn lease(order: &Order) -> Option<Said> {
    let lease = order.lease?;
    let end = match lease.end {
        LeaseEnd::Release => "then it is undone",
        LeaseEnd::Hold => "then it stays and people are called",
    };
    Some(Said::new(format!("lease of {}, {end}", spoken(lease.duration))))
}

/// A snapshot; its manifest was checked against the agent's registered key when it came.
fn snapshot(row: &EvidenceRow, hosts: &[Host]) -> Evidence {
    let state = match row.state {
        EvidenceState::Offered => "its container is still on its way",
        EvidenceState::Held => "here whole",
    };
    let proof = format!(
        "manifest signed by the agent; container of {} bytes, sha256 {}, {state}",
        row.size_bytes, row.sha256
    );
    Evidence {
        what: Said::new(format!("snapshot of {}", row.taken.0)),
        id: Said::new(row.id.to_string()),
        source: named(hosts, &row.agent.to_string()),
        proof: Said::new(proof),
    }
}

fn named(hosts: &[Host], agent: &str) -> Said {
    let host = hosts.iter().find(|it| it.agent_id == agent);
    host.map_or_else(|| Said::new(agent), |it| it.name.clone())
}

/// A receipt as evidence: it was checked against the agent's registered key when it came.
fn receipt(it: &Command, hosts: &[Host]) -> Option<Evidence> {
    let event = it.receipt_event_id.as_ref()?;
    Some(Evidence {
        what: Said::new(format!("receipt of {}", it.action)),
        id: Said::new(event.as_str()),
        source: named(hosts, &it.agent_id),
        proof: Said::new("signed by the agent's receipt key"),
    })
}
