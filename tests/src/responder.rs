//! People who respond: keys of their own, the responders' tool, and the files of a collector that
//! they may find in hostile hands.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, ensure};
use cordon_shared::{
    command::{
        Command, Delivery,
        action::Action,
        target::{Target, Tree},
    },
    crypto::signing::SigningKey,
    entropy::SystemEntropy,
    id::{AgentId, CommandId, ProcessKey},
    keyring::author,
    time::{Clock, SystemClock},
    wire,
};
use serde_json::Value;

use crate::{
    child::Launch,
    testbed::{SOON, Testbed},
};

/// A responder with a key of her own.
#[derive(Debug)]
pub struct Responder {
    name: &'static str,
    key: PathBuf,
}

/// Makes the keys of these, and has root sign a keyring that they are in.
///
/// # Errors
/// What the programs said.
pub fn respond<const COUNT: usize>(
    testbed: &Testbed,
    names: [&'static str; COUNT],
) -> anyhow::Result<[Responder; COUNT]> {
    let people = names.map(|name| {
        let key = testbed.folder().join(name).join(format!("{name}.key"));
        Responder { name, key }
    });
    let mut members = String::new();
    for it in &people {
        let folder = it.key.parent().context("a key is in a folder")?.display().to_string();
        let made = testbed.cordon()?.args(["key", "new", "--name", it.name, "--out", &folder]);
        made.run(SOON)?.expect_success()?;
        let public = std::fs::read_to_string(it.key.with_extension("pub"));
        let public = public.context("read a public key")?;
        let public = public.lines().next().context("a public key is a line")?.to_owned();
        members.push_str(&format!(
            "\n[[members.key]]\nkey = \"{public}\"\nholder = \"{}\"\nrole = \"responder\"\n\
             holder_kind = \"file\"\nexpires = \"2100-01-01T00:00:00Z\"\n",
            it.name
        ));
    }
    let newer = |draft: String| draft.replace("\nversion = 1\n", "\nversion = 2\n") + &members;
    testbed.collector().sign_keyring(newer)?;
    Ok(people)
}

/// What an order came to.
#[derive(Debug)]
pub struct Ordered {
    /// The exit code.
    pub code: Option<i32>,
    /// What was printed.
    pub shown: Vec<Value>,
    /// What was said.
    pub said: String,
}

impl Ordered {
    /// The id of the first command.
    #[must_use]
    pub fn command(&self) -> &str {
        self.shown.first().and_then(|it| it["command_id"].as_str()).unwrap_or_default()
    }
}

impl Responder {
    /// Orders something, signed with her key.
    ///
    /// # Errors
    /// When the tool cannot be run.
    pub fn order(&self, testbed: &Testbed, arguments: &[&str]) -> anyhow::Result<Ordered> {
        let key = self.key.display().to_string();
        let ordered = testbed.cordon()?.args(arguments);
        let done = ordered.args(["--key", &key, "--output", "json"]).run(SOON)?;
        let shown = serde_json::from_str(&done.stdout).unwrap_or_default();
        Ok(Ordered { code: done.status.code(), shown, said: done.stderr })
    }

    /// Her private key.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn key(&self) -> anyhow::Result<SigningKey> {
        author::read_key(&self.key).context("read a key")
    }
}

/// The one host of an agent, as a command names it.
///
/// # Errors
/// When the collector does not know it.
pub fn target(testbed: &Testbed, agent: &str) -> anyhow::Result<Target> {
    let host = testbed.api().host(agent)?;
    let text = |name: &str| host[name].as_str().unwrap_or_default().to_owned();
    let agent = AgentId::parse(agent).context("read an agent's id")?;
    Ok(Target { agent, host_name: text("name"), host_tier: text("tier") })
}

/// A command for one host, signed after `change` has had its say; it lives ten minutes.
///
/// # Errors
/// None that a test could cause.
pub fn signed(
    action: Action,
    target: Target,
    by: &SigningKey,
    change: impl FnOnce(&mut Command),
) -> anyhow::Result<Delivery> {
    let tree = Tree::new(vec![target]).context("make a target")?;
    let now = SystemClock.now();
    let mut command = Command {
        id: CommandId::random(&SystemClock, &SystemEntropy),
        incident: None,
        targets: tree.root(),
        issued: now,
        not_before: now.saturating_sub(Duration::from_secs(10)),
        expires: now.saturating_add(Duration::from_secs(600)),
        lease: None,
        preconditions: Vec::new(),
        supersedes: None,
        citation: None,
        overrides: Vec::new(),
        is_dry_run: false,
        reason: String::new(),
        action,
    };
    change(&mut command);
    let (_, proof) = tree.proofs().next().context("make a target")?;
    Ok(Delivery { signed: wire::command::sign(&command, by), proof })
}

/// State and start time of a process (proc(5)).
///
/// # Errors
/// When it is gone.
pub fn stat(pid: u32) -> anyhow::Result<(String, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("find a process")?;
    // The name may hold spaces and parentheses, so it ends at the last one.
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let state = fields.first().context("read a process's state")?;
    let start_ticks = fields.get(19).context("read a process's start")?.parse()?;
    Ok(((*state).to_owned(), start_ticks))
}

/// A process, as a command names it.
///
/// # Errors
/// When it is gone.
pub fn process(pid: u32) -> anyhow::Result<ProcessKey> {
    Ok(ProcessKey { pid, start_ticks: stat(pid)?.1 })
}

/// Changes the state of a collector behind its back: what whoever owns its machine can do.
///
/// # Errors
/// When it cannot be changed.
pub fn tamper(testbed: &Testbed, statements: &str) -> anyhow::Result<()> {
    let script = "import sqlite3, sys\n\
                  state = sqlite3.connect(sys.argv[1], timeout=10)\n\
                  state.executescript(sys.argv[2])\n\
                  state.commit()";
    let state = testbed.collector().data().join("state.sqlite").display().to_string();
    let done = Launch::new("tamper", "python3").args(["-c", script, &state, statements]);
    let done = done.run(SOON)?;
    ensure!(done.status.success(), "the state was not changed: {}", done.stderr);
    Ok(())
}
