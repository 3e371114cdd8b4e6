//! Containment: a person cuts the host off, and the far end counts.

use anyhow::{Context as _, ensure};

use super::{
    super::{
        Cast,
        far::{self, Far},
        probe,
    },
    Scene,
};

/// Isolates the host, and proves it.
///
/// # Errors
/// What failed, or what got out.
pub(super) fn play(cast: &mut Cast<'_>, scene: &mut Scene) -> anyhow::Result<()> {
    let before = heard(scene)?;
    let (name, shell) = (scene.web.agent.to_string(), scene.shell.to_string());
    let reason = "an intruder has a shell";
    let verdicts = scene.order(&["suspend", &name, "--pid", &shell, "--tree"], reason)?;
    cast.teller.step("suspend", &format!("the intruder's shell: {}", verdicts.join(", ")));
    let verdicts = scene.order(&["isolate", &name], reason)?;
    cast.teller.step("isolate", &format!("{}: {}", scene.web.name, verdicts.join(", ")));
    let after = heard(scene)?;
    let ways = probe::kinds(&before);
    cast.teller.more(&format!("the far end heard {} packets before: {ways}", before.len()));
    cast.teller
        .more(&format!("and {} since, of the same ways tried, over IPv4 and IPv6", after.len()));
    ensure!(after.is_empty(), "packets got out of an isolated host: {}", probe::kinds(&after));
    ensure!(!is_connected(scene)?, "the intruder's connection is still there");
    cast.teller.more("the intruder's connection is gone from the host");
    Ok(())
}

/// Whether the host has a connection that is open to the far end's port (`proc_pid_net(5)`).
fn is_connected(scene: &Scene) -> anyhow::Result<bool> {
    let table = scene.place()?.apart.within(|| {
        std::fs::read_to_string("/proc/thread-self/net/tcp").context("read the connections")
    })?;
    let port = format!(":{:04X} 01", Far::address().port());
    Ok(table.lines().any(|it| it.contains(&port)))
}

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
