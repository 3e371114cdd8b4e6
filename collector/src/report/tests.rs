//! The texts of a report of a fixed incident, as a person would read them, and that nothing a host
//! says becomes markup.

pub(crate) mod sample;

use std::time::Duration;

use expect_test::{expect, expect_file};

use self::sample::{at, closed, facts, hostile};
use super::{
    clock,
    figure::{timeline, tree},
    html, markdown,
    model::Report,
    remain,
};

fn clocks(facts: &super::model::Facts) -> String {
    let line = |it: clock::Reading| format!("{} {} ({})\n", it.clock, it.spoken(), it.note);
    clock::read(facts).into_iter().map(line).collect()
}

fn remains(facts: &super::model::Facts) -> String {
    remain::of(facts).iter().map(|it| format!("{it}\n")).collect()
}

#[test]
fn durations_are_spoken_in_two_units() {
    let spoken = |ms| clock::spoken(Duration::from_millis(ms));
    let shown = [0, 999, 1_000, 59_999, 61_000, 3_599_000, 7_500_000, 200_000_000].map(spoken);
    expect![[r#"["0 ms", "999 ms", "1.0 s", "59.9 s", "1 min 01 s", "59 min 59 s", "2 h 05 min", "2 d 7 h"]"#]]
        .assert_eq(&format!("{shown:?}"));
}

#[test]
fn a_partial_isolation_is_not_contained_and_nothing_that_has_not_happened_has_a_time() {
    expect![[r#"
        MTTD 21 ms (the first detection)
        MTTA 3 ms (kill by automation)
        MTTC not yet (isolate on web-1 is partial)
        MTTE not yet (eradication has not begun)
        MTTR not yet (recovery has not begun)
    "#]]
    .assert_eq(&clocks(&facts()));
}

#[test]
fn an_incident_that_was_closed_has_all_its_times() {
    expect![[r#"
        MTTD 21 ms (the first detection)
        MTTA 3 ms (kill by automation)
        MTTC 19.0 s (the host is proved contained)
        MTTE 6 min 40 s (eradication was closed)
        MTTR 10 min 00 s (recovery was closed)
    "#]]
    .assert_eq(&clocks(&closed()));
}

#[test]
fn a_relapse_takes_the_time_to_contain_back() {
    let mut facts = closed();
    facts.phases[2].state = cordon_shared::incident::PhaseState::Reopened;
    facts.phases[2].since = at(900_000);
    assert!(clocks(&facts).contains("MTTC not yet (reopened at"));
}

#[test]
fn what_is_found_after_a_proof_needs_another_proof() {
    let mut facts = closed();
    let mut again = facts.detections[0].clone();
    again.first = at(25_000);
    facts.detections.push(again);
    assert!(clocks(&facts).contains("MTTC not yet (found again on web-1 at"));
    let mut kill = facts.commands[0].clone();
    (kill.issued, kill.closed) = (at(25_020), Some(at(25_100)));
    facts.commands.push(kill);
    assert!(clocks(&facts).contains("MTTC 25.1 s"));
}

#[test]
fn one_host_without_a_proof_keeps_all_from_being_contained() {
    let mut facts = closed();
    facts.hosts.push(super::model::Host {
        agent_id: "c".repeat(8),
        name: "db-2".into(),
        ..super::model::Host::default()
    });
    assert!(clocks(&facts).contains("MTTC not yet (nothing was done on db-2 to contain it)"));
    if let Some(host) = facts.hosts.last_mut() {
        host.exempt = Some("switched off; ada".into());
    }
    assert!(!clocks(&facts).contains("MTTC not yet"));
}

#[test]
fn what_remains_is_named() {
    expect![[r#"
        isolate on web-1 is partial; open: udp over v6 answers
        isolate on web-1 is still in force (hold c2); lease of 1 h 00 min, then it is undone
        identification is active
        containment is active: web-1 has no hold whose receipt is complete
        not begun: eradication, recovery, lessons learned
        nobody has given a verdict
    "#]]
    .assert_eq(&remains(&facts()));
}

#[test]
fn what_remains_of_a_closed_incident_is_named_too() {
    expect![[r#"
        task: patch the upload form (lin, 2025-12-01)
    "#]]
    .assert_eq(&remains(&closed()));
}

#[test]
fn the_markdown_is_the_one_that_was_read_and_found_good() {
    expect_file!["golden/open.md"].assert_eq(&markdown::page(&Report::of(facts())));
}

#[test]
fn the_page_is_the_one_that_was_read_and_found_good() {
    let page = html::page(&Report::of(facts()));
    // Its style is a file of its own.
    let page = page.replace(html::STYLE, "").replace("><", ">\n<");
    expect_file!["golden/open.html"].assert_eq(&page);
}

#[test]
fn the_json_is_the_one_that_scripts_rely_on() {
    let json = serde_json::to_string_pretty(&Report::of(facts())).unwrap();
    expect_file!["golden/open.json"].assert_eq(&json);
}

#[test]
fn the_figures_are_the_ones_that_were_looked_at_and_found_good() {
    let facts = facts();
    let timeline = timeline::draw(&timeline::of(&facts).unwrap()).into_string();
    expect_file!["golden/timeline.svg"].assert_eq(&timeline.replace("><", ">\n<"));
    let tree = tree::draw(&tree::of(&facts).unwrap()).into_string();
    expect_file!["golden/tree.svg"].assert_eq(&tree.replace("><", ">\n<"));
}

#[test]
fn nothing_that_a_host_says_becomes_markup() {
    let report = Report::of(hostile());
    let page = html::page(&report);
    for it in ["<script", "<img", "onerror=\"", "javascript:\"", "\u{202e}", "\u{1b}"] {
        assert!(!page.contains(it), "{it:?}");
    }
    assert!(page.contains("&lt;script&gt;"));
    assert!(page.contains("\\u{202e}"));
    assert_eq!(page.matches("<style>").count(), 1);
    let text = markdown::page(&report);
    for it in ["\u{202e}", "\u{1b}", "\n<script"] {
        assert!(!text.contains(it), "{it:?}");
    }
}

#[test]
fn an_incident_of_many_thousand_rows_makes_a_report_of_bounded_size() {
    let mut facts = hostile();
    for _ in 0..12 {
        facts.timeline.extend(facts.timeline.clone());
        facts.timeline.truncate(4_000);
        facts.commands.extend(facts.commands.clone());
        facts.commands.truncate(4_000);
        facts.processes.extend(facts.processes.clone());
        facts.detections.extend(facts.detections.clone());
        facts.detections.truncate(4_000);
    }
    let report = Report::of(facts);
    let (page, text) = (html::page(&report), markdown::page(&report));
    assert!(page.contains("and 3750 more"), "a long table says that it was cut");
    assert!(page.len() < 4 << 20 && text.len() < 4 << 20, "{} {}", page.len(), text.len());
}

#[test]
fn parents_that_name_each_other_in_a_circle_are_drawn_once() {
    let mut facts = facts();
    let first = facts.processes[0].process_uid.clone();
    let last = facts.processes.last().unwrap().process_uid.clone();
    facts.processes[0].parent_uid = Some(last);
    for it in &mut facts.processes {
        it.parent_uid.get_or_insert_with(|| first.clone());
    }
    // Nothing is a root: nothing can be drawn, and nothing goes on for ever.
    assert!(tree::of(&facts).is_none());
    facts.processes[0].parent_uid = None;
    assert!(tree::of(&facts).is_some());
}

#[test]
fn the_page_may_load_and_run_nothing() {
    let page = html::page(&Report::of(facts()));
    assert!(
        page.contains("default-src 'none'; style-src 'sha256-")
            || page.contains("default-src &#39;none")
    );
    for it in ["<script", " src=", " href=", "url(", "style=\"", "@import"] {
        assert!(!page.contains(it), "{it}");
    }
}
