//! The deed once more, while both sides are killed, and many short-lived programs that all must arrive.

use std::time::Duration;

use anyhow::bail;
use cordon_shared::time::{Clock as _, SystemClock};

use super::{Cast, host::Host, prompter::Stage, stage::Answer, tally, wait};

/// Programs that are launched while both sides are killed.
const LAUNCHES: u64 = 600;
/// How long each part of the crash lasts (chosen: some hundred launches).
const PAUSE: Duration = Duration::from_millis(150);
/// The argument that marks them.
const MARKER: &str = "cordon-demo-launch";

/// Plays it; `deed` is what the stage is asked for.
///
/// # Errors
/// What failed, or that not all arrived, once.
pub(super) fn play(
    cast: &mut Cast<'_>,
    host: &mut Host,
    stage: &mut Stage,
    deed: &str,
    sees_all: bool,
) -> anyhow::Result<()> {
    if !sees_all {
        let text = "degraded: not shown, this sensor misses short-lived programs";
        cast.teller.step("crash", text);
        return Ok(());
    }
    stage.tell(&format!("launch {LAUNCHES} {MARKER}"))?;
    wait::pause(PAUSE);
    cast.centre.kill()?;
    cast.teller.step("crash", &format!("kill -9 of the collector amid {LAUNCHES} launches"));
    wait::pause(PAUSE);
    host.kill()?;
    cast.teller.step("crash", "kill -9 of the agent; its kernel programs go on");
    wait::pause(PAUSE);
    host.start(cast.ground)?;
    let Answer::Launched(count) = stage.hear()? else { bail!("the stage is confused") };
    let begun = cast.begin(host, stage, deed)?;
    cast.teller.step("deed", &format!("while the collector is down, pid {}", begun.pid));
    wait::pause(PAUSE);
    host.kill()?;
    cast.teller.step("crash", "kill -9 of the agent, once more");
    host.start(cast.ground)?;
    cast.made.serve_again(cast.ground, &mut cast.centre)?;
    cast.teller.step("collector", "is back; times are from here");
    cast.answer(host, stage, &begun, SystemClock.now())?;
    let tally = tally::wait(&cast.centre.desk, MARKER, count)?;
    let counted = format!("{} of {count} launches, {} twice", tally.distinct, tally.repeated);
    cast.teller.step("lake", &counted);
    tally.judge(count)
}
