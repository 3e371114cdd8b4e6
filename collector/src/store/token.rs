//! Two kinds of tokens, kept as SHA-256 of 256 random bits (nothing to guess, so nothing to slow
//! down): enrolment tokens let a machine in, API tokens let a responder in.

use cordon_shared::{digest::Sha256, id::TokenId, time::Timestamp};
use sqlx::any::AnyRow;

use super::{By, Page, Store, StoreError, Tx, audit, column, commit, failed};

/// An enrolment token to be kept.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its name; not secret.
    pub id: TokenId,
    /// Digest of its secret.
    pub secret_sha256: Sha256,
    /// Machines that it may let in.
    pub uses_max: u64,
    /// From where: networks as `ADDRESS/BITS`; empty means from anywhere.
    pub networks: Vec<String>,
    /// Labels that its hosts get, `KEY=VALUE`.
    pub labels: Vec<String>,
    /// Tier that its hosts get: `standard`, `critical`, …
    pub tier: String,
    /// Whether its agents need no approval.
    pub is_approved: bool,
    /// When it ends.
    pub expires: Timestamp,
}

/// An enrolment token as it is kept.
#[derive(Clone, Debug)]
pub struct TokenRow {
    /// What it was made as.
    pub token: NewToken,
    /// Machines that it let in so far.
    pub uses: u64,
    /// When it was made.
    pub created: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When it was withdrawn, if it was.
    pub revoked: Option<Timestamp>,
}

impl TokenRow {
    /// Why it lets nobody in at `now`, if so.
    #[must_use]
    pub fn refusal(&self, now: Timestamp) -> Option<&'static str> {
        if self.revoked.is_some() {
            return Some("was withdrawn");
        }
        if self.token.expires <= now {
            return Some("has expired");
        }
        (self.uses >= self.token.uses_max).then_some("is used up")
    }

    fn read(row: &AnyRow) -> Result<Self, StoreError> {
        let token = NewToken {
            id: column::parsed(row, "id", TokenId::parse)?,
            secret_sha256: column::parsed(row, "secret_sha256", Sha256::parse)?,
            uses_max: column::count(row, "uses_max")?,
            networks: column::json(row, "networks")?,
            labels: column::json(row, "labels")?,
            tier: column::text(row, "tier")?,
            is_approved: column::flag(row, "is_approved")?,
            expires: column::time(row, "expires_ns")?,
        };
        Ok(Self {
            token,
            uses: column::count(row, "uses")?,
            created: column::time(row, "created_ns")?,
            created_by: column::text(row, "created_by")?,
            revoked: column::time_maybe(row, "revoked_ns")?,
        })
    }
}

/// An API token to be kept.
#[derive(Clone, Debug)]
pub struct NewApiToken {
    /// Its name; not secret.
    pub id: TokenId,
    /// Digest of the token.
    pub secret_sha256: Sha256,
    /// Who may use it.
    pub principal: String,
    /// As what: a name of `auth::Role`.
    pub role: String,
    /// When it ends.
    pub expires: Timestamp,
}

/// An API token as it is kept.
#[derive(Clone, Debug)]
pub struct ApiTokenRow {
    /// What it was made as.
    pub token: NewApiToken,
    /// When it was made.
    pub created: Timestamp,
    /// When it was withdrawn, if it was.
    pub revoked: Option<Timestamp>,
}

impl ApiTokenRow {
    fn read(row: &AnyRow) -> Result<Self, StoreError> {
        let token = NewApiToken {
            id: column::parsed(row, "id", TokenId::parse)?,
            secret_sha256: column::parsed(row, "secret_sha256", Sha256::parse)?,
            principal: column::text(row, "principal")?,
            role: column::text(row, "role")?,
            expires: column::time(row, "expires_ns")?,
        };
        Ok(Self {
            token,
            created: column::time(row, "created_ns")?,
            revoked: column::time_maybe(row, "revoked_ns")?,
        })
    }
}

/// Counts one more use of an enrolment token, if it still lets somebody in.
pub(super) async fn claim(
    tx: &mut Tx,
    id: TokenId,
    now: Timestamp,
) -> Result<TokenRow, StoreError> {
    let claimed = sqlx::query(
        "update token set uses = uses + 1 \
         where id = $1 and uses < uses_max and expires_ns > $2 and revoked_ns is null",
    )
    .bind(id.to_string())
    .bind(now.as_ns())
    .execute(&mut **tx)
    .await
    .map_err(failed("use a token"))?;
    let row = sqlx::query("select * from token where id = $1")
        .bind(id.to_string())
        .fetch_optional(&mut **tx)
        .await
        .map_err(failed("read a token"))?;
    let row = row.ok_or(StoreError::NotFound { what: "token", id: id.to_string() })?;
    let row = TokenRow::read(&row)?;
    if claimed.rows_affected() == 0 {
        let state = row.refusal(now).unwrap_or("is used up");
        return Err(StoreError::Conflict { what: "token", id: id.to_string(), state });
    }
    Ok(row)
}

impl Store {
    /// Keeps a new enrolment token.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn add_token(&self, token: &NewToken, by: &By) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "insert into token (id, secret_sha256, uses_max, uses, networks, labels, tier, \
             is_approved, created_ns, created_by, expires_ns) \
             values ($1, $2, $3, 0, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(token.id.to_string())
        .bind(token.secret_sha256.to_string())
        .bind(column::to_number(token.uses_max))
        .bind(column::to_json(&token.networks))
        .bind(column::to_json(&token.labels))
        .bind(token.tier.as_str())
        .bind(i32::from(token.is_approved))
        .bind(by.at.as_ns())
        .bind(by.principal.as_str())
        .bind(token.expires.as_ns())
        .execute(&mut *tx)
        .await
        .map_err(failed("keep a token"))?;
        let detail = format!("for {} uses until {}", token.uses_max, token.expires);
        audit::append(&mut tx, by, "token.create", &format!("token {}", token.id), &detail).await?;
        commit(tx).await
    }

    /// An enrolment token, whatever its state.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or of the database.
    pub async fn token(&self, id: TokenId) -> Result<TokenRow, StoreError> {
        let row = sqlx::query("select * from token where id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await
            .map_err(failed("read a token"))?;
        let row = row.ok_or(StoreError::NotFound { what: "token", id: id.to_string() })?;
        TokenRow::read(&row)
    }

    /// A page of enrolment tokens, newest first.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn tokens(&self, page: &Page) -> Result<Vec<TokenRow>, StoreError> {
        let rows = sqlx::query("select * from token where id < $1 order by id desc limit $2")
            .bind(page.before())
            .bind(page.rows())
            .fetch_all(&self.readers)
            .await
            .map_err(failed("list the tokens"))?;
        rows.iter().map(TokenRow::read).collect()
    }

    /// Keeps a new API token.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn add_api_token(&self, token: &NewApiToken, by: &By) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "insert into api_token (id, secret_sha256, principal, role, created_ns, created_by, \
             expires_ns) values ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(token.id.to_string())
        .bind(token.secret_sha256.to_string())
        .bind(token.principal.as_str())
        .bind(token.role.as_str())
        .bind(by.at.as_ns())
        .bind(by.principal.as_str())
        .bind(token.expires.as_ns())
        .execute(&mut *tx)
        .await
        .map_err(failed("keep an API token"))?;
        let detail = format!("{} for {} until {}", token.role, token.principal, token.expires);
        let object = format!("api token {}", token.id);
        audit::append(&mut tx, by, "api_token.create", &object, &detail).await?;
        commit(tx).await
    }

    /// The API token with this digest, whatever its state; none when there is none.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn api_token(&self, sha256: Sha256) -> Result<Option<ApiTokenRow>, StoreError> {
        let row = sqlx::query("select * from api_token where secret_sha256 = $1")
            .bind(sha256.to_string())
            .fetch_optional(&self.readers)
            .await
            .map_err(failed("read an API token"))?;
        row.as_ref().map(ApiTokenRow::read).transpose()
    }
}
