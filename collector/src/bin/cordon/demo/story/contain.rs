//! Containment: a person cuts the host off, and the far end counts.

use anyhow::ensure;

use super::{
    super::{Cast, far, probe, tool::text},
    Scene,
};

/// Isolates the host, and proves it.
///
/// # Errors
/// What failed, or what got out.
pub(super) fn play(cast: &mut Cast<'_>, scene: &mut Scene) -> anyhow::Result<()> {
    let before = heard(scene)?;
    let incident = scene.incident.clone();
    let name = scene.web.agent.to_string();
    let reason = "an intruder has a shell";
    let done =
        scene.tool.order(&["isolate", &name, "--incident", &incident, "--reason", reason])?;
    let verdict = done.first().map(|it| text(it, "verdict")).unwrap_or_default();
    cast.teller.step("isolate", &format!("{verdict}: by a responder's key, from the command line"));
    let after = heard(scene)?;
    let ways = probe::kinds(&before);
    cast.teller.more(&format!("the far end heard {} packets before: {ways}", before.len()));
    cast.teller
        .more(&format!("and {} since, of the same ways tried, over IPv4 and IPv6", after.len()));
    ensure!(after.is_empty(), "packets got out of an isolated host: {}", probe::kinds(&after));
    // It may be said, and nobody hears it any more.
    let told = scene.session.say("id\n");
    let is_cut = told.is_err() || scene.session.hear(SILENT_FOR).is_empty();
    ensure!(is_cut, "the intruder's shell still answers");
    cast.teller.more("the intruder's shell answers no more");
    Ok(())
}

/// How long a shell that is not cut off takes to answer, many times over.
const SILENT_FOR: std::time::Duration = std::time::Duration::from_millis(300);

/// Tries every way out; what the far end heard of it.
pub(super) fn heard(scene: &mut Scene) -> anyhow::Result<Vec<probe::Kind>> {
    scene.far.forget();
    let place = scene.place()?;
    place.apart.within(|| {
        probe::every_way_to(far::NUMBER);
        Ok(())
    })?;
    Ok(scene.far.heard_from(place.number))
}
