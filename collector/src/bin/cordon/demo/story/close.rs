//! The end of the incident: the host is let back, and what happened is written up.

use std::path::PathBuf;

use anyhow::ensure;

use super::{
    super::{Cast, probe},
    Scene, contain,
};

/// Releases the host, and proves it.
///
/// # Errors
/// What failed, or that the host is still cut off.
pub(super) fn release(cast: &mut Cast<'_>, scene: &mut Scene) -> anyhow::Result<()> {
    let name = scene.web.agent.to_string();
    let verdicts = scene.order(&["release", &name], "the intruder's traces are gone")?;
    let heard = contain::heard(scene)?;
    cast.teller.step("release", &format!("{}: {}", scene.web.name, verdicts.join(", ")));
    let ways = probe::kinds(&heard);
    cast.teller.more(&format!("the far end hears {} packets again: {ways}", heard.len()));
    ensure!(!heard.is_empty(), "nothing gets out of a released host");
    Ok(())
}

/// Has the report written, and says where.
///
/// # Errors
/// What failed.
pub(super) fn report(cast: &mut Cast<'_>, scene: &Scene) -> anyhow::Result<()> {
    for (format, file) in [("html", "report.html"), ("md", "report.md")] {
        let path: PathBuf = cast.ground.folder.join(file);
        let out = path.display().to_string();
        scene.tool.run(&["report", &scene.incident, "--format", format, "--out", &out])?;
        cast.teller.step("report", &out);
    }
    Ok(())
}

/// Says what people decided about the incident.
///
/// # Errors
/// What failed.
pub(super) fn judge(cast: &Cast<'_>, scene: &Scene) -> anyhow::Result<()> {
    let id = &scene.incident;
    scene.tool.run(&["incident", "assign", id, "responder"])?;
    let reason = "a shell of the far end, and what it did";
    scene.tool.run(&["incident", "verdict", id, "true_positive", "--reason", reason])?;
    scene.tool.run(&["incident", "scope", id, "--add", &scene.db.agent.to_string()])?;
    cast.teller.step("incident", "led by the responder, a true positive; db-1 is in scope");
    Ok(())
}

/// Closes the incident: what its gates still wait for is said, and goes on record.
///
/// # Errors
/// What failed.
pub(super) fn close(cast: &Cast<'_>, scene: &Scene) -> anyhow::Result<()> {
    let id = &scene.incident;
    if let Some(refused) = scene.tool.refused(&["incident", "close", id])? {
        cast.teller.step("close", "refused:");
        for line in refused.lines() {
            cast.teller.more(line.trim());
        }
        let reason = "the demo watches for seconds, where people watch for days";
        scene.tool.run(&["incident", "close", id, "--override", reason])?;
        cast.teller.step("close", "by override; its reason is on record and in the report");
    } else {
        cast.teller.step("close", "every gate was passed");
    }
    Ok(())
}
