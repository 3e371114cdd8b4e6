//! Who did what, when: append-only, and each row carries the digest of the one before, so that a
//! row that is changed, removed or slipped in later shows.
//!
//! ```text
//! sha256 = SHA-256(previous (32 bytes) ‖ number u64 ‖ at_ns i64 ‖ for each of principal, action,
//!          object, detail: length in bytes u64 ‖ text)             all numbers big-endian
//! ```
//!
//! Whoever can rewrite the whole file can rewrite the whole chain; its head goes into reports and
//! exports so that such a rewrite shows too.

use cordon_shared::{
    digest::{Hasher, Sha256},
    time::Timestamp,
};
use sqlx::any::AnyRow;

use super::{By, Page, Store, StoreError, Tx, column, commit, failed};

/// Rows that `verify` holds in memory at once.
const VERIFY_ROWS: i64 = 1_000;

/// What the first row names as the one before it.
const GENESIS: [u8; 32] = [0; 32];

/// One act.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditRow {
    /// Rises by one; the first is 1.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub principal: String,
    /// What: `agent.revoke`, `token.create`, …
    pub action: String,
    /// To what: `agent ID`.
    pub object: String,
    /// In words.
    pub detail: String,
    /// Digest of the row before.
    pub previous: Sha256,
    /// Digest of this row.
    pub sha256: Sha256,
}

/// Where the chain is broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AuditBreak {
    /// The first row that does not follow from the one before it.
    pub number: u64,
}

impl AuditRow {
    /// What `sha256` must be.
    fn digest(&self) -> Sha256 {
        let mut hasher = Hasher::default();
        hasher.update(self.previous.as_bytes());
        hasher.update(&self.number.to_be_bytes());
        hasher.update(&self.at.as_ns().to_be_bytes());
        for text in [&self.principal, &self.action, &self.object, &self.detail] {
            hasher.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(text.as_bytes());
        }
        hasher.finish()
    }

    pub(super) fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            number: column::count(row, "number")?,
            at: column::time(row, "at_ns")?,
            principal: column::text(row, "principal")?,
            action: column::text(row, "action")?,
            object: column::text(row, "object")?,
            detail: column::text(row, "detail")?,
            previous: column::parsed(row, "previous_sha256", Sha256::parse)?,
            sha256: column::parsed(row, "sha256", Sha256::parse)?,
        })
    }
}

/// Adds a row in the caller's transaction, so that the act and its record are true together.
pub(super) async fn append(
    tx: &mut Tx,
    by: &By,
    action: &str,
    object: &str,
    detail: &str,
) -> Result<(), StoreError> {
    let last = sqlx::query("select * from audit order by number desc limit 1")
        .fetch_optional(&mut **tx)
        .await
        .map_err(failed("read the audit log"))?;
    let last = last.as_ref().map(AuditRow::read).transpose()?;
    let (number, previous) = last.map_or((0, genesis()), |row| (row.number, row.sha256));
    let mut row = AuditRow {
        number: number + 1,
        at: by.at,
        principal: by.principal.clone(),
        action: action.to_owned(),
        object: object.to_owned(),
        detail: detail.to_owned(),
        previous,
        sha256: previous,
    };
    row.sha256 = row.digest();
    sqlx::query(
        "insert into audit \
         (number, at_ns, principal, action, object, detail, previous_sha256, sha256) \
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(column::to_number(row.number))
    .bind(row.at.as_ns())
    .bind(row.principal)
    .bind(row.action)
    .bind(row.object)
    .bind(row.detail)
    .bind(row.previous.to_string())
    .bind(row.sha256.to_string())
    .execute(&mut **tx)
    .await
    .map_err(failed("append to the audit log"))?;
    Ok(())
}

fn genesis() -> Sha256 {
    Sha256::from_slice(&GENESIS).expect("32 bytes are a digest")
}

impl Store {
    /// Records an act that changes no other row: a refused request, a start.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn audit(
        &self,
        by: &By,
        action: &str,
        object: &str,
        detail: &str,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        append(&mut tx, by, action, object, detail).await?;
        commit(tx).await
    }

    /// A page of the audit log, newest first; `page.before` is a number.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn audit_rows(&self, page: &Page) -> Result<Vec<AuditRow>, StoreError> {
        let before = page.before.as_deref().and_then(column::from_display).unwrap_or(i64::MAX);
        let rows =
            sqlx::query("select * from audit where number < $1 order by number desc limit $2")
                .bind(before)
                .bind(page.rows())
                .fetch_all(&self.readers)
                .await
                .map_err(failed("read the audit log"))?;
        rows.iter().map(AuditRow::read).collect()
    }

    /// Walks the whole chain. Gives the number of rows that follow from each other and the digest
    /// of the last, or where the chain breaks.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn verify_audit(&self) -> Result<Result<(u64, Sha256), AuditBreak>, StoreError> {
        let (mut number, mut previous) = (0, genesis());
        loop {
            let rows =
                sqlx::query("select * from audit where number > $1 order by number limit $2")
                    .bind(column::to_number(number))
                    .bind(VERIFY_ROWS)
                    .fetch_all(&self.readers)
                    .await
                    .map_err(failed("read the audit log"))?;
            if rows.is_empty() {
                return Ok(Ok((number, previous)));
            }
            for row in &rows {
                let row = AuditRow::read(row)?;
                let follows = row.number == number + 1 && row.previous == previous;
                if !follows || row.digest() != row.sha256 {
                    return Ok(Err(AuditBreak { number: number + 1 }));
                }
                (number, previous) = (row.number, row.sha256);
            }
        }
    }
}
