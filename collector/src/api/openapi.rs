//! The document: made from the handlers themselves, committed as `openapi/collector.json`, and
//! compared in a test.

use std::sync::Arc;

use axum::{http::header, response::IntoResponse};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    Api, audit, command, detection, event, evidence, health, incident, keyring, live, report, rule,
    suppression, suspicion, token,
};

#[derive(OpenApi)]
#[openapi(info(
    title = "Cordon collector",
    description = "The responders' side of a Cordon collector. Every verb of `cordon` is a call of this."
))]
struct Document;

/// Every route with its description.
pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(super::agent::list))
        .routes(routes!(super::agent::show))
        .routes(routes!(super::agent::approve))
        .routes(routes!(super::agent::revoke))
        .routes(routes!(token::list, token::create))
        .routes(routes!(detection::list))
        .routes(routes!(detection::show))
        .routes(routes!(suspicion::report))
        .routes(routes!(suppression::list, suppression::create))
        .routes(routes!(suppression::end))
        .routes(routes!(incident::list, incident::act::open))
        .routes(routes!(incident::show))
        .routes(routes!(incident::timeline))
        .routes(routes!(incident::act::assign))
        .routes(routes!(incident::act::verdict))
        .routes(routes!(incident::act::severity))
        .routes(routes!(incident::act::note))
        .routes(routes!(incident::act::add_task))
        .routes(routes!(incident::act::change_task))
        .routes(routes!(incident::act::scope))
        .routes(routes!(incident::passage::phase))
        .routes(routes!(incident::passage::close))
        .routes(routes!(incident::act::reopen))
        .routes(routes!(report::show))
        .routes(routes!(command::list, command::issue))
        .routes(routes!(command::show))
        .routes(routes!(evidence::list))
        .routes(routes!(evidence::show))
        .routes(routes!(evidence::content))
        .routes(routes!(command::withdraw))
        .routes(routes!(command::leases))
        .routes(routes!(command::ledger))
        .routes(routes!(keyring::show, keyring::install))
        .routes(routes!(rule::list))
        .routes(routes!(rule::reload))
        .routes(routes!(audit::list))
        .routes(routes!(audit::verify))
        .routes(routes!(event::list))
        .routes(routes!(event::count))
        .routes(routes!(event::show))
        .routes(routes!(live::live))
        .routes(routes!(health::status))
        .routes(routes!(health::metrics))
}

/// The document as text.
pub(super) fn text() -> String {
    let (_, document) = routes().split_for_parts();
    let mut text = document.to_pretty_json().expect("a description has a JSON form");
    text.push('\n');
    text
}

/// Serves the document.
pub(super) async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], text())
}

#[cfg(test)]
mod tests {
    /// `UPDATE_EXPECT=1` writes the file.
    #[test]
    fn the_committed_document_is_the_one_that_is_served() {
        expect_test::expect_file!["../../openapi/collector.json"].assert_eq(&super::text());
    }
}
