use cordon_shared::time::Timestamp;

use super::{incident, list, live, login, refusal};
use crate::report::{model::Report, tests::sample};

fn lines() -> Vec<list::Line> {
    let line = |facts: crate::report::model::Facts| list::Line {
        incident: facts.incident,
        phases: facts.phases,
        host: facts.hosts[0].name.clone(),
    };
    vec![line(sample::closed()), line(sample::facts()), line(sample::hostile())]
}

fn pages() -> Vec<String> {
    let now = Timestamp::from_ns(1_764_000_060_000_000_000);
    vec![
        list::page(&lines(), "grace", now, Some("0195-1")),
        incident::page(&Report::of(sample::facts()), "grace"),
        incident::page(&Report::of(sample::hostile()), "<b>grace</b>"),
        live::page("grace"),
        login::page(Some("<b>this</b>")),
        refusal("Not found", "<b>there is none</b>"),
    ]
}

#[test]
fn no_page_holds_a_script_a_style_or_a_handler_and_all_is_escaped() {
    for page in pages() {
        for it in ["<b>grace", "<b>this", "<b>there", "<img", " style=\"", "<style", " onclick="] {
            assert!(!page.contains(it), "{it} in {page}");
        }
        let scripts = page.matches("<script").count();
        let ours = page.matches("<script type=\"module\" src=\"/live.js\"></script>").count();
        assert_eq!(scripts, ours);
        assert!(!page.contains('\u{202e}') && !page.contains('\u{1b}'));
    }
}

#[test]
fn what_is_open_comes_first() {
    let now = Timestamp::from_ns(1_764_000_060_000_000_000);
    let page = list::page(&lines(), "grace", now, None);
    let (open, closed) = page.split_once("<h2>Closed</h2>").unwrap();
    assert!(open.contains("badge warn\">open") && !open.contains("badge flat\">closed"));
    assert!(closed.contains("badge flat\">closed"));
}

#[test]
fn an_incident_says_what_to_type() {
    let page = incident::page(&Report::of(sample::facts()), "grace");
    for it in [
        "cordon isolate a9a9a9a9 --incident 0195-incident --key KEYFILE",
        "cordon release a9a9a9a9 --hold c2 --incident 0195-incident --key KEYFILE",
        "cordon report 0195-incident --out report.html",
    ] {
        assert!(page.contains(it), "{it}");
    }
}
