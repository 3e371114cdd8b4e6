//! The API as functions: one request, one answer, or a failure that says what to do.
//!
//! Trusts the one authority that the profile names, and nothing that the system trusts. Bounds: an
//! answer has [`ANSWER_BYTES_MAX`] and must come within [`ANSWERS_WITHIN`]; a live stream has neither.

use std::{
    io::{BufRead, BufReader},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use cordon_collector::api::view;
use cordon_shared::crypto::tls;
use serde::{Serialize, de::DeserializeOwned};
use ureq::{
    Body,
    http::Response,
    tls::{Certificate, RootCerts, TlsConfig},
};

use crate::{
    failure::{self, Failure, Why},
    profile::Profile,
};

/// How long the collector may take to be reached (chosen: another continent).
const REACHED_WITHIN: Duration = Duration::from_secs(10);
/// How long an answer may take (chosen: twice the time that a search gets on the collector).
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);
/// Bytes of an answer (chosen: a page of the largest events).
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// Items that the collector puts on one page at most.
const PAGE_MAX: u32 = 500;

/// Parameters of a query, by name.
pub(crate) type Query = Vec<(&'static str, String)>;

/// See the module.
pub(crate) struct Client {
    agent: ureq::Agent,
    url: String,
    bearer: String,
}

impl Client {
    /// Makes it; nothing is asked yet.
    ///
    /// # Errors
    /// When the certificate or the address is none.
    pub(crate) fn open(profile: &Profile) -> anyhow::Result<Self> {
        if !profile.url.starts_with("https://") {
            let text = format!("`{}` must be `https://HOST:PORT`", profile.url);
            return Err(Failure::new(Why::Usage, text).into());
        }
        let certificate = Certificate::from_pem(profile.ca.as_bytes());
        let certificate = certificate.context("read the authority's certificate as PEM")?;
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(vec![certificate])))
            .unversioned_rustls_crypto_provider(tls::provider())
            .build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .https_only(true)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(REACHED_WITHIN))
            .build();
        let url = profile.url.trim_end_matches('/').to_owned();
        Ok(Self { agent: config.into(), url, bearer: format!("Bearer {}", profile.token) })
    }

    /// Reads something.
    ///
    /// # Errors
    /// [`Failure`].
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str, query: &Query) -> anyhow::Result<T> {
        let asked = self.agent.get(format!("{}{path}", self.url));
        let asked = asked.query_pairs(query.iter().map(|(name, value)| (*name, value.as_str())));
        let asked = asked.config().timeout_global(Some(ANSWERS_WITHIN)).build();
        self.read(asked.header("authorization", &self.bearer).call())
    }

    /// Has something made or done.
    ///
    /// # Errors
    /// [`Failure`].
    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        let asked = self.agent.post(format!("{}{path}", self.url));
        let asked = asked.config().timeout_global(Some(ANSWERS_WITHIN)).build();
        self.read(asked.header("authorization", &self.bearer).send_json(body))
    }

    /// Has something replaced.
    ///
    /// # Errors
    /// [`Failure`].
    pub(crate) fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        let asked = self.agent.put(format!("{}{path}", self.url));
        let asked = asked.config().timeout_global(Some(ANSWERS_WITHIN)).build();
        self.read(asked.header("authorization", &self.bearer).send_json(body))
    }

    /// Up to `items_max` items of a list, page by page.
    ///
    /// # Errors
    /// [`Failure`].
    pub(crate) fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Query,
        items_max: usize,
    ) -> anyhow::Result<Vec<T>> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let left = u32::try_from(items_max.saturating_sub(items.len())).unwrap_or(PAGE_MAX);
            let mut query = query.clone();
            query.push(("limit", left.clamp(1, PAGE_MAX).to_string()));
            query.extend(cursor.map(|it| ("cursor", it)));
            let page: view::List<T> = self.get(path, &query)?;
            items.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() || items.len() >= items_max {
                items.truncate(items_max);
                return Ok(items);
            }
        }
    }

    /// Lines of a stream that goes on until somebody ends it.
    ///
    /// # Errors
    /// [`Failure`].
    pub(crate) fn stream(&self, path: &str) -> anyhow::Result<impl BufRead + use<>> {
        let asked = self.agent.get(format!("{}{path}", self.url));
        let answer = asked.header("authorization", &self.bearer).call();
        let answer = self.judge(answer)?;
        Ok(BufReader::new(answer.into_body().into_reader()))
    }

    fn read<T: DeserializeOwned>(
        &self,
        answer: Result<Response<Body>, ureq::Error>,
    ) -> anyhow::Result<T> {
        let mut answer = self.judge(answer)?;
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_json();
        body.with_context(|| format!("read the answer of {}", self.url))
    }

    /// Tells an answer from a refusal, and a refusal from silence.
    fn judge(&self, answer: Result<Response<Body>, ureq::Error>) -> anyhow::Result<Response<Body>> {
        let mut answer = answer.map_err(|error| self.unreached(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let why = failure::of_status(status.as_u16());
        let problem = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_json();
        let said = match problem {
            Ok(view::Problem { message, request_id, .. }) => {
                format!("{message} (request {request_id})")
            }
            Err(_) => format!("the collector answered {status}"),
        };
        let hint = match status.as_u16() {
            401 => "; the token is not known or has ended: `cordon login` with another",
            _ => "",
        };
        Err(Failure::new(why, format!("{said}{hint}")).into())
    }

    fn unreached(&self, error: &ureq::Error) -> Failure {
        let text = error.to_string();
        if text.contains("certificate") || text.contains("UnknownIssuer") {
            let text = format!(
                "{} does not prove to be the collector of this authority: {text}; \
                 give its `pki/authority.pem` with --ca",
                self.url
            );
            return Failure::new(Why::Refused, text);
        }
        let text =
            format!("{} cannot be reached: {text}; is it up, and is the port 7445?", self.url);
        Failure::new(Why::Unreachable, text)
    }
}
