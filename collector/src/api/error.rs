//! Kind → HTTP status: the only such map. What leaves is the kind, a sentence, and a request id;
//! the chain of causes stays in the log under that id.

use axum::{
    Json,
    http::StatusCode,
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

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        use cordon_shared::{entropy::SystemEntropy, time::SystemClock};
        // Any id that is not used twice will do; this one sorts by time.
        let request_id = CommandId::random(&SystemClock, &SystemEntropy).to_string();
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
