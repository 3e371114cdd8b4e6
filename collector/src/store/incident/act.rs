//! What people do to an incident: each act becomes true together with its entry in the timeline and its
//! row in the audit log.

mod apply;

use cordon_shared::{
    detection::Severity,
    id::{AgentId, IncidentId},
    incident::{Declaration, Indicator, Phase, Phases, TaskKind, Verdict},
    time::Timestamp,
};

use self::apply::apply;
use super::{NewEntry, append, scope, scope::NewHost, step};
use crate::store::{By, Store, StoreError, Tx, audit, column, commit, failed};

/// One act.
#[derive(Clone, Debug)]
pub enum Act {
    /// Somebody leads it.
    Assign {
        /// Who.
        lead: String,
    },
    /// Somebody says what it is.
    Judge {
        /// What.
        verdict: Verdict,
        /// Why.
        reason: String,
    },
    /// Somebody says how bad it is.
    Rate {
        /// How bad.
        severity: Severity,
        /// Why.
        reason: String,
    },
    /// Somebody writes something down.
    Note {
        /// What.
        text: String,
    },
    /// Something is to be done.
    AddTask(NewTask),
    /// A task is another's, or due at another time, or done.
    ChangeTask(ChangedTask),
    /// A host belongs to it.
    AddHost(NewHost),
    /// A host is off, gone, contained elsewhere or unaffected.
    Declare {
        /// Its number.
        host: u64,
        /// What it is.
        what: Declaration,
        /// What that rests on.
        evidence: String,
    },
    /// A second person says so too.
    Confirm {
        /// Its number.
        host: u64,
    },
    /// Something is to be looked for.
    AddIndicator {
        /// What.
        indicator: Indicator,
        /// Where it comes from.
        reason: String,
    },
    /// The watch window begins.
    Watch {
        /// When it ends.
        until: Timestamp,
    },
    /// Gates are passed.
    Pass(Vec<NewPassage>),
    /// It ends, with the gates that are passed by it.
    Close {
        /// Those.
        passages: Vec<NewPassage>,
        /// Why, when gates were open.
        reason: Option<String>,
    },
    /// It goes on.
    Reopen {
        /// Why.
        reason: String,
    },
}

/// A task to be kept.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// Its kind.
    pub kind: TaskKind,
    /// What.
    pub title: String,
    /// By whom.
    pub owner: Option<String>,
    /// Until when.
    pub due: Option<Timestamp>,
}

/// What changes of a task; what is absent stays.
#[derive(Clone, Debug)]
pub struct ChangedTask {
    /// Which.
    pub number: u64,
    /// By whom.
    pub owner: Option<String>,
    /// Until when.
    pub due: Option<Timestamp>,
    /// Whether it is done.
    pub is_done: Option<bool>,
}

/// A gate that is passed.
#[derive(Clone, Debug)]
pub struct NewPassage {
    /// Of which phase.
    pub phase: Phase,
    /// Whether a person's word stands for evidence.
    pub is_override: bool,
    /// What it rests on.
    pub text: String,
}

impl Act {
    /// Its name in the audit log, the kind of its entry, and what both say.
    fn words(&self) -> (&'static str, &'static str, String) {
        match self {
            Self::Assign { lead } => ("assign", "lead", format!("{lead} leads it")),
            Self::Judge { verdict, reason } => {
                ("verdict", "verdict", format!("{}: {reason}", verdict.as_str()))
            }
            Self::Rate { severity, reason } => {
                ("severity", "severity", format!("{}: {reason}", severity.as_str()))
            }
            Self::Note { text } => ("note", "note", text.clone()),
            Self::AddTask(new) => {
                ("task", "task", format!("new {}: {}", new.kind.as_str(), new.title))
            }
            Self::ChangeTask(changed) => ("task", "task", changed.words()),
            Self::AddHost(new) => {
                ("scope", "scope", format!("`{}` is in scope: {}", new.name, new.why))
            }
            Self::Declare { host, what, evidence } => {
                ("scope", "scope", format!("host {host} is declared {}: {evidence}", what.as_str()))
            }
            Self::Confirm { host } => {
                ("scope", "scope", format!("the declaration of host {host} is confirmed"))
            }
            Self::AddIndicator { indicator, reason } => {
                ("scope", "scope", format!("look for {indicator}: {reason}"))
            }
            Self::Watch { until } => ("phase", "phase", format!("the watch goes on until {until}")),
            Self::Pass(passages) => ("phase", "gate", told(passages)),
            Self::Close { passages, reason } => {
                let mut text = "closed".to_owned();
                if let Some(reason) = reason {
                    text.push_str(&format!(" though gates were open: {reason}"));
                }
                if !passages.is_empty() {
                    text.push_str(&format!("; {}", told(passages)));
                }
                ("close", "close", text)
            }
            Self::Reopen { reason } => ("reopen", "close", format!("opened again: {reason}")),
        }
    }
}

impl ChangedTask {
    fn words(&self) -> String {
        let mut text = format!("task {}", self.number);
        if let Some(owner) = &self.owner {
            text.push_str(&format!(", owner {owner}"));
        }
        if let Some(due) = self.due {
            text.push_str(&format!(", due {due}"));
        }
        match self.is_done {
            Some(true) => text.push_str(", done"),
            Some(false) => text.push_str(", not done after all"),
            None => (),
        }
        text
    }
}

fn told(passages: &[NewPassage]) -> String {
    let tell = |it: &NewPassage| {
        let how = if it.is_override { "overridden" } else { "passed" };
        format!("{} {how}: {}", it.phase.as_str(), it.text)
    };
    passages.iter().map(tell).collect::<Vec<_>>().join("; ")
}

/// An incident that a person opens.
#[derive(Clone, Debug)]
pub struct OpenedIncident {
    /// Its name.
    pub id: IncidentId,
    /// What it is about.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// The first host.
    pub host: NewHost,
    /// Its phases at the start.
    pub phases: Phases,
}

impl Store {
    /// Does an act, and moves the incident's phases as `step` says; `seen` is the number of the last
    /// entry of the timeline that it rests on, for acts that rest on what was read. All or nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when the incident is closed, when it moved on
    /// since it was read, or when its state does not allow the act; or of the database.
    pub async fn act(
        &self,
        id: IncidentId,
        act: &Act,
        (by, seen): (&By, Option<u64>),
        phases: impl FnOnce(&Phases) -> Option<Phases> + Send,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        must_be_fit(&mut tx, id, act).await?;
        let last = last_entry(&mut tx, id).await?;
        if seen.is_some_and(|seen| seen != last) {
            let state = "moved on meanwhile: look at it again";
            return Err(StoreError::Conflict { what: "incident", id: id.to_string(), state });
        }
        apply(&mut tx, id, act, by).await?;
        let (name, kind, text) = act.words();
        let object = format!("incident {id}");
        let entry = NewEntry {
            at: by.at,
            recorded: by.at,
            kind,
            actor: by.principal.clone(),
            text: text.clone(),
            object: object.clone(),
        };
        append(&mut tx, id, &entry).await?;
        step(&mut tx, id, by.at, phases).await?;
        audit::append(&mut tx, by, &format!("incident.{name}"), &object, &text).await?;
        commit(tx).await
    }

    /// Opens an incident by hand.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn open_incident(&self, new: &OpenedIncident, by: &By) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        super::write::insert_opened(&mut tx, new, by).await?;
        let object = format!("incident {}", new.id);
        audit::append(&mut tx, by, "incident.open", &object, &new.title).await?;
        commit(tx).await
    }

    /// Moves phases that follow from evidence alone: `step` is asked for each host in scope by its
    /// number, then for the incident itself. False when the incident moved on since entry `seen`:
    /// whoever moved it asks again.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn settle(
        &self,
        id: IncidentId,
        seen: u64,
        at: Timestamp,
        phases: &mut (dyn FnMut(Option<u64>, &Phases) -> Option<Phases> + Send),
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if last_entry(&mut tx, id).await? != seen {
            return Ok(false);
        }
        for number in scope::numbers(&mut tx, id, None::<AgentId>).await? {
            scope::step_host(&mut tx, id, number, at, |it| {
                phases(Some(number), &it.map(|(state, _)| state))
            })
            .await?;
        }
        step(&mut tx, id, at, |it| phases(None, it)).await?;
        commit(tx).await?;
        Ok(true)
    }
}

async fn last_entry(tx: &mut Tx, id: IncidentId) -> Result<u64, StoreError> {
    let row = sqlx::query(
        "select coalesce(max(number), 0) as last from incident_entry where incident_id = $1",
    )
    .bind(id.to_string())
    .fetch_one(&mut **tx)
    .await
    .map_err(failed("read a timeline"))?;
    column::count(&row, "last")
}

/// Refuses what cannot be done to an incident that is closed, and its reopening when it is not.
async fn must_be_fit(tx: &mut Tx, id: IncidentId, act: &Act) -> Result<(), StoreError> {
    let row = sqlx::query("select state from incident where id = $1")
        .bind(id.to_string())
        .fetch_optional(&mut **tx)
        .await
        .map_err(failed("read an incident"))?;
    let row = row.ok_or(StoreError::NotFound { what: "incident", id: id.to_string() })?;
    let is_open = column::text(&row, "state")? == "open";
    let is_reopening = matches!(act, Act::Reopen { .. });
    let state = match (is_open, is_reopening) {
        (true, true) => "is open",
        (false, false) => "is closed: reopen it first",
        (true, false) | (false, true) => return Ok(()),
    };
    Err(StoreError::Conflict { what: "incident", id: id.to_string(), state })
}
