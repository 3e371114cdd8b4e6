//! The REST API, as a script would use it: JSON over TLS, the authority pinned, a bearer token.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use cordon_shared::crypto::tls;
use serde_json::{Value, json};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// Of one request.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client of one collector, as its first administrator.
#[derive(Debug)]
pub struct Api {
    agent: ureq::Agent,
    base: String,
    bearer: String,
}

impl Api {
    /// For the collector whose data lie at `data`.
    pub(super) fn open(data: &Path, address: SocketAddr) -> anyhow::Result<Self> {
        let read = |path: PathBuf| {
            std::fs::read_to_string(&path).with_context(|| format!("read `{}`", path.display()))
        };
        let pem = read(data.join("pki/authority.pem"))?;
        let authority = Certificate::from_pem(pem.as_bytes()).context("read the authority")?;
        let trust = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&[authority]))
            .unversioned_rustls_crypto_provider(tls::provider())
            .build();
        let config = ureq::Agent::config_builder()
            .tls_config(trust)
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .build();
        let bearer = format!("Bearer {}", read(data.join("admin.token"))?.trim());
        Ok(Self { agent: config.into(), base: format!("https://{address}"), bearer })
    }

    /// Where it is, as responders reach it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.base
    }

    /// `GET`, and what came back when it went well.
    ///
    /// # Errors
    /// The status and what the collector said.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.base);
        let asked = self.agent.get(&url).header("authorization", &self.bearer).call();
        answer(path, asked.with_context(|| format!("ask `{path}`"))?)
    }

    /// `POST`, and what came back when it went well.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.base);
        let asked = self.agent.post(&url).header("authorization", &self.bearer).send_json(body);
        answer(path, asked.with_context(|| format!("ask `{path}`"))?)
    }

    /// `PUT`, and what came back when it went well.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn put(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.base);
        let asked = self.agent.put(&url).header("authorization", &self.bearer).send_json(body);
        answer(path, asked.with_context(|| format!("ask `{path}`"))?)
    }

    /// A token for so many hosts.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn token(&self, hosts_max: u64) -> anyhow::Result<String> {
        let wish = json!({ "hosts_max": hosts_max, "lifetime_ms": 600_000, "tier": "standard" });
        text(&self.post("/api/v1/tokens", &wish)?, "token")
    }

    /// One host, by the id of its agent.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn host(&self, agent: &str) -> anyhow::Result<Value> {
        self.get(&format!("/api/v1/hosts/{agent}"))
    }

    /// Puts an agent out for good.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn revoke(&self, agent: &str) -> anyhow::Result<Value> {
        let reason = json!({ "reason": "a test of the testbed's" });
        self.post(&format!("/api/v1/hosts/{agent}/revoke"), &reason)
    }

    /// The metric of this name; all its label sets together.
    ///
    /// # Errors
    /// As [`Api::get`].
    pub fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let url = format!("{}/metrics", self.base);
        let asked = self.agent.get(&url).header("authorization", &self.bearer).call();
        let mut reply = asked.context("ask for the metrics")?;
        let text = reply.body_mut().read_to_string().context("read the metrics")?;
        let of = |line: &str| {
            let (head, value) = line.rsplit_once(' ')?;
            let is_it = head.split('{').next() == Some(name);
            is_it.then(|| value.parse::<f64>().ok()).flatten()
        };
        Ok(text.lines().filter_map(of).sum())
    }

    /// Whether the collector says that it is well.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.is_well("/healthz")
    }

    /// Whether the collector says that it takes facts in.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.is_well("/readyz")
    }

    fn is_well(&self, path: &str) -> bool {
        let asked = self.agent.get(format!("{}{path}", self.base)).call();
        asked.is_ok_and(|it| it.status().is_success())
    }
}

fn answer(path: &str, mut reply: http::Response<ureq::Body>) -> anyhow::Result<Value> {
    let status = reply.status();
    let said = reply.body_mut().read_to_string().with_context(|| format!("read `{path}`"))?;
    if !status.is_success() {
        bail!("`{path}` was answered with {status}: {said}");
    }
    serde_json::from_str(&said).with_context(|| format!("understand `{path}`: {said}"))
}

/// The text in a field of an answer.
pub(super) fn text(answer: &Value, field: &str) -> anyhow::Result<String> {
    let found = answer.get(field).and_then(Value::as_str);
    Ok(found.with_context(|| format!("`{field}` in {answer}"))?.to_owned())
}
