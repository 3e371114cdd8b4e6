//! The signing desk of every verb that orders something: a command is made and signed here with a
//! person's key, carried by the collector, answered for by the host.
//!
//! The collector only carries: the bytes that are signed here are those that the agent verifies. Each
//! host gets a command of its own, so that its receipt is its own.

use std::time::Duration;

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cordon_collector::api::view;
use cordon_shared::{
    command::{
        Command, Delivery,
        action::Action,
        target::{Target, Tree},
    },
    crypto::signing::SigningKey,
    entropy::SystemEntropy,
    id::{AgentId, CommandId, IncidentId},
    keyring::author,
    limit,
    time::{Clock as _, SystemClock},
    wire,
};

use crate::{
    args::{Output, contain::Signing},
    client::Client,
    command::fleet::segment,
    failure::{Failure, Why},
    render, wait,
};

/// How long an order may be on its way.
const LIFETIME: Duration = Duration::from_secs(600);
/// How long receipts are waited for: a host that is connected answers within a few seconds.
const RECEIPT_WITHIN: Duration = Duration::from_secs(30);
/// How often it is looked for what is under way.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Hosts, and commands, that are looked through for a name.
pub(crate) const ITEMS_MAX: usize = 10_000;

/// Where orders are signed and handed in.
pub(crate) struct Desk<'a> {
    client: &'a Client,
    asked: &'a Signing,
    keys: Vec<SigningKey>,
    incident: Option<IncidentId>,
    issued: Vec<view::Command>,
    within: Duration,
}

impl<'a> Desk<'a> {
    /// Reads the keys that sign.
    ///
    /// # Errors
    /// A key that cannot be read, an incident that is none.
    pub(crate) fn open(client: &'a Client, asked: &'a Signing) -> anyhow::Result<Self> {
        let read = asked.keys.iter().map(|it| author::read_key(it).context("read your key"));
        let keys: Result<Vec<_>, _> = read.collect();
        let parse = |it: &String| parsed(it, "incident", IncidentId::parse);
        let incident = asked.incident.as_ref().map(parse).transpose()?;
        Ok(Self {
            client,
            asked,
            keys: keys?,
            incident,
            issued: Vec::new(),
            within: RECEIPT_WITHIN,
        })
    }

    /// Waits longer for receipts than a host usually takes.
    pub(crate) fn patient(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// What was signed and handed in so far, as it was last seen.
    pub(crate) fn issued(&self) -> &[view::Command] {
        &self.issued
    }

    /// The host that was named.
    ///
    /// # Errors
    /// A name that none has, or several.
    pub(crate) fn host(&self, name: &str) -> anyhow::Result<view::Host> {
        let hosts = self.hosts(&[name.to_owned()])?;
        hosts.into_iter().next().context("a host is named")
    }

    /// Every host whose enrolment was not revoked.
    ///
    /// # Errors
    /// The collector's.
    pub(crate) fn every_host(&self) -> anyhow::Result<Vec<view::Host>> {
        let all: Vec<view::Host> = self.client.list("/api/v1/hosts", &Vec::new(), ITEMS_MAX)?;
        Ok(all.into_iter().filter(|it| it.standing != "revoked").collect())
    }

    /// The hosts that were named, each once; an enrolment that was revoked is nobody's.
    ///
    /// # Errors
    /// A name that none has, or several.
    pub(crate) fn hosts(&self, names: &[String]) -> anyhow::Result<Vec<view::Host>> {
        let all = self.every_host()?;
        let mut found: Vec<view::Host> = Vec::new();
        for name in names {
            let is_it = |it: &&view::Host| it.name == *name || it.agent_id == *name;
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

    /// A command that is for nobody yet.
    ///
    /// # Errors
    /// None that a person could cause.
    pub(crate) fn command(&self, action: Action) -> anyhow::Result<Command> {
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
    ///
    /// # Errors
    /// What the collector refuses.
    pub(crate) fn order(&mut self, host: &view::Host, mut command: Command) -> anyhow::Result<()> {
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
    ///
    /// # Errors
    /// What was not seen to be done, with the exit code that says so.
    pub(crate) fn finish(mut self, output: Output) -> anyhow::Result<()> {
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

    /// Waits until each has its receipt, or for as long as a host that is connected may take.
    ///
    /// # Errors
    /// The collector's.
    pub(crate) fn wait(&mut self) -> anyhow::Result<()> {
        let _shown = render::wait("waiting for the receipts");
        let look = || {
            for it in &mut self.issued {
                if it.verdict.is_none() {
                    let path = format!("/api/v1/commands/{}", segment(&it.command_id)?);
                    *it = self.client.get(&path, &Vec::new())?;
                }
            }
            Ok(self.issued.iter().all(|it| it.verdict.is_some()).then_some(()))
        };
        wait::until(self.within, LOOK_EVERY, look).map(drop)
    }
}

/// Reads an id.
///
/// # Errors
/// What it is not.
pub(crate) fn parsed<T>(
    text: &str,
    what: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> anyhow::Result<T> {
    let reason = || Failure::new(Why::Usage, format!("`{text}` is no {what}'s id"));
    Ok(parse(text).ok_or_else(reason)?)
}
