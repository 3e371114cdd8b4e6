//! `cordon detection`, `cordon incident`, `cordon command`: what was found, and what became of it.

use cordon_collector::api::view;

use super::fleet::{listed, segment};
use crate::{
    args::{Output, Show},
    client::Client,
    render::{self, Row},
};

/// Entries of a timeline that are shown (chosen: more than a person reads).
const ENTRIES_MAX: usize = 2_000;
/// Detections, and commands, that are asked for one by one (chosen: a few seconds of questions).
const NAMED_MAX: usize = 200;

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
    let timeline: Vec<view::Entry> = client.list(&path, &Vec::new(), ENTRIES_MAX)?;
    let detections = named(client, &timeline, "detection", "/api/v1/detections")?;
    let commands = named(client, &timeline, "command", "/api/v1/commands")?;
    let whole = Whole { incident, timeline, detections, commands };
    if output == Output::Json {
        return render::one(output, &whole);
    }
    render::one(output, &whole.incident)?;
    part("Phases", &whole.incident.phases)?;
    part("Timeline", &whole.timeline)?;
    part("Detections", &whole.detections)?;
    part("Commands", &whole.commands)
}

/// What the timeline names, in the order in which it first does.
fn named<T: serde::de::DeserializeOwned>(
    client: &Client,
    timeline: &[view::Entry],
    kind: &str,
    path: &str,
) -> anyhow::Result<Vec<T>> {
    let ids = ids(timeline, kind);
    ids.iter().map(|id| client.get(&format!("{path}/{}", segment(id)?), &Vec::new())).collect()
}

/// The ids behind `detection ID` or `command ID`, each once.
fn ids<'a>(timeline: &'a [view::Entry], kind: &str) -> Vec<&'a str> {
    let mut ids = Vec::new();
    for entry in timeline {
        if let Some((it, id)) = entry.object.split_once(' ')
            && it == kind
            && !ids.contains(&id)
        {
            ids.push(id);
        }
    }
    ids.truncate(NAMED_MAX);
    ids
}

fn part<T: Row>(title: &str, items: &[T]) -> anyhow::Result<()> {
    render::say(&format!("\n{title}"))?;
    render::list(Output::Table, items)
}

#[cfg(test)]
mod tests {
    use cordon_collector::api::view;

    use super::ids;

    #[test]
    fn a_timeline_names_each_thing_once() {
        let entry = |object: &str| view::Entry {
            number: 1,
            at: String::new(),
            recorded: String::new(),
            kind: String::new(),
            actor: String::new(),
            text: String::new(),
            object: object.to_owned(),
        };
        let timeline = ["incident a", "detection b", "command c", "detection d", "detection b"];
        let timeline = timeline.map(entry);
        assert_eq!(ids(&timeline, "detection"), ["b", "d"]);
        assert_eq!(ids(&timeline, "command"), ["c"]);
    }
}
