//! What the centre must not forget and is too small for the lake: agents, tokens, detections,
//! incidents, commands, the audit log, positions. The only place that speaks SQL.
//!
//! Beside the road: gateway, detection, response and API call it; it calls nobody. It never holds a
//! private key, never an event's body, never a secret in the clear (tokens are kept as SHA-256).
//!
//! Embedded it is `SQLite` (write-ahead log, synchronous FULL: a commit survives a loss of power);
//! the statements are in the dialect that `PostgreSQL` shares. One connection writes, so that no two
//! transactions of this process wait for each other in a circle; several read.
//!
//! Every act of a person is written to the audit log in the transaction that does it.

mod agent;
mod audit;
mod column;
mod command;
mod detection;
mod evidence;
mod incident;
mod keyring;
mod migrate;
mod position;
mod revoked;
mod suppression;
mod token;

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use cordon_shared::{
    error::{Classify, Kind},
    time::Timestamp,
};
use sqlx::{
    Any, AnyConnection, AnyPool, Connection as _, Transaction, any::AnyPoolOptions,
    error::ErrorKind,
};

pub use self::{
    agent::{AgentRow, Facts, Greeting, HostRow, NewAgent, NewCertificate, SensorRow, Standing},
    audit::{AuditBreak, AuditRow},
    command::{AUTOMATION, Closing, CommandRow, CommandState, Due, NewCommand, Tried},
    detection::{DetectionRow, Repeats},
    evidence::{AGENT_BYTES_MAX, AGENT_SNAPSHOTS_MAX, EvidenceRow, EvidenceState, NewEvidence},
    incident::{
        Act, Answer, ChangedTask, DeclaredRow, EntryRow, FoundRow, Gathered, IncidentParts,
        IncidentRow, IndicatorRow, Joined, Judge, NewEntry, NewHost, NewIncident, NewPassage,
        NewTask, News, OpenIncident, OpenedIncident, OrderRow, PassageRow, ScopeRow, TaskRow,
    },
    keyring::KeyringRow,
    suppression::{NewSuppression, SUPPRESSIONS_MAX, SuppressionRow},
    token::{ApiTokenRow, NewApiToken, NewToken, TokenRow},
};

/// Connections that read at the same time (chosen: more than the cores of the smallest machine).
const READERS: u32 = 4;

/// How long a statement waits for another process that writes (chosen: a backup's pause).
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a caller waits for a connection before it is told that the store is busy (chosen).
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);

/// Rows of one page of a list at most.
pub const PAGE_ROWS_MAX: u32 = 500;

/// Which page of a list, newest first.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Rows with ids below this one; the newest when absent.
    pub before: Option<String>,
    /// Rows at most; 0 and more than [`PAGE_ROWS_MAX`] mean [`PAGE_ROWS_MAX`].
    pub rows_max: u32,
}

impl Page {
    /// The bound of the ids, exclusive: `~` sorts after every id.
    fn before(&self) -> &str {
        self.before.as_deref().unwrap_or("~")
    }

    fn rows(&self) -> i64 {
        let rows = if self.rows_max == 0 { PAGE_ROWS_MAX } else { self.rows_max };
        i64::from(rows.min(PAGE_ROWS_MAX))
    }
}

/// Who did something, and when: what the audit log says of an act.
#[derive(Clone, Debug)]
pub struct By {
    /// The person's or program's name: `ada`, `automation`, `collector`.
    pub principal: String,
    /// When.
    pub at: Timestamp,
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No row of that name.
    #[error("{what} `{id}` is not known")]
    NotFound {
        /// Kind of thing: `agent`, `token`, …
        what: &'static str,
        /// What was asked for.
        id: String,
    },
    /// The row is there, and its state does not allow this.
    #[error("{what} `{id}` {state}")]
    Conflict {
        /// Kind of thing.
        what: &'static str,
        /// Which one.
        id: String,
        /// What is the case: `is revoked`, `is used up`.
        state: &'static str,
    },
    /// A row holds what no code of ours writes.
    #[error("the state database holds a value in `{column}` that nothing here writes")]
    Corrupt {
        /// Its column.
        column: String,
    },
    /// There is no state where a collector's is.
    #[error(
        "the state database `{path}` is gone or empty: put it back from a backup; \
         a new collector is made by `cordon-collector init` in an empty folder"
    )]
    Lost {
        /// Its file.
        path: PathBuf,
    },
    /// The file is no database any more.
    #[error("the state database is damaged: put `state.sqlite` back from a backup ({said})")]
    Damaged {
        /// What the database said.
        said: String,
    },
    /// The file was written by a newer release; this one must not touch it.
    #[error("the state database was written by a newer release (migration {version})")]
    Newer {
        /// The migration that is not known here.
        version: i64,
    },
    /// The database failed: try again later.
    #[error("failed to {doing}")]
    Database {
        /// A verb phrase.
        doing: &'static str,
        /// What it said.
        #[source]
        source: sqlx::Error,
    },
}

impl Classify for StoreError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound { .. } => Kind::NotFound,
            Self::Conflict { .. } => Kind::Conflict,
            Self::Corrupt { .. } | Self::Lost { .. } | Self::Damaged { .. } => Kind::Corrupt,
            Self::Newer { .. } => Kind::Internal,
            Self::Database { .. } => Kind::Unavailable,
        }
    }
}

impl StoreError {
    /// Whether what was to be kept is to blame, so that waiting mends nothing.
    #[must_use]
    pub fn is_of_data(&self) -> bool {
        match self {
            Self::NotFound { .. } | Self::Conflict { .. } | Self::Corrupt { .. } => true,
            Self::Lost { .. } | Self::Newer { .. } | Self::Damaged { .. } => false,
            Self::Database { source, .. } => {
                let is_unfit = matches!(
                    source,
                    sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::RowNotFound
                );
                // Of another kind is also what a full or failing disk makes it say.
                let said = source.as_database_error();
                is_unfit || said.is_some_and(|it| !matches!(it.kind(), ErrorKind::Other))
            }
        }
    }
}

/// Turns the database's error into ours, with what was being done.
fn failed(doing: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |source| {
        if let sqlx::Error::ColumnDecode { index, .. } = source {
            return StoreError::Corrupt { column: index };
        }
        if let Some(said) = source.as_database_error().and_then(damage) {
            return StoreError::Damaged { said };
        }
        StoreError::Database { doing, source }
    }
}

/// What the database says of a file that is none, or not whole: `SQLITE_CORRUPT` and `SQLITE_NOTADB`
/// of sqlite3.h, also in their extended forms.
fn damage(error: &dyn sqlx::error::DatabaseError) -> Option<String> {
    let code: i32 = error.code()?.parse().ok()?;
    matches!(code & 0xff, 11 | 26).then(|| error.message().to_owned())
}

/// The state database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    writer: AnyPool,
    readers: AnyPool,
}

impl Store {
    /// Makes the database of a new collector in this file.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn create(path: &Path) -> Result<Self, StoreError> {
        Self::connect(&url_of(path, "rwc")).await
    }

    /// Opens the database in this file and brings it to this release's schema. A file that is gone
    /// or empty is refused: a fresh one would forget hosts, cases and the audit log unseen (F-12).
    ///
    /// # Errors
    /// [`StoreError::Lost`] when there is no state; [`StoreError::Newer`] when a newer release wrote
    /// it; [`StoreError::Database`] otherwise.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let bytes = match tokio::fs::metadata(path).await {
            Ok(found) => found.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(failed("open the state database")(error.into())),
        };
        if bytes == 0 {
            return Err(StoreError::Lost { path: path.to_owned() });
        }
        Self::connect(&url_of(path, "rw")).await
    }

    async fn connect(url: &str) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let connect = failed("open the state database");
        // A pool tries until its time is up and then forgets why: ask the file once, directly.
        let mut probe = AnyConnection::connect(url).await.map_err(&connect)?;
        sqlx::raw_sql("pragma schema_version").execute(&mut probe).await.map_err(&connect)?;
        probe.close().await.map_err(&connect)?;
        let writer = options(1).connect(url).await.map_err(&connect)?;
        migrate::run(&writer).await?;
        let readers = options(READERS).connect(url).await.map_err(&connect)?;
        Ok(Self { writer, readers })
    }

    /// Closes all connections; what was committed is on disk already.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Begins a transaction that may write from its first statement.
    async fn begin(&self) -> Result<Tx, StoreError> {
        let begun = self.writer.begin_with("begin immediate").await;
        begun.map_err(failed("begin a transaction"))
    }
}

/// A transaction that writes.
type Tx = Transaction<'static, Any>;

/// Ends a transaction: only now is it true.
async fn commit(tx: Tx) -> Result<(), StoreError> {
    tx.commit().await.map_err(failed("commit a transaction"))
}

fn options(connections: u32) -> AnyPoolOptions {
    let pragmas = format!(
        "pragma busy_timeout = {}; pragma journal_mode = wal; pragma synchronous = full; \
         pragma foreign_keys = on;",
        BUSY_TIMEOUT.as_millis()
    );
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_lifetime(None)
        .idle_timeout(None)
        // On a full disk SQLite ends the transaction itself; the connection then cannot end it, and
        // would begin no other one for ever (F-7).
        .before_acquire(|connection, _| {
            let is_free = !connection.is_in_transaction();
            Box::pin(async move { Ok(is_free) })
        })
        .after_connect(move |connection, _| {
            let pragmas = pragmas.clone();
            Box::pin(async move {
                sqlx::raw_sql(sqlx::AssertSqlSafe(pragmas)).execute(connection).await?;
                Ok(())
            })
        })
}

/// The path as a URL: every byte that could mean something in one is escaped.
fn url_of(path: &Path, mode: &str) -> String {
    use std::{fmt::Write as _, os::unix::ffi::OsStrExt};

    let mut url = "sqlite://".to_owned();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(byte) {
            url.push(char::from(*byte));
        } else {
            write!(url, "%{byte:02X}").expect("a string takes all that is written to it");
        }
    }
    url + "?mode=" + mode
}

#[cfg(test)]
pub(crate) mod tests;
