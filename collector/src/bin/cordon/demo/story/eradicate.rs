//! Eradication: evidence first, then the fleet is asked, the traces are removed, and it is asked again.

use std::time::Duration;

use anyhow::ensure;
use serde_json::Value;

use super::{
    super::{Cast, stage::Answer, tool::text, wait},
    Scene, intruder,
};

/// How long a snapshot may take to arrive (chosen: ten times what it takes).
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);

/// Takes evidence, sweeps, removes, and sweeps again.
///
/// # Errors
/// What failed, or was left.
pub(super) fn play(cast: &mut Cast<'_>, scene: &mut Scene) -> anyhow::Result<()> {
    evidence(cast, scene)?;
    let hits = sweep(cast, scene)?;
    ensure!(hits == 2, "the file is on two hosts, and was found on {hits}");
    kill(cast, scene)?;
    remove(cast, scene)?;
    let hits = sweep(cast, scene)?;
    ensure!(hits == 0, "the file is still on {hits} hosts");
    Ok(())
}

/// A snapshot of the host as it is, held still: whole, and signed by its agent.
fn evidence(cast: &Cast<'_>, scene: &Scene) -> anyhow::Result<()> {
    let name = scene.web.agent.to_string();
    let verdicts = scene.order(&["snapshot", &name], "evidence before anything is changed")?;
    cast.teller.step("snapshot", &format!("{}: {}", scene.web.name, verdicts.join(", ")));
    let id = wait::until("the snapshot has arrived", ARRIVES_WITHIN, || {
        let listed = scene.tool.ask(&["evidence", "list"])?;
        let mut listed = listed.as_array().into_iter().flatten();
        Ok(listed
            .find(|it| text(it, "state") == "held")
            .map(|it| text(it, "evidence_id").to_owned()))
    })?;
    let file = cast.ground.folder.join("evidence.tar.zst").display().to_string();
    scene.tool.run(&["evidence", "export", &id, "--out", &file])?;
    scene.tool.run(&["evidence", "verify", &file])?;
    cast.teller.more(&format!("verified offline: {file}"));
    Ok(())
}

/// Asks every host for a file; on how many it is.
fn sweep(cast: &Cast<'_>, scene: &Scene) -> anyhow::Result<usize> {
    let of = [&scene.incident, "--path", intruder::PROGRAM, "--all"];
    let asked = [["sweep"].as_slice(), &of, &["--reason", "where else is it?"]].concat();
    let answers = scene.tool.order(&asked)?;
    let is_hit =
        |it: &&Value| it.get("findings").and_then(Value::as_array).is_some_and(|it| !it.is_empty());
    let (hits, all) = (answers.iter().filter(is_hit).count(), answers.len());
    let unanswered = answers.iter().filter(|it| text(it, "verdict").is_empty()).count();
    let clean = all - hits - unanswered;
    cast.teller.step("sweep", &format!("{hits} hit, {clean} clean, {unanswered} unanswered"));
    ensure!(unanswered == 0, "not all hosts answered");
    Ok(hits)
}

/// Ends the shell that was held still.
fn kill(cast: &Cast<'_>, scene: &mut Scene) -> anyhow::Result<()> {
    let (name, shell) = (scene.web.agent.to_string(), scene.shell.to_string());
    let verdicts = scene.order(&["kill", &name, "--pid", &shell, "--tree"], "evidence is taken")?;
    cast.teller.step("kill", &format!("the shell: {}", verdicts.join(", ")));
    let Answer::Ended { signal, .. } = scene.stage.ask("end")? else {
        anyhow::bail!("the stage is confused")
    };
    ensure!(signal.is_some(), "the shell ended by itself");
    Ok(())
}

/// Takes away what the intruder left: its program on both hosts, and two ways to come back.
fn remove(cast: &Cast<'_>, scene: &Scene) -> anyhow::Result<()> {
    let (web, db) = (scene.web.agent.to_string(), scene.db.agent.to_string());
    let crontab = intruder::crontab(&scene.account);
    let orders: [(&str, &[&str]); 4] = [
        ("quarantine", &["quarantine", &web, intruder::PROGRAM]),
        ("quarantine", &["quarantine", &db, intruder::PROGRAM]),
        ("remove", &["remove", &web, "--cron", &crontab, intruder::CRON_LINE]),
        ("remove", &["remove", &web, "--authorized-key", intruder::KEY_FILE, intruder::KEY_LINE]),
    ];
    for (what, order) in orders {
        let verdicts = scene.order(order, "a trace of the intruder")?;
        let told: Vec<&str> =
            order.iter().skip(2).copied().filter(|it| it.starts_with('/')).collect();
        cast.teller.step(what, &format!("{}: {}", told.join(" "), verdicts.join(", ")));
    }
    let place = scene.place()?;
    for (file, line) in
        [(crontab.as_str(), intruder::CRON_LINE), (intruder::KEY_FILE, intruder::KEY_LINE)]
    {
        let left = std::fs::read_to_string(place.path(file)).unwrap_or_default();
        ensure!(!left.contains(line), "`{line}` is still in `{file}`");
    }
    Ok(())
}
