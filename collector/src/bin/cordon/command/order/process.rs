//! A process, found in what its host has told: the newest of that name in this boot, still running as
//! far as is known, with the start time and the digest that the command is bound to.

use std::time::Duration;

use anyhow::anyhow;
use cordon_collector::api::view;
use cordon_shared::{
    command::{
        action::{Action, ProcessTarget},
        scope::Precondition,
    },
    digest::Sha256,
    id::ProcessKey,
    time::Timestamp,
};
use serde_json::Value;

use crate::{
    args::{
        Output,
        order::{Process, Which},
    },
    client::Client,
    desk::{Desk, LOOK_EVERY},
    failure::{Failure, Why},
    render, wait,
};

/// Events that are looked through for a pid, newest first (chosen: a few seconds of questions).
const EVENTS_MAX: usize = 5_000;
/// How long an event may take into the lake (chosen: twice its interval).
const FILED_WITHIN: Duration = Duration::from_secs(5);

/// What is known of a process.
struct Found {
    key: ProcessKey,
    exe_sha256: Option<Sha256>,
    what: String,
}

/// Orders something of a process.
///
/// # Errors
/// What failed, or was not seen to be done.
pub(super) fn order(
    client: &Client,
    output: Output,
    asked: &Process,
    verb: &str,
    action: impl Fn(ProcessTarget) -> Action,
) -> anyhow::Result<()> {
    let mut desk = Desk::open(client, &asked.signing)?;
    let host = desk.host(&asked.host)?;
    let found = find(client, &host, &asked.which)?;
    if output == Output::Table {
        let tree = if asked.tree { " and its descendants" } else { "" };
        render::say(&format!("{verb} {}{tree} on {}", found.what, host.name))?;
    }
    let target = ProcessTarget { process: found.key, is_tree: asked.tree };
    let mut command = desk.command(action(target))?;
    let (process, exe_sha256) = (found.key, found.exe_sha256);
    command.preconditions = vec![Precondition::ProcessIs { process, exe_sha256 }];
    desk.order(&host, command)?;
    desk.finish(output)
}

/// Looks for as long as an event may be on its way into the lake: a detection is told before its event
/// can be searched for.
fn find(client: &Client, host: &view::Host, which: &Which) -> anyhow::Result<Found> {
    let mut missed = None;
    let found = wait::until(FILED_WITHIN, LOOK_EVERY, || match look(client, host, which)? {
        Ok(found) => Ok(Some(found)),
        Err(why) => {
            missed = Some(why);
            Ok(None)
        }
    });
    found?.ok_or_else(|| missed.map_or_else(|| anyhow!("nobody looked"), Into::into))
}

fn look(
    client: &Client,
    host: &view::Host,
    which: &Which,
) -> anyhow::Result<Result<Found, Failure>> {
    let agent = ("agent", host.agent_id.clone());
    let last: Vec<Value> = client.list("/api/v1/events", &vec![agent.clone()], 1)?;
    let boot = last.first().and_then(|it| text(it, "/device/boot_uid"));
    let mut query = vec![agent, ("class", "1007".to_owned())];
    query.extend(which.uid.iter().map(|it| ("process_uid", it.clone())));
    let events: Vec<Value> = client.list("/api/v1/events", &query, EVENTS_MAX)?;
    Ok(pick(&events, boot.as_deref(), which))
}

/// The process that is meant, among events with the newest first.
fn pick(events: &[Value], boot: Option<&str>, which: &Which) -> Result<Found, Failure> {
    let name = match (&which.uid, which.pid) {
        (Some(uid), _) => format!("process {uid}"),
        (None, pid) => format!("pid {}", pid.unwrap_or_default()),
    };
    let is_it = |it: &&Value| {
        let uid = text(it, "/cordon_process_uid");
        match &which.uid {
            Some(wanted) => uid.as_ref() == Some(wanted),
            None => {
                number(it, "/process/pid").is_some_and(|it| Some(it) == which.pid.map(u64::from))
            }
        }
    };
    let missing = |why: &str| Failure::new(Why::NotFound, format!("{name}: {why}"));
    let Some(newest) = events.iter().find(is_it) else {
        return Err(missing("this host has told of no such process; see `cordon event search`"));
    };
    if text(newest, "/device/boot_uid").as_deref() != boot {
        return Err(missing("it was seen before this boot of the host: it has ended"));
    }
    if text(newest, "/cordon_kind").as_deref() == Some("process_exit") {
        return Err(missing("it has ended already"));
    }
    let uid = text(newest, "/cordon_process_uid");
    let same = |it: &&Value| text(it, "/cordon_process_uid") == uid;
    let whole = events.iter().filter(same);
    let field = |pointer: &str| whole.clone().find_map(|it| text(it, pointer));
    let key = number(newest, "/process/pid")
        .and_then(|it| u32::try_from(it).ok())
        .zip(number(newest, "/cordon_process_start_ticks"));
    let Some((pid, start_ticks)) = key else {
        return Err(missing("it is not known when it began: its event is of an older collector"));
    };
    let began = whole.clone().next_back().and_then(|it| it.get("time")).and_then(Value::as_i64);
    let began = began.map(|ms| Timestamp::from_ns(ms.saturating_mul(1_000_000)).to_string());
    let or = |it: Option<String>| it.unwrap_or_else(|| "?".to_owned());
    let what = format!(
        "pid {pid} ({}: {}) of {}, seen since {}",
        or(field("/cordon_exe_path")),
        or(field("/cordon_cmd_line")),
        or(field("/cordon_user")),
        or(began),
    );
    let exe_sha256 = text(newest, "/cordon_exe_sha256").and_then(|it| Sha256::parse(&it));
    Ok(Found { key: ProcessKey { pid, start_ticks }, exe_sha256, what })
}

fn text(event: &Value, pointer: &str) -> Option<String> {
    event.pointer(pointer)?.as_str().map(str::to_owned)
}

fn number(event: &Value, pointer: &str) -> Option<u64> {
    event.pointer(pointer)?.as_u64()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &str, uid: &str, boot: &str, ticks: Option<u64>) -> Value {
        json!({
            "time": 1_000, "cordon_kind": kind, "cordon_process_uid": uid,
            "process": { "pid": 40 }, "device": { "boot_uid": boot },
            "cordon_process_start_ticks": ticks, "cordon_exe_path": "/bin/x",
            "cordon_cmd_line": "x -v", "cordon_user": "eve",
        })
    }

    #[track_caller]
    fn check(events: &[Value], want: &str) {
        let which = Which { pid: Some(40), uid: None };
        let said = match pick(events, Some("b"), &which) {
            Ok(it) => format!("{}@{}: {}", it.key.pid, it.key.start_ticks, it.what),
            Err(error) => error.to_string(),
        };
        assert!(said.contains(want), "{said}");
    }

    #[test]
    fn f_38_the_newest_process_of_a_pid_is_meant_and_never_one_that_has_ended() {
        let launch = event("process_launch", "2", "b", Some(9));
        check(
            &[launch.clone(), event("process_exit", "1", "b", Some(3))],
            "40@9: pid 40 (/bin/x: x -v) of eve, seen since 1970",
        );
        check(&[event("process_exit", "2", "b", Some(9)), launch], "has ended already");
        check(&[event("process_launch", "2", "a", Some(9))], "before this boot");
        check(&[event("process_launch", "2", "b", None)], "not known when it began");
        check(&[], "no such process");
    }
}
