//! Taking back a command that no stream was given yet, and which commands hold hosts.

use cordon_shared::id::{CommandId, IncidentId};

use super::{CommandRow, outbox::leave_outbox};
use crate::store::{By, NewEntry, Store, StoreError, audit, column, commit, failed, incident};

/// Commands about holds that are looked through (chosen: far above what people order).
const HOLD_ROWS_MAX: i64 = 10_000;

impl Store {
    /// Takes a command back that was not sent yet; false when it was, or is closed. It is then
    /// `expired` and not closed: should a stream have been given it at this very moment after all,
    /// its receipt still counts.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn withdraw_command(
        &self,
        id: CommandId,
        by: &By,
        reason: &str,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let row = sqlx::query(
            "update command set state = 'expired', closed_ns = $1, verdict = 'withdrawn', \
             detail = $2 where id = $3 and state = 'issued' returning incident_id",
        )
        .bind(by.at.as_ns())
        .bind(reason)
        .bind(id.to_string())
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed("withdraw a command"))?;
        let Some(row) = row else { return Ok(false) };
        leave_outbox(&mut tx, id).await?;
        let object = format!("command {id}");
        if let Some(of) = column::parsed_maybe(&row, "incident_id", IncidentId::parse)? {
            let entry = NewEntry {
                at: by.at,
                recorded: by.at,
                kind: "withdrawn",
                actor: by.principal.clone(),
                text: format!("withdrawn before it was sent: {reason}"),
                object: object.clone(),
            };
            incident::append(&mut tx, of, &entry).await?;
        }
        audit::append(&mut tx, by, "command.withdraw", &object, reason).await?;
        commit(tx).await?;
        Ok(true)
    }

    /// Commands that began, lengthened or ended a hold and were carried out, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn hold_commands(&self) -> Result<Vec<CommandRow>, StoreError> {
        let rows = sqlx::query(
            "select * from command where action in ('isolate', 'release', 'renew') \
             and verdict in ('complete', 'partial', 'unknown') order by id limit $1",
        )
        .bind(HOLD_ROWS_MAX)
        .fetch_all(&self.readers)
        .await
        .map_err(failed("read the holds"))?;
        rows.iter().map(CommandRow::read).collect()
    }
}
