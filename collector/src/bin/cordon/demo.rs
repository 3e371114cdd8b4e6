//! `cordon demo`: the main job, all of it, on this machine, on real input.
//!
//! Starts a collector and hosts of its own (each a cgroup, a network, a name and folders, with an agent
//! that sees nothing else), has one of them broken into by real processes that harm nobody, and shows
//! what becomes of it, from the first event on ([`story`]). Then it does a deed again while both sides
//! are killed with `kill -9`, and counts ([`crash`]).
//!
//! It touches nothing that it did not make; what it made goes when it ends, however it ends
//! ([`watchdog`]). As a plain user it shows less, and says what and why.

mod apart;
mod centre;
mod crash;
mod door;
mod far;
mod follow;
mod ground;
mod host;
mod netlink;
mod probe;
mod prompter;
mod site;
pub(crate) mod stage;
mod story;
mod tally;
mod tell;
mod tool;
mod wait;
pub(crate) mod watchdog;
mod wire;

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context as _, bail};
use cordon_shared::{id::ProcessUid, time::Timestamp};
use tokio::signal::unix::{SignalKind, signal};

use self::{
    centre::Centre,
    ground::Ground,
    host::Host,
    prompter::Stage,
    site::{CENTRE, Place, Site},
    stage::Answer,
    tell::Teller,
};
use crate::{args::Demo, command::rule};

/// The rule that is armed where the hosts have networks of their own: what an intruder brought is
/// ended by automation, what it came in by is left to people.
const RULE: &str = "execution_from_temporary_folder_by_service.yaml";
/// The rule that is armed elsewhere.
const RULE_PLAIN: &str = "shell_with_socket_stdio.yaml";

/// Plays the demo.
///
/// # Errors
/// What failed, after everything was removed but the folder with the logs.
pub(crate) fn run(options: &Demo) -> anyhow::Result<()> {
    let mut ground = Ground::make(options.keep)?;
    let folder = ground.folder.clone();
    let played = play(&mut ground, options);
    if played.is_err() {
        ground.keep()?;
    }
    ground.clear()?;
    played.with_context(|| format!("play the demo; its logs are in {}", folder.display()))
}

fn play(ground: &mut Ground, options: &Demo) -> anyhow::Result<()> {
    let site = Site::make(&ground.folder);
    let mut cast = Cast::gather(ground, site.is_ok())?;
    match site {
        Ok(mut site) => {
            cast.centre.door = door::open(site.outside()?, cast.centre.api()?)?.to_string();
            story::play(&mut cast, &mut site)?;
            cast.crash_on_a_host_of_its_own(&mut site)?;
        }
        Err(why) => {
            cast.teller.more(&format!("degraded: no host of the demo's own can be made: {why:#}"));
            cast.plain()?;
        }
    }
    cast.stay(options)
}

/// Everything that takes part.
struct Cast<'a> {
    ground: &'a mut Ground,
    made: centre::Made,
    centre: Centre,
    /// The id of the rule that automation may act on.
    armed: String,
    teller: Teller,
}

/// Something that was started on a stage.
struct Begun {
    pid: i32,
    uid: ProcessUid,
    at: Timestamp,
}

impl<'a> Cast<'a> {
    /// Makes the collector.
    fn gather(ground: &'a mut Ground, is_apart: bool) -> anyhow::Result<Self> {
        let teller = Teller::new();
        teller.plain(&format!("All that this demo writes is in {}", ground.folder.display()));
        let rule = rule::find(if is_apart { RULE } else { RULE_PLAIN })?;
        let [own, _] = wire::addresses(CENTRE);
        let at = if is_apart { own } else { IpAddr::V4(Ipv4Addr::LOCALHOST) };
        let made = centre::make(ground, at)?;
        let centre = made.serve(ground, &rule)?;
        teller.step(
            "collector",
            &format!("agents {}, people {}", centre.addresses.sessions, centre.addresses.api),
        );
        teller.more(&format!("root's key signed a keyring that arms \"{}\"", rule.title));
        teller.more("and names a responder, whose key the collector never sees");
        Ok(Self { ground, made, centre, armed: rule.id, teller })
    }

    /// One more host, once its agent is connected; says whether kernel programs see every launch.
    fn host(&mut self, name: &str, place: Option<Place>) -> anyhow::Result<(Host, bool)> {
        let host = Host::enrol(self.ground, &self.centre, name, place)?;
        let seen = follow::host(&self.centre.desk, host.agent)?;
        self.teller.step("host", &format!("{}, over mutual TLS, as {}", seen.name, host.agent));
        let sees_all = seen.sensors.iter().any(|it| it.sensor == "process" && it.tier == "ebpf");
        if host.cgroup.is_none() {
            self.teller
                .more("degraded: this user may make no cgroup, so the agent watches what it");
            self.teller.more("may of the whole host, and only observes: it plans and does not act");
        }
        for it in &seen.sensors {
            self.teller.more(&format!("{:<8} {:<9} {}", it.sensor, it.tier, it.reason));
        }
        Ok((host, sees_all))
    }

    /// One deed, from event to receipt, and the crash, on the machine itself.
    fn plain(&mut self) -> anyhow::Result<()> {
        let (mut host, sees_all) = self.host("host", None)?;
        let mut stage = Stage::start(self.ground, &host, None)?;
        let shell = self.begin(&host, &mut stage, "shell cordon-demo-1")?;
        let what = format!("/bin/sh with a socket as stdin and stdout, pid {}", shell.pid);
        self.teller.step("deed", &what);
        self.answer(&host, &mut stage, &shell, shell.at)?;
        crash::play(self, &mut host, &mut stage, "shell cordon-demo-2", sees_all)
    }

    /// The crash, beside the story and not in it.
    fn crash_on_a_host_of_its_own(&mut self, site: &mut Site) -> anyhow::Result<()> {
        let place = site.host(site::BUILD)?;
        story::intruder::bring(&place, site.account())?;
        let (mut host, sees_all) = self.host(site::BUILD, Some(place))?;
        let mut stage = Stage::start(self.ground, &host, Some(site.account()))?;
        let deed = format!("program {} cordon-demo-2", story::intruder::PROGRAM);
        crash::play(self, &mut host, &mut stage, &deed, sees_all)
    }

    /// Has a stage start something.
    fn begin(&self, host: &Host, stage: &mut Stage, what: &str) -> anyhow::Result<Begun> {
        let Answer::Begun { pid, at_ns } = stage.ask(what)? else { bail!("the stage is confused") };
        Ok(Begun { pid, uid: host.uid_of(pid)?, at: Timestamp::from_ns(at_ns) })
    }

    /// Follows what was started to its receipt; times are told from `begin` on.
    fn answer(
        &self,
        host: &Host,
        stage: &mut Stage,
        begun: &Begun,
        begin: Timestamp,
    ) -> anyhow::Result<()> {
        let seen = follow::detection(&self.centre.desk, &begun.uid, &self.armed)?;
        let tell = |at: &str, what, text: &str| -> anyhow::Result<()> {
            let at = Timestamp::parse(at).context("read a time")?;
            self.teller.after(at.since(begin), what, text);
            Ok(())
        };
        let found = format!("{} ({})", seen.detection.title, seen.detection.severity);
        tell(&seen.detection.created, "detection", &found)?;
        let incident = &seen.incident;
        if Timestamp::parse(&incident.opened).is_some_and(|it| it < begun.at) {
            let text = format!("{}, joined: same host, within five minutes", incident.incident_id);
            tell(&seen.detection.created, "incident", &text)?;
        } else {
            tell(&incident.opened, "incident", &incident.incident_id)?;
        }
        let command = follow::command(&self.centre.desk, &seen.detection)?;
        let ordered = format!("{}, signed by {}", what(&command.summary), command.issued_by);
        tell(&command.issued, "command", &ordered)?;
        let is_ended = command.verdict.as_deref() == Some("complete") && host.cgroup.is_some();
        let asked = if is_ended { "end" } else { "stop" };
        let Answer::Ended { signal, at_ns } = stage.ask(asked)? else {
            bail!("the stage is confused")
        };
        if is_ended {
            let signal = signal.context("read how it ended: not by a signal")?;
            let at = Timestamp::from_ns(at_ns);
            let ended = format!("pid {}, by signal {signal}", begun.pid);
            self.teller.after(at.since(begin), "ended", &ended);
        }
        let verdict = command.verdict.as_deref().unwrap_or("none");
        let closed = command.closed.as_deref().context("read when the command was closed")?;
        tell(closed, "receipt", &format!("{verdict}{}", took(command.duration_ms)))?;
        if host.cgroup.is_some() && verdict != "complete" {
            let detail = command.detail.as_deref().unwrap_or("no detail");
            bail!("the kill was not complete: {detail}");
        }
        Ok(())
    }

    /// Stays up for as long as a person wants to look.
    fn stay(&mut self, options: &Demo) -> anyhow::Result<()> {
        if options.exit {
            return Ok(());
        }
        for line in self.made.how_to_look(&self.centre) {
            self.teller.plain(&line);
        }
        ctrl_c()
    }
}

/// What a command does, without why: that was said before.
fn what(summary: &str) -> &str {
    summary.split_once(": ").map_or(summary, |(what, _)| what)
}

fn took(duration_ms: Option<u64>) -> String {
    duration_ms.map_or_else(String::new, |ms| format!(", {ms} ms after the signature"))
}

/// Waits for a person's Ctrl-C, or for a polite request to stop.
fn ctrl_c() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut term = signal(SignalKind::terminate())?;
        tokio::select! {
            done = tokio::signal::ctrl_c() => done?,
            _ = term.recv() => (),
        }
        Ok(())
    })
}
