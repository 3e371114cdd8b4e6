//! `cordon isolate`, `cordon release`: signed here with a person's key, carried by the collector,
//! answered for by the host.

use cordon_collector::api::view;
use cordon_shared::{
    command::{
        action::{Action, Network},
        scope::{Lease, LeaseEnd, Override},
    },
    id::CommandId,
    text::Text,
};

use crate::{
    args::{
        Output,
        contain::{Isolate, Release},
    },
    client::Client,
    desk::{Desk, ITEMS_MAX, parsed},
    failure::{Failure, Why},
};

/// Isolates hosts.
///
/// # Errors
/// What failed; [`Why::Partial`] when not all hosts were seen to be isolated.
pub(crate) fn isolate(client: &Client, output: Output, asked: &Isolate) -> anyhow::Result<()> {
    let allowed: Result<Vec<_>, _> = asked.allowed.iter().map(|it| network(it)).collect();
    let action = Action::Isolate { allowed: allowed?, container: Text::EMPTY };
    let end = if asked.stay { LeaseEnd::Hold } else { LeaseEnd::Release };
    let duration_max = asked.longest.max(asked.lease);
    let lease = Lease { duration: asked.lease, end, duration_max };
    let mut desk = Desk::open(client, &asked.order.signing)?;
    for host in desk.hosts(&asked.order.hosts)? {
        let mut command = desk.command(action.clone())?;
        command.lease = Some(lease);
        command.overrides =
            asked.network_root.then_some(Override::NetworkRoot).into_iter().collect();
        desk.order(&host, command)?;
    }
    desk.finish(output)
}

/// Ends holds.
///
/// # Errors
/// What failed; [`Why::Partial`] when not all were seen to be released.
pub(crate) fn release(client: &Client, output: Output, asked: &Release) -> anyhow::Result<()> {
    let mut desk = Desk::open(client, &asked.order.signing)?;
    for host in desk.hosts(&asked.order.hosts)? {
        let holds = match &asked.hold {
            Some(hold) => vec![hold.clone()],
            None => holds(client, &host)?,
        };
        if holds.is_empty() {
            let text = format!("nothing holds `{}`: see `cordon command list`", host.name);
            return Err(Failure::new(Why::NotFound, text).into());
        }
        for hold in holds {
            let hold = parsed(&hold, "hold", CommandId::parse)?;
            let command = desk.command(Action::Release { hold })?;
            desk.order(&host, command)?;
        }
    }
    desk.finish(output)
}

fn network(text: &str) -> anyhow::Result<Network> {
    let found = Network::parse(text).filter(|_| text.contains('/'));
    let text = format!("`--allow {text}` must be ADDRESS/BITS, as in 192.0.2.0/24");
    found.ok_or_else(|| Failure::new(Why::Usage, text).into())
}

/// Commands that isolated a host and were not released, as far as the collector knows.
fn holds(client: &Client, host: &view::Host) -> anyhow::Result<Vec<String>> {
    let all: Vec<view::Command> = client.list("/api/v1/commands", &Vec::new(), ITEMS_MAX)?;
    let of_host = || all.iter().filter(|it| it.agent_id == host.agent_id);
    let is_done = |it: &view::Command| {
        matches!(it.verdict.as_deref(), Some("complete" | "partial" | "unknown"))
    };
    let released = of_host().filter(|it| it.action == "release" && is_done(it));
    let released: Vec<&str> = released.filter_map(|it| it.releases_id.as_deref()).collect();
    let holds = of_host().filter(|it| it.action == "isolate" && is_done(it));
    let holds = holds.map(|it| it.command_id.clone());
    Ok(holds.filter(|it| !released.contains(&it.as_str())).collect())
}
