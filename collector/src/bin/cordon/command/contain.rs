//! `cordon isolate`, `cordon release`: signed here with a person's key, carried by the collector,
//! answered for by the host.
//!
//! The collector only carries: the bytes that are signed here are those that the agent verifies. Each
//! host gets a command of its own, so that its receipt is its own.

use std::{thread, time::Duration};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cordon_collector::api::view;
use cordon_shared::{
    command::{
        Command, Delivery,
        action::{Action, Network},
        scope::{Lease, LeaseEnd, Override},
        target::{Target, Tree},
    },
    crypto::signing::SigningKey,
    entropy::SystemEntropy,
    id::{AgentId, CommandId, IncidentId},
    keyring::author,
    limit,
    text::Text,
    time::{Clock as _, SystemClock},
    wire,
};

use super::fleet::segment;
use crate::{
    args::{
        Output,
        contain::{Isolate, Order, Release},
    },
    client::Client,
    failure::{Failure, Why},
    render,
};

/// How long an order may be on its way.
const LIFETIME: Duration = Duration::from_secs(600);
/// How long receipts are waited for: a host that is connected answers within a few seconds.
const RECEIPT_WITHIN: Duration = Duration::from_secs(30);
/// How often it is looked for one.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Hosts, and commands, that are looked through for a name.
const ITEMS_MAX: usize = 10_000;

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
    let mut desk = Desk::open(client, &asked.order)?;
    for host in desk.hosts()? {
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
    let mut desk = Desk::open(client, &asked.order)?;
    for host in desk.hosts()? {
        let holds = match &asked.hold {
            Some(hold) => vec![hold.clone()],
            None => desk.holds(&host)?,
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

fn parsed<T>(text: &str, what: &str, parse: impl Fn(&str) -> Option<T>) -> anyhow::Result<T> {
    let reason = || Failure::new(Why::Usage, format!("`{text}` is no {what}'s id"));
    Ok(parse(text).ok_or_else(reason)?)
}

/// Where orders are signed and handed in.
struct Desk<'a> {
    client: &'a Client,
    asked: &'a Order,
    keys: Vec<SigningKey>,
    incident: Option<IncidentId>,
    issued: Vec<view::Command>,
}

impl<'a> Desk<'a> {
    fn open(client: &'a Client, asked: &'a Order) -> anyhow::Result<Self> {
        let read = asked.keys.iter().map(|it| author::read_key(it).context("read your key"));
        let keys: Result<Vec<_>, _> = read.collect();
        let parse = |it: &String| parsed(it, "incident", IncidentId::parse);
        let incident = asked.incident.as_ref().map(parse).transpose()?;
        Ok(Self { client, asked, keys: keys?, incident, issued: Vec::new() })
    }

    /// The hosts that were named, each once; an enrolment that was revoked is nobody's.
    fn hosts(&self) -> anyhow::Result<Vec<view::Host>> {
        let all: Vec<view::Host> = self.client.list("/api/v1/hosts", &Vec::new(), ITEMS_MAX)?;
        let mut found: Vec<view::Host> = Vec::new();
        for name in &self.asked.hosts {
            let is_it = |it: &&view::Host| {
                it.standing != "revoked" && (it.name == *name || it.agent_id == *name)
            };
            let mut named = all.iter().filter(is_it);
            let (first, second) = (named.next(), named.next());
            let host = match (first, second) {
                (Some(host), None) => host,
                (Some(_), Some(_)) => {
                    let text =
                        format!("several hosts are named `{name}`: name one by its agent's id");
                    return Err(Failure::new(Why::Usage, text).into());
                }
                (None, _) => {
                    let text = format!("there is no host `{name}`: see `cordon host list`");
                    return Err(Failure::new(Why::NotFound, text).into());
                }
            };
            if !found.iter().any(|it| it.agent_id == host.agent_id) {
                found.push(host.clone());
            }
        }
        Ok(found)
    }

    /// Commands that isolated a host and were not released, as far as the collector knows.
    fn holds(&self, host: &view::Host) -> anyhow::Result<Vec<String>> {
        let all: Vec<view::Command> =
            self.client.list("/api/v1/commands", &Vec::new(), ITEMS_MAX)?;
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

    /// A command that is for nobody yet.
    fn command(&self, action: Action) -> anyhow::Result<Command> {
        let now = SystemClock.now();
        let nobody = Tree::new(vec![Target {
            agent: AgentId::from_slice(&[0xff; 16]).context("make a target")?,
            host_name: String::new(),
            host_tier: String::new(),
        }]);
        Ok(Command {
            id: CommandId::random(&SystemClock, &SystemEntropy),
            incident: self.incident,
            targets: nobody.context("make a target")?.root(),
            issued: now,
            // Two clocks are never quite the same.
            not_before: now.saturating_sub(limit::HEARTBEAT_DEAD),
            expires: now.saturating_add(LIFETIME),
            lease: None,
            preconditions: Vec::new(),
            supersedes: None,
            citation: None,
            overrides: Vec::new(),
            is_dry_run: self.asked.dry_run,
            reason: self.asked.reason.clone(),
            action,
        })
    }

    /// Signs a command for a host, and hands it in.
    fn order(&mut self, host: &view::Host, mut command: Command) -> anyhow::Result<()> {
        let target = Target {
            agent: parsed(&host.agent_id, "agent", AgentId::parse)?,
            host_name: host.name.clone(),
            host_tier: host.tier.clone(),
        };
        let tree = Tree::new(vec![target]).context("make a target")?;
        command.targets = tree.root();
        let (_, proof) = tree.proofs().next().context("make a target")?;
        let (first, others) = self.keys.split_first().context("no key was given")?;
        let mut signed = wire::command::sign(&command, first);
        others.iter().for_each(|it| it.add_to(&mut signed));
        let delivery = wire::command::encode_delivery(&Delivery { signed, proof });
        let offered = view::SignedCommand {
            agent_id: host.agent_id.clone(),
            delivery: STANDARD.encode(&delivery),
        };
        self.issued.push(self.client.post("/api/v1/commands", &offered)?);
        Ok(())
    }

    /// Waits for the receipts, and says what became of each.
    fn finish(mut self, output: Output) -> anyhow::Result<()> {
        if !self.asked.no_wait {
            self.wait()?;
        }
        render::list(output, &self.issued)?;
        if self.asked.no_wait {
            return Ok(());
        }
        let want = if self.asked.dry_run { "planned" } else { "complete" };
        let left = self.issued.iter().filter(|it| it.verdict.as_deref() != Some(want));
        let left: Vec<&view::Command> = left.collect();
        let Some(first) = left.first() else { return Ok(()) };
        let why = match first.verdict.as_deref() {
            _ if left.len() < self.issued.len() => Why::Partial,
            Some("partial" | "planned") => Why::Partial,
            Some("refused") => Why::Refused,
            Some(_) => Why::Failed,
            None => Why::Unreachable,
        };
        let text = match &first.verdict {
            Some(verdict) => format!(
                "{} of {} are not {want}: {verdict}: {}",
                left.len(),
                self.issued.len(),
                first.detail.as_deref().unwrap_or("see `cordon command show`")
            ),
            None => format!(
                "no receipt of {} came yet: the host may be away; `cordon command show {}` says more",
                first.command_id, first.command_id
            ),
        };
        Err(Failure::new(why, text).into())
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let until = SystemClock.boottime().saturating_add(RECEIPT_WITHIN);
        let _shown = render::wait("waiting for the receipts");
        loop {
            for it in &mut self.issued {
                if it.verdict.is_none() {
                    let path = format!("/api/v1/commands/{}", segment(&it.command_id)?);
                    *it = self.client.get(&path, &Vec::new())?;
                }
            }
            let is_done = self.issued.iter().all(|it| it.verdict.is_some());
            if is_done || SystemClock.boottime() >= until {
                return Ok(());
            }
            // Nobody unparks it: this is a pause between two looks.
            thread::park_timeout(LOOK_EVERY);
        }
    }
}
