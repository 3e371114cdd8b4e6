//! Letting an agent in, and its certificates.

use cordon_shared::{id::AgentId, time::Timestamp};

use super::{AgentRow, NewAgent, NewCertificate, Standing};
use crate::store::{By, Store, StoreError, Tx, audit, column, commit, failed, token};

impl Store {
    /// Lets an agent in: uses up one use of its token, makes its host and its first certificate,
    /// all or nothing. Gives the agent as it is then.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or [`StoreError::Conflict`] when the token lets nobody in.
    pub async fn enrol(&self, new: &NewAgent, at: Timestamp) -> Result<AgentRow, StoreError> {
        let mut tx = self.begin().await?;
        let token = token::claim(&mut tx, new.token, at).await?.token;
        let standing = if token.is_approved { Standing::Approved } else { Standing::Held };
        let doing = failed("let an agent in");
        sqlx::query(
            "insert into host (id, name, machine_id, os, kernel, architecture, tier, labels, \
             created_ns) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(new.host.to_string())
        .bind(new.facts.name.as_str())
        .bind(new.facts.machine_id.as_str())
        .bind(new.facts.os.as_str())
        .bind(new.facts.kernel.as_str())
        .bind(new.facts.architecture.as_str())
        .bind(token.tier.as_str())
        .bind(column::to_json(&token.labels))
        .bind(at.as_ns())
        .execute(&mut *tx)
        .await
        .map_err(&doing)?;
        sqlx::query(
            "insert into agent (id, host_id, token_id, standing, receipt_key, version, sensors, \
             enrolled_ns) values ($1, $2, $3, $4, $5, $6, '[]', $7)",
        )
        .bind(new.id.to_string())
        .bind(new.host.to_string())
        .bind(new.token.to_string())
        .bind(standing.as_str())
        .bind(new.receipt_key.to_string())
        .bind(new.facts.agent_version.as_str())
        .bind(at.as_ns())
        .execute(&mut *tx)
        .await
        .map_err(&doing)?;
        insert_certificate(&mut tx, new.id, &new.certificate).await?;
        let by = By { principal: format!("token {}", new.token), at };
        let object = format!("agent {}", new.id);
        let detail = format!("host `{}`, receipt key {}", new.facts.name, new.receipt_key.id());
        audit::append(&mut tx, &by, "agent.enrol", &object, &detail).await?;
        commit(tx).await?;
        self.agent(new.id).await
    }

    /// Records a certificate before it is handed out.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn add_certificate(
        &self,
        agent: AgentId,
        certificate: &NewCertificate,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        insert_certificate(&mut tx, agent, certificate).await?;
        commit(tx).await
    }
}

async fn insert_certificate(
    tx: &mut Tx,
    agent: AgentId,
    certificate: &NewCertificate,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into certificate (serial, agent_id, not_before_ns, not_after_ns) \
         values ($1, $2, $3, $4)",
    )
    .bind(certificate.serial.as_str())
    .bind(agent.to_string())
    .bind(certificate.not_before.as_ns())
    .bind(certificate.not_after.as_ns())
    .execute(&mut **tx)
    .await
    .map_err(failed("record a certificate"))?;
    Ok(())
}
