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
    args::Access,
    failure::{self, Failure, Why},
    profile::{self, Profile},
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
    whence: String,
}

/// A page of a list; the lake also says whether it looked everywhere.
#[derive(serde::Deserialize)]
struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
    #[serde(default)]
    is_partial: bool,
}

/// Items of a list.
pub(crate) struct Listed<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// Whether something that should be among them may be missing.
    pub(crate) is_partial: bool,
}

impl Client {
    /// For whom options, environment and `cordon login` name.
    ///
    /// # Errors
    /// What is missing, and how to give it.
    pub(crate) fn of(access: &Access) -> anyhow::Result<Self> {
        Ok(Self::open(&Profile::gather(access)?)?.naming(profile::whence(access)))
    }

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
        let bearer = format!("Bearer {}", profile.token);
        let whence = "the one that was given".to_owned();
        Ok(Self { agent: config.into(), url, bearer, whence })
    }

    /// The same; where its authority's certificate came from, for a person who must look at it.
    pub(crate) fn naming(self, whence: String) -> Self {
        Self { whence, ..self }
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

    /// Reads a text.
    ///
    /// # Errors
    /// [`Failure`].
    pub(crate) fn text(&self, path: &str, query: &Query) -> anyhow::Result<String> {
        let asked = self.agent.get(format!("{}{path}", self.url));
        let asked = asked.query_pairs(query.iter().map(|(name, value)| (*name, value.as_str())));
        let asked = asked.config().timeout_global(Some(ANSWERS_WITHIN)).build();
        let mut answer = self.judge(asked.header("authorization", &self.bearer).call())?;
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
        body.with_context(|| format!("read the answer of {}", self.url))
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
        Ok(self.pages(path, query, items_max)?.items)
    }

    /// The same, and whether the collector looked everywhere.
    ///
    /// # Errors
    /// [`Failure`].
    pub(crate) fn pages<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Query,
        items_max: usize,
    ) -> anyhow::Result<Listed<T>> {
        let mut listed = Listed { items: Vec::new(), is_partial: false };
        let mut cursor = None::<String>;
        loop {
            let left = items_max.saturating_sub(listed.items.len());
            let left = u32::try_from(left).unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
            let mut query = query.clone();
            query.push(("limit", left.to_string()));
            query.extend(cursor.clone().map(|it| ("cursor", it)));
            let page: Page<T> = self.get(path, &query)?;
            listed.items.extend(page.items);
            listed.is_partial |= page.is_partial;
            // A cursor that stands still would be asked for ever.
            let is_last = page.next_cursor.is_none() || page.next_cursor == cursor;
            if is_last || listed.items.len() >= items_max {
                listed.items.truncate(items_max);
                return Ok(listed);
            }
            cursor = page.next_cursor;
        }
    }

    /// Lines of a stream that goes on until somebody ends it.
    ///
    /// # Errors
    /// [`Failure`].
    pub(crate) fn stream(&self, path: &str) -> anyhow::Result<impl BufRead + use<>> {
        let asked = self.agent.get(format!("{}{path}", self.url));
        let asked = asked.config().timeout_recv_response(Some(ANSWERS_WITHIN)).build();
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
            401 => "; `cordon login` with a token that is known and has not ended",
            429 => "; ask again in a moment",
            _ => "",
        };
        Err(Failure::new(why, format!("{said}{hint}")).into())
    }

    /// Why no answer came, and what to do about it.
    fn unreached(&self, error: &ureq::Error) -> Failure {
        let (url, whence) = (&self.url, &self.whence);
        if let Some(error) = tls_error(error) {
            return Failure::new(Why::Refused, distrust(url, whence, error));
        }
        if matches!(error, ureq::Error::BadUri(_) | ureq::Error::RequireHttpsOnly(_)) {
            return Failure::new(Why::Usage, format!("`{url}` is no `https://HOST:PORT`"));
        }
        let why = if let ureq::Error::Timeout(_) = error {
            "it does not answer in time".to_owned()
        } else if let ureq::Error::Io(error) = error {
            error.to_string()
        } else {
            error.to_string()
        };
        let text = format!(
            "{url} cannot be reached: {why}; is the collector up, and is this its port for \
             responders (7445)?"
        );
        Failure::new(Why::Unreachable, text)
    }
}

/// What TLS has against the other side, when that is what failed.
fn tls_error(error: &ureq::Error) -> Option<&rustls::Error> {
    if let ureq::Error::Rustls(error) = error {
        return Some(error);
    }
    let ureq::Error::Io(error) = error else { return None };
    error.get_ref()?.downcast_ref()
}

/// Why the other side is not believed to be the collector.
fn distrust(url: &str, whence: &str, error: &rustls::Error) -> String {
    use rustls::{
        CertificateError::{BadSignature, NotValidForName, NotValidForNameContext, UnknownIssuer},
        Error::InvalidCertificate,
    };
    if let InvalidCertificate(UnknownIssuer | BadSignature) = error {
        return format!(
            "the certificate of {url} is not from the pinned authority, {whence}; if this is the \
             right address, give that collector's `pki/authority.pem` with --ca, from its own disk"
        );
    }
    if let InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) = error {
        return format!(
            "the certificate of {url} is from the pinned authority, and not for this name; dial a \
             name in `names` of `collector.toml`"
        );
    }
    format!("{url} does not prove to be the collector, by {whence}: {error}")
}

#[cfg(test)]
mod tests;
