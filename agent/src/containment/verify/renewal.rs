//! Who may make a hold last longer, and for how long. Pure.
//!
//! The second signature makes it stick, and it may come later than the first: a renewal by another
//! person than those who signed before counts as the second, and may set any lease. Whoever signed
//! before cannot renew alone, however many keys are theirs: one person contains for an hour, not for
//! an hour again and again. What automation began has no person yet: the first to renew it decides
//! what one person may.

use std::collections::BTreeSet;

use cordon_shared::{
    command::scope::{Lease, LeaseEnd},
    limit,
};

/// Judges a renewal by these persons, of a hold that those before have signed for.
///
/// # Errors
/// What more persons are needed for.
pub(super) fn judge(
    before: &BTreeSet<String>,
    now: &BTreeSet<&str>,
    lease: &Lease,
) -> Result<(), &'static str> {
    let is_new = now.iter().any(|it| !before.contains(*it));
    let more_before = before.iter().filter(|it| !now.contains(it.as_str())).count();
    match now.len() + more_before {
        _ if !is_new => Err("another person renews than those who have signed for this hold"),
        1 => alone(lease),
        _ => Ok(()),
    }
}

/// What lease one person gives alone.
///
/// # Errors
/// Which one it is not.
pub(super) fn alone(lease: &Lease) -> Result<(), &'static str> {
    if lease.end == LeaseEnd::Hold {
        return Err("two persons sign for what stays at the end of its lease");
    }
    if lease.duration > limit::LEASE_SINGLE_MAX {
        return Err("two persons sign for a lease of more than 60 minutes");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
