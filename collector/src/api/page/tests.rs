//! Over the router, as a browser asks.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderMap, Request},
};
use tower::ServiceExt as _;

use super::PAGES;
use crate::{
    api::{router, tests::Bed},
    auth::role::Role,
};

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

async fn ask(bed: &Bed, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let response = router(Arc::clone(&bed.api)).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let is_stream = parts.headers.get("content-type").is_some_and(|it| it == "text/event-stream");
    let body = if is_stream { Body::empty() } else { body };
    let body = axum::body::to_bytes(body, 1 << 22).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

#[tokio::test]
async fn a_person_logs_in_looks_around_and_logs_out() {
    let bed = Bed::new().await;
    let token = bed.token(Role::Analyst).await;
    let same = [("sec-fetch-site", "same-origin")];
    let page = ask(&bed, "GET", "/login", &[], "").await;
    assert!(page.status == 200 && page.body.contains("<form"));
    let wrong = ask(&bed, "POST", "/login", &same, "token=cordon_api_00").await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.body.contains("not known") && !wrong.headers.contains_key("set-cookie"));
    let right = ask(&bed, "POST", "/login", &same, &format!("token={token}")).await;
    assert_eq!((right.status, right.headers["location"].to_str().unwrap()), (303, "/"));
    let cookie = right.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"));
    let cookie = [("cookie", cookie.split(';').next().unwrap())];
    let list = ask(&bed, "GET", "/", &cookie, "").await;
    assert!(list.status == 200 && list.body.contains("No incident is open."), "{}", list.body);
    assert_eq!(ask(&bed, "GET", "/live", &cookie, "").await.status, 200);
    assert_eq!(ask(&bed, "GET", "/api/v1/live", &cookie, "").await.status, 200);
    let gone = "/incidents/01010101-0101-7101-8101-010101010101";
    let gone = ask(&bed, "GET", gone, &cookie, "").await;
    assert!(gone.status == 404 && gone.body.starts_with("<!DOCTYPE html>"), "{}", gone.body);
    let out = ask(&bed, "POST", "/logout", &same, "").await;
    assert!(out.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
}

#[tokio::test]
async fn a_cookie_reads_and_changes_nothing() {
    let bed = Bed::new().await;
    let token = bed.token(Role::Admin).await;
    let cookie = format!("__Host-cordon={token}");
    let cookie = [("cookie", cookie.as_str()), ("content-type", "application/json")];
    for (method, path) in [
        ("POST", "/api/v1/tokens"),
        ("POST", "/api/v1/commands"),
        ("POST", "/api/v1/rules/reload"),
        ("PUT", "/api/v1/keyring"),
    ] {
        assert_eq!(ask(&bed, method, path, &cookie, "{}").await.status, 401, "{method} {path}");
    }
    assert_eq!(ask(&bed, "GET", "/api/v1/incidents", &cookie, "").await.status, 200);
    // A bearer that is wrong is not made good by a cookie.
    let both = [cookie[0], ("authorization", "Bearer wrong")];
    assert_eq!(ask(&bed, "GET", "/api/v1/incidents", &both, "").await.status, 401);
}

#[tokio::test]
async fn a_form_that_another_site_sends_does_nothing() {
    let bed = Bed::new().await;
    let token = bed.token(Role::Viewer).await;
    for headers in [&[][..], &[("sec-fetch-site", "cross-site")], &[("origin", "https://evil")]] {
        let body = format!("token={token}");
        for path in ["/login", "/logout"] {
            let answer = ask(&bed, "POST", path, headers, &body).await;
            assert!(answer.status == 403 && !answer.headers.contains_key("set-cookie"), "{path}");
        }
    }
}

#[tokio::test]
async fn every_page_needs_a_person_with_the_right() {
    let bed = Bed::new().await;
    for (page, right) in PAGES {
        let path = page.replace("{incident}", "x");
        let stranger = ask(&bed, "GET", &path, &[], "").await;
        assert_eq!(
            (stranger.status, &stranger.headers["location"]),
            (303, &"/login".parse().unwrap())
        );
        for role in Role::ALL {
            let bearer = format!("Bearer {}", bed.token(role).await);
            let answer = ask(&bed, "GET", &path, &[("authorization", &bearer)], "").await;
            assert_eq!(answer.status != 403, role.may(*right), "{page} {role:?}");
            assert!(answer.body.starts_with("<!DOCTYPE html>"));
        }
    }
}

#[tokio::test]
async fn every_answer_keeps_the_browser_in_bounds() {
    let bed = Bed::new().await;
    let bearer = format!("Bearer {}", bed.token(Role::Admin).await);
    let known = [("authorization", bearer.as_str())];
    for path in
        ["/", "/live", "/login", "/style.css", "/live.js", "/api/v1/hosts", "/healthz", "/x"]
    {
        let answer = ask(&bed, "GET", path, &known, "").await;
        let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
        assert!(header("content-security-policy").starts_with("default-src 'none'"), "{path}");
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cache-control"), "no-store");
    }
}
