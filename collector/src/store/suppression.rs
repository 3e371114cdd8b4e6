//! Suppressions: what keeps detections of a rule from becoming incidents, with an owner and an end.
//!
//! A row is never removed and never made longer: it ends by the clock, or a person ends it. What it
//! kept back is counted in it, and kept as detections that belong to no incident.

use cordon_shared::{
    id::{HostId, SuppressionId},
    time::Timestamp,
};
use sqlx::any::AnyRow;

use super::{By, Page, Store, StoreError, Tx, audit, column, commit, failed};

/// Suppressions that may hold at once (chosen: more than people can answer for; all are compared with
/// each detection).
pub const SUPPRESSIONS_MAX: usize = 1_000;

/// A suppression to be made.
#[derive(Clone, Debug)]
pub struct NewSuppression {
    /// Its name.
    pub id: SuppressionId,
    /// The rule's id.
    pub rule: String,
    /// Where; everywhere when absent.
    pub host: Option<HostId>,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// When it ends.
    pub until: Timestamp,
}

/// A suppression as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SuppressionRow {
    /// Its name.
    pub id: SuppressionId,
    /// The rule's id.
    pub rule: String,
    /// Where; everywhere when absent.
    pub host: Option<HostId>,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// When it was made, and by whom.
    pub created: (Timestamp, String),
    /// When it ends.
    pub until: Timestamp,
    /// When a person ended it before that, and who.
    pub ended: Option<(Timestamp, String)>,
    /// Events that it kept back.
    pub count: u64,
    /// When the last of them happened.
    pub last: Option<Timestamp>,
}

impl SuppressionRow {
    /// Whether it holds at that time.
    #[must_use]
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.ended.is_none() && now < self.until
    }

    fn read(row: &AnyRow) -> Result<Self, StoreError> {
        let (ended, ended_by) =
            (column::time_maybe(row, "ended_ns")?, column::text_maybe(row, "ended_by")?);
        Ok(Self {
            id: column::parsed(row, "id", SuppressionId::parse)?,
            rule: column::text(row, "rule_id")?,
            host: column::parsed_maybe(row, "host_id", HostId::parse)?,
            owner: column::text(row, "owner")?,
            reason: column::text(row, "reason")?,
            created: (column::time(row, "created_ns")?, column::text(row, "created_by")?),
            until: column::time(row, "until_ns")?,
            ended: ended.map(|at| (at, ended_by.unwrap_or_default())),
            count: column::count(row, "count")?,
            last: column::time_maybe(row, "last_ns")?,
        })
    }
}

impl Store {
    /// Makes a suppression.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when too many hold already, or of the database.
    pub async fn suppress(&self, new: &NewSuppression, by: &By) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        if active(&mut *tx, by.at).await?.len() >= SUPPRESSIONS_MAX {
            let state = "cannot be suppressed: 1000 suppressions hold already";
            return Err(StoreError::Conflict { what: "rule", id: new.rule.clone(), state });
        }
        sqlx::query(
            "insert into suppression (id, rule_id, host_id, owner, reason, created_ns, created_by, \
             until_ns, count) values ($1, $2, $3, $4, $5, $6, $7, $8, 0)",
        )
        .bind(new.id.to_string())
        .bind(new.rule.as_str())
        .bind(new.host.map(|it| it.to_string()))
        .bind(new.owner.as_str())
        .bind(new.reason.as_str())
        .bind(by.at.as_ns())
        .bind(by.principal.as_str())
        .bind(new.until.as_ns())
        .execute(&mut *tx)
        .await
        .map_err(failed("suppress a rule"))?;
        let place = new.host.map_or_else(|| "everywhere".to_owned(), |it| format!("on host {it}"));
        let detail = format!(
            "rule {} {place}, owner {}, until {}: {}",
            new.rule, new.owner, new.until, new.reason
        );
        let object = format!("suppression {}", new.id);
        audit::append(&mut tx, by, "suppression.create", &object, &detail).await?;
        commit(tx).await
    }

    /// Ends a suppression before its time.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when it has ended; or of the database.
    pub async fn end_suppression(
        &self,
        id: SuppressionId,
        reason: &str,
        by: &By,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let row = sqlx::query("select * from suppression where id = $1")
            .bind(id.to_string())
            .fetch_optional(&mut *tx)
            .await
            .map_err(failed("read a suppression"))?;
        let row = row.ok_or(StoreError::NotFound { what: "suppression", id: id.to_string() })?;
        if !SuppressionRow::read(&row)?.is_active(by.at) {
            let (what, id, state) = ("suppression", id.to_string(), "has ended");
            return Err(StoreError::Conflict { what, id, state });
        }
        sqlx::query("update suppression set ended_ns = $1, ended_by = $2 where id = $3")
            .bind(by.at.as_ns())
            .bind(by.principal.as_str())
            .bind(id.to_string())
            .execute(&mut *tx)
            .await
            .map_err(failed("end a suppression"))?;
        let object = format!("suppression {id}");
        audit::append(&mut tx, by, "suppression.end", &object, reason).await?;
        commit(tx).await
    }

    /// A page of suppressions, newest first, those that have ended among them.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn suppressions(&self, page: &Page) -> Result<Vec<SuppressionRow>, StoreError> {
        let rows = sqlx::query("select * from suppression where id < $1 order by id desc limit $2")
            .bind(page.before())
            .bind(page.rows())
            .fetch_all(&self.readers)
            .await
            .map_err(failed("list the suppressions"))?;
        rows.iter().map(SuppressionRow::read).collect()
    }

    /// One suppression.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or of the database.
    pub async fn suppression(&self, id: SuppressionId) -> Result<SuppressionRow, StoreError> {
        let row = sqlx::query("select * from suppression where id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await
            .map_err(failed("read a suppression"))?;
        let row = row.ok_or(StoreError::NotFound { what: "suppression", id: id.to_string() })?;
        SuppressionRow::read(&row)
    }

    /// Those that hold at that time, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn active_suppressions(
        &self,
        now: Timestamp,
    ) -> Result<Vec<SuppressionRow>, StoreError> {
        active(&self.readers, now).await
    }
}

async fn active<'a>(
    from: impl sqlx::Executor<'a, Database = sqlx::Any>,
    now: Timestamp,
) -> Result<Vec<SuppressionRow>, StoreError> {
    let rows = sqlx::query(
        "select * from suppression where until_ns > $1 and ended_ns is null order by id limit $2",
    )
    .bind(now.as_ns())
    .bind(i64::try_from(SUPPRESSIONS_MAX).unwrap_or(i64::MAX))
    .fetch_all(from)
    .await
    .map_err(failed("read the suppressions"))?;
    rows.iter().map(SuppressionRow::read).collect()
}

/// Counts what a suppression kept back, in the transaction that keeps it.
pub(super) async fn count(
    tx: &mut Tx,
    id: SuppressionId,
    events: usize,
    last: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "update suppression set count = count + $1, \
         last_ns = case when last_ns is null or last_ns < $2 then $2 else last_ns end \
         where id = $3",
    )
    .bind(i64::try_from(events).unwrap_or(i64::MAX))
    .bind(last.as_ns())
    .bind(id.to_string())
    .execute(&mut **tx)
    .await
    .map_err(failed("count what is suppressed"))?;
    Ok(())
}
