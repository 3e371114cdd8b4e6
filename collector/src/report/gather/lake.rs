//! What the lake adds to a report: the processes with what they were started with, what they touched,
//! when hosts were blind, and the steps of receipts.
//!
//! Searches block, so the caller runs this beside the runtime's threads. Bounds: [`SEARCHES_MAX`]
//! searches, [`TIME_MAX`] in all, [`PROCESSES_MAX`] processes, [`INDICATORS_MAX`] indicators; what
//! was not looked at is said.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use cordon_shared::{
    id::{AgentId, EventId, ProcessUid},
    time::{Clock, Timestamp},
};
use serde_json::Value;

use crate::{
    lake::{
        Lake, LakeError,
        search::{Filter, Order, Query},
    },
    report::{
        model::{Facts, Gap, Indicator, Process},
        said::Said,
    },
};

/// Searches of one report (chosen: with the time of each, what a person waits for).
const SEARCHES_MAX: usize = 40;
/// How long all of them may take (chosen: less than the responders' tool waits for an answer).
const TIME_MAX: Duration = Duration::from_secs(12);
/// Events of one process that are looked at.
const ROWS_MAX: usize = 300;
/// Processes of a report.
const PROCESSES_MAX: usize = 200;
/// Indicators of a report.
const INDICATORS_MAX: usize = 100;
/// Gaps of one host.
const GAPS_MAX: usize = 50;
/// Commands whose steps are looked up.
const RECEIPTS_MAX: usize = 100;
/// How long before the first event is looked (chosen: a session of a person).
const BEFORE: Duration = Duration::from_secs(3_600);
/// The OCSF class of losses.
const LOSS: u32 = 6008;

/// Adds to `facts` what the lake knows.
///
/// # Errors
/// [`LakeError`] when a file cannot be read.
pub fn add(lake: &Lake, clock: &dyn Clock, facts: &mut Facts) -> Result<(), LakeError> {
    let began = clock.boottime();
    let first = facts.began().unwrap_or(facts.incident.opened);
    let until = if facts.is_closed() { facts.incident.updated } else { facts.made };
    let mut finds = Finds::of(facts);
    let mut searches = 0;
    let is_spent = || clock.boottime().since(began) > TIME_MAX;
    while let Some((uid, agent)) = finds.waiting.pop_front() {
        if searches >= SEARCHES_MAX || is_spent() {
            finds.unread.insert("not every process was followed to its end".to_owned());
            break;
        }
        searches += 1;
        let Some(id) = ProcessUid::parse(&uid) else { continue };
        let query = Query {
            since: Some(first.saturating_sub(BEFORE)),
            filters: vec![Filter::Process(id)],
            order: Order::Oldest,
            limit: ROWS_MAX,
            ..Query::default()
        };
        let found = lake.search(&query)?;
        if found.is_partial || found.next.is_some() {
            finds.unread.insert("not every event of every process was looked at".to_owned());
        }
        for row in &found.rows {
            finds.take(row, &uid, &agent);
        }
    }
    for host in &facts.hosts {
        let Some(agent) = AgentId::parse(&host.agent_id) else { continue };
        let query = Query {
            since: Some(first.saturating_sub(BEFORE)),
            until: Some(until.saturating_add(Duration::from_secs(1))),
            classes: vec![LOSS],
            filters: vec![Filter::Agent(agent)],
            order: Order::Oldest,
            limit: GAPS_MAX,
            ..Query::default()
        };
        let found = lake.search(&query)?;
        finds.gaps.extend(found.rows.iter().map(|row| gap(row, &host.agent_id)));
    }
    receipts(lake, facts, &is_spent)?;
    finds.put(facts);
    Ok(())
}

/// What was done and what is open, by the receipts that the lake has.
fn receipts(lake: &Lake, facts: &mut Facts, is_spent: &dyn Fn() -> bool) -> Result<(), LakeError> {
    for it in facts.commands.iter_mut().take(RECEIPTS_MAX) {
        let id = it.receipt_event_id.as_deref().and_then(EventId::parse);
        let Some(id) = id.filter(|_| it.steps.is_empty() && !is_spent()) else { continue };
        let Some(row) = lake.get(id)? else { continue };
        for step in list(&row, "/cordon_steps") {
            let detail = text(step, "/detail");
            let detail = if detail.is_empty() { detail } else { format!(" ({detail})") };
            let told = format!("{}: {}{detail}", text(step, "/step"), text(step, "/outcome"));
            it.steps.push(Said::new(told));
        }
        it.open.extend(list(&row, "/cordon_still_open").map(|it| Said::new(text(it, "/what"))));
    }
    Ok(())
}

/// What was found so far.
struct Finds {
    waiting: VecDeque<(String, String)>,
    asked: BTreeSet<String>,
    /// Subjects of detections, with what was found about each.
    subjects: BTreeMap<String, Vec<Said>>,
    processes: BTreeMap<String, Process>,
    order: Vec<String>,
    indicators: Vec<Indicator>,
    gaps: Vec<Gap>,
    unread: BTreeSet<String>,
}

impl Finds {
    fn of(facts: &Facts) -> Self {
        let mut finds = Self {
            waiting: VecDeque::new(),
            asked: BTreeSet::new(),
            subjects: BTreeMap::new(),
            processes: BTreeMap::new(),
            order: Vec::new(),
            indicators: Vec::new(),
            gaps: Vec::new(),
            unread: BTreeSet::new(),
        };
        for it in &facts.detections {
            let Some(uid) = &it.process_uid else { continue };
            finds.follow(uid, &it.agent_id);
            let titles = finds.subjects.entry(uid.clone()).or_default();
            if !titles.contains(&it.title) {
                titles.push(it.title.clone());
            }
            if let Some(process) = finds.process(uid, &it.agent_id) {
                process.exe = it.summary.clone();
            }
        }
        finds
    }

    fn follow(&mut self, uid: &str, agent: &str) {
        if self.asked.len() < PROCESSES_MAX && self.asked.insert(uid.to_owned()) {
            self.waiting.push_back((uid.to_owned(), agent.to_owned()));
        }
    }

    /// The process of this name, made when there is room.
    fn process(&mut self, uid: &str, agent: &str) -> Option<&mut Process> {
        if !self.processes.contains_key(uid) {
            if self.processes.len() >= PROCESSES_MAX {
                self.unread.insert(format!("only {PROCESSES_MAX} processes are shown"));
                return None;
            }
            self.order.push(uid.to_owned());
            let (process_uid, agent_id) = (uid.to_owned(), agent.to_owned());
            let process = Process { process_uid, agent_id, ..Process::default() };
            self.processes.insert(uid.to_owned(), process);
        }
        self.processes.get_mut(uid)
    }

    /// What one event says, found while `uid` was looked for.
    fn take(&mut self, row: &Value, uid: &str, agent: &str) {
        let is_own = text(row, "/cordon_process_uid") == uid;
        match text(row, "/cordon_kind").as_str() {
            "process_launch" => self.launch(row, agent),
            "process_exit" => self.exit(row, agent),
            _ if !is_own && text(row, "/actor/process/uid") != uid => (),
            _ => self.deed(row, uid),
        }
    }

    fn launch(&mut self, row: &Value, agent: &str) {
        let uid = text(row, "/process/uid");
        let parent = text(row, "/process/parent_process/uid");
        if uid.is_empty() {
            return;
        }
        if let Some(it) = self.process(&uid, agent) {
            // A later exec of the same process says more of what it came to be.
            *it = Process {
                process_uid: uid.clone(),
                parent_uid: Some(parent.clone()).filter(|it| !it.is_empty()),
                launched: it.launched.or_else(|| time(row, "/time")),
                ended: it.ended,
                ending: it.ending.take(),
                ..identity(row, "/process", agent)
            };
        }
        if self.subjects.contains_key(&uid) {
            let value = text(row, "/cordon_exe_sha256");
            self.indicate("sha256", value, text(row, "/cordon_exe_path"));
        }
        self.ancestors(row, agent);
        self.follow(&uid, agent);
    }

    /// Who the process descends from: the nearest with what it was started with, the others by path.
    fn ancestors(&mut self, row: &Value, agent: &str) {
        let steps: Vec<_> = list(row, "/process/ancestry").collect();
        for (index, step) in steps.iter().enumerate() {
            let uid = text(step, "/uid");
            // The first process of a host is everybody's ancestor and says nothing.
            let is_init = number(step, "/pid") == 1;
            if uid.is_empty() || is_init || self.processes.contains_key(&uid) {
                continue;
            }
            let above = steps.get(index + 1).map(|it| text(it, "/uid"));
            let told = identity(row, "/process/parent_process", agent);
            let Some(it) = self.process(&uid, agent) else { return };
            if told.process_uid == uid {
                *it = told;
            }
            it.pid = number(step, "/pid");
            if it.exe.is_empty() {
                it.exe = Said::new(text(step, "/path"));
            }
            if it.name.is_empty() {
                let path = it.exe.as_str();
                it.name = Said::new(path.rsplit('/').next().unwrap_or(path));
            }
            it.parent_uid = above.filter(|it| !it.is_empty());
        }
    }

    fn exit(&mut self, row: &Value, agent: &str) {
        let uid = text(row, "/process/uid");
        let ended = time(row, "/time");
        let signal = row.pointer("/cordon_exit_signal").and_then(Value::as_i64);
        let code = row.pointer("/exit_code").and_then(Value::as_i64);
        let told = match (signal, code) {
            (Some(signal), _) => format!("ended by signal {signal}"),
            (None, Some(code)) => format!("exit {code}"),
            (None, None) => "ended".to_owned(),
        };
        // A child that only forked has no launch of its own and is not drawn.
        if let Some(it) = self.processes.get_mut(&uid).filter(|it| it.agent_id == agent) {
            it.ended = ended;
            it.ending = Some(Said::new(told));
        }
    }

    /// What a process did to files and to the network.
    fn deed(&mut self, row: &Value, uid: &str) {
        let who = self.processes.get(uid).map(|it| it.name.to_string()).unwrap_or_default();
        let activity = text(row, "/activity_name");
        let source = format!("{who}: {}", activity.to_lowercase());
        match number(row, "/class_uid") {
            1001 => {
                self.indicate("sha256", text(row, "/cordon_file_sha256"), source.clone());
                self.indicate("path", text(row, "/cordon_file_path"), source);
            }
            4001 => {
                let (ip, port) = (text(row, "/cordon_dst_ip"), number(row, "/cordon_dst_port"));
                let is_outbound = number(row, "/connection_info/direction_id") == 2;
                if is_outbound && !ip.is_empty() {
                    self.indicate("address", ip, format!("{source} to port {port}"));
                }
            }
            4003 => self.indicate("domain", text(row, "/cordon_dns_name"), source),
            _ => (),
        }
    }

    fn indicate(&mut self, kind: &'static str, value: String, source: String) {
        let value = Said::new(value);
        let is_known = self.indicators.iter().any(|it| it.kind == kind && it.value == value);
        if value.is_empty() || is_known {
            return;
        }
        if self.indicators.len() >= INDICATORS_MAX {
            self.unread.insert(format!("only {INDICATORS_MAX} indicators are shown"));
            return;
        }
        self.indicators.push(Indicator { kind, value, source: Said::new(source) });
    }

    fn put(mut self, facts: &mut Facts) {
        for (uid, titles) in self.subjects {
            if let Some(it) = self.processes.get_mut(&uid) {
                it.detections = titles;
            }
        }
        let processes = self.order.iter().filter_map(|uid| self.processes.remove(uid));
        facts.processes = processes.collect();
        for it in self.indicators {
            let is_known =
                facts.indicators.iter().any(|k| k.kind == it.kind && k.value == it.value);
            if !is_known {
                facts.indicators.push(it);
            }
        }
        facts.indicators.sort();
        self.gaps.sort_by_key(|it| it.from);
        facts.gaps = self.gaps;
        facts.unread.extend(self.unread.into_iter().map(Said::new));
    }
}

/// A process by the standard's object at `at`.
fn identity(row: &Value, at: &str, agent: &str) -> Process {
    let field = |name: &str| text(row, &format!("{at}/{name}"));
    let sha256 = field("file/hashes/0/value");
    let user = field("user/name");
    Process {
        process_uid: field("uid"),
        agent_id: agent.to_owned(),
        pid: number(row, &format!("{at}/pid")),
        name: Said::new(field("name")),
        exe: Said::new(field("file/path")),
        sha256: Some(sha256).filter(|it| !it.is_empty()),
        command_line: Said::new(field("cmd_line")),
        user: Said::new(if user.is_empty() { field("user/uid") } else { user }),
        ..Process::default()
    }
}

fn gap(row: &Value, agent: &str) -> Gap {
    let from = time(row, "/start_time").or_else(|| time(row, "/time")).unwrap_or_default();
    Gap {
        agent_id: agent.to_owned(),
        cause: Said::new(text(row, "/cordon_loss_cause")),
        sensor: Said::new(text(row, "/cordon_loss_sensor")),
        count: u64::try_from(number(row, "/cordon_loss_count")).unwrap_or(0),
        is_count_exact: row.pointer("/cordon_loss_is_exact").and_then(Value::as_bool) == Some(true),
        from,
        until: time(row, "/end_time").unwrap_or(from),
    }
}

fn text(row: &Value, at: &str) -> String {
    row.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(row: &Value, at: &str) -> i64 {
    row.pointer(at).and_then(Value::as_i64).unwrap_or_default()
}

fn list<'a>(row: &'a Value, at: &str) -> impl Iterator<Item = &'a Value> {
    row.pointer(at).and_then(Value::as_array).into_iter().flatten()
}

fn time(row: &Value, at: &str) -> Option<Timestamp> {
    let ms = row.pointer(at).and_then(Value::as_i64)?;
    Some(Timestamp::from_ns(ms.saturating_mul(1_000_000)))
}
