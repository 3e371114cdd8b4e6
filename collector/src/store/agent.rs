//! Machines and their agents: who was let in, who is approved, who is out.
//!
//! A host is the record of a machine, an agent one enrolment of it. Nothing here is taken from an
//! agent's messages as identity: the gateway passes the id that the certificate proved.

mod enrol;

use cordon_shared::{
    crypto::signing::PublicKey,
    id::{AgentId, BootId, HostId, TokenId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use super::{By, Page, Store, StoreError, audit, column, commit, failed};

/// What an agent may do here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Enrolled; waits for a person's approval. Its events count, it gets no sweeps and no votes.
    Held,
    /// A full member.
    Approved,
    /// Out, for good.
    Revoked,
}

impl Standing {
    /// The name in the database and the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Approved => "approved",
            Self::Revoked => "revoked",
        }
    }

    /// Reads the name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Held, Self::Approved, Self::Revoked].into_iter().find(|it| it.as_str() == text)
    }
}

/// What an agent says of its machine; never identity.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// Host name.
    pub name: String,
    /// `/etc/machine-id`.
    pub machine_id: String,
    /// Operating system.
    pub os: String,
    /// Kernel release.
    pub kernel: String,
    /// `x86_64`, …
    pub architecture: String,
    /// Version of the agent.
    pub agent_version: String,
}

/// What one sensor got, as the lists show it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SensorRow {
    /// Which sensor.
    pub sensor: String,
    /// How it gets its facts.
    pub tier: String,
    /// Why not better.
    pub reason: String,
}

/// A machine.
#[derive(Clone, Debug)]
pub struct HostRow {
    /// Its name here.
    pub id: HostId,
    /// What its agent says of it.
    pub facts: Facts,
    /// `standard`, `critical`, …: set here, never by the host.
    pub tier: String,
    /// `KEY=VALUE`, set here, never by the host.
    pub labels: Vec<String>,
    /// When its first agent was let in.
    pub created: Timestamp,
}

/// An agent with its machine.
#[derive(Clone, Debug)]
pub struct AgentRow {
    /// Its name.
    pub id: AgentId,
    /// Its machine.
    pub host: HostRow,
    /// What it may do.
    pub standing: Standing,
    /// Verifies its receipts.
    pub receipt_key: PublicKey,
    /// The boot that it last said hello from.
    pub boot: Option<BootId>,
    /// What its sensors got.
    pub sensors: Vec<SensorRow>,
    /// When it was let in.
    pub enrolled: Timestamp,
    /// When and by whom it was approved or revoked.
    pub decided: Option<(Timestamp, String)>,
    /// When it last spoke to us.
    pub last_seen: Option<Timestamp>,
}

/// What a hello says, as far as it is kept.
#[derive(Clone, Debug)]
pub struct Greeting {
    /// Of the machine.
    pub facts: Facts,
    /// Its boot.
    pub boot: BootId,
    /// What its sensors got.
    pub sensors: Vec<SensorRow>,
}

/// An agent to be let in.
#[derive(Clone, Debug)]
pub struct NewAgent {
    /// Its name.
    pub id: AgentId,
    /// A new record of its machine; a person links re-imaged machines later.
    pub host: HostId,
    /// The token that it showed; the caller has checked its secret and the source network.
    pub token: TokenId,
    /// What it says of its machine.
    pub facts: Facts,
    /// Its receipt key, proved to be its own.
    pub receipt_key: PublicKey,
    /// Its first certificate.
    pub certificate: NewCertificate,
}

/// A certificate that was issued.
#[derive(Clone, Debug)]
pub struct NewCertificate {
    /// Serial number in hexadecimal.
    pub serial: String,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
}

const SELECT: &str = "select agent.id, agent.host_id, agent.standing, agent.receipt_key, \
     agent.version, agent.boot_id, agent.sensors, agent.enrolled_ns, agent.decided_ns, \
     agent.decided_by, agent.last_seen_ns, host.name, host.machine_id, host.os, host.kernel, \
     host.architecture, host.tier, host.labels, host.created_ns \
     from agent join host on host.id = agent.host_id";

/// [`SELECT`] with what follows it; both are constants of this file.
fn select(rest: &'static str) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(format!("{SELECT} {rest}"))
}

impl AgentRow {
    fn read(row: &AnyRow) -> Result<Self, StoreError> {
        let facts = Facts {
            name: column::text(row, "name")?,
            machine_id: column::text(row, "machine_id")?,
            os: column::text(row, "os")?,
            kernel: column::text(row, "kernel")?,
            architecture: column::text(row, "architecture")?,
            agent_version: column::text(row, "version")?,
        };
        let host = HostRow {
            id: column::parsed(row, "host_id", HostId::parse)?,
            facts,
            tier: column::text(row, "tier")?,
            labels: column::json(row, "labels")?,
            created: column::time(row, "created_ns")?,
        };
        let decided_by = column::text_maybe(row, "decided_by")?;
        Ok(Self {
            id: column::parsed(row, "id", AgentId::parse)?,
            host,
            standing: column::parsed(row, "standing", Standing::parse)?,
            receipt_key: column::parsed(row, "receipt_key", PublicKey::parse)?,
            boot: column::parsed_maybe(row, "boot_id", BootId::parse)?,
            sensors: column::json(row, "sensors")?,
            enrolled: column::time(row, "enrolled_ns")?,
            decided: column::time_maybe(row, "decided_ns")?.zip(decided_by),
            last_seen: column::time_maybe(row, "last_seen_ns")?,
        })
    }
}

impl Store {
    /// An agent.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or of the database.
    pub async fn agent(&self, id: AgentId) -> Result<AgentRow, StoreError> {
        let row = sqlx::query(select("where agent.id = $1"))
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await
            .map_err(failed("read an agent"))?;
        let row = row.ok_or(StoreError::NotFound { what: "agent", id: id.to_string() })?;
        AgentRow::read(&row)
    }

    /// A page of agents with their hosts, newest first.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn agents(&self, page: &Page) -> Result<Vec<AgentRow>, StoreError> {
        let rows = sqlx::query(select("where agent.id < $1 order by agent.id desc limit $2"))
            .bind(page.before())
            .bind(page.rows())
            .fetch_all(&self.readers)
            .await
            .map_err(failed("list the agents"))?;
        rows.iter().map(AgentRow::read).collect()
    }

    /// The agents that a person may mean by `name`: an agent id, a host id or a host name. Newest
    /// first; several when a name is used twice.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn agents_named(&self, name: &str) -> Result<Vec<AgentRow>, StoreError> {
        let rows = sqlx::query(select(
            "where agent.id = $1 or host.id = $1 or host.name = $1 \
             order by agent.id desc limit $2",
        ))
        .bind(name)
        .bind(Page::default().rows())
        .fetch_all(&self.readers)
        .await
        .map_err(failed("find an agent"))?;
        rows.iter().map(AgentRow::read).collect()
    }

    /// Approves a held agent. One that is approved already stays so.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when it is revoked.
    pub async fn approve_agent(&self, id: AgentId, by: &By) -> Result<(), StoreError> {
        self.decide(id, Standing::Approved, by, "").await
    }

    /// Puts an agent out for good. The caller cuts its stream.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or of the database.
    pub async fn revoke_agent(&self, id: AgentId, reason: &str, by: &By) -> Result<(), StoreError> {
        self.decide(id, Standing::Revoked, by, reason).await
    }

    async fn decide(
        &self,
        id: AgentId,
        standing: Standing,
        by: &By,
        reason: &str,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let decided = sqlx::query(
            "update agent set standing = $1, decided_ns = $2, decided_by = $3 \
             where id = $4 and standing <> 'revoked'",
        )
        .bind(standing.as_str())
        .bind(by.at.as_ns())
        .bind(by.principal.as_str())
        .bind(id.to_string())
        .execute(&mut *tx)
        .await
        .map_err(failed("decide about an agent"))?;
        if decided.rows_affected() == 0 {
            drop(tx);
            // Either it is not there, which this says, or it is out already.
            let standing_now = self.agent(id).await?.standing;
            if standing_now == standing {
                return Ok(());
            }
            let state = "is revoked, which is for good; enrol the host again";
            return Err(StoreError::Conflict { what: "agent", id: id.to_string(), state });
        }
        let action = match standing {
            Standing::Revoked => "agent.revoke",
            Standing::Approved | Standing::Held => "agent.approve",
        };
        audit::append(&mut tx, by, action, &format!("agent {id}"), reason).await?;
        commit(tx).await
    }

    /// Records what a hello said.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn greet(
        &self,
        id: AgentId,
        greeting: &Greeting,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let facts = &greeting.facts;
        let mut tx = self.begin().await?;
        let doing = failed("record a hello");
        sqlx::query(
            "update agent set version = $1, boot_id = $2, sensors = $3, last_seen_ns = $4 \
             where id = $5",
        )
        .bind(facts.agent_version.as_str())
        .bind(greeting.boot.to_string())
        .bind(column::to_json(&greeting.sensors))
        .bind(at.as_ns())
        .bind(id.to_string())
        .execute(&mut *tx)
        .await
        .map_err(&doing)?;
        sqlx::query(
            "update host set name = $1, machine_id = $2, os = $3, kernel = $4, architecture = $5 \
             where id = (select host_id from agent where id = $6)",
        )
        .bind(facts.name.as_str())
        .bind(facts.machine_id.as_str())
        .bind(facts.os.as_str())
        .bind(facts.kernel.as_str())
        .bind(facts.architecture.as_str())
        .bind(id.to_string())
        .execute(&mut *tx)
        .await
        .map_err(&doing)?;
        commit(tx).await
    }

    /// Records that these agents spoke, each with its newest moment. One transaction for all, so
    /// that the heartbeats of a fleet cost one sync.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn touch_agents(&self, seen: &[(AgentId, Timestamp)]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for (id, at) in seen {
            sqlx::query("update agent set last_seen_ns = $1 where id = $2")
                .bind(at.as_ns())
                .bind(id.to_string())
                .execute(&mut *tx)
                .await
                .map_err(failed("record who spoke"))?;
        }
        commit(tx).await
    }
}
