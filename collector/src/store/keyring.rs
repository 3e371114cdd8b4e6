//! The keyrings that this collector was given, newest last. It cannot make one: it keeps and hands
//! on what root and admins signed.

use bytes::Bytes;
use cordon_shared::time::Timestamp;

use super::{By, Store, StoreError, audit, column, commit, failed};

/// A keyring as it was installed.
#[derive(Clone, Debug)]
pub struct KeyringRow {
    /// Rises by one with each installed keyring.
    pub number: u64,
    /// The encoded keyring, as it goes to the agents.
    pub signed: Bytes,
    /// When it was installed.
    pub installed: Timestamp,
    /// By whom.
    pub installed_by: String,
}

impl Store {
    /// The newest keyring; none until root has signed one.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn keyring(&self) -> Result<Option<KeyringRow>, StoreError> {
        let row = sqlx::query("select * from keyring order by number desc limit 1")
            .fetch_optional(&self.readers)
            .await
            .map_err(failed("read the keyring"))?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(KeyringRow {
            number: column::count(&row, "number")?,
            signed: column::bytes(&row, "signed")?.into(),
            installed: column::time(&row, "installed_ns")?,
            installed_by: column::text(&row, "installed_by")?,
        }))
    }

    /// Installs a keyring that the caller has verified against root and the one before; `detail`
    /// says in words what it is, for the audit log.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn install_keyring(
        &self,
        signed: &[u8],
        detail: &str,
        by: &By,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "insert into keyring (number, signed, installed_ns, installed_by) \
             select coalesce(max(number), 0) + 1, $1, $2, $3 from keyring",
        )
        .bind(signed.to_vec())
        .bind(by.at.as_ns())
        .bind(by.principal.as_str())
        .execute(&mut *tx)
        .await
        .map_err(failed("install a keyring"))?;
        audit::append(&mut tx, by, "keyring.install", "keyring", detail).await?;
        commit(tx).await
    }
}
