mod act;
mod evidence;
mod incident;

use std::time::Duration;

use cordon_shared::{
    crypto::signing::SigningKey,
    digest::Sha256,
    durable,
    entropy::SeededEntropy,
    id::{AgentId, BootId, HostId, TokenId},
    time::{ClockSample, FakeClock, Timestamp},
};
use expect_test::{Expect, expect};

use super::{
    AuditBreak, By, Facts, Greeting, NewAgent, NewApiToken, NewCertificate, NewToken, Page,
    Standing, Store, StoreError,
};

/// A store in a folder of its own, and what makes ids.
pub(crate) struct Bed {
    pub(crate) store: Store,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) clock: std::sync::Arc<FakeClock>,
    pub(crate) entropy: SeededEntropy,
}

impl Bed {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(&dir.path().join("state ? %.sqlite")).await.unwrap();
        let realtime = Timestamp::from_ns(1_764_000_000_000_000_000);
        let clock = FakeClock::at(ClockSample { realtime, ..ClockSample::default() }).into();
        Self { store, dir, clock, entropy: SeededEntropy::new(1) }
    }

    pub(crate) fn by(&self) -> By {
        By { principal: "ada".to_owned(), at: cordon_shared::time::Clock::now(&*self.clock) }
    }

    /// Does to the database what no code of ours does.
    pub(crate) async fn spoil(&self, statement: &'static str) {
        sqlx::query(statement).execute(&self.store.writer).await.unwrap();
    }

    pub(crate) async fn token(&self, uses_max: u64, is_approved: bool) -> TokenId {
        let token = NewToken {
            id: TokenId::random(&*self.clock, &self.entropy),
            secret_sha256: Sha256::of(b"secret"),
            uses_max,
            networks: vec!["10.0.0.0/8".to_owned()],
            labels: vec!["role=web".to_owned()],
            tier: "standard".to_owned(),
            is_approved,
            expires: self.by().at.saturating_add(Duration::from_secs(3_600)),
        };
        self.store.add_token(&token, &self.by()).await.unwrap();
        token.id
    }

    pub(crate) fn new_agent(&self, token: TokenId, name: &str) -> NewAgent {
        let now = self.by().at;
        let id = AgentId::random(&*self.clock, &self.entropy);
        NewAgent {
            id,
            host: HostId::random(&*self.clock, &self.entropy),
            token,
            facts: Facts { name: name.to_owned(), ..Facts::default() },
            receipt_key: SigningKey::from_seed([3; 32]).public(),
            certificate: NewCertificate {
                serial: id.to_string(),
                not_before: now,
                not_after: now.saturating_add(Duration::from_secs(86_400)),
            },
        }
    }

    pub(crate) async fn agent(&self, name: &str) -> AgentId {
        let token = self.token(1, true).await;
        let agent = self.new_agent(token, name);
        self.store.enrol(&agent, self.by().at).await.unwrap();
        agent.id
    }
}

#[track_caller]
fn check<T>(result: Result<T, StoreError>, want: &Expect) {
    let Err(error) = result else { panic!("it was done") };
    let shown = error.to_string();
    // Ids are random in their second half; the sentence is what is fixed.
    let words = shown.split(' ').map(|it| if it.contains('-') { "`ID`" } else { it });
    want.assert_eq(&words.collect::<Vec<_>>().join(" "));
}

#[tokio::test]
async fn a_store_opens_again_with_what_was_committed() {
    let bed = Bed::new().await;
    let id = bed.agent("web-1").await;
    bed.store.close().await;
    let again = Store::open(&bed.dir.path().join("state ? %.sqlite")).await.unwrap();
    let row = again.agent(id).await.unwrap();
    assert_eq!((row.host.facts.name.as_str(), row.standing), ("web-1", Standing::Approved));
    assert_eq!(row.host.labels, ["role=web"]);
}

#[tokio::test]
async fn a_token_lets_in_as_many_as_it_says_and_no_more() {
    let bed = Bed::new().await;
    let token = bed.token(2, false).await;
    for name in ["a", "b"] {
        let agent = bed.new_agent(token, name);
        let row = bed.store.enrol(&agent, bed.by().at).await.unwrap();
        assert_eq!(row.standing, Standing::Held);
    }
    let third = bed.new_agent(token, "c");
    check(bed.store.enrol(&third, bed.by().at).await, &expect!["token `ID` is used up"]);
    assert!(bed.store.agents_named("c").await.unwrap().is_empty());
}

#[tokio::test]
async fn an_expired_token_lets_nobody_in() {
    let bed = Bed::new().await;
    let token = bed.token(1, true).await;
    bed.clock.advance(Duration::from_secs(3_600));
    let agent = bed.new_agent(token, "late");
    check(bed.store.enrol(&agent, bed.by().at).await, &expect!["token `ID` has expired"]);
    let unknown = TokenId::random(&*bed.clock, &bed.entropy);
    check(bed.store.token(unknown).await, &expect!["token `ID` is not known"]);
}

#[tokio::test]
async fn a_revoked_agent_cannot_come_back() {
    let bed = Bed::new().await;
    let id = bed.agent("web-1").await;
    bed.store.approve_agent(id, &bed.by()).await.unwrap();
    bed.store.revoke_agent(id, "stolen", &bed.by()).await.unwrap();
    bed.store.revoke_agent(id, "again", &bed.by()).await.unwrap();
    let want = expect!["agent `ID` is revoked, which is for good; enrol the host again"];
    check(bed.store.approve_agent(id, &bed.by()).await, &want);
    assert_eq!(bed.store.agent(id).await.unwrap().standing, Standing::Revoked);
}

#[tokio::test]
async fn a_hello_changes_the_facts_and_never_tier_or_labels() {
    let bed = Bed::new().await;
    let id = bed.agent("web-1").await;
    let facts = Facts { name: "web-2".to_owned(), os: "Debian".to_owned(), ..Facts::default() };
    let greeting = Greeting { facts, boot: BootId([7; 16]), sensors: Vec::new() };
    bed.store.greet(id, &greeting, bed.by().at).await.unwrap();
    bed.store.touch_agents(&[(id, bed.by().at)]).await.unwrap();
    let row = bed.store.agents_named("web-2").await.unwrap().remove(0);
    assert_eq!(row.host.facts, greeting.facts);
    assert_eq!(row.boot, Some(BootId([7; 16])));
    assert_eq!((row.host.tier.as_str(), row.host.labels.len()), ("standard", 1));
}

#[tokio::test]
async fn lists_come_in_pages_newest_first() {
    let bed = Bed::new().await;
    for name in ["a", "b", "c"] {
        bed.agent(name).await;
        bed.clock.advance(Duration::from_millis(1));
    }
    let names = |rows: &[super::AgentRow]| {
        rows.iter().map(|row| row.host.facts.name.clone()).collect::<Vec<_>>()
    };
    let first = bed.store.agents(&Page { before: None, rows_max: 2 }).await.unwrap();
    assert_eq!(names(&first), ["c", "b"]);
    let before = first.last().map(|row| row.id.to_string());
    let second = bed.store.agents(&Page { before, rows_max: 2 }).await.unwrap();
    assert_eq!(names(&second), ["a"]);
}

#[tokio::test]
async fn an_api_token_is_found_by_its_digest_alone() {
    let bed = Bed::new().await;
    let token = NewApiToken {
        id: TokenId::random(&*bed.clock, &bed.entropy),
        secret_sha256: Sha256::of(b"token"),
        principal: "ada".to_owned(),
        role: "admin".to_owned(),
        expires: bed.by().at,
    };
    bed.store.add_api_token(&token, &bed.by()).await.unwrap();
    let row = bed.store.api_token(Sha256::of(b"token")).await.unwrap().unwrap();
    assert_eq!(row.token.principal, "ada");
    assert!(bed.store.api_token(Sha256::of(b"other")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_position_never_goes_back() {
    let bed = Bed::new().await;
    assert_eq!(bed.store.position("detect").await.unwrap(), 0);
    bed.store.keep_position("detect", 9).await.unwrap();
    bed.store.keep_position("detect", 4).await.unwrap();
    assert_eq!(bed.store.position("detect").await.unwrap(), 9);
}

#[tokio::test]
async fn the_newest_keyring_is_the_one_installed_last() {
    let bed = Bed::new().await;
    assert!(bed.store.keyring().await.unwrap().is_none());
    bed.store.install_keyring(b"one", "version 1", &bed.by()).await.unwrap();
    bed.store.install_keyring(b"two", "version 2", &bed.by()).await.unwrap();
    let row = bed.store.keyring().await.unwrap().unwrap();
    assert_eq!((row.number, row.signed.as_ref()), (2, b"two".as_slice()));
}

#[tokio::test]
async fn a_changed_audit_row_breaks_the_chain_there() {
    let bed = Bed::new().await;
    for number in 1..=3 {
        bed.store.audit(&bed.by(), "test", "nothing", &number.to_string()).await.unwrap();
    }
    let (rows, head) = bed.store.verify_audit().await.unwrap().unwrap();
    let newest = bed.store.audit_rows(&Page::default()).await.unwrap().remove(0);
    assert_eq!((rows, head), (3, newest.sha256));
    sqlx::query("update audit set detail = 'x' where number = 2")
        .execute(&bed.store.writer)
        .await
        .unwrap();
    assert_eq!(bed.store.verify_audit().await.unwrap(), Err(AuditBreak { number: 2 }));
    sqlx::query("delete from audit where number = 2").execute(&bed.store.writer).await.unwrap();
    assert_eq!(bed.store.verify_audit().await.unwrap(), Err(AuditBreak { number: 2 }));
}

#[tokio::test]
async fn a_store_of_a_newer_release_is_left_alone() {
    let bed = Bed::new().await;
    sqlx::query(
        "insert into _sqlx_migrations \
         (version, description, success, checksum, execution_time) \
         values (9999, 'future', 1, x'00', 0)",
    )
    .execute(&bed.store.writer)
    .await
    .unwrap();
    bed.store.close().await;
    let again = Store::open(&bed.dir.path().join("state ? %.sqlite")).await;
    expect!["the state database was written by a newer release (migration 9999)"]
        .assert_eq(&again.err().unwrap().to_string());
}

#[tokio::test]
async fn a_state_that_is_gone_empty_or_no_database_is_refused_and_not_made_anew() {
    let bed = Bed::new().await;
    bed.store.close().await;
    let path = bed.dir.path().join("lost.sqlite");
    assert!(matches!(Store::open(&path).await, Err(StoreError::Lost { .. })));
    assert!(!path.try_exists().unwrap());
    durable::write(&path, b"", durable::MODE_SECRET).unwrap();
    assert!(matches!(Store::open(&path).await, Err(StoreError::Lost { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), b"");
    durable::write(&path, &[0x5a; 8_192], durable::MODE_SECRET).unwrap();
    let error = Store::open(&path).await.unwrap_err().to_string();
    expect!["the state database is damaged: put `state.sqlite` back from a backup (file is not a database)"]
        .assert_eq(&error);
}

#[tokio::test]
async fn the_store_survives_power_loss_by_its_settings() {
    let bed = Bed::new().await;
    for pool in [&bed.store.writer, &bed.store.readers] {
        let mode: String = sqlx::query_scalar("pragma journal_mode").fetch_one(pool).await.unwrap();
        let synchronous: i64 =
            sqlx::query_scalar("pragma synchronous").fetch_one(pool).await.unwrap();
        let keys: i64 = sqlx::query_scalar("pragma foreign_keys").fetch_one(pool).await.unwrap();
        assert_eq!((mode.as_str(), synchronous, keys), ("wal", 2, 1));
    }
}

#[tokio::test]
async fn after_a_full_disk_the_store_writes_again_f_7() {
    let bed = Bed::new().await;
    let limit = |pages| sqlx::AssertSqlSafe(format!("pragma max_page_count = {pages}"));
    sqlx::raw_sql(limit(1)).execute(&bed.store.writer).await.unwrap();
    let detail = "d".repeat(8_192);
    let by = By { principal: "test".to_owned(), at: Timestamp::from_ns(1) };
    let write = || bed.store.audit(&by, "test.full", "disk", &detail);
    let mut failed = None;
    for _ in 0..64 {
        if failed.is_none() {
            failed = write().await.err();
        }
    }
    assert!(failed.is_some(), "the store was never full");
    sqlx::raw_sql(limit(1 << 20)).execute(&bed.store.writer).await.unwrap();
    write().await.unwrap();
    bed.store.verify_audit().await.unwrap().unwrap();
}
