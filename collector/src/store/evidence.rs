//! Evidence: which snapshots there are, whose they are, and who had them in their hands.
//!
//! It keeps what the agent signed as it was signed, and never a byte of a container.

use bytes::Bytes;
use cordon_shared::{
    digest::Sha256,
    id::{AgentId, CommandId, HostId, IncidentId, SnapshotId},
    time::Timestamp,
};
use sqlx::any::AnyRow;

use super::{
    AuditRow, By, NewEntry, Page, Store, StoreError, audit, column, commit, failed, incident,
};

/// What one agent may have here: a stolen identity must not fill the collector's disk (chosen: a week
/// of one triage an hour of a usual host).
pub const AGENT_BYTES_MAX: u64 = 2 << 30;

/// The same in snapshots.
pub const AGENT_SNAPSHOTS_MAX: u64 = 256;

/// Acts on one piece of evidence that are shown.
const CUSTODY_ROWS_MAX: i64 = 500;

/// How far a piece of evidence is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EvidenceState {
    /// Its manifest is here; its container is on its way.
    Offered,
    /// Its container is here, and was found to be what the manifest says.
    Held,
}

impl EvidenceState {
    /// The name in the database and the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Held => "held",
        }
    }

    /// Reads the name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Offered, Self::Held].into_iter().find(|it| it.as_str() == text)
    }
}

/// A snapshot that an agent offers, checked by the caller.
#[derive(Clone, Debug)]
pub struct NewEvidence {
    /// Its name.
    pub id: SnapshotId,
    /// The command that asked for it.
    pub command: CommandId,
    /// That command's incident.
    pub incident: Option<IncidentId>,
    /// Whose it is, by the certificate.
    pub agent: AgentId,
    /// That agent's machine.
    pub host: HostId,
    /// The signed manifest, encoded.
    pub manifest: Bytes,
    /// Of the container.
    pub sha256: Sha256,
    /// Of the container.
    pub size_bytes: u64,
    /// When it was begun and sealed, by the agent's clock.
    pub taken: (Timestamp, Timestamp),
    /// When it was offered.
    pub offered: Timestamp,
}

/// A piece of evidence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EvidenceRow {
    /// Its name.
    pub id: SnapshotId,
    /// The command that asked for it.
    pub command: CommandId,
    /// That command's incident.
    pub incident: Option<IncidentId>,
    /// Whose it is.
    pub agent: AgentId,
    /// Of which machine.
    pub host: HostId,
    /// How far it is.
    pub state: EvidenceState,
    /// The signed manifest, encoded.
    pub manifest: Bytes,
    /// Of the container.
    pub sha256: Sha256,
    /// Of the container.
    pub size_bytes: u64,
    /// When it was begun and sealed, by the agent's clock.
    pub taken: (Timestamp, Timestamp),
    /// When it was offered.
    pub offered: Timestamp,
    /// When it was here whole.
    pub received: Option<Timestamp>,
}

impl EvidenceRow {
    fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: column::parsed(row, "id", SnapshotId::parse)?,
            command: column::parsed(row, "command_id", CommandId::parse)?,
            incident: column::parsed_maybe(row, "incident_id", IncidentId::parse)?,
            agent: column::parsed(row, "agent_id", AgentId::parse)?,
            host: column::parsed(row, "host_id", HostId::parse)?,
            state: column::parsed(row, "state", EvidenceState::parse)?,
            manifest: column::bytes(row, "manifest")?.into(),
            sha256: column::parsed(row, "sha256", Sha256::parse)?,
            size_bytes: column::count(row, "size_bytes")?,
            taken: (column::time(row, "taken_ns")?, column::time(row, "sealed_ns")?),
            offered: column::time(row, "offered_ns")?,
            received: column::time_maybe(row, "received_ns")?,
        })
    }
}

impl Store {
    /// Keeps an offered snapshot. One that is known with the same manifest stays as it is, and is given
    /// back.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when its name or its command stands for another one, or the agent has
    /// more than it may; or of the database.
    pub async fn offer_evidence(&self, new: &NewEvidence) -> Result<EvidenceRow, StoreError> {
        let mut tx = self.begin().await?;
        let known = sqlx::query("select * from evidence where id = $1 or command_id = $2")
            .bind(new.id.to_string())
            .bind(new.command.to_string())
            .fetch_optional(&mut *tx)
            .await
            .map_err(failed("look for evidence"))?;
        let conflict =
            |state| Err(StoreError::Conflict { what: "snapshot", id: new.id.to_string(), state });
        if let Some(row) = known {
            let row = EvidenceRow::read(&row)?;
            let is_same =
                row.id == new.id && row.agent == new.agent && row.manifest == new.manifest;
            return if is_same { Ok(row) } else { conflict("stands for another one here") };
        }
        let had = sqlx::query(
            "select count(*) as count, coalesce(sum(size_bytes), 0) as bytes from evidence \
             where agent_id = $1",
        )
        .bind(new.agent.to_string())
        .fetch_one(&mut *tx)
        .await
        .map_err(failed("count an agent's evidence"))?;
        let bytes = column::count(&had, "bytes")?.saturating_add(new.size_bytes);
        if bytes > AGENT_BYTES_MAX || column::count(&had, "count")? >= AGENT_SNAPSHOTS_MAX {
            return conflict("is more than one agent may keep here");
        }
        sqlx::query(
            "insert into evidence (id, command_id, incident_id, agent_id, host_id, state, \
             manifest, sha256, size_bytes, taken_ns, sealed_ns, offered_ns) \
             values ($1, $2, $3, $4, $5, 'offered', $6, $7, $8, $9, $10, $11)",
        )
        .bind(new.id.to_string())
        .bind(new.command.to_string())
        .bind(new.incident.map(|it| it.to_string()))
        .bind(new.agent.to_string())
        .bind(new.host.to_string())
        .bind(new.manifest.to_vec())
        .bind(new.sha256.to_string())
        .bind(column::to_number(new.size_bytes))
        .bind(new.taken.0.as_ns())
        .bind(new.taken.1.as_ns())
        .bind(new.offered.as_ns())
        .execute(&mut *tx)
        .await
        .map_err(failed("keep evidence"))?;
        commit(tx).await?;
        self.evidence(new.id).await
    }

    /// Notes that a container is here whole: in the audit log, and in its incident's timeline. Says
    /// whether that was new.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn hold_evidence(
        &self,
        row: &EvidenceRow,
        text: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let held = sqlx::query(
            "update evidence set state = 'held', received_ns = $1 \
             where id = $2 and state = 'offered'",
        )
        .bind(at.as_ns())
        .bind(row.id.to_string())
        .execute(&mut *tx)
        .await
        .map_err(failed("note evidence"))?;
        if held.rows_affected() == 0 {
            return Ok(false);
        }
        let object = format!("evidence {}", row.id);
        let by = By { principal: format!("agent {}", row.agent), at };
        audit::append(&mut tx, &by, "evidence.receive", &object, text).await?;
        if let Some(id) = row.incident {
            let entry = NewEntry {
                at: row.taken.1,
                recorded: at,
                kind: "evidence",
                actor: by.principal,
                text: text.to_owned(),
                object,
            };
            incident::append(&mut tx, id, &entry).await?;
        }
        commit(tx).await?;
        Ok(true)
    }

    /// One piece of evidence.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or of the database.
    pub async fn evidence(&self, id: SnapshotId) -> Result<EvidenceRow, StoreError> {
        let row = sqlx::query("select * from evidence where id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await
            .map_err(failed("read evidence"))?;
        let row = row.ok_or(StoreError::NotFound { what: "evidence", id: id.to_string() })?;
        EvidenceRow::read(&row)
    }

    /// A page of evidence, newest first; of one incident when given.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn evidence_of(
        &self,
        incident: Option<IncidentId>,
        page: &Page,
    ) -> Result<Vec<EvidenceRow>, StoreError> {
        let rows = sqlx::query(
            "select * from evidence where id < $1 and ($2 = '' or incident_id = $2) \
             order by id desc limit $3",
        )
        .bind(page.before())
        .bind(incident.map_or_else(String::new, |it| it.to_string()))
        .bind(page.rows())
        .fetch_all(&self.readers)
        .await
        .map_err(failed("list the evidence"))?;
        rows.iter().map(EvidenceRow::read).collect()
    }

    /// Who had a piece of evidence in their hands, oldest first, as the audit log has it.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn custody(&self, id: SnapshotId) -> Result<Vec<AuditRow>, StoreError> {
        let rows = sqlx::query("select * from audit where object = $1 order by number limit $2")
            .bind(format!("evidence {id}"))
            .bind(CUSTODY_ROWS_MAX)
            .fetch_all(&self.readers)
            .await
            .map_err(failed("read the custody of evidence"))?;
        rows.iter().map(AuditRow::read).collect()
    }
}
