//! `cordon audit`: who did what, and whether the log of it is whole.

use cordon_collector::api::view;

use super::fleet::listed;
use crate::{
    args::{Audit, Output},
    client::Client,
    failure::{Failure, Why},
    render,
};

/// The audit log.
///
/// # Errors
/// What failed; also that the log is broken.
pub(crate) fn run(client: &Client, output: Output, audit: &Audit) -> anyhow::Result<()> {
    match audit {
        Audit::List(listing) => {
            let rows: Vec<view::Audit> = listed(client, "/api/v1/audit", listing)?;
            render::list(output, &rows)
        }
        Audit::Verify => {
            let wait = render::wait("walking the chain");
            let verdict: view::AuditVerdict = client.get("/api/v1/audit/verify", &Vec::new())?;
            drop(wait);
            render::one(output, &verdict)?;
            if verdict.is_whole {
                return Ok(());
            }
            let text = format!(
                "the audit log is broken after row {}: rows were changed or taken out behind the \
                 collector's back; keep a copy of its state before anything else",
                verdict.rows
            );
            Err(Failure::new(Why::Failed, text).into())
        }
    }
}
