//! The rules of each gate, one function each; the module above says them in words. Pure.

use cordon_shared::incident::{Declaration, Phase, PhaseState, Phases, TaskKind};

use super::{
    Facts, Gate, HostFacts, Proof, Sweep, Swept,
    words::{command, line, names},
};

pub(super) fn preparation(gate: &mut Gate, facts: &Facts) {
    match &facts.lead {
        Some(lead) => gate.rest(format!("`{lead}` leads it")),
        None => gate.need(format!("nobody leads it: {}", command(facts, "assign", "PERSON"))),
    }
    match facts.persons {
        None => gate.need("no keyring is in force, so no agent obeys anybody: install one"),
        Some(0) => gate.need("no person's key may contain: have a responder put into the keyring"),
        Some(count) => gate.rest(format!("a keyring is in force, and {count} may contain")),
    }
}

pub(super) fn identification(gate: &mut Gate, facts: &Facts) {
    match facts.verdict {
        Some(verdict) => gate.rest(format!("verdict: {}", verdict.as_str())),
        None => gate.need(format!(
            "nobody said what it is: {}",
            command(facts, "verdict", "VERDICT --reason TEXT")
        )),
    }
    gate.rest(format!("in scope: {}", names(facts.hosts.iter().map(|it| it.name.as_str()))));
}

pub(super) fn containment(gate: &mut Gate, facts: &Facts) {
    for host in &facts.hosts {
        host_contained(gate, host, facts);
    }
    if facts.questions == 0 {
        let text = command(facts, "scope", "--sha256 DIGEST` or `--path PATH");
        gate.need(format!("there is no digest or path to sweep for: {text}"));
        return;
    }
    swept(gate, &facts.sweep, facts, "the fleet was not swept");
    let stray: Vec<_> = facts.sweep.hit.iter().filter(|it| is_stray(it)).collect();
    if !stray.is_empty() {
        let hosts = names(stray.iter().map(|it| it.name.as_str()));
        let text = command(facts, "scope", "--add HOST");
        gate.need(format!("a sweep hit {hosts}, not in scope: {text}"));
    }
}

/// Neither in scope, nor declared to be out of reach of it.
pub(super) fn is_stray(host: &Swept) -> bool {
    !host.is_in_scope && !host.is_declared
}

/// Whether every host was asked, and those that matter have answered.
pub(super) fn swept(gate: &mut Gate, sweep: &Sweep, facts: &Facts, missing: &str) {
    let pick = |hosts: &[Swept], is_it: fn(&Swept) -> bool| {
        let picked: Vec<_> = hosts.iter().filter(|it| is_it(it)).collect();
        let text = names(picked.iter().map(|it| it.name.as_str()));
        (!picked.is_empty()).then_some(text)
    };
    let how = format!("`cordon sweep {}`", facts.id);
    if let Some(hosts) = pick(&sweep.unasked, |it| !it.is_declared) {
        gate.need(format!("{missing}: {hosts} not asked for all digests and paths: {how}"));
    }
    if let Some(hosts) = pick(&sweep.waiting, |it| !it.is_declared) {
        gate.need(format!("a sweep waits for {hosts}: until it answers or its command ends"));
    }
    if let Some(hosts) = pick(&sweep.unanswered, |it| it.is_in_scope) {
        gate.need(format!("in scope and swept without an answer: {hosts}: {how} again"));
    }
    gate.rest(format!(
        "sweep: {} hit, {} clean, {} unanswered",
        sweep.hit.len(),
        sweep.clean.len(),
        sweep.unanswered.len() + sweep.waiting.len()
    ));
}

/// A declaration that counts.
pub(super) fn confirmed(host: &HostFacts) -> Option<Declaration> {
    host.declared.filter(|(_, is_confirmed)| *is_confirmed).map(|(what, _)| what)
}

pub(super) fn host_contained(gate: &mut Gate, host: &HostFacts, facts: &Facts) {
    let name = &host.name;
    if let Some(what) = confirmed(host) {
        return gate.rest(format!("`{name}` is declared {}", what.as_str()));
    }
    match (&host.containment, host.declared) {
        (Proof::Yes(by), _) => gate.rest(format!("`{name}`: {by}")),
        (Proof::No(_), Some((what, _))) => gate.need(format!(
            "`{name}` is declared {} by one person: a second one says so too: {}",
            what.as_str(),
            command(facts, "scope", &format!("--confirm {name}"))
        )),
        (Proof::No(why), None) => gate.need(format!(
            "`{name}` is not proved contained ({why}): `cordon isolate {name} --incident {}`, or {}",
            facts.id,
            command(facts, "scope", &format!("--declare {name}=off|gone|contained_elsewhere"))
        )),
    }
}

pub(super) fn after(gate: &mut Gate, phase: Phase, phases: &Phases) {
    if phases[phase.index()] != PhaseState::Done {
        gate.need(format!("{} is not closed", phase.as_str()));
    }
}

pub(super) fn eradication(gate: &mut Gate, facts: &Facts) {
    after(gate, Phase::Containment, &facts.phases);
    for host in &facts.hosts {
        host_cleaned(gate, host, facts);
    }
    if facts.questions > 0 {
        swept(gate, &facts.rescan, facts, "no re-scan since the last removal");
        let hit: Vec<_> = facts.rescan.hit.iter().filter(|it| !it.is_declared).collect();
        if !hit.is_empty() {
            let hosts = names(hit.iter().map(|it| it.name.as_str()));
            gate.need(format!("a re-scan still finds it on {hosts}: remove it there, sweep again"));
        }
    } else {
        gate.need("there is no digest or path to re-scan for");
    }
}

pub(super) fn host_cleaned(gate: &mut Gate, host: &HostFacts, facts: &Facts) {
    let name = &host.name;
    if confirmed(host).is_some() {
        return;
    }
    match &host.snapshot {
        Proof::Yes(by) => gate.rest(format!("`{name}`: {by}")),
        Proof::No(why) => gate.need(format!(
            "no snapshot of `{name}` came first ({why}): `cordon snapshot {name} --incident {}`",
            facts.id
        )),
    }
    for what in &host.unremoved {
        gate.need(format!("on `{name}`: {what}"));
    }
}

pub(super) fn no_hold(gate: &mut Gate, facts: &Facts) {
    for host in &facts.hosts {
        host_released(gate, host, facts);
    }
    if !gate.is_open {
        gate.rest("no hold is left");
    }
}

pub(super) fn host_released(gate: &mut Gate, host: &HostFacts, facts: &Facts) {
    let name = &host.name;
    // Of a machine that is gone nothing can be released.
    if host.holds.is_empty() || confirmed(host) == Some(Declaration::Gone) {
        return;
    }
    let holds = names(host.holds.iter().map(String::as_str));
    let how = format!("`cordon release {name} --incident {}`, or `resume`", facts.id);
    gate.need(format!("`{name}` is still held by {holds}: {how}"));
}

pub(super) fn recovery(gate: &mut Gate, facts: &Facts) {
    after(gate, Phase::Eradication, &facts.phases);
    no_hold(gate, facts);
    for task in facts.tasks.iter().filter(|it| !it.is_done) {
        if task.kind != TaskKind::ActionItem {
            let how = command(facts, "task", &format!("--done {}", task.number));
            let (kind, title) = (task.kind.as_str(), line(&task.title));
            gate.need(format!("{kind} {} is not done: {title}: {how}", task.number));
        }
    }
    watched(gate, facts, &facts.hosts);
}

/// Whether the watch window is over and was quiet.
pub(super) fn watched(gate: &mut Gate, facts: &Facts, hosts: &[HostFacts]) {
    let Some((from, until)) = facts.watch else {
        let how = command(facts, "phase", "recovery --watch 24h");
        return gate.need(format!("no watch window was begun: {how}"));
    };
    if facts.last_detected.is_some_and(|at| at >= from) {
        let how = command(facts, "phase", "recovery --watch 24h");
        return gate.need(format!("something was detected in the watch window: begin anew: {how}"));
    }
    if facts.now < until {
        return gate.need(format!("the watch window goes on until {until}"));
    }
    let is_silent =
        |it: &&HostFacts| confirmed(it).is_none() && it.last_seen.is_none_or(|seen| seen < until);
    let silent: Vec<_> = hosts.iter().filter(is_silent).collect();
    if silent.is_empty() {
        return gate.rest(format!("quiet from {from} to {until}"));
    }
    let hosts = names(silent.iter().map(|it| it.name.as_str()));
    gate.need(format!("the watch was blind: {hosts} did not speak since its end"));
}

pub(super) fn lessons(gate: &mut Gate, facts: &Facts) {
    after(gate, Phase::Recovery, &facts.phases);
    match facts.reported {
        Some(at) => gate.rest(format!("a report was written at {at}")),
        None => gate.need(format!("no report was written: `cordon report {}`", facts.id)),
    }
    for task in facts.tasks.iter().filter(|it| !it.is_done) {
        let is_vague = !task.has_owner || !task.has_due;
        if task.kind == TaskKind::ActionItem && is_vague {
            let how = command(
                facts,
                "task",
                &format!("--change {} --owner PERSON --due DAY", task.number),
            );
            let title = line(&task.title);
            gate.need(format!("action item {} lacks owner or date: {title}: {how}", task.number));
        }
    }
}
