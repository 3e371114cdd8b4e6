//! Named positions: how far a reader of the journal got, for readers that keep no files of their
//! own.

use super::{Store, StoreError, Tx, column, commit, failed};

impl Store {
    /// The position of that name; 0 when none was ever kept.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn position(&self, name: &str) -> Result<u64, StoreError> {
        let row = sqlx::query("select value from position where name = $1")
            .bind(name)
            .fetch_optional(&self.readers)
            .await
            .map_err(failed("read a position"))?;
        row.map_or(Ok(0), |row| column::count(&row, "value"))
    }

    /// Keeps a position. It never goes back: a smaller one than is kept changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn keep_position(&self, name: &str, value: u64) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        keep(&mut tx, name, value).await?;
        commit(tx).await
    }
}

/// Keeps a position in the caller's transaction.
pub(super) async fn keep(tx: &mut Tx, name: &str, value: u64) -> Result<(), StoreError> {
    sqlx::query(
        "insert into position (name, value) values ($1, $2) \
         on conflict (name) do update set value = excluded.value \
         where position.value < excluded.value",
    )
    .bind(name)
    .bind(column::to_number(value))
    .execute(&mut **tx)
    .await
    .map_err(failed("keep a position"))?;
    Ok(())
}
