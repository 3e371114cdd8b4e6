//! Kind → HTTP status: the only such map. What leaves is the kind, a sentence, and a request id;
//! the chain of causes stays in the log under that id.

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use cordon_shared::{
    error::{Classify, Kind},
    id::CommandId,
};
use tracing::{error, info};

use super::view::Problem;

/// A request was not done.
#[derive(Debug)]
pub struct ApiError {
    kind: Kind,
    message: String,
    chain: String,
}

impl ApiError {
    /// A refusal that names the caller's own field.
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), chain: String::new() }
    }

    /// What kind of refusal it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What may be said of it outside.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The input breaks a rule.
    #[must_use]
    pub fn field(field: &str, rule: &str) -> Self {
        Self::new(Kind::BadInput, format!("`{field}` must be {rule}"))
    }
}

impl<E: Classify + std::error::Error> From<E> for ApiError {
    fn from(error: E) -> Self {
        let kind = error.kind();
        let mut chain = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            chain.push_str(": ");
            chain.push_str(&cause.to_string());
            source = cause.source();
        }
        // Paths, SQL and other hosts are inside matters.
        let message = match kind {
            Kind::Internal | Kind::Corrupt | Kind::Unavailable | Kind::Timeout => {
                "the collector could not do this; its log says why".to_owned()
            }
            Kind::BadInput
            | Kind::Unauthenticated
            | Kind::Forbidden
            | Kind::NotFound
            | Kind::Conflict
            | Kind::TooLarge
            | Kind::Busy => chain.clone(),
        };
        Self { kind, message, chain }
    }
}

/// The map.
fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::BadInput => StatusCode::BAD_REQUEST,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::Busy => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        Kind::Corrupt | Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Any id that is not used twice will do; this one sorts by time.
fn request_id() -> String {
    use cordon_shared::{entropy::SystemEntropy, time::SystemClock};
    CommandId::random(&SystemClock, &SystemEntropy).to_string()
}

/// Of a refusal that the framework made (chosen: a sentence that names a field).
const SAID_BYTES_MAX: usize = 4 << 10;

/// What the framework refuses before a handler sees it (a path, a method, a query, a body) it says in
/// plain text: who asks gets it as a [`Problem`] like every other.
pub(super) async fn as_problem(response: Response) -> Response {
    let status = response.status();
    // A page's refusal is a page.
    let is_told = |it: &header::HeaderValue| {
        it.as_bytes() == b"application/json" || it.as_bytes().starts_with(b"text/html")
    };
    let is_ours = response.headers().get(header::CONTENT_TYPE).is_some_and(is_told);
    if is_ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let said = axum::body::to_bytes(body, SAID_BYTES_MAX).await.unwrap_or_default();
    let message = match String::from_utf8_lossy(&said).into_owned() {
        empty if empty.is_empty() => {
            status.canonical_reason().unwrap_or("this is refused").to_lowercase()
        }
        message => message,
    };
    let kind = kind(status).as_str().to_owned();
    let problem = Json(Problem { kind, message, request_id: request_id() }).into_response();
    let (made, body) = problem.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.extend(made.headers);
    Response::from_parts(parts, body)
}

/// The kind of a status that the framework chose.
fn kind(status: StatusCode) -> Kind {
    match status {
        StatusCode::NOT_FOUND => Kind::NotFound,
        StatusCode::PAYLOAD_TOO_LARGE => Kind::TooLarge,
        it if it.is_client_error() => Kind::BadInput,
        _ => Kind::Internal,
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let request_id = request_id();
        let status = status(self.kind);
        if status.is_server_error() {
            error!(%request_id, kind = %self.kind, "{}", self.chain);
        } else {
            info!(%request_id, kind = %self.kind, "refused: {}", self.message);
        }
        let problem =
            Problem { kind: self.kind.as_str().to_owned(), message: self.message, request_id };
        (status, Json(problem)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use cordon_shared::error::Kind;
    use expect_test::expect;

    use super::status;

    #[test]
    fn every_kind_has_its_status() {
        let kinds = [
            Kind::BadInput,
            Kind::Unauthenticated,
            Kind::Forbidden,
            Kind::NotFound,
            Kind::Conflict,
            Kind::TooLarge,
            Kind::Busy,
            Kind::Unavailable,
            Kind::Timeout,
            Kind::Corrupt,
            Kind::Internal,
        ];
        let lines: Vec<_> =
            kinds.iter().map(|it| format!("{it} {}", status(*it).as_u16())).collect();
        expect![[r"
            bad_input 400
            unauthenticated 401
            forbidden 403
            not_found 404
            conflict 409
            too_large 413
            busy 429
            unavailable 503
            timeout 504
            corrupt 500
            internal 500"]]
        .assert_eq(&lines.join("\n"));
    }
}
