//! A report as Markdown (GitHub's dialect, for its tables). Pure.
//!
//! What hosts and people said is escaped so that no reader makes markup, a link or HTML of it: what is
//! machine's text stands in code spans, all else has its punctuation escaped. Figures are the HTML
//! report's; here the processes are an indented list.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{
    model::{Command, Facts, Process, Report},
    remain,
    said::{self, Said},
};

/// Rows of one table (chosen: as the HTML report).
const ROWS_MAX: usize = 250;
/// Levels of the list of processes.
const DEPTH_MAX: usize = 20;

/// Writes it.
#[must_use]
pub fn page(it: &Report) -> String {
    let mut page = String::new();
    let incident = &it.facts.incident;
    line(&mut page, &format!("# Incident report: {}", plain(&incident.title)));
    line(
        &mut page,
        &format!(
            "Severity **{}**, **{}**, incident `{}`. Made {} for {}. All times are UTC.",
            incident.severity.as_str(),
            plain(&incident.state),
            incident.incident_id,
            it.facts.made,
            plain(&it.facts.made_for)
        ),
    );
    summary(&mut page, it);
    clocks(&mut page, it);
    phases(&mut page, &it.facts);
    processes(&mut page, &it.facts);
    tables(&mut page, &it.facts);
    line(&mut page, "## Appendix: commands, signers, receipts");
    if it.facts.commands.is_empty() {
        line(&mut page, "Nothing was ordered.");
    }
    for command in it.facts.commands.iter().take(ROWS_MAX) {
        appendix(&mut page, &it.facts, command);
    }
    more(&mut page, it.facts.commands.len());
    if !it.facts.unread.is_empty() {
        line(&mut page, "## What this report lacks");
        bullets(&mut page, &it.facts.unread);
    }
    page
}

/// A paragraph.
fn line(page: &mut String, text: &str) {
    page.push_str(text);
    page.push_str("\n\n");
}

fn more(page: &mut String, len: usize) {
    if len > ROWS_MAX {
        line(page, &format!("and {} more", len - ROWS_MAX));
    }
}

fn bullets(page: &mut String, items: &[Said]) {
    for it in items.iter().take(ROWS_MAX) {
        page.push_str(&format!("- {}\n", plain(it)));
    }
    page.push('\n');
    more(page, items.len());
}

fn table(page: &mut String, title: &str, head: &[&str], rows: &[Vec<String>], empty: &str) {
    line(page, &format!("## {title}"));
    if rows.is_empty() {
        return line(page, empty);
    }
    page.push_str(&format!("| {} |\n", head.join(" | ")));
    page.push_str(&format!("|{}\n", " --- |".repeat(head.len())));
    for row in rows.iter().take(ROWS_MAX) {
        page.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    page.push('\n');
    more(page, rows.len());
}

fn summary(page: &mut String, it: &Report) {
    let sum = &it.summary;
    line(page, "## Summary");
    for (name, lines) in [("What happened", &sum.what), ("When", &sum.when), ("Where", &sum.place)]
    {
        line(page, &format!("**{name}**"));
        bullets(page, lines);
    }
    line(page, "**What was done**");
    if sum.done.is_empty() {
        line(page, "Nothing was ordered.");
    } else {
        for done in &sum.done {
            page.push_str(&format!("- **{}**: {}\n", plain(&done.verdict), plain(&done.text)));
        }
        if sum.done_more > 0 {
            page.push_str(&format!("- and {} more; all are in the appendix\n", sum.done_more));
        }
        page.push('\n');
    }
    line(page, "**What remains**");
    if it.remains.is_empty() {
        line(
            page,
            "Nothing: every gate is closed, no hold is in force, every order has its proof.",
        );
    } else {
        bullets(page, &it.remains);
    }
}

fn clocks(page: &mut String, it: &Report) {
    let row = |it: &super::clock::Reading| {
        vec![it.clock.to_owned(), it.what.to_owned(), it.spoken(), plain(&it.note)]
    };
    let rows: Vec<_> = it.clocks.iter().map(row).collect();
    table(page, "How long it took", &["Clock", "From, to", "Took", "By"], &rows, "");
}

fn phases(page: &mut String, facts: &Facts) {
    let row = |it: &super::model::PhaseFacts| {
        let needs = if it.needs.is_empty() { &it.rests_on } else { &it.needs };
        let needs = said::listed(needs, 12);
        let (phase, state) = (remain::spoken(it.phase).to_owned(), it.state.as_str().to_owned());
        vec![phase, state, it.since.to_string(), plain(&Said::new(needs))]
    };
    let rows: Vec<_> = facts.phases.iter().map(row).collect();
    table(
        page,
        "Phases and gates",
        &["Phase", "State", "Since", "Would close it, or closed it"],
        &rows,
        "",
    );
    for it in &facts.overrides {
        let (actor, text) = (plain(&it.actor), plain(&it.text));
        line(page, &format!("Closed with an open gate: {} by {actor}: {text}", it.at));
    }
}

fn processes(page: &mut String, facts: &Facts) {
    line(page, "## Processes");
    if facts.processes.is_empty() {
        return line(page, "No process of this incident is in the lake.");
    }
    let known: BTreeSet<&str> = facts.processes.iter().map(|it| it.process_uid.as_str()).collect();
    let parent = |it: &Process| it.parent_uid.clone().filter(|uid| known.contains(uid.as_str()));
    let roots = facts.processes.iter().filter(|it| parent(it).is_none());
    let mut waiting: Vec<_> = roots.map(|it| (it, 0)).collect();
    waiting.reverse();
    let (mut seen, mut shown) = (BTreeSet::new(), 0);
    while let Some((it, depth)) = waiting.pop() {
        if !seen.insert(it.process_uid.as_str()) || shown >= ROWS_MAX {
            continue;
        }
        shown += 1;
        let found = said::listed(&it.detections, 3);
        let found =
            if found.is_empty() { found } else { format!(" **{}**", plain(&Said::new(found))) };
        let line = if it.command_line.is_empty() { &it.exe } else { &it.command_line };
        let ending = it.ending.as_ref().map_or_else(String::new, |it| format!(", {}", plain(it)));
        let indent = "  ".repeat(depth);
        let (name, code) = (plain(&it.name), code(line));
        page.push_str(&format!("{indent}- {name} (pid {}{ending}) {code}{found}\n", it.pid));
        let below = facts.processes.iter().rev();
        let below = below.filter(|child| child.parent_uid.as_deref() == Some(&it.process_uid));
        waiting.extend(below.map(|child| (child, (depth + 1).min(DEPTH_MAX))));
    }
    page.push('\n');
    more(page, facts.processes.len());
}

fn tables(page: &mut String, facts: &Facts) {
    let host = |agent: &str| plain(&facts.host_name(agent));
    let rows = |it: Vec<Vec<String>>| it;
    let hosts = facts.hosts.iter().map(|it| {
        let seen = it.last_seen.map_or_else(|| "never".to_owned(), |it| it.to_string());
        vec![plain(&it.name), plain(&it.tier), plain(&it.system), plain(&it.standing), seen]
    });
    let head = ["Host", "Tier", "System", "State", "Last heard"];
    table(page, "Hosts in scope", &head, &rows(hosts.collect()), "No host is in scope.");
    let detections = facts.detections.iter().map(|it| {
        let what = format!("{} {}", plain(&it.title), code(&it.summary));
        let severity = it.severity.as_str().to_owned();
        vec![it.first.to_string(), severity, what, host(&it.agent_id), it.count.to_string()]
    });
    let head = ["First event", "Severity", "What was found", "Host", "Events"];
    table(page, "Detections", &head, &rows(detections.collect()), "Nothing was found by a rule.");
    let indicators = facts
        .indicators
        .iter()
        .map(|it| vec![it.kind.to_owned(), code(&it.value), plain(&it.source)]);
    let empty = "The events of this incident name none.";
    table(page, "Indicators", &["Kind", "Value", "Seen"], &rows(indicators.collect()), empty);
    if !facts.sweeps.is_empty() {
        line(page, "What the fleet answered:");
        bullets(page, &facts.sweeps);
    }
    let gaps = facts.gaps.iter().map(|it| {
        let times = [it.from.to_string(), it.until.to_string()];
        let rest = [host(&it.agent_id), plain(&it.cause), it.spoken()];
        times.into_iter().chain(rest).collect()
    });
    let head = ["From", "Until", "Host", "Cause", "Events lost"];
    let empty = "No host in scope declared a loss in this time.";
    table(page, "Blind spots", &head, &rows(gaps.collect()), empty);
    let evidence = facts
        .evidence
        .iter()
        .map(|it| vec![plain(&it.what), code(&it.id), plain(&it.source), plain(&it.proof)]);
    let head = ["What", "Name", "From", "Proof"];
    let empty = "Nothing is kept beside the events.";
    table(page, "Evidence", &head, &rows(evidence.collect()), empty);
    let or = |it: &Option<Said>, none: &str| it.as_ref().map_or_else(|| none.to_owned(), plain);
    let tasks = facts.tasks.iter().map(|it| {
        vec![plain(&it.text), or(&it.owner, "nobody"), or(&it.due, "no date"), plain(&it.state)]
    });
    let empty = "No action item has been written down.";
    let head = ["What", "Owner", "Due", "State"];
    table(page, "Lessons and actions", &head, &rows(tasks.collect()), empty);
    let entries = facts.timeline.iter().map(|it| {
        let actor = it.actor.as_str().strip_prefix("agent ");
        let actor = actor.map_or_else(|| plain(&it.actor), host);
        vec![it.at.to_string(), plain(&it.kind), actor, plain(&it.text)]
    });
    let head = ["When", "Kind", "Who", "What"];
    table(page, "Timeline", &head, &rows(entries.collect()), "Nothing is on the timeline.");
}

fn appendix(page: &mut String, facts: &Facts, it: &Command) {
    let verdict = match it.verdict.as_deref() {
        Some("complete") => "complete".to_owned(),
        Some(other) => other.to_uppercase(),
        None => "NO RECEIPT".to_owned(),
    };
    let host = plain(&facts.host_name(&it.agent_id));
    line(page, &format!("### {} on {host}: {verdict}", it.action));
    let mut item = |name: &str, text: &str| {
        if !text.is_empty() {
            page.push_str(&format!("- {name}: {text}\n"));
        }
    };
    let signers =
        if it.signers.is_empty() { "not known".to_owned() } else { said::listed(&it.signers, 16) };
    item("Command", &format!("`{}`", it.command_id));
    item("Order", &plain(&it.summary));
    item("Signed by", &plain(&Said::new(signers)));
    item("Issued", &format!("{} by {}", it.issued, plain(&it.issued_by)));
    item("Lasts", &it.lease.as_ref().map_or_else(String::new, plain));
    item("Receipt", &it.closed.map_or_else(|| "none yet".to_owned(), |it| it.to_string()));
    item("It says", &it.detail.as_ref().map_or_else(String::new, plain));
    item("Left open", &plain(&Said::new(said::listed(&it.open, 40))));
    item("Steps", &plain(&Said::new(said::listed(&it.steps, 40))));
    page.push('\n');
}

/// Text without markup: punctuation that could begin any is escaped.
fn plain(it: &Said) -> String {
    let mut text = String::new();
    for letter in it.to_string().chars() {
        if matches!(
            letter,
            '\\' | '`'
                | '*'
                | '_'
                | '['
                | ']'
                | '<'
                | '>'
                | '|'
                | '#'
                | '&'
                | '~'
                | '@'
                | '!'
                | '$'
        ) {
            text.push('\\');
        }
        text.push(letter);
    }
    // What readers make links of although nobody marked it.
    text.replace("://", ":\\//").replace("www.", "www\\.")
}

/// A code span: fenced by more backticks than it holds, with a table's bars escaped.
fn code(it: &Said) -> String {
    let text = it.to_string();
    if text.is_empty() {
        return text;
    }
    let longest = text.split(|it| it != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let text = text.replace('|', "\\|");
    let mut span = String::new();
    // A space at each end keeps backticks of the text from those of the fence.
    let pad = if longest > 0 { " " } else { "" };
    write!(span, "{fence}{pad}{text}{pad}{fence}").unwrap_or_default();
    span
}

#[cfg(test)]
mod tests {
    use super::{Said, code, plain};

    #[test]
    fn nothing_that_was_said_becomes_markup() {
        let said = |it: &str| Said::from(it);
        assert_eq!(
            plain(&said("<script>*x* [a](http://b) | c")),
            "\\<script\\>\\*x\\* \\[a\\](http:\\//b) \\| c"
        );
        assert_eq!(plain(&said("a\n# b")), "a\\\\u{a}\\# b");
        assert_eq!(code(&said("rm -rf | `x`")), "`` rm -rf \\| `x` ``");
        assert_eq!(code(&said("plain")), "`plain`");
    }
}
