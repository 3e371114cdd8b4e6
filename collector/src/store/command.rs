//! Commands: signed bytes as they were made, the outbox of what an agent has not answered yet, and
//! the receipt that closes each (CM-3).
//!
//! It never signs and never opens a command: the bytes are the signer's.

mod outbox;
mod withdraw;

use bytes::Bytes;
use cordon_shared::{
    id::{AgentId, CommandId, DetectionId, EventId, HostId, IncidentId},
    incident::Phases,
    time::Timestamp,
};
use sqlx::any::AnyRow;

use self::outbox::leave_outbox;
pub use self::outbox::{Due, Tried};
use super::{By, NewEntry, Page, Store, StoreError, Tx, audit, column, commit, failed, incident};

/// The name that automation has in `issued_by` and in the audit log.
pub const AUTOMATION: &str = "automation";

/// How far a command is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommandState {
    /// Signed; waits for its agent.
    Issued,
    /// Handed to a stream at least once.
    Sent,
    /// In the agent's journal.
    Seen,
    /// A receipt came; the verdict says what it was.
    Closed,
    /// No receipt came in time.
    Expired,
}

impl CommandState {
    /// The name in the database and the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Sent => "sent",
            Self::Seen => "seen",
            Self::Closed => "closed",
            Self::Expired => "expired",
        }
    }

    /// Reads the name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Issued, Self::Sent, Self::Seen, Self::Closed, Self::Expired]
            .into_iter()
            .find(|it| it.as_str() == text)
    }
}

/// A signed command to be kept and delivered.
#[derive(Clone, Debug)]
pub struct NewCommand {
    /// Its name, as it is signed.
    pub id: CommandId,
    /// The incident that it is for.
    pub incident: Option<IncidentId>,
    /// The detection that called for it; absent when a person did.
    pub detection: Option<DetectionId>,
    /// To whom.
    pub agent: AgentId,
    /// On which machine.
    pub host: HostId,
    /// The verb: `kill`, …
    pub action: &'static str,
    /// In one line, for people.
    pub summary: String,
    /// The command whose hold it ends.
    pub releases: Option<CommandId>,
    /// The encoded `CommandDelivery`.
    pub delivery: Bytes,
    /// From then on no agent obeys it.
    pub expires: Timestamp,
}

/// A command as it is kept.
#[derive(Clone, Debug)]
pub struct CommandRow {
    /// Its name.
    pub id: CommandId,
    /// The incident that it is for.
    pub incident: Option<IncidentId>,
    /// The detection that called for it.
    pub detection: Option<DetectionId>,
    /// To whom.
    pub agent: AgentId,
    /// On which machine.
    pub host: HostId,
    /// The verb.
    pub action: String,
    /// In one line.
    pub summary: String,
    /// The command whose hold it ends.
    pub releases: Option<CommandId>,
    /// How far it is.
    pub state: CommandState,
    /// The encoded `CommandDelivery`.
    pub delivery: Bytes,
    /// Who issued it.
    pub issued_by: String,
    /// When it was issued, and when it ends.
    pub issued: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// When it was first handed to a stream.
    pub sent: Option<Timestamp>,
    /// When the agent had it in its journal.
    pub seen: Option<Timestamp>,
    /// When it was closed.
    pub closed: Option<Timestamp>,
    /// What became of it.
    pub verdict: Option<String>,
    /// In one sentence.
    pub detail: Option<String>,
    /// The event that carried the receipt.
    pub receipt_event: Option<EventId>,
    /// The encoded signed receipt.
    pub receipt: Option<Bytes>,
}

/// A verified receipt.
#[derive(Clone, Debug)]
pub struct Closing {
    /// Of which command.
    pub id: CommandId,
    /// From whom: by the certificate, and equal to the receipt's.
    pub agent: AgentId,
    /// `complete`, `partial`, …
    pub verdict: &'static str,
    /// In one sentence.
    pub detail: String,
    /// When it ended, by the collector's clock.
    pub ended: Timestamp,
    /// The encoded signed receipt.
    pub receipt: Bytes,
    /// The event that carried it.
    pub event: EventId,
}

impl CommandRow {
    fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: column::parsed(row, "id", CommandId::parse)?,
            incident: column::parsed_maybe(row, "incident_id", IncidentId::parse)?,
            detection: column::parsed_maybe(row, "detection_id", DetectionId::parse)?,
            agent: column::parsed(row, "agent_id", AgentId::parse)?,
            host: column::parsed(row, "host_id", HostId::parse)?,
            action: column::text(row, "action")?,
            summary: column::text(row, "summary")?,
            releases: column::parsed_maybe(row, "releases_id", CommandId::parse)?,
            state: column::parsed(row, "state", CommandState::parse)?,
            delivery: column::bytes(row, "delivery")?.into(),
            issued_by: column::text(row, "issued_by")?,
            issued: column::time(row, "issued_ns")?,
            expires: column::time(row, "expires_ns")?,
            sent: column::time_maybe(row, "sent_ns")?,
            seen: column::time_maybe(row, "seen_ns")?,
            closed: column::time_maybe(row, "closed_ns")?,
            verdict: column::text_maybe(row, "verdict")?,
            detail: column::text_maybe(row, "detail")?,
            receipt_event: column::parsed_maybe(row, "receipt_event_id", EventId::parse)?,
            receipt: column::bytes_maybe(row, "receipt")?.map(Bytes::from),
        })
    }
}

impl Store {
    /// Keeps a signed command and its place in the outbox, and moves the incident's phases as `step`
    /// says: all or nothing.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn add_command(
        &self,
        new: &NewCommand,
        by: &By,
        step: impl FnMut(&Phases) -> Option<Phases> + Send,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        issue(&mut tx, new, by, step).await?;
        commit(tx).await
    }

    /// How many kills and suspensions of automation were issued to this agent since `since` and may
    /// have been begun: neither refused nor expired.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn automation_deeds(
        &self,
        agent: AgentId,
        since: Timestamp,
    ) -> Result<u32, StoreError> {
        let row = sqlx::query(
            "select count(*) as deeds from command where agent_id = $1 and issued_ns >= $2 \
             and issued_by = $3 and action in ('kill', 'suspend') \
             and coalesce(verdict, '') not in ('refused', 'expired')",
        )
        .bind(agent.to_string())
        .bind(since.as_ns())
        .bind(AUTOMATION)
        .fetch_one(&self.readers)
        .await
        .map_err(failed("count automation's commands"))?;
        Ok(u32::try_from(column::count(&row, "deeds")?).unwrap_or(u32::MAX))
    }

    /// Closes a command with its receipt. False when the command is not this agent's, or has its
    /// receipt already: a receipt that comes twice changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn close_command(
        &self,
        closing: &Closing,
        now: Timestamp,
        mut step: impl FnMut(&Phases) -> Option<Phases> + Send,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let closed = sqlx::query(
            "update command set state = 'closed', closed_ns = $1, verdict = $2, detail = $3, \
             receipt = $4, receipt_event_id = $5 \
             where id = $6 and agent_id = $7 and state <> 'closed' returning incident_id",
        )
        .bind(now.as_ns())
        .bind(closing.verdict)
        .bind(closing.detail.as_str())
        .bind(closing.receipt.to_vec())
        .bind(closing.event.to_string())
        .bind(closing.id.to_string())
        .bind(closing.agent.to_string())
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed("close a command"))?;
        let Some(row) = closed else { return Ok(false) };
        leave_outbox(&mut tx, closing.id).await?;
        if closing.verdict == "refused" {
            // A slip, or somebody who writes commands that nobody has signed: people must see it.
            let by = By { principal: format!("agent {}", closing.agent), at: now };
            let object = format!("command {}", closing.id);
            audit::append(&mut tx, &by, "command.refused", &object, &closing.detail).await?;
        }
        if let Some(id) = column::parsed_maybe(&row, "incident_id", IncidentId::parse)? {
            let entry = NewEntry {
                at: closing.ended,
                recorded: now,
                kind: "receipt",
                actor: format!("agent {}", closing.agent),
                text: format!("{}: {}", closing.verdict, closing.detail),
                object: format!("command {}", closing.id),
            };
            incident::append(&mut tx, id, &entry).await?;
            incident::step(&mut tx, id, now, &mut step).await?;
            incident::step_agent(&mut tx, id, closing.agent, now, &mut step).await?;
        }
        commit(tx).await?;
        Ok(true)
    }

    /// A page of commands, newest first; of one incident when given.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn commands(
        &self,
        incident: Option<IncidentId>,
        page: &Page,
    ) -> Result<Vec<CommandRow>, StoreError> {
        let rows = sqlx::query(
            "select * from command where id < $1 and ($2 = '' or incident_id = $2) \
             order by id desc limit $3",
        )
        .bind(page.before())
        .bind(incident.map_or_else(String::new, |it| it.to_string()))
        .bind(page.rows())
        .fetch_all(&self.readers)
        .await
        .map_err(failed("list the commands"))?;
        rows.iter().map(CommandRow::read).collect()
    }

    /// One command.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or of the database.
    pub async fn command(&self, id: CommandId) -> Result<CommandRow, StoreError> {
        let row = sqlx::query("select * from command where id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await
            .map_err(failed("read a command"))?;
        let row = row.ok_or(StoreError::NotFound { what: "command", id: id.to_string() })?;
        CommandRow::read(&row)
    }
}

/// Keeps a command in the caller's transaction, as [`Store::add_command`] does.
pub(super) async fn issue(
    tx: &mut Tx,
    new: &NewCommand,
    by: &By,
    mut step: impl FnMut(&Phases) -> Option<Phases>,
) -> Result<(), StoreError> {
    insert(tx, new, by).await?;
    let object = format!("command {}", new.id);
    if let Some(id) = new.incident {
        let entry = NewEntry {
            at: by.at,
            recorded: by.at,
            kind: "command",
            actor: by.principal.clone(),
            text: new.summary.clone(),
            object: object.clone(),
        };
        incident::append(tx, id, &entry).await?;
        incident::step(tx, id, by.at, &mut step).await?;
        incident::step_agent(tx, id, new.agent, by.at, &mut step).await?;
    }
    audit::append(tx, by, "command.issue", &object, &new.summary).await
}

/// Whether a command was ever issued for this detection, as the caller's transaction sees it.
pub(super) async fn is_answered(tx: &mut Tx, detection: DetectionId) -> Result<bool, StoreError> {
    let row = sqlx::query("select id from command where detection_id = $1 limit 1")
        .bind(detection.to_string())
        .fetch_optional(&mut **tx)
        .await
        .map_err(failed("look for a command"))?;
    Ok(row.is_some())
}

async fn insert(tx: &mut Tx, new: &NewCommand, by: &By) -> Result<(), StoreError> {
    let doing = failed("keep a command");
    sqlx::query(
        "insert into command (id, incident_id, detection_id, agent_id, host_id, action, summary, \
         state, delivery, issued_by, issued_ns, expires_ns, releases_id) \
         values ($1, $2, $3, $4, $5, $6, $7, 'issued', $8, $9, $10, $11, $12)",
    )
    .bind(new.id.to_string())
    .bind(new.incident.map(|it| it.to_string()))
    .bind(new.detection.map(|it| it.to_string()))
    .bind(new.agent.to_string())
    .bind(new.host.to_string())
    .bind(new.action)
    .bind(new.summary.as_str())
    .bind(new.delivery.to_vec())
    .bind(by.principal.as_str())
    .bind(by.at.as_ns())
    .bind(new.expires.as_ns())
    .bind(new.releases.map(|it| it.to_string()))
    .execute(&mut **tx)
    .await
    .map_err(&doing)?;
    sqlx::query(
        "insert into outbox (command_id, agent_id, due_ns, attempts) values ($1, $2, $3, 0)",
    )
    .bind(new.id.to_string())
    .bind(new.agent.to_string())
    .bind(by.at.as_ns())
    .execute(&mut **tx)
    .await
    .map_err(&doing)?;
    Ok(())
}
