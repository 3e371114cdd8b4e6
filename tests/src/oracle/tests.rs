use expect_test::{Expect, expect};

use super::{Generated, Row, judge};

/// `generated` and `rows` as `marker=payload` and `id marker=payload`.
#[track_caller]
fn check(generated: &[&str], rows: &[&str], declared: u64, want: &Expect) {
    let split = |text: &str| {
        let (marker, payload) = text.split_once('=').unwrap_or((text, ""));
        (marker.to_owned(), payload.to_owned())
    };
    let generated: Generated = generated.iter().map(|it| split(it)).collect();
    let rows: Vec<Row> = rows
        .iter()
        .map(|row| {
            let (event_id, rest) = row.split_once(' ').unwrap();
            let (marker, payload) = split(rest);
            Row { event_id: event_id.to_owned(), marker, payload }
        })
        .collect();
    let verdict = judge(&generated, &rows, declared);
    let word = if verdict.is_conserved() { "conserved" } else { "broken" };
    want.assert_eq(&format!("{word}: {verdict}"));
}

#[test]
fn all_stored_once_is_conserved() {
    check(
        &["a", "b"],
        &["1 a", "2 b"],
        0,
        &expect!["conserved: 2 generated - 2 stored - 0 declared lost = 0"],
    );
}

#[test]
fn a_declared_loss_is_conserved() {
    check(
        &["a", "b"],
        &["1 a"],
        1,
        &expect!["conserved: 2 generated - 1 stored - 1 declared lost = 0; 1 missing: b"],
    );
}

#[test]
fn a_silent_loss_is_broken() {
    check(
        &["a", "b"],
        &["1 a"],
        0,
        &expect!["broken: 2 generated - 1 stored - 0 declared lost = 1; 1 missing: b"],
    );
}

#[test]
fn a_loss_that_was_none_is_broken() {
    check(&["a"], &["1 a"], 1, &expect!["broken: 1 generated - 1 stored - 1 declared lost = -1"]);
}

#[test]
fn an_event_stored_twice_is_broken() {
    check(
        &["a"],
        &["1 a", "2 a"],
        0,
        &expect![
            "broken: 1 generated - 1 stored - 0 declared lost = 0; 1 stored more than once: a"
        ],
    );
}

#[test]
fn an_id_that_names_two_events_is_broken() {
    check(
        &["a", "b"],
        &["1 a", "1 b"],
        0,
        &expect!["broken: 2 generated - 2 stored - 0 declared lost = 0; 1 event ids used twice: 1"],
    );
}

#[test]
fn an_altered_payload_is_broken() {
    check(
        &["a=x"],
        &["1 a=y"],
        0,
        &expect!["broken: 1 generated - 1 stored - 0 declared lost = 0; 1 altered: a"],
    );
}

#[test]
fn a_row_that_nobody_generated_is_broken() {
    check(
        &["a"],
        &["1 a", "2 z"],
        0,
        &expect!["broken: 1 generated - 1 stored - 0 declared lost = 0; 1 never generated: z"],
    );
}

#[test]
fn a_loss_hidden_behind_a_double_is_broken() {
    check(
        &["a", "b"],
        &["1 a", "2 a"],
        0,
        &expect![
            "broken: 2 generated - 1 stored - 0 declared lost = 1; 1 missing: b; 1 stored more than once: a"
        ],
    );
}
