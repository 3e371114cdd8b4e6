//! The story: one host is broken into, and people and automation carry the incident to its end.
//!
//! What people do is done with the responders' own tool, by the same lines that they would type.

mod close;
mod contain;
mod eradicate;
pub(super) mod intruder;

use anyhow::{Context as _, bail};
use cordon_shared::time::Timestamp;
use serde_json::Value;

use super::{
    Cast,
    far::{Far, Session},
    follow,
    host::Host,
    prompter::Stage,
    site::{self, Account, Place, Site},
    stage::Answer,
    tool::{Tool, text},
};

/// Everything that the incident is about.
struct Scene {
    far: Far,
    /// The host that is broken into.
    web: Host,
    /// The host that has the same file, from before.
    db: Host,
    stage: Stage,
    /// The intruder's end of its shell.
    session: Session,
    /// Its shell's process id.
    shell: i32,
    account: Account,
    tool: Tool,
    incident: String,
}

/// Plays it.
///
/// # Errors
/// What failed.
pub(super) fn play(cast: &mut Cast<'_>, site: &mut Site) -> anyhow::Result<()> {
    let mut scene = break_in(cast, site)?;
    contain::play(cast, &mut scene)?;
    eradicate::play(cast, &mut scene)?;
    close::release(cast, &mut scene)?;
    close::judge(cast, &scene)?;
    close::close(cast, &scene)?;
    close::report(cast, &scene)
}

impl Scene {
    /// Has the responder order something for the incident; the verdict of each command.
    fn order(&self, arguments: &[&str], reason: &str) -> anyhow::Result<Vec<String>> {
        let why = ["--incident", &self.incident, "--reason", reason];
        let done = self.tool.order(&[arguments, &why].concat())?;
        Ok(done.iter().map(|it| text(it, "verdict").to_owned()).collect())
    }

    fn place(&self) -> anyhow::Result<&Place> {
        self.web.place.as_ref().context("find the host")
    }
}

/// Two hosts, of which one is broken into, up to automation's answer.
fn break_in(cast: &mut Cast<'_>, site: &mut Site) -> anyhow::Result<Scene> {
    let (far, account) = (site.far()?, site.account().clone());
    let place = site.host(site::DB)?;
    intruder::bring(&place, &account)?;
    let (db, _) = cast.host(site::DB, Some(place))?;
    let place = site.host(site::WEB)?;
    let (web, _) = cast.host(site::WEB, Some(place))?;
    let mut stage = Stage::start(cast.ground, &web, Some(&account))?;
    stage.tell(&format!("call {}", Far::address()))?;
    let mut session = far.answer()?;
    let Answer::Begun { pid, at_ns } = stage.hear()? else { bail!("the stage is confused") };
    let begin = Timestamp::from_ns(at_ns);
    cast.teller.step("intruder", &format!("a web server's child is its shell, pid {pid}"));
    session.say(&intruder::settle(&account))?;
    session.say(&intruder::rewrite())?;
    cast.teller
        .more(&format!("it brings {}, adds a line to a crontab and a key to", intruder::PROGRAM));
    cast.teller.more("authorized_keys, and begins to rewrite what the web server serves");
    let command = follow::automatic(&cast.centre.desk, web.agent)?;
    let tool = Tool::new(cast.ground, &cast.made, &cast.centre)?;
    let incident = command.incident_id.clone().context("read which incident it is")?;
    let mut scene = Scene { far, web, db, stage, session, shell: pid, account, tool, incident };
    found(cast, &scene, begin)?;
    let ordered = super::what(&command.summary);
    tell(
        cast,
        begin,
        &command.issued,
        "command",
        &format!("{ordered}, signed by {}", command.issued_by),
    )?;
    let verdict = command.verdict.as_deref().unwrap_or("none");
    let closed = command.closed.as_deref().unwrap_or_default();
    tell(
        cast,
        begin,
        closed,
        "receipt",
        &format!("{verdict}{}", super::took(command.duration_ms)),
    )?;
    let rewritten = intruder::rewritten(scene.place()?)?;
    cast.teller.more(&format!("{rewritten} of {} documents were rewritten", site::DOCUMENTS));
    anyhow::ensure!(
        verdict == "complete",
        "automation's kill was not complete: {:?}",
        command.detail
    );
    anyhow::ensure!(!scene.session.hear(ALIVE_WITHIN).is_empty(), "the shell says nothing");
    Ok(scene)
}

/// How long the shell may take to answer.
const ALIVE_WITHIN: std::time::Duration = std::time::Duration::from_secs(2);

/// What was detected until now, and the incident that it became.
fn found(cast: &Cast<'_>, scene: &Scene, begin: Timestamp) -> anyhow::Result<()> {
    let detections = scene.tool.ask(&["detection", "list"])?;
    let mut detections: Vec<&Value> = detections.as_array().into_iter().flatten().collect();
    detections.retain(|it| text(it, "incident_id") == scene.incident);
    detections.sort_by_key(|it| text(it, "created").to_owned());
    for it in detections {
        let what = format!("{} ({})", text(it, "title"), text(it, "severity"));
        tell(cast, begin, text(it, "created"), "detection", &what)?;
    }
    cast.teller.more(&format!("all of one incident: {}", scene.incident));
    Ok(())
}

fn tell(cast: &Cast<'_>, begin: Timestamp, at: &str, what: &str, said: &str) -> anyhow::Result<()> {
    let at = Timestamp::parse(at).context("read a time")?;
    cast.teller.after(at.since(begin), what, said);
    Ok(())
}
