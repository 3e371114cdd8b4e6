//! What obeys commands here: containment, made from the host's own policy, and where receipts go.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use cordon_shared::{
    command::scope::LeaseEnd,
    crypto::signing::SigningKey,
    entropy::SystemEntropy,
    event::Body,
    id::{AgentId, CommandId},
    text::Text,
    time::Clock,
    wire::session::HostFacts,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{StartError, once};
use crate::{
    config::{self, Config, Policy},
    containment::{
        Answer, Containment, LocalPolicy, Mode, Parts,
        hold::{Hold, book::Book, file},
        journal::Journal,
        keyring::Store,
        ledger::Ledger,
        linux::{self, Linux},
    },
    enroll::identity::Record,
    road,
    seal::Memory,
    sensor,
    snapshot::{Ground, Kit, shelf::Shelf},
    spool::Fate,
};

/// Until a receipt that found no room in the spool is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Builds it.
pub(super) fn containment(
    config: &Config,
    record: Record,
    (kit, witness): (Kit, Arc<Memory>),
    facts: &HostFacts,
    clock: &Arc<dyn Clock>,
) -> Result<Containment, StartError> {
    Ok(Containment::new(Parts {
        agent: record.agent,
        host_name: facts.host_name.clone(),
        host_tier: record.host_tier,
        is_held: record.is_held,
        boot: facts.boot,
        receipt_key: Arc::clone(&kit.key),
        policy: policy(config),
        keyring: Some(Store::open(once::keyring_path(config))?),
        journal: Journal::open(&config.data_dir.join("journal"), clock.now())?,
        book: Book::open(holds_path(config))?,
        host: Box::new(Linux),
        files: Arc::new(linux::files::Linux {
            quarantine: config.data_dir.join("quarantine"),
            own: own(config),
            root: PathBuf::from("/"),
            roots: roots(config),
        }),
        ledger: Ledger::open(config.data_dir.join("ledger"))?,
        link: Box::new(linux::link::Linux {
            collector: config.collector.iter().chain(&config.enrolment).cloned().collect(),
            proxy: config.proxy.clone(),
            scope: scope(config),
        }),
        kit,
        witness,
        clock: Arc::clone(clock),
    }))
}

/// What takes snapshots.
pub(super) fn kit(
    config: &Config,
    key: SigningKey,
    (agent, scope): (AgentId, sensor::scope::Scope),
    facts: &HostFacts,
    clock: &Arc<dyn Clock>,
) -> Result<Kit, StartError> {
    Ok(Kit {
        ground: Ground { proc: PathBuf::from("/proc"), root: PathBuf::from("/"), scope },
        shelf: Shelf::open(config.data_dir.join("snapshots"))?,
        agent,
        host_name: facts.host_name.clone(),
        system: format!("{}, {} {}", facts.os, facts.kernel, facts.architecture),
        boot: facts.boot,
        key: Arc::new(key),
        clock: Arc::clone(clock),
        entropy: Arc::new(SystemEntropy),
    })
}

/// Where a sweep for contents looks: the folders that are watched, and where droppers drop.
fn roots(config: &Config) -> Vec<PathBuf> {
    let usual = ["/tmp", "/var/tmp", "/dev/shm", "/opt"].map(PathBuf::from);
    config.file_paths.iter().cloned().chain(usual).collect()
}

/// What no command about files touches: the agent's own, by every name that leads there.
fn own(config: &Config) -> Vec<PathBuf> {
    let program = std::env::current_exe().ok();
    let own = [Some(config.data_dir.clone()), Some(config.path.clone()), program];
    let own: Vec<PathBuf> = own.into_iter().flatten().collect();
    let resolved = own.iter().filter_map(|it| fs::canonicalize(it).ok());
    own.iter().cloned().chain(resolved).collect()
}

/// The cgroup that the agent is scoped to, as `/proc/PID/cgroup` has it.
fn scope(config: &Config) -> Option<String> {
    match &config.scope {
        config::Scope::Host => None,
        config::Scope::Cgroup(path) => Some(format!("/{}", path.trim_matches('/'))),
    }
}

/// The local policy. A protected path that leads through symbolic links protects what lies at its
/// end too: that is what the kernel shows of a process.
fn policy(config: &Config) -> LocalPolicy {
    let mode = match config.policy {
        Policy::Enforce => Mode::Enforce,
        Policy::Observe => Mode::Observe,
    };
    let text = |it: &Path| Text::from(it.as_os_str().as_encoded_bytes());
    let typed = config.protected.iter().map(|it| text(it));
    let resolved = config.protected.iter().filter_map(|it| fs::canonicalize(it).ok());
    LocalPolicy { mode, protected: typed.chain(resolved.map(|it| text(&it))).collect() }
}

/// Where it is written who holds this host isolated.
fn holds_path(config: &Config) -> PathBuf {
    config.data_dir.join("holds")
}

/// Who holds this host isolated, for people: a line for each hold.
pub(super) fn isolation(config: &Config) -> Vec<String> {
    let holds = match file::read(&holds_path(config)) {
        Ok((holds, _)) => holds,
        Err(error) => return vec![format!("isolated not known: {error}")],
    };
    if holds.is_empty() {
        return vec!["isolated no".to_owned()];
    }
    let line = |(command, hold): (CommandId, &Hold)| {
        let of = hold.incident.map_or_else(String::new, |it| format!(" of incident {it}"));
        let until = match hold.lease {
            _ if hold.is_overdue => "; its lease has ended, and it stays".to_owned(),
            Some(lease) => {
                let end = hold.since.saturating_add(lease.duration);
                let stays = if lease.end == LeaseEnd::Hold { ", and it stays" } else { "" };
                format!("; its lease ends {end}{stays}")
            }
            None => "; it has no end".to_owned(),
        };
        let by = match hold.holders.is_empty() {
            true => String::new(),
            false => format!(
                "; signed by {}",
                hold.holders.iter().map(String::as_str).collect::<Vec<_>>().join(" and ")
            ),
        };
        format!("isolated by command {command}{of}, since {}{until}{by}", hold.since)
    };
    holds.iter().map(line).collect()
}

/// The local policy, for people: a line for what commands may do, and one for each protected
/// executable.
pub(super) fn describe(config: &Config) -> Vec<String> {
    let mode = match config.policy {
        Policy::Enforce => "enforce",
        Policy::Observe => "observe: commands are planned and reported, nothing is done",
    };
    let mut lines = vec![format!("policy   {mode}")];
    for path in &config.protected {
        let shown = path.display();
        lines.push(match fs::canonicalize(path) {
            Ok(end) if end == *path => format!("never    {shown}"),
            Ok(end) => format!("never    {shown} (which is {})", end.display()),
            Err(_) => format!("never    {shown} (not there now)"),
        });
    }
    lines
}

/// Receipts join the upper road; containment is told when each is safe. One that finds no room on
/// the disk is tried again until there is. Ends with containment, or with the road.
pub(super) async fn receipts(
    mut answers: mpsc::Receiver<Answer>,
    road: road::Handle,
    reported: mpsc::Sender<CommandId>,
    stop: CancellationToken,
) {
    while let Some(Answer { command, event }) = answers.recv().await {
        let body = Box::new(event.body);
        let is_receipt = matches!(*body, Body::Receipt(_));
        let spooled = loop {
            let body: Box<Body> = body.clone();
            match road.query(|reply| road::Request::Own(body, Some(reply))).await {
                // Both branches are cancel-safe: a stop, and a sleep.
                Some(Fate::Lost) => tokio::select! {
                    () = stop.cancelled() => break false,
                    () = tokio::time::sleep(AGAIN) => (),
                },
                told => break told.is_some(),
            }
        };
        if spooled && is_receipt {
            // Containment may have ended: then it is handed out once more after the next start.
            let _ended = reported.send(command).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::{describe, policy};
    use crate::config::Config;

    #[test]
    fn a_protected_path_through_a_link_protects_what_the_kernel_shows() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().canonicalize().expect("it is there");
        let (file, link) = (folder.join("sshd"), folder.join("link"));
        cordon_shared::durable::write(&file, b"", 0o700).expect("writes");
        symlink(&file, &link).expect("links");
        let text = format!("protected = ['{}', '/nowhere/x']", link.display());
        let config = Config::parse(&text, |_| None).expect("good");
        let protected: Vec<_> = policy(&config).protected.iter().map(ToString::to_string).collect();
        let (file, link) = (file.display(), link.display());
        assert_eq!(protected, [link.to_string(), "/nowhere/x".to_owned(), file.to_string()]);
        assert_eq!(
            describe(&config),
            [
                "policy   enforce".to_owned(),
                format!("never    {link} (which is {file})"),
                "never    /nowhere/x (not there now)".to_owned(),
            ]
        );
    }
}
