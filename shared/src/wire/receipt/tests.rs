//! Round trips of every verdict, and what no receipt may say.

use expect_test::{Expect, expect};

use super::*;
use crate::{event::receipt::Refusal, id::ProcessKey, test_support::order};

#[test]
fn every_verdict_opens_as_it_was_signed() {
    for receipt in order::receipts() {
        let signed = sign(&receipt, &order::key(50));
        assert_eq!(open(&signed, &order::key(50).public()).unwrap(), receipt);
        assert_eq!(peek(&signed).unwrap(), receipt);
        assert!(open(&signed, &order::key(51).public()).is_err());
    }
}

#[track_caller]
fn check(change: impl Fn(&mut Receipt), expect: &Expect) {
    let mut receipt = order::receipts().remove(0);
    change(&mut receipt);
    let error = match peek(&sign(&receipt, &order::key(50))).unwrap_err() {
        OpenError::Field(error) => error.to_string(),
        error @ (OpenError::Signature(_) | OpenError::UnknownAction) => error.to_string(),
    };
    expect.assert_eq(&error);
}

#[test]
fn a_complete_receipt_leaves_nothing_open() {
    check(
        |it| it.open = vec!["4712 lives".to_owned()],
        &expect!["`open` must be empty when the verdict is `complete`"],
    );
}

#[test]
fn a_refusal_and_its_reason_come_together_or_not_at_all() {
    let rule = expect!["`refusal` must be present when the verdict is `refused`, and only then"];
    check(|it| it.refusal = Some(Refusal::Held), &rule);
    check(|it| it.verdict = Verdict::Refused, &rule);
}

#[test]
fn what_is_found_is_a_file_or_a_process() {
    check(
        |it| (it.findings[0].file, it.findings[0].process) = (None, None),
        &expect!["`findings` must be a file, a process, or both"],
    );
    check(
        |it| it.findings[0].note = "x".repeat(513),
        &expect!["`findings.note` must be at most 512 bytes"],
    );
    check(
        |it| it.findings[1].process = Some(ProcessKey { pid: 0, start_ticks: 1 }),
        &expect!["`process.pid` must be 1..=4194304"],
    );
}

#[test]
fn what_is_too_long_is_refused() {
    check(|it| it.detail = "x".repeat(513), &expect!["`detail` must be at most 512 bytes"]);
    check(|it| it.open = vec![String::new(); 513], &expect!["`open` must be at most 512"]);
    let many = vec![order::receipts().remove(0).findings.remove(0); 257];
    check(|it| it.findings = many.clone(), &expect!["`findings` must be at most 256"]);
    check(|it| it.steps = vec![it.steps[0].clone(); 513], &expect!["`steps` must be at most 512"]);
}
