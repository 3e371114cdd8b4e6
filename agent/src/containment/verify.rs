//! May this command be obeyed here, now? Pure: all that it rests on is in [`Ground`].
//!
//! In this order, and the first that fails is the answer: signature over the bytes as sent, canonical
//! form, a keyring and its keys, audience, host name and tier, time, who may, expired keyring,
//! citation and totals. Replay is judged before, by the journal; what is never touched, afterwards, by
//! the plan.
//!
//! **Who may.** One person contains at once. Two are needed above the keyring's number of targets, and
//! for a lease of more than 60 minutes or one that holds at its end; the second may come later, as a
//! renewal ([`renewal`]). Two keys of one person are one person. A browser's key alone acts on one host, and only in ways that can be undone.
//!
//! **Time.** The wall clock of a host may lie. While the collector's clock is known, as told in the
//! session and carried on by BOOTTIME, what contains is judged by that one alone, and what widens must
//! be in time by both: so a host whose clock is years wrong is still contained, and a collector that
//! lies about the time reopens nothing (F-36).

mod renewal;

use std::collections::BTreeSet;

use cordon_shared::{
    command::{
        Command, Delivery,
        action::{Action, Effect},
    },
    crypto::signing::{PublicKey, SignatureError},
    digest::Sha256,
    event::receipt::{Refusal, Verdict},
    id::AgentId,
    keyring::{
        Keyring,
        key::{HolderKind, Key, Role},
    },
    time::{Boottime, Timestamp},
    wire::{self, command::OpenError},
};

use super::{
    citation::{self, Witness},
    hold::Holds,
    host::HostFacts,
};

/// What the time is, as far as it can be known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Times {
    /// The host's wall clock.
    pub local: Timestamp,
    /// The collector's, carried on by BOOTTIME; `None` until a session told it on this boot.
    pub collector: Option<Timestamp>,
}

impl Times {
    /// The one that what contains is judged by.
    #[must_use]
    pub fn best(&self) -> Timestamp {
        self.collector.unwrap_or(self.local)
    }
}

/// What a command is judged against.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// Who we are.
    pub agent: AgentId,
    /// Our host's name.
    pub host_name: &'a str,
    /// Our tier, as the collector told it.
    pub host_tier: &'a str,
    /// Whether a person has yet to approve this agent.
    pub is_held: bool,
    /// What is in force.
    pub keyring: Option<&'a Keyring>,
    /// What the time is.
    pub times: Times,
    /// The clock that never jumps.
    pub boottime: Boottime,
    /// What we remember of our own events.
    pub witness: &'a dyn Witness,
    /// Who is whose child.
    pub facts: &'a HostFacts,
    /// What automation began within the last hour.
    pub deeds: u32,
    /// Who holds the host isolated.
    pub holds: &'a Holds,
}

/// A command that may be obeyed, if a plan can be made of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Verified {
    /// The command.
    pub command: Command,
    /// SHA-256 of its payload as it came.
    pub payload_sha256: Sha256,
    /// Whether automation alone signed it.
    pub is_automation: bool,
    /// The persons who signed it, each once.
    pub holders: BTreeSet<String>,
}

/// Why not.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[error("{detail}")]
pub struct Refused {
    /// `Refused` or `Expired`.
    pub verdict: Verdict,
    /// Which refusal; `None` when it is expired.
    pub refusal: Option<Refusal>,
    /// Why, for people.
    pub detail: String,
    /// The command, when at least one key of the keyring signed it: worth remembering.
    pub command: Option<Box<Command>>,
}

impl Refused {
    /// Says no.
    #[must_use]
    pub fn new(refusal: Refusal, detail: &str) -> Self {
        let detail = detail.to_owned();
        Self { verdict: Verdict::Refused, refusal: Some(refusal), detail, command: None }
    }

    fn expired(detail: &str) -> Self {
        let detail = detail.to_owned();
        Self { verdict: Verdict::Expired, refusal: None, detail, command: None }
    }
}

/// Judges a delivery.
///
/// # Errors
/// [`Refused`]: nothing is done.
pub fn verify(delivery: &Delivery, ground: &Ground<'_>) -> Result<Verified, Refused> {
    let Some(keyring) = ground.keyring else {
        return Err(Refused::new(Refusal::NoKeyring, "this agent has no keyring yet"));
    };
    let keys = keyring.keys(ground.times.best());
    let trusted: Vec<PublicKey> = keys.iter().map(|it| it.public).collect();
    let opened = wire::command::open(&delivery.signed, &trusted).map_err(|it| unopened(&it))?;
    let signers: Vec<&Key> =
        keys.into_iter().filter(|it| opened.signers.contains(&it.public)).collect();
    let command = opened.command;
    match judge(&command, delivery, &signers, keyring, ground) {
        Ok(is_automation) => {
            let holders = persons(&signers, command.action.effect());
            let holders = holders.into_iter().map(str::to_owned).collect();
            let payload_sha256 = opened.payload_sha256;
            Ok(Verified { command, payload_sha256, is_automation, holders })
        }
        Err(refused) => Err(Refused { command: Some(Box::new(command)), ..refused }),
    }
}

fn unopened(error: &OpenError) -> Refused {
    let refusal = match error {
        OpenError::Signature(SignatureError::Unsigned { .. }) => Refusal::UnknownSigner,
        OpenError::Signature(SignatureError::Forged { .. }) => Refusal::BadSignature,
        OpenError::Signature(SignatureError::NotCanonical { .. }) => Refusal::NotCanonical,
        OpenError::Signature(SignatureError::Type { .. }) | OpenError::Field(_) => {
            Refusal::BadInput
        }
        OpenError::UnknownAction => Refusal::UnknownAction,
    };
    let detail = match error {
        OpenError::Signature(source) => source.to_string(),
        OpenError::Field(source) => source.to_string(),
        OpenError::UnknownAction => error.to_string(),
    };
    Refused::new(refusal, &detail)
}

/// Everything after the signature; says whether automation alone signed.
fn judge(
    command: &Command,
    delivery: &Delivery,
    signers: &[&Key],
    keyring: &Keyring,
    ground: &Ground<'_>,
) -> Result<bool, Refused> {
    audience(command, delivery, ground)?;
    time(command, ground.times)?;
    let effect = command.action.effect();
    let is_sweep = matches!(command.action, Action::Sweep { .. });
    if ground.is_held && is_sweep {
        let detail = "this agent waits for a person's approval";
        return Err(Refused::new(Refusal::Held, detail));
    }
    let is_automation = authority(command, signers, keyring, ground.holds)?;
    if effect != Effect::Contains && keyring.is_expired(ground.times.best()) {
        let detail = "the keyring has expired: only what contains is permitted";
        return Err(Refused::new(Refusal::KeyringExpired, detail));
    }
    if is_automation {
        let ground = citation::Ground {
            agent: ground.agent,
            host_tier: ground.host_tier,
            keyring,
            witness: ground.witness,
            facts: ground.facts,
            boottime: ground.boottime,
            deeds: ground.deeds,
        };
        citation::judge(command, ground)?;
    }
    Ok(is_automation)
}

fn audience(command: &Command, delivery: &Delivery, ground: &Ground<'_>) -> Result<(), Refused> {
    let proof = &delivery.proof;
    if !proof.holds(ground.agent, &command.targets) {
        let detail = "this agent is not among the targets";
        return Err(Refused::new(Refusal::NotATarget, detail));
    }
    if proof.host_name != ground.host_name || proof.host_tier != ground.host_tier {
        let detail = format!(
            "signed for `{}` of tier `{}`; this is `{}` of tier `{}`",
            proof.host_name, proof.host_tier, ground.host_name, ground.host_tier
        );
        return Err(Refused::new(Refusal::WrongHost, &detail));
    }
    Ok(())
}

fn time(command: &Command, times: Times) -> Result<(), Refused> {
    let by_both = [Some(times.best()), Some(times.local)];
    let by_best = [Some(times.best()), None];
    let clocks = match command.action.effect() {
        Effect::Contains | Effect::Gathers => by_best,
        Effect::Widens | Effect::Administers => by_both,
    };
    for now in clocks.into_iter().flatten() {
        if now < command.not_before {
            let detail = format!("not before {}; it is {now}", command.not_before);
            return Err(Refused::new(Refusal::TooEarly, &detail));
        }
        if now >= command.expires {
            return Err(Refused::expired(&format!("expired {}; it is {now}", command.expires)));
        }
    }
    Ok(())
}

/// Whether a role's signature counts for an effect at all.
fn permits(role: Role, effect: Effect) -> bool {
    match (role, effect) {
        (Role::Viewer, _) => false,
        (Role::Analyst, effect) => effect == Effect::Gathers,
        (Role::Responder | Role::Lead, effect) => effect != Effect::Administers,
        (Role::Admin, _) => true,
        (Role::Automation, effect) => matches!(effect, Effect::Contains | Effect::Gathers),
    }
}

/// Who of the signers may do this, by name; automation is nobody.
fn persons<'a>(signers: &[&'a Key], effect: Effect) -> BTreeSet<&'a str> {
    let may = |it: &&&Key| permits(it.role, effect) && it.role != Role::Automation;
    signers.iter().filter(may).map(|it| it.holder.as_str()).collect()
}

fn authority(
    command: &Command,
    signers: &[&Key],
    keyring: &Keyring,
    holds: &Holds,
) -> Result<bool, Refused> {
    let effect = command.action.effect();
    let name = command.action.name();
    let counted: Vec<_> = signers.iter().filter(|it| permits(it.role, effect)).collect();
    if counted.is_empty() {
        let roles: Vec<_> = signers.iter().map(|it| it.role.as_str()).collect();
        let detail = format!("`{name}` is not for {}", roles.join(" and "));
        return Err(Refused::new(Refusal::NotAuthorised, &detail));
    }
    let persons: Vec<_> = counted.iter().filter(|it| it.role != Role::Automation).collect();
    let is_browser_only = persons.iter().all(|it| it.holder_kind == HolderKind::Browser);
    if !persons.is_empty() && is_browser_only {
        if command.targets.count > 1 {
            let detail = "a browser's key acts on one host at a time";
            return Err(Refused::new(Refusal::NotAuthorised, detail));
        }
        if !command.action.is_reversible() {
            let detail = format!("a browser's key does not sign `{name}`: it cannot be undone");
            return Err(Refused::new(Refusal::NotAuthorised, &detail));
        }
    }
    let is_automation = persons.is_empty();
    let holders = self::persons(signers, effect);
    if holders.len() < 2 {
        few(command, keyring)?;
    }
    if let Action::RenewLease { hold, lease } = &command.action {
        // Of a hold that is not in force there is nothing to judge: the plan refuses it.
        let Some(hold) = holds.get(*hold) else { return Ok(is_automation) };
        renewal::judge(&hold.holders, &holders, lease).map_err(more)?;
    } else if holders.len() < 2 {
        single(command)?;
    }
    Ok(is_automation)
}

fn more(detail: &str) -> Refused {
    Refused::new(Refusal::MoreSigners, detail)
}

/// For how many hosts one person, or automation, may decide alone.
fn few(command: &Command, keyring: &Keyring) -> Result<(), Refused> {
    let targets_max = keyring.policy().targets_max_single;
    if command.targets.count > targets_max {
        return Err(more(&format!("two persons sign for more than {targets_max} hosts")));
    }
    Ok(())
}

/// For how long one person, or automation, may decide alone.
fn single(command: &Command) -> Result<(), Refused> {
    match &command.lease {
        Some(lease) => renewal::alone(lease).map_err(more),
        None if matches!(command.action, Action::Isolate { .. } | Action::Block(_)) => {
            Err(more("two persons sign for what has no lease"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
