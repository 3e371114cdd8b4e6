use std::{path::Path, sync::Arc, time::Duration};

use axum::{body::Body, http::Request};
use cordon_shared::{
    digest::Sha256,
    entropy::SystemEntropy,
    id::{CollectorId, TokenId},
    limit,
    seglog::RealDisk,
    test_support::order,
    time::SystemClock,
};
use expect_test::{expect, expect_file};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use super::{Api, ROUTES, Rules, openapi, router, serve};
use crate::{
    auth::{role::Role, token},
    evidence::Vault,
    lake::{Lake, Opening},
    notice::{Board, InForce, Trouble},
    reserve::Reserve,
    store::{By, NewApiToken, Store},
};

fn lake(dir: &Path) -> Lake {
    Lake::open(Opening {
        disk: Arc::new(RealDisk),
        dir,
        collector: CollectorId::from_slice(&[0xc0; 16]).unwrap(),
        clock: Arc::new(SystemClock),
        entropy: &SystemEntropy,
        is_used: false,
    })
    .unwrap()
}

fn vault(dir: &Path) -> Vault {
    Vault::open(dir.join("evidence"), Reserve::open(dir).unwrap()).unwrap()
}

pub(super) struct Bed {
    pub(super) api: Arc<Api>,
    _dir: tempfile::TempDir,
}

impl Bed {
    pub(super) async fn new() -> Self {
        Self::with(Vec::new()).await
    }

    /// A collector with these troubles.
    async fn with(troubles: Vec<(Trouble, u64)>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let api = Api {
            store: Store::create(&dir.path().join("state")).await.unwrap(),
            lake: lake(&dir.path().join("lake")),
            vault: vault(dir.path()),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            roots: order::roots(),
            authority: Sha256::of(b"authority"),
            enrolment: vec!["localhost:7444".to_owned()],
            in_force: InForce::default(),
            wake: Arc::new(|| ()),
            rules: Rules { list: Arc::new(Default::default), reload: Arc::new(|| ()) },
            board: Board::default(),
            troubles: Arc::new(move || troubles.clone()),
            is_connected: Arc::new(|_| false),
            connected: Arc::new(|| 10_000),
            metrics: PrometheusBuilder::new().build_recorder().handle(),
            stop: CancellationToken::new(),
            streams: TaskTracker::new(),
        };
        Self { api: Arc::new(api), _dir: dir }
    }

    pub(super) async fn token(&self, role: Role) -> String {
        let text = token::random(&*self.api.entropy);
        let now = self.api.clock.now();
        let new = NewApiToken {
            id: TokenId::random(&*self.api.clock, &*self.api.entropy),
            secret_sha256: token::digest(text.expose()),
            principal: "ada".to_owned(),
            role: role.as_str().to_owned(),
            expires: now.saturating_add(Duration::from_secs(60)),
        };
        let by = By { principal: "test".to_owned(), at: now };
        self.api.store.add_api_token(&new, &by).await.unwrap();
        text.expose().clone()
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &str,
    ) -> (u16, String) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request
            .header("content-type", "application/json")
            .body(Body::from(body.to_owned()))
            .unwrap();
        let response = router(Arc::clone(&self.api)).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        if response.headers()["content-type"].as_bytes() == b"text/event-stream" {
            return (status, String::new());
        }
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }
}

#[tokio::test]
async fn every_route_is_in_the_table_and_the_table_decides_for_every_role() {
    let bed = Bed::new().await;
    let (_, document) = openapi::routes().split_for_parts();
    let served: usize = document
        .paths
        .paths
        .values()
        .map(|item| [&item.get, &item.put, &item.post].into_iter().flatten().count())
        .sum();
    assert_eq!(served, ROUTES.len());
    let mut table = String::new();
    for (method, path, right) in ROUTES {
        table.push_str(&format!("{method} {path}:"));
        let names = ["host", "detection", "incident", "task", "command", "event"];
        let fill = |path: String, name: &str| path.replace(&format!("{{{name}}}"), "x");
        let path = names.into_iter().fold((*path).to_owned(), fill);
        assert_eq!(bed.ask(method, &path, None, "{}").await.0, 401);
        for role in Role::ALL {
            let token = bed.token(role).await;
            let (status, _) = bed.ask(method, &path, Some(&token), "{}").await;
            assert_eq!(status != 403, role.may(*right), "{method} {path} {role:?} {status}");
            if role.may(*right) {
                table.push_str(&format!(" {}", role.as_str()));
            }
        }
        table.push('\n');
    }
    expect_file!["tests/routes.txt"].assert_eq(&table);
}

#[tokio::test]
async fn a_wrong_token_learns_nothing_and_an_error_has_a_request_id() {
    let bed = Bed::new().await;
    let (status, body) = bed.ask("GET", "/api/v1/hosts", Some("cordon_api_00"), "").await;
    assert_eq!(status, 401);
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["kind"], "unauthenticated");
    assert_eq!(body["message"], "this needs a valid bearer token");
    assert_eq!(body["request_id"].as_str().unwrap().len(), 36);
}

#[tokio::test]
async fn a_token_is_made_once_shown_and_listed_without_its_secret() {
    let bed = Bed::new().await;
    let admin = bed.token(Role::Admin).await;
    let asked = r#"{"hosts_max": 2, "lifetime_ms": 60000, "tier": "standard"}"#;
    let (status, body) = bed.ask("POST", "/api/v1/tokens", Some(&admin), asked).await;
    assert_eq!(status, 200, "{body}");
    let made: super::view::MadeToken = serde_json::from_str(&body).unwrap();
    let token = cordon_shared::enrolment::Token::parse(&made.token).unwrap();
    assert_eq!(token.id.to_string(), made.token_id);
    let (_, list) = bed.ask("GET", "/api/v1/tokens", Some(&admin), "").await;
    assert!(list.contains(&made.token_id) && !list.contains(&made.token));
    let bad = r#"{"hosts_max": 2, "lifetime_ms": 60000, "tier": "standard", "networks": ["x"]}"#;
    let (status, body) = bed.ask("POST", "/api/v1/tokens", Some(&admin), bad).await;
    assert_eq!(status, 400);
    assert!(body.contains("`networks` must be ADDRESS/BITS each"));
}

#[tokio::test]
async fn health_needs_no_token() {
    let bed = Bed::new().await;
    for path in ["/healthz", "/readyz", "/api/openapi.json"] {
        assert_eq!(bed.ask("GET", path, None, "").await.0, 200);
    }
}

#[tokio::test]
async fn f_7_a_collector_whose_disk_is_full_is_not_ready_and_says_why() {
    let bed = Bed::with(vec![(Trouble::DiskFull, 1), (Trouble::RulesOff, 2)]).await;
    let (status, body) = bed.ask("GET", "/readyz", None, "").await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 503);
    let full = "the disk is full: nothing is acknowledged, events wait on their hosts; detections \
                and commands go on";
    assert_eq!(body["message"], full);
    let viewer = bed.token(Role::Viewer).await;
    let (_, body) = bed.ask("GET", "/api/v1/status", Some(&viewer), "").await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["is_ready"], false);
    let rules = "2 rules broke and are switched off until a reload";
    assert_eq!(body["problems"], serde_json::json!([full, rules]));
}

#[tokio::test]
async fn what_does_not_stand_still_is_told_by_the_status_and_leaves_the_collector_ready() {
    let bed = Bed::with(vec![(Trouble::SetAside, 3)]).await;
    assert_eq!(bed.ask("GET", "/readyz", None, "").await.0, 200);
    let viewer = bed.token(Role::Viewer).await;
    let (_, body) = bed.ask("GET", "/api/v1/status", Some(&viewer), "").await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["is_ready"], true);
    assert_eq!(
        body["problems"][0],
        "3 batches cannot be filed: they are not in the lake and lie in `refused/`"
    );
}

#[tokio::test]
async fn an_empty_lake_answers_and_a_filter_that_cannot_be_one_is_refused_by_name() {
    let bed = Bed::new().await;
    let analyst = bed.token(Role::Analyst).await;
    let mut text = String::new();
    for path in [
        "/api/v1/events",
        "/api/v1/events?class=1007,4001&ip=::1&port=22&order=oldest&limit=5",
        "/api/v1/events/count?since=2025-11-24T00:00:00Z&path=/etc/*",
        "/api/v1/events?since=yesterday",
        "/api/v1/events?class=1",
        "/api/v1/events?sha256=00",
        "/api/v1/events?cursor=x",
        "/api/v1/events?order=up",
        "/api/v1/events?host=",
        "/api/v1/events/x",
        "/api/v1/events/01010101-0101-0101-0101-010101010101.0000000000000007.file.1",
    ] {
        let (status, body) = bed.ask("GET", path, Some(&analyst), "").await;
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let shown = if status == 200 { body.to_string() } else { body["message"].to_string() };
        text.push_str(&format!("{status} {shown}\n"));
    }
    expect![[r#"
        200 {"is_partial":false,"items":[]}
        200 {"is_partial":false,"items":[]}
        200 {"is_partial":false,"items":[]}
        400 "`since` must be a time in RFC 3339"
        400 "`class` must be uids of OCSF classes that events have"
        400 "`sha256` must be 64 hexadecimal digits"
        400 "`cursor` must be a `next_cursor`"
        400 "`order` must be `newest` or `oldest`"
        400 "`host` must be 1 to 4096 characters"
        400 "`event` must be an event's name"
        404 "there is no such event in the lake"
    "#]]
    .assert_eq(&text);
    assert_eq!(bed.ask("GET", "/api/v1/events?colour=red", Some(&analyst), "").await.0, 400);
}

#[tokio::test]
async fn the_status_counts_hosts_beyond_the_first_page() {
    let bed = Bed::new().await;
    let viewer = bed.token(Role::Viewer).await;
    let (status, body) = bed.ask("GET", "/api/v1/status", Some(&viewer), "").await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("\"hosts_connected\":10000"), "{body}");
}

#[tokio::test]
async fn whatever_is_refused_is_refused_as_a_problem() {
    let bed = Bed::new().await;
    let admin = bed.token(Role::Admin).await;
    let mut text = String::new();
    for (method, path, body) in [
        ("GET", "/api/v1/hosts?limit=-1", ""),
        ("GET", "/api/v1/hosts?colour=red", ""),
        ("GET", "/api/v1/hosts?cursor=zzzz", ""),
        ("GET", "/api/v1/audit?cursor=zzzz", ""),
        ("GET", "/api/v1/hosts/%ff", ""),
        ("GET", "/api/v1/nothing", ""),
        ("DELETE", "/api/v1/hosts", ""),
        ("DELETE", "/healthz", ""),
        ("POST", "/api/v1/tokens", "{"),
        ("POST", "/api/v1/tokens", r#"{"hosts_max": "x"}"#),
        ("POST", "/api/v1/tokens", r#"{"hosts_max": 1, "lifetime_ms": 1, "tier": "\u001b"}"#),
    ] {
        let (status, body) = bed.ask(method, path, Some(&admin), body).await;
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["request_id"].as_str().unwrap().len(), 36);
        text.push_str(&format!("{status} {} {}\n", body["kind"], body["message"]));
    }
    expect![[r#"
        400 "bad_input" "Failed to deserialize query string: limit: invalid digit found in string"
        400 "bad_input" "Failed to deserialize query string: colour: unknown field `colour`, expected `cursor` or `limit`"
        400 "bad_input" "`cursor` must be a `next_cursor`"
        400 "bad_input" "`cursor` must be a `next_cursor`"
        400 "bad_input" "Invalid URL: Invalid UTF-8 in `host`"
        404 "not_found" "not found"
        403 "forbidden" "the role `admin` may not do this"
        405 "bad_input" "method not allowed"
        400 "bad_input" "Failed to parse the request body as JSON: EOF while parsing an object at line 1 column 1"
        422 "bad_input" "Failed to deserialize the JSON body into the target type: hosts_max: invalid type: string \"x\", expected u64 at line 1 column 17"
        400 "bad_input" "`tier` must be 1 to 64 letters, digits, `-` and `_`"
    "#]].assert_eq(&text);
}

/// What a responder's connection brings back; `None` when it stays open for longer than a stranger's.
async fn answered(bed: &Bed, said: String) -> Option<String> {
    let (mut ours, theirs) = tokio::io::duplex(1 << 16);
    let (outbox, incoming) = tokio::sync::mpsc::channel(1);
    outbox.send(Ok(theirs)).await.unwrap();
    let serving = serve(router(Arc::clone(&bed.api)), incoming, CancellationToken::new());
    let asking = async {
        ours.write_all(said.as_bytes()).await.unwrap();
        let mut heard = String::new();
        let end = ours.read_to_string(&mut heard);
        tokio::time::timeout(limit::HANDSHAKE_TIMEOUT + Duration::from_secs(2), end)
            .await
            .ok()
            .map(|_| heard)
    };
    tokio::select! {
        () = serving => None,
        heard = asking => heard,
    }
}

#[tokio::test]
async fn f_31_a_stranger_is_cut_off_and_a_person_is_not() {
    let bed = Bed::new().await;
    let token = bed.token(Role::Viewer).await;
    let ask = |bearer: &str| {
        format!("GET /api/v1/status HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {bearer}\r\n\r\n")
    };
    let (half, wrong) = ("GET /api/v1/status HTTP/1.1\r\n".to_owned(), ask("wrong"));
    let (silent, half, wrong, known) = tokio::join!(
        answered(&bed, String::new()),
        answered(&bed, half),
        answered(&bed, wrong),
        answered(&bed, ask(&token)),
    );
    assert_eq!((silent.as_deref(), half.as_deref()), (Some(""), Some("")));
    assert!(wrong.unwrap().starts_with("HTTP/1.1 401"));
    assert_eq!(known, None);
}
