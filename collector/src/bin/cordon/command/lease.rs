//! `cordon command`, `cordon lease`, `cordon ledger`: what was ordered, for how long it lasts, and what
//! undoes it.

use cordon_collector::api::view;
use cordon_shared::{
    command::{
        action::Action,
        scope::{Lease as Signed, LeaseEnd},
    },
    id::{CommandId, IncidentId},
};

use super::{
    case::part,
    fleet::{listed, segment},
};
use crate::{
    args::{
        Output,
        order::{Commands, Lease, Renew},
    },
    client::Client,
    desk::{Desk, ITEMS_MAX, parsed},
    failure::{Failure, Why},
    render,
};

/// Commands.
///
/// # Errors
/// What failed.
pub(crate) fn command(client: &Client, output: Output, asked: &Commands) -> anyhow::Result<()> {
    match asked {
        Commands::List(listing) => {
            let items: Vec<view::Command> = listed(client, "/api/v1/commands", listing)?;
            render::list(output, &items)
        }
        Commands::Show { id } => show(client, output, id),
        Commands::Approve(asked) => renew(client, output, asked),
        Commands::Withdraw { id, reason } => {
            let path = format!("/api/v1/commands/{}/withdraw", segment(id)?);
            let body = view::Reason { reason: reason.clone() };
            render::one(output, &client.post::<view::Command>(&path, &body)?)
        }
    }
}

fn show(client: &Client, output: Output, id: &str) -> anyhow::Result<()> {
    let path = format!("/api/v1/commands/{}", segment(id)?);
    let it: view::Command = client.get(&path, &Vec::new())?;
    render::one(output, &it)?;
    if output == Output::Table && !it.steps.is_empty() {
        part("Steps", &it.steps)?;
    }
    if output == Output::Table && !it.findings.is_empty() {
        part("Findings", &it.findings)?;
    }
    Ok(())
}

/// Leases.
///
/// # Errors
/// What failed.
pub(crate) fn run(client: &Client, output: Output, asked: &Lease) -> anyhow::Result<()> {
    match asked {
        Lease::List => {
            let items: Vec<view::Lease> = client.list("/api/v1/leases", &Vec::new(), ITEMS_MAX)?;
            render::list(output, &items)
        }
        Lease::Renew(asked) => renew(client, output, asked),
    }
}

fn renew(client: &Client, output: Output, asked: &Renew) -> anyhow::Result<()> {
    let hold = parsed(&asked.id, "command", CommandId::parse)?;
    let path = format!("/api/v1/commands/{}", segment(&asked.id)?);
    let begun: view::Command = client.get(&path, &Vec::new())?;
    if begun.action != "isolate" {
        let text = format!(
            "`{}` has no lease: a second person signs `{}` together with the first, with --key \
             twice",
            begun.action, begun.action
        );
        return Err(Failure::new(Why::Usage, text).into());
    }
    let end = if asked.ends { LeaseEnd::Release } else { LeaseEnd::Hold };
    let lease = Signed { duration: asked.lease, end, duration_max: asked.lease };
    let mut desk = Desk::open(client, &asked.signing)?;
    let host = desk.host(&begun.agent_id)?;
    let mut command = desk.command(Action::RenewLease { hold, lease })?;
    let of = begun.incident_id.as_deref().and_then(IncidentId::parse);
    command.incident = command.incident.or(of);
    desk.order(&host, command)?;
    desk.finish(output)
}

/// What can be undone of an incident.
///
/// # Errors
/// What failed.
pub(crate) fn ledger(client: &Client, output: Output, incident: &str) -> anyhow::Result<()> {
    let id = parsed(incident, "incident", IncidentId::parse)?.to_string();
    let path = format!("/api/v1/incidents/{}/ledger", segment(&id)?);
    let items: Vec<view::Entered> = client.list(&path, &Vec::new(), ITEMS_MAX)?;
    render::list(output, &items)
}
