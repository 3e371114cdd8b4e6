//! The outbox: which commands still have to reach their agents, and when to try again.

use bytes::Bytes;
use cordon_shared::{
    id::{AgentId, CommandId, IncidentId},
    time::Timestamp,
};

use crate::store::{NewEntry, Store, StoreError, Tx, column, commit, failed, incident};

/// A command that its agent has to get, now.
#[derive(Clone, Debug)]
pub struct Due {
    /// Which.
    pub id: CommandId,
    /// To whom.
    pub agent: AgentId,
    /// The encoded `CommandDelivery`.
    pub delivery: Bytes,
    /// How often it was handed to a stream already.
    pub attempts: u32,
}

/// What became of a delivery that was tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tried {
    /// Which command.
    pub id: CommandId,
    /// Whether it was handed to its agent's stream.
    pub is_sent: bool,
    /// When to try again, unless the agent answers.
    pub due: Timestamp,
}

impl Store {
    /// Up to `rows` commands whose agents have to get them at `now`, longest due first.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn due_commands(&self, now: Timestamp, rows: u32) -> Result<Vec<Due>, StoreError> {
        let rows = sqlx::query(
            "select outbox.command_id, outbox.agent_id, outbox.attempts, command.delivery \
             from outbox join command on command.id = outbox.command_id \
             where outbox.due_ns <= $1 order by outbox.due_ns limit $2",
        )
        .bind(now.as_ns())
        .bind(i64::from(rows))
        .fetch_all(&self.readers)
        .await
        .map_err(failed("read the outbox"))?;
        rows.iter()
            .map(|row| {
                Ok(Due {
                    id: column::parsed(row, "command_id", CommandId::parse)?,
                    agent: column::parsed(row, "agent_id", AgentId::parse)?,
                    delivery: column::bytes(row, "delivery")?.into(),
                    attempts: u32::try_from(column::count(row, "attempts")?).unwrap_or(u32::MAX),
                })
            })
            .collect()
    }

    /// The agents that something waits for, and is not due at `now`.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn waiting_agents(&self, now: Timestamp) -> Result<Vec<AgentId>, StoreError> {
        let rows = sqlx::query("select distinct agent_id from outbox where due_ns > $1")
            .bind(now.as_ns())
            .fetch_all(&self.readers)
            .await
            .map_err(failed("read the outbox"))?;
        rows.iter().map(|row| column::parsed(row, "agent_id", AgentId::parse)).collect()
    }

    /// Makes everything that waits for these agents due at once: they have just connected.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn hasten_commands(
        &self,
        agents: &[AgentId],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for agent in agents {
            sqlx::query("update outbox set due_ns = $1 where agent_id = $2 and due_ns > $1")
                .bind(now.as_ns())
                .bind(agent.to_string())
                .execute(&mut *tx)
                .await
                .map_err(failed("hasten the outbox"))?;
        }
        commit(tx).await
    }

    /// Records what became of deliveries that were tried at `now`: one transaction for all, so that
    /// a large order costs one sync.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn tried_commands(&self, tried: &[Tried], now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for it in tried {
            try_recorded(&mut tx, it, now).await?;
        }
        commit(tx).await
    }

    /// Records that the agent has a command in its journal; the next delivery waits until `due`.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn command_seen(
        &self,
        agent: AgentId,
        id: CommandId,
        now: Timestamp,
        due: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let doing = failed("record that a command was seen");
        let seen = sqlx::query(
            "update command set state = 'seen', seen_ns = $1 \
             where id = $2 and agent_id = $3 and state in ('issued', 'sent')",
        )
        .bind(now.as_ns())
        .bind(id.to_string())
        .bind(agent.to_string())
        .execute(&mut *tx)
        .await
        .map_err(&doing)?;
        if seen.rows_affected() > 0 {
            sqlx::query("update outbox set due_ns = $1 where command_id = $2")
                .bind(due.as_ns())
                .bind(id.to_string())
                .execute(&mut *tx)
                .await
                .map_err(&doing)?;
        }
        commit(tx).await
    }

    /// Gives up at `now` on commands that ended before `ended_before`: their time, and a grace for a
    /// late receipt, is over. Gives those that it gave up on (CM-3).
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn expire_commands(
        &self,
        ended_before: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<CommandId>, StoreError> {
        let due = sqlx::query(
            "select id from command where expires_ns < $1 \
             and state in ('issued', 'sent', 'seen') limit 1",
        )
        .bind(ended_before.as_ns())
        .fetch_optional(&self.readers)
        .await
        .map_err(failed("look for old commands"))?;
        if due.is_none() {
            return Ok(Vec::new());
        }
        let mut tx = self.begin().await?;
        let rows = sqlx::query(
            "update command set state = 'expired', closed_ns = $1, verdict = 'expired' \
             where expires_ns < $2 and state in ('issued', 'sent', 'seen') \
             returning id, incident_id",
        )
        .bind(now.as_ns())
        .bind(ended_before.as_ns())
        .fetch_all(&mut *tx)
        .await
        .map_err(failed("give up on old commands"))?;
        let mut expired = Vec::with_capacity(rows.len());
        for row in &rows {
            let id = column::parsed(row, "id", CommandId::parse)?;
            leave_outbox(&mut tx, id).await?;
            if let Some(incident) = column::parsed_maybe(row, "incident_id", IncidentId::parse)? {
                let entry = NewEntry {
                    at: now,
                    recorded: now,
                    kind: "receipt",
                    actor: "collector".to_owned(),
                    text: "expired: no receipt came in time".to_owned(),
                    object: format!("command {id}"),
                };
                incident::append(&mut tx, incident, &entry).await?;
            }
            expired.push(id);
        }
        commit(tx).await?;
        Ok(expired)
    }
}

async fn try_recorded(tx: &mut Tx, it: &Tried, now: Timestamp) -> Result<(), StoreError> {
    let doing = failed("record a delivery");
    sqlx::query("update outbox set attempts = attempts + $1, due_ns = $2 where command_id = $3")
        .bind(i64::from(it.is_sent))
        .bind(it.due.as_ns())
        .bind(it.id.to_string())
        .execute(&mut **tx)
        .await
        .map_err(&doing)?;
    if it.is_sent {
        sqlx::query(
            "update command set state = 'sent', sent_ns = $1 where id = $2 and state = 'issued'",
        )
        .bind(now.as_ns())
        .bind(it.id.to_string())
        .execute(&mut **tx)
        .await
        .map_err(&doing)?;
    }
    Ok(())
}

/// Takes a command out of the outbox: it is closed.
pub(super) async fn leave_outbox(tx: &mut Tx, id: CommandId) -> Result<(), StoreError> {
    sqlx::query("delete from outbox where command_id = $1")
        .bind(id.to_string())
        .execute(&mut **tx)
        .await
        .map_err(failed("clear the outbox"))?;
    Ok(())
}
