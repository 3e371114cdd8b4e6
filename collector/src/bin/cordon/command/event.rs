//! `cordon event`: what happened on the hosts, from the lake or as it comes.

use std::io::BufRead as _;

use anyhow::Context as _;
use cordon_shared::time::{Clock as _, SystemClock, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fleet::segment;
use crate::{
    args::{
        Output,
        event::{Event, Search},
    },
    client::{Client, Query},
    failure::{Failure, Why},
    render::{self, Row},
};

/// Bytes of a line of the live stream (chosen: twice the largest event).
const LINE_BYTES_MAX: usize = 4 << 20;

/// Events.
///
/// # Errors
/// What failed.
pub(crate) fn run(client: &Client, output: Output, event: &Event) -> anyhow::Result<()> {
    match event {
        Event::Search(search) => {
            let query = query(search, SystemClock.now())?;
            let wait = render::wait("searching");
            let found = client.pages::<Shown>("/api/v1/events", &query, search.limit)?;
            drop(wait);
            render::list(output, &found.items)?;
            whole(found.is_partial)
        }
        Event::Count(search) => {
            let query = query(search, SystemClock.now())?;
            let wait = render::wait("counting");
            let counts: Counts = client.get("/api/v1/events/count", &query)?;
            drop(wait);
            render::list(output, &counts.items)?;
            whole(counts.is_partial)
        }
        Event::Show { id } => {
            let event: Value =
                client.get(&format!("/api/v1/events/{}", segment(id)?), &Vec::new())?;
            // An event is nested: as JSON it can be read whole.
            match output {
                Output::Json => render::one(output, &event),
                Output::Table => render::say(&render::json(&event)?),
            }
        }
        Event::Tail => tail(client, output),
    }
}

/// Says so when the lake could not be read whole.
fn whole(is_partial: bool) -> anyhow::Result<()> {
    if !is_partial {
        return Ok(());
    }
    let text = "what is shown is true and may not be all: the search met its bounds, or a file \
                that cannot be read; ask for less with --since, --until or --class";
    Err(Failure::new(Why::Partial, text).into())
}

/// An event as the collector gives it: OCSF.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Shown(Value);

impl Shown {
    /// A needle column as text.
    fn needle(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn at(&self, pointer: &str) -> Option<&str> {
        self.0.pointer(pointer)?.as_str()
    }

    /// What it is about, in one line.
    fn what(&self) -> String {
        let endpoint = || {
            let ip = self.at("/dst_endpoint/ip")?;
            let port = self.0.pointer("/dst_endpoint/port")?;
            Some(format!("{ip} port {port}"))
        };
        let path = |pointer| self.at(pointer).map(str::to_owned);
        path("/query/hostname")
            .or_else(endpoint)
            .or_else(|| path("/file/path"))
            .or_else(|| self.needle("cordon_cmd_line"))
            .or_else(|| path("/message"))
            .unwrap_or_default()
    }
}

impl Row for Shown {
    const HEAD: &'static [&'static str] = &["time (utc)", "host", "event", "pid", "user", "what"];
    const LESS: &'static [&'static str] = &["user", "pid"];

    fn cells(&self) -> Vec<String> {
        let ms = self.0.get("time").and_then(Value::as_i64).unwrap_or_default();
        let at = Timestamp::from_ns(ms.saturating_mul(1_000_000)).to_string();
        let pids = ["/process/pid", "/actor/process/pid"];
        let pid = pids.iter().find_map(|it| self.0.pointer(it)).and_then(Value::as_u64);
        vec![
            render::instant(&at),
            self.needle("cordon_host_name").unwrap_or_default(),
            self.needle("cordon_kind").unwrap_or_default(),
            pid.map_or_else(|| "-".to_owned(), |it| it.to_string()),
            self.needle("cordon_user").unwrap_or_else(|| "-".to_owned()),
            self.what(),
        ]
    }
}

/// What `count` answers.
#[derive(Deserialize)]
struct Counts {
    items: Vec<Count>,
    #[serde(default)]
    is_partial: bool,
}

/// How many there are of a class.
#[derive(Serialize, Deserialize)]
struct Count {
    class_uid: u32,
    class_name: String,
    count: u64,
}

impl Row for Count {
    const HEAD: &'static [&'static str] = &["class", "name", "count"];

    fn cells(&self) -> Vec<String> {
        vec![self.class_uid.to_string(), self.class_name.clone(), self.count.to_string()]
    }
}

/// What was typed, as the API's parameters.
fn query(search: &Search, now: Timestamp) -> anyhow::Result<Query> {
    let mut query = Query::new();
    query.push(("since", moment(&search.since, now)?));
    if let Some(until) = &search.until {
        query.push(("until", moment(until, now)?));
    }
    let class = search.class.as_deref().map(class).transpose()?;
    let filters = [
        ("class", class),
        ("host", search.host.clone()),
        ("agent", search.agent.clone()),
        ("process_uid", search.process.clone()),
        ("sha256", search.sha256.clone()),
        ("ip", search.ip.clone()),
        ("port", search.port.map(|it| it.to_string())),
        ("path", search.path.clone()),
        ("name", search.name.clone()),
        ("user", search.user.clone()),
    ];
    query.extend(filters.into_iter().filter_map(|(name, value)| Some((name, value?))));
    Ok(query)
}

/// `24h` ago, or a moment in RFC 3339.
///
/// # Errors
/// When it is neither.
pub(super) fn moment(text: &str, now: Timestamp) -> anyhow::Result<String> {
    if let Some(at) = Timestamp::parse(text) {
        return Ok(at.to_string());
    }
    let ago = crate::args::duration(text).map_err(|_no| {
        let text = format!("`{text}` is no time: give `24h`, `30m` or `2026-01-31T12:00:00Z`");
        Failure::new(Why::Usage, text)
    })?;
    Ok(now.saturating_sub(ago).to_string())
}

/// A class by its number in OCSF, or by a word.
fn class(text: &str) -> anyhow::Result<String> {
    let known = [
        ("process", 1007),
        ("file", 1001),
        ("network", 4001),
        ("dns", 4003),
        ("module", 1005),
        ("kernel", 1002),
        ("login", 3002),
    ];
    let word = known.iter().find(|(word, _)| *word == text).map(|(_, number)| *number);
    let number = word.or_else(|| text.parse().ok());
    let words: Vec<_> = known.iter().map(|(word, _)| *word).collect();
    let unknown =
        || format!("`{text}` is no class: give its number, or one of {}", words.join(", "));
    Ok(number.ok_or_else(|| Failure::new(Why::Usage, unknown()))?.to_string())
}

/// One line per event, as they come; with JSON, one object per line.
fn tail(client: &Client, output: Output) -> anyhow::Result<()> {
    let mut stream = client.stream("/api/v1/live")?;
    let mut kind = String::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = std::io::Read::take(&mut stream, LINE_BYTES_MAX as u64);
        if bounded.read_until(b'\n', &mut line).context("read the live stream")? == 0 {
            let text = "the collector ended the stream; it may have stopped: `cordon status`";
            return Err(Failure::new(Why::Unreachable, text).into());
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if let Some(it) = text.strip_prefix("event:") {
            it.trim().clone_into(&mut kind);
        } else if let Some(data) = text.strip_prefix("data:")
            && let Some(line) = live(&kind, data.trim(), output)?
        {
            render::say(&line)?;
        }
    }
}

/// The line for one thing of the live stream; nothing for what is no event.
fn live(kind: &str, data: &str, output: Output) -> anyhow::Result<Option<String>> {
    Ok(match (kind, output) {
        ("event" | "missed", Output::Json) => {
            let value: Value = serde_json::from_str(data).context("read the live stream")?;
            Some(render::escape_json(&value.to_string()))
        }
        ("event", Output::Table) => {
            let event: Shown = serde_json::from_str(data).context("read an event")?;
            let cells: Vec<_> = event.cells().iter().map(|it| render::safe(it)).collect();
            Some(cells.join("  "))
        }
        ("missed", Output::Table) => {
            let missed: Value = serde_json::from_str(data).context("read what was missed")?;
            let count = missed.get("count").and_then(Value::as_u64).unwrap_or_default();
            Some(format!("({count} came too fast to be shown; they are in the lake)"))
        }
        (_, Output::Json | Output::Table) => None,
    })
}

#[cfg(test)]
mod tests {
    use cordon_shared::time::Timestamp;
    use serde_json::json;

    use super::{Row as _, Shown, class, live, moment};
    use crate::args::Output;

    #[test]
    fn times_are_ago_or_absolute() {
        let now = Timestamp::from_ns(1_764_000_000_000_000_000);
        assert_eq!(moment("2025-11-24T15:00:00Z", now).unwrap(), "2025-11-24T15:00:00.000Z");
        assert_eq!(moment("1h", now).unwrap(), "2025-11-24T15:00:00.000Z");
        assert!(moment("yesterday", now).unwrap_err().to_string().contains("24h"));
    }

    #[test]
    fn classes_have_words() {
        assert_eq!(class("process").unwrap(), "1007");
        assert_eq!(class("4001").unwrap(), "4001");
        assert!(class("proces").unwrap_err().to_string().contains("process"));
    }

    #[test]
    fn an_event_is_one_line_whatever_its_class() {
        let launch = Shown(json!({ "time": 1_764_000_999_500_i64, "cordon_kind": "process_launch",
            "cordon_host_name": "web-1", "cordon_user": "www-data", "process": { "pid": 4711 },
            "cordon_cmd_line": "sh -c id" }));
        assert_eq!(
            launch.cells(),
            ["2025-11-24 16:16:39.500", "web-1", "process_launch", "4711", "www-data", "sh -c id"]
        );
        let connect = Shown(json!({ "dst_endpoint": { "ip": "10.0.0.1", "port": 443 } }));
        assert_eq!(connect.cells()[5], "10.0.0.1 port 443");
    }

    #[test]
    fn the_live_stream_is_one_line_each_and_hostile_text_stays_text() {
        let data =
            "{\"cordon_kind\":\"process_launch\",\"cordon_cmd_line\":\"\u{9b}2J \\u001b[2J\"}";
        let json = live("event", data, Output::Json).unwrap().unwrap();
        assert_eq!(
            json,
            r#"{"cordon_cmd_line":"\u009b2J \u001b[2J","cordon_kind":"process_launch"}"#
                .replace("\\\\", "\\")
        );
        let line = live("event", data, Output::Table).unwrap().unwrap();
        assert!(line.ends_with(r"\u{9b}2J \u{1b}[2J"), "{line}");
        let missed = live("missed", "{\"count\":7}", Output::Table).unwrap().unwrap();
        assert!(missed.starts_with("(7 "), "{missed}");
        assert!(live("incident", "{}", Output::Table).unwrap().is_none());
    }
}
