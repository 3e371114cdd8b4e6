//! `cordon detection`, `cordon incident`, `cordon command`: what was found, and what became of it.

use cordon_collector::api::view;

use super::fleet::{listed, segment};
use crate::{
    args::{Listing, Output, Show},
    client::Client,
    render::{self, Row},
};

/// Entries of a timeline, detections and commands that are shown of one incident (chosen: what a
/// person reads).
const SHOWN_MAX: usize = 200;

/// Detections.
///
/// # Errors
/// What failed.
pub(crate) fn detection(client: &Client, output: Output, show: &Show) -> anyhow::Result<()> {
    each::<view::Detection>(client, output, show, "/api/v1/detections")
}

/// Commands.
///
/// # Errors
/// What failed.
pub(crate) fn command(client: &Client, output: Output, show: &Show) -> anyhow::Result<()> {
    each::<view::Command>(client, output, show, "/api/v1/commands")
}

/// Incidents.
///
/// # Errors
/// What failed.
pub(crate) fn incident(client: &Client, output: Output, show: &Show) -> anyhow::Result<()> {
    match show {
        Show::List(_) => each::<view::Incident>(client, output, show, "/api/v1/incidents"),
        Show::Show { id } => whole(client, output, segment(id)?),
    }
}

fn each<T: Row + serde::de::DeserializeOwned>(
    client: &Client,
    output: Output,
    show: &Show,
    path: &str,
) -> anyhow::Result<()> {
    match show {
        Show::List(listing) => render::list(output, &listed::<T>(client, path, listing)?),
        Show::Show { id } => {
            let item: T = client.get(&format!("{path}/{}", segment(id)?), &Vec::new())?;
            render::one(output, &item)
        }
    }
}

/// An incident with all that belongs to it.
#[derive(serde::Serialize)]
struct Whole {
    #[serde(flatten)]
    incident: view::Incident,
    timeline: Vec<view::Entry>,
    detections: Vec<view::Detection>,
    commands: Vec<view::Command>,
}

fn whole(client: &Client, output: Output, id: &str) -> anyhow::Result<()> {
    let incident: view::Incident = client.get(&format!("/api/v1/incidents/{id}"), &Vec::new())?;
    let path = format!("/api/v1/incidents/{id}/timeline");
    let listing = Listing { limit: SHOWN_MAX };
    let is_its = |of: Option<&str>| of == Some(id);
    let mut detections: Vec<view::Detection> = listed(client, "/api/v1/detections", &listing)?;
    detections.retain(|it| is_its(it.incident_id.as_deref()));
    let mut commands: Vec<view::Command> = listed(client, "/api/v1/commands", &listing)?;
    commands.retain(|it| is_its(it.incident_id.as_deref()));
    let timeline = listed(client, &path, &listing)?;
    let whole = Whole { incident, timeline, detections, commands };
    if output == Output::Json {
        return render::one(output, &whole);
    }
    render::one(output, &whole.incident)?;
    part("phases", &whole.incident.phases)?;
    part("timeline", &whole.timeline)?;
    part("detections", &whole.detections)?;
    part("commands", &whole.commands)
}

fn part<T: Row>(title: &str, items: &[T]) -> anyhow::Result<()> {
    render::say(&format!("\n{title}"));
    render::list(Output::Table, items)
}
