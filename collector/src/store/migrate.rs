//! The schema's history: numbered, forward only, each step once and in one transaction.
//!
//! A migration that was ever released is never edited: its checksum is in every database.

use std::borrow::Cow;

use sqlx::{
    AnyPool, SqlSafeStr,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

use super::StoreError;

/// `(number, name, statements)`, in order.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "state", include_str!("migrations/0001_state.sql")),
    (2, "hold", include_str!("migrations/0002_hold.sql")),
    (3, "incident", include_str!("migrations/0003_incident.sql")),
    (4, "evidence", include_str!("migrations/0004_evidence.sql")),
    (6, "suppress", include_str!("migrations/0006_suppress.sql")),
];

/// Brings the database to the newest schema.
pub(super) async fn run(pool: &AnyPool) -> Result<(), StoreError> {
    let migrations = MIGRATIONS.iter().map(|(number, name, text)| {
        let kind = MigrationType::Simple;
        Migration::new(*number, Cow::Borrowed(*name), kind, text.into_sql_str(), false)
    });
    let migrator = Migrator::with_migrations(migrations.collect());
    match migrator.run(pool).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(version)) => Err(StoreError::Newer { version }),
        Err(error) => {
            let source = sqlx::Error::Migrate(Box::new(error));
            Err(StoreError::Database { doing: "bring the state database up to date", source })
        }
    }
}
