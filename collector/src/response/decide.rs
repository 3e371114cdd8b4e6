//! What is done about a detection: an order to automation, or the reason why there is none.
//!
//! On the road: the watch asks for each new detection; an [`Order`] goes to the signer, a [`Why`] to
//! the incident's timeline. Pure. Nothing here widens what the agent would obey: each rule is one that
//! the agent checks again, against its own memory and clock, so that what is signed is not in vain.

use std::time::Duration;

use cordon_shared::{
    command::{
        action::{Action, ProcessTarget},
        scope::Citation,
        target::Target,
    },
    crypto::signing::PublicKey,
    detection::Detection,
    id::{ExerciseId, IncidentId},
    keyring::{Keyring, key::Role},
    limit,
    time::Timestamp,
};

use super::sign::Order;

/// Over which time kills and suspensions are counted against automation's total.
pub const DEEDS_WINDOW: Duration = Duration::from_secs(3_600);

/// Bytes of a reason, for people; the wire takes 1,024.
const REASON_BYTES_MAX: usize = 512;

/// The host that a detection is about, as the collector knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its tier.
    pub tier: String,
    /// Whether its agent is out for good.
    pub is_revoked: bool,
    /// Kills and suspensions that automation was issued for it within [`DEEDS_WINDOW`].
    pub deeds: u32,
}

/// What a decision rests on.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// What is in force.
    pub keyring: Option<&'a Keyring>,
    /// Automation's key.
    pub automation: PublicKey,
    /// The host.
    pub host: &'a Host,
    /// The collector's clock.
    pub now: Timestamp,
}

/// Why nothing is ordered.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Why {
    /// Root has signed nothing yet.
    #[error("no keyring is in force")]
    NoKeyring,
    /// No person let this rule act.
    #[error("rule `{0}` is not armed")]
    NotArmed(String),
    /// A person let another text of this rule act.
    #[error("rule `{0}` was changed after it was armed")]
    Changed(String),
    /// The keyring does not hold automation's key, or holds it no longer.
    #[error("the keyring in force does not hold automation's key")]
    NoKey,
    /// The agent is out.
    #[error("the agent is revoked")]
    Revoked,
    /// It was staged: what an exercise makes is found and told, and nothing is done against it.
    #[error("the event belongs to exercise `{0}`")]
    Exercise(ExerciseId),
    /// A person says so, and no event of the host can be cited.
    #[error("a person reported it: no event can be cited")]
    Reported,
    /// It is not about a process.
    #[error("the detection names no process")]
    NoProcess,
    /// The keyring gives automation nothing on hosts of this tier.
    #[error("automation may kill nothing on hosts of tier `{0}`")]
    NoTotal(String),
    /// The event is too old to be cited.
    #[error("the event was {age_s} s old, at most {age_s_max} s may be cited")]
    TooOld {
        /// Its age in seconds.
        age_s: u64,
        /// The bound in seconds.
        age_s_max: u64,
    },
    /// As much was ordered as the keyring permits.
    #[error("automation has used up its {0} kills and suspensions of this hour")]
    UsedUp(u32),
}

/// Decides about a detection in this incident.
///
/// The order lives as long as its event may be cited: later no agent would obey it.
///
/// # Errors
/// [`Why`] nothing is ordered.
pub fn decide(
    detection: &Detection,
    incident: IncidentId,
    ground: &Ground<'_>,
) -> Result<Order, Why> {
    if let Some(exercise) = detection.exercise {
        return Err(Why::Exercise(exercise));
    }
    let event = detection.basis.event().ok_or(Why::Reported)?;
    let rule = &detection.rule;
    let keyring = ground.keyring.ok_or(Why::NoKeyring)?;
    if !keyring.is_armed(&rule.id, rule.sha256) {
        let is_known = keyring.members().armed.iter().any(|it| it.rule == rule.id);
        let why = if is_known { Why::Changed } else { Why::NotArmed };
        return Err(why(rule.id.clone()));
    }
    let mut keys = keyring.keys(ground.now).into_iter();
    if !keys.any(|it| it.role == Role::Automation && it.public == ground.automation) {
        return Err(Why::NoKey);
    }
    let host = ground.host;
    if host.is_revoked {
        return Err(Why::Revoked);
    }
    let process = detection.subject.as_ref().and_then(|it| it.key).ok_or(Why::NoProcess)?;
    let totals = keyring.totals(&host.tier);
    if totals.kills_per_hour == 0 {
        return Err(Why::NoTotal(host.tier.clone()));
    }
    let age_max = totals.citation_age_max.min(limit::CITATION_AGE_MAX);
    let age = ground.now.since(detection.at);
    let lifetime = age_max.saturating_sub(age);
    if lifetime.is_zero() {
        return Err(Why::TooOld { age_s: age.as_secs(), age_s_max: age_max.as_secs() });
    }
    if host.deeds >= totals.kills_per_hour {
        return Err(Why::UsedUp(totals.kills_per_hour));
    }
    Ok(Order {
        incident: Some(incident),
        targets: vec![Target {
            agent: detection.agent,
            host_name: host.name.clone(),
            host_tier: host.tier.clone(),
        }],
        action: Action::Kill(ProcessTarget { process, is_tree: true }),
        // The target is bound by pid and start time. Its executable is not asked for: a shell that
        // has become another program since is no less the one that was seen.
        preconditions: Vec::new(),
        citation: Citation { event, rule: rule.id.clone(), rule_sha256: rule.sha256 },
        lease: None,
        lifetime,
        is_dry_run: false,
        reason: reason(detection),
    })
}

/// For people and the receipt.
fn reason(detection: &Detection) -> String {
    let text = format!("{}: {}", detection.rule.title, detection.summary);
    let end = text.char_indices().map(|(at, it)| at + it.len_utf8());
    let end = end.take_while(|it| *it <= REASON_BYTES_MAX).last().unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
