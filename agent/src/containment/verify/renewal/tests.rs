//! Who renews what, as a table.

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
