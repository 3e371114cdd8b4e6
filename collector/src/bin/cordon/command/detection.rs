//! `cordon detection` and `cordon report-suspicion`: what was found, what people saw, and what is
//! kept from becoming an incident.

use cordon_collector::api::view;
use cordon_shared::time::{Clock as _, SystemClock, Timestamp};

use super::{
    case, event,
    fleet::{listed, segment},
};
use crate::{
    args::{
        Output, Show,
        detection::{Detection, Suppress, Suspicion},
    },
    client::Client,
    failure::{Failure, Why},
    render,
};

/// Detections, and what keeps some back.
///
/// # Errors
/// What failed.
pub(crate) fn run(client: &Client, output: Output, asked: &Detection) -> anyhow::Result<()> {
    match asked {
        Detection::List(listing) => case::detection(client, output, &Show::List(listing.clone())),
        Detection::Show { id } => case::detection(client, output, &Show::Show { id: id.clone() }),
        Detection::Suppress(asked) => suppress(client, output, asked),
        Detection::Suppressions(listing) => {
            let rows: Vec<view::Suppression> = listed(client, "/api/v1/suppressions", listing)?;
            render::list(output, &rows)
        }
        Detection::Unsuppress { id, reason } => {
            let path = format!("/api/v1/suppressions/{}/end", segment(id)?);
            let body = view::Reason { reason: reason.clone() };
            render::one(output, &client.post::<view::Suppression>(&path, &body)?)
        }
    }
}

fn suppress(client: &Client, output: Output, asked: &Suppress) -> anyhow::Result<()> {
    let new = view::NewSuppression {
        rule: asked.rule.clone(),
        host: asked.host.clone(),
        owner: asked.owner.clone(),
        until: end(&asked.until, SystemClock.now())?,
        reason: asked.reason.clone(),
    };
    render::one(output, &client.post::<view::Suppression>("/api/v1/suppressions", &new)?)
}

/// Reports something odd.
///
/// # Errors
/// What failed.
pub(crate) fn report(client: &Client, output: Output, asked: &Suspicion) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let at = asked.time.as_deref().map(|it| event::moment(it, now)).transpose()?;
    let new = view::NewSuspicion {
        host: asked.host.clone(),
        text: asked.text.clone(),
        file: asked.file.clone(),
        process_uid: asked.process.clone(),
        at,
    };
    render::one(output, &client.post::<view::Detection>("/api/v1/suspicions", &new)?)
}

/// A day, a moment, or so long from now.
fn end(text: &str, now: Timestamp) -> anyhow::Result<String> {
    let day = format!("{text}T00:00:00Z");
    if let Some(at) = Timestamp::parse(text).or_else(|| Timestamp::parse(&day)) {
        return Ok(at.to_string());
    }
    let ahead = crate::args::duration(text).map_err(|_no| {
        let text = format!(
            "`{text}` is no end: give `2026-12-24`, `2026-12-24T18:00:00Z`, or `30d` from now"
        );
        Failure::new(Why::Usage, text)
    })?;
    Ok(now.saturating_add(ahead).to_string())
}

#[cfg(test)]
mod tests {
    use cordon_shared::time::Timestamp;

    use super::end;

    #[test]
    fn an_end_is_a_day_a_moment_or_so_long_from_now() {
        let now = Timestamp::from_ns(1_764_000_000_000_000_000);
        assert_eq!(end("2026-12-24", now).unwrap(), "2026-12-24T00:00:00.000Z");
        assert_eq!(end("2026-12-24T18:30:00Z", now).unwrap(), "2026-12-24T18:30:00.000Z");
        assert_eq!(end("30d", now).unwrap(), "2025-12-24T16:00:00.000Z");
        for bad in ["", "tomorrow", "2026-13-01", "30"] {
            assert!(end(bad, now).is_err(), "{bad}");
        }
    }
}
