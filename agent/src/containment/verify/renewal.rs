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
mod tests {
    use std::{fmt::Write as _, time::Duration};

    use expect_test::expect;

    use super::*;

    fn lease(minutes: u64, end: LeaseEnd) -> Lease {
        let duration = Duration::from_secs(60 * minutes);
        Lease { duration, end, duration_max: Duration::from_secs(86_400) }
    }

    #[test]
    fn the_second_person_makes_it_stick_and_the_first_alone_does_not() {
        let leases = [
            ("60m, then released", lease(60, LeaseEnd::Release)),
            ("61m, then released", lease(61, LeaseEnd::Release)),
            ("60m, and it stays", lease(60, LeaseEnd::Hold)),
        ];
        let cases: [(&[&str], &[&str]); 7] = [
            (&["ann"], &["ann"]),
            (&["ann"], &["bob"]),
            (&["ann"], &["ann", "bob"]),
            (&["ann", "bob"], &["bob"]),
            (&["ann", "bob"], &["eve"]),
            (&[], &["ann"]),
            (&[], &["ann", "bob"]),
        ];
        let mut table = String::new();
        for (before, now) in cases {
            for (name, lease) in &leases {
                let judged = judge(
                    &before.iter().map(|it| (*it).to_owned()).collect(),
                    &now.iter().copied().collect(),
                    lease,
                );
                let (before, now) = (before.join("+"), now.join("+"));
                let shown = judged.err().unwrap_or("obeyed");
                writeln!(table, "{before:<7} renewed by {now:<7} {name}: {shown}").expect("fits");
            }
        }
        expect![[r#"
            ann     renewed by ann     60m, then released: another person renews than those who have signed for this hold
            ann     renewed by ann     61m, then released: another person renews than those who have signed for this hold
            ann     renewed by ann     60m, and it stays: another person renews than those who have signed for this hold
            ann     renewed by bob     60m, then released: obeyed
            ann     renewed by bob     61m, then released: obeyed
            ann     renewed by bob     60m, and it stays: obeyed
            ann     renewed by ann+bob 60m, then released: obeyed
            ann     renewed by ann+bob 61m, then released: obeyed
            ann     renewed by ann+bob 60m, and it stays: obeyed
            ann+bob renewed by bob     60m, then released: another person renews than those who have signed for this hold
            ann+bob renewed by bob     61m, then released: another person renews than those who have signed for this hold
            ann+bob renewed by bob     60m, and it stays: another person renews than those who have signed for this hold
            ann+bob renewed by eve     60m, then released: obeyed
            ann+bob renewed by eve     61m, then released: obeyed
            ann+bob renewed by eve     60m, and it stays: obeyed
                    renewed by ann     60m, then released: obeyed
                    renewed by ann     61m, then released: two persons sign for a lease of more than 60 minutes
                    renewed by ann     60m, and it stays: two persons sign for what stays at the end of its lease
                    renewed by ann+bob 60m, then released: obeyed
                    renewed by ann+bob 61m, then released: obeyed
                    renewed by ann+bob 60m, and it stays: obeyed
        "#]].assert_eq(&table);
    }
}
