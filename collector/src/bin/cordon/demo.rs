//! `cordon demo`: the main job, all of it, on this machine, on real input.
//!
//! Starts a collector and an agent on a host of its own (a cgroup and a network namespace), does
//! something that looks like an attack and harms nobody, and shows what became of it: the event, the
//! detection, the incident, the kill that automation's key signed, the receipt. Then it does so again
//! while both sides are killed with `kill -9`, and counts.
//!
//! It touches nothing that it did not make; what it made goes when it ends, however it ends
//! ([`watchdog`]). As a plain user it shows less, and says what and why.

mod centre;
mod follow;
mod ground;
mod host;
mod loopback;
mod stage;
mod tally;
mod tell;
mod wait;
pub(crate) mod watchdog;

use std::{path::Path, time::Duration};

use anyhow::{Context as _, bail};
use cordon_shared::{
    id::ProcessUid,
    time::{Clock as _, SystemClock, Timestamp},
};
use tokio::signal::unix::{SignalKind, signal};

use self::{
    centre::Centre,
    ground::Ground,
    host::{Host, Stage},
    stage::Answer,
    tell::Teller,
};
use crate::{args::Demo, command::rule};

/// Programs that are launched while both sides are killed.
const LAUNCHES: u64 = 600;
/// The rule that the deed matches.
const RULE: &str = "shell_with_socket_stdio.yaml";

/// How long each part of the crash lasts (chosen: some hundred launches).
const CRASH_PAUSE: Duration = Duration::from_millis(150);

/// The staged deed, for the hidden verb.
pub(crate) fn stage(cgroup: Option<&Path>) -> anyhow::Result<()> {
    stage::run(cgroup)
}

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
    let mut cast = Cast::gather(ground)?;
    cast.deed()?;
    cast.crash()?;
    cast.stay(options)
}

/// Everything that takes part.
struct Cast<'a> {
    ground: &'a mut Ground,
    made: centre::Made,
    centre: Centre,
    host: Host,
    stage: Stage,
    /// Whether kernel programs see every launch.
    sees_all: bool,
    teller: Teller,
}

/// A shell that was started on the stage.
struct Shell {
    pid: i32,
    uid: ProcessUid,
    at: Timestamp,
}

impl<'a> Cast<'a> {
    /// Makes collector, agent and stage.
    fn gather(ground: &'a mut Ground) -> anyhow::Result<Self> {
        let teller = Teller::new();
        teller.plain(&format!("All that this demo writes is in {}", ground.folder.display()));
        let rule = rule::find(RULE)?;
        let made = centre::make(ground)?;
        let centre = made.serve(ground, &rule)?;
        teller.step(
            "collector",
            &format!("agents {}, people {}", centre.addresses.sessions, centre.addresses.api),
        );
        teller.more(&format!("root's key signed a keyring that arms \"{}\"", rule.title));
        let host = Host::enrol(ground, &centre)?;
        teller.step("agent", &format!("enrolled as {}", host.agent));
        if ground.cgroup.is_none() {
            teller.more(
                "degraded: this user may make no cgroup, so the agent watches what it may of",
            );
            teller.more("the whole host, and only observes: it plans the kill and does not do it");
        }
        let seen = follow::host(&centre.desk, host.agent)?;
        teller.step("session", &format!("of {}, over mutual TLS", seen.name));
        for it in &seen.sensors {
            teller.more(&format!("{:<8} {:<9} {}", it.sensor, it.tier, it.reason));
        }
        let sees_all = seen.sensors.iter().any(|it| it.sensor == "process" && it.tier == "ebpf");
        let stage = Stage::start(ground)?;
        Ok(Self { sees_all, ground, made, centre, host, stage, teller })
    }

    /// A shell with a socket as its standard input and output; what becomes of it, step by step.
    fn deed(&mut self) -> anyhow::Result<()> {
        let shell = self.shell("cordon-demo-1")?;
        self.teller
            .step("deed", &format!("/bin/sh with a socket as stdin and stdout, pid {}", shell.pid));
        self.answer(&shell, shell.at)
    }

    /// The same while both sides are killed, and many short-lived programs that all must arrive.
    fn crash(&mut self) -> anyhow::Result<()> {
        if !self.sees_all {
            self.teller
                .step("crash", "degraded: not shown, this sensor misses short-lived programs");
            return Ok(());
        }
        let marker = "cordon-demo-launch";
        self.stage.tell(&format!("launch {LAUNCHES} {marker}"))?;
        wait::pause(CRASH_PAUSE);
        self.centre.kill()?;
        self.teller.step("crash", &format!("kill -9 of the collector amid {LAUNCHES} launches"));
        wait::pause(CRASH_PAUSE);
        self.host.kill()?;
        self.teller.step("crash", "kill -9 of the agent; its kernel programs go on");
        wait::pause(CRASH_PAUSE);
        self.host.start_again(self.ground)?;
        let Answer::Launched(count) = self.stage.hear()? else { bail!("the stage is confused") };
        let shell = self.shell("cordon-demo-2")?;
        self.teller.step("deed", &format!("again, while the collector is down, pid {}", shell.pid));
        wait::pause(CRASH_PAUSE);
        self.host.kill()?;
        self.teller.step("crash", "kill -9 of the agent, once more");
        self.host.start_again(self.ground)?;
        self.made.serve_again(self.ground, &mut self.centre)?;
        self.teller.step("collector", "is back; times are from here");
        self.answer(&shell, SystemClock.now())?;
        let tally = tally::wait(&self.centre.desk, marker, count)?;
        self.teller.step(
            "lake",
            &format!("{} of {count} launches, {} twice", tally.distinct, tally.repeated),
        );
        tally.judge(count)
    }

    fn shell(&mut self, marker: &str) -> anyhow::Result<Shell> {
        let Answer::Shell { pid, at_ns } = self.stage.ask(&format!("shell {marker}"))? else {
            bail!("the stage is confused")
        };
        Ok(Shell { pid, uid: self.host.uid_of(pid)?, at: Timestamp::from_ns(at_ns) })
    }

    /// Follows a shell to its receipt; times are told from `begin` on.
    fn answer(&mut self, shell: &Shell, begin: Timestamp) -> anyhow::Result<()> {
        let seen = follow::detection(&self.centre.desk, &shell.uid)?;
        let tell = |at: &str, what, text: &str| -> anyhow::Result<()> {
            let at = Timestamp::parse(at).context("read a time")?;
            self.teller.after(at.since(begin), what, text);
            Ok(())
        };
        tell(
            &seen.detection.created,
            "detection",
            &format!("{} ({})", seen.detection.title, seen.detection.severity),
        )?;
        let incident = &seen.incident;
        if Timestamp::parse(&incident.opened).is_some_and(|it| it < shell.at) {
            let text = format!("{}, joined: same host, within five minutes", incident.incident_id);
            tell(&seen.detection.created, "incident", &text)?;
        } else {
            tell(&incident.opened, "incident", &incident.incident_id)?;
        }
        let command = follow::command(&self.centre.desk, &seen.detection)?;
        tell(
            &command.issued,
            "command",
            &format!("{}, signed by {}", what(&command.summary), command.issued_by),
        )?;
        let is_ended =
            command.verdict.as_deref() == Some("complete") && self.ground.cgroup.is_some();
        let asked = if is_ended { "end" } else { "stop" };
        let Answer::Ended { signal, at_ns } = self.stage.ask(asked)? else {
            bail!("the stage is confused")
        };
        if is_ended {
            let signal = signal.context("read how the shell ended: not by a signal")?;
            let at = Timestamp::from_ns(at_ns);
            self.teller.after(at.since(begin), "ended", &format!("the shell, by signal {signal}"));
        }
        let verdict = command.verdict.as_deref().unwrap_or("none");
        let closed = command.closed.as_deref().context("read when the command was closed")?;
        tell(closed, "receipt", &format!("{verdict}{}", took(command.duration_ms)))?;
        if self.ground.cgroup.is_some() && verdict != "complete" {
            bail!(
                "the kill was not complete: {}",
                command.detail.as_deref().unwrap_or("no detail")
            );
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
