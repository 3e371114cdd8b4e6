//! Who is out: the list that the gateway keeps in memory.

use cordon_shared::id::AgentId;

use super::{Store, StoreError, column, failed};

impl Store {
    /// All revoked agents, in no order. They stay so for good, so the list only grows.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn revoked_agents(&self) -> Result<Vec<AgentId>, StoreError> {
        let rows = sqlx::query("select id from agent where standing = 'revoked'")
            .fetch_all(&self.readers)
            .await
            .map_err(failed("list who is revoked"))?;
        rows.iter().map(|row| column::parsed(row, "id", AgentId::parse)).collect()
    }
}
