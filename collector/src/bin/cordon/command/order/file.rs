//! A file, asked for on its host first: what is signed names the inode and the digest that the host
//! has found at that path, so that another file that comes there is not touched.

use anyhow::Context as _;
use cordon_collector::api::view;
use cordon_shared::{
    command::{
        action::{Action, Artefact, Question},
        scope::FileIs,
    },
    digest::Sha256,
    entropy::SystemEntropy,
    id::SweepId,
    text::Text,
    time::SystemClock,
};

use super::one;
use crate::{
    args::{
        Output,
        contain::Signing,
        order::{File, Remove},
    },
    client::Client,
    desk::Desk,
    failure::{Failure, Why},
    render,
};

/// Takes a file away.
///
/// # Errors
/// What failed, or was not seen to be done.
pub(super) fn quarantine(client: &Client, output: Output, asked: &File) -> anyhow::Result<()> {
    let file = ask(client, output, (&asked.host, &asked.path), &asked.signing)?;
    one(Desk::open(client, &asked.signing)?, output, &asked.host, Action::Quarantine(file))
}

/// Removes a trace.
///
/// # Errors
/// What failed, or was not seen to be done.
pub(super) fn remove(client: &Client, output: Output, asked: &Remove) -> anyhow::Result<()> {
    let ask = |path: &str| ask(client, output, (&asked.host, path), &asked.signing);
    let what = &asked.what;
    let line = |pair: &[String]| match pair {
        [path, line] => Some((Text::from(path.as_str()), Text::from(line.as_str()))),
        _ => None,
    };
    let artefact = if let Some((path, line)) = line(&what.cron) {
        Artefact::CronLine { path, line }
    } else if let Some((path, line)) = line(&what.authorized_key) {
        Artefact::AuthorizedKey { path, line }
    } else if let Some((path, line)) = line(&what.text_line) {
        Artefact::TextLine { path, line }
    } else if let Some(path) = &what.unit {
        let FileIs { path, sha256, .. } = ask(path)?;
        Artefact::SystemdUnit { path, sha256 }
    } else {
        Artefact::File(ask(what.file.as_deref().context("something is named")?)?)
    };
    one(Desk::open(client, &asked.signing)?, output, &asked.host, Action::Remove(artefact))
}

/// Asks a host which file is at a path.
fn ask(
    client: &Client,
    output: Output,
    (host, path): (&str, &str),
    signing: &Signing,
) -> anyhow::Result<FileIs> {
    let mut desk = Desk::open(client, signing)?;
    let host = desk.host(host)?;
    let sweep = SweepId::random(&SystemClock, &SystemEntropy);
    let questions = vec![Question::Path(Text::from(path))];
    let mut command = desk.command(Action::Sweep { sweep, questions })?;
    // It only looks, and without it nothing can be planned.
    command.is_dry_run = false;
    desk.order(&host, command)?;
    desk.wait()?;
    let answer = desk.issued().first().context("a question was asked")?;
    match answer.verdict.as_deref() {
        Some("complete" | "partial") => (),
        Some(verdict) => {
            let text = format!("{} looks for no file: {verdict}: {}", host.name, detail(answer));
            return Err(Failure::new(Why::Refused, text).into());
        }
        None => {
            let text = format!("{} does not answer which file it has at `{path}`", host.name);
            return Err(Failure::new(Why::Unreachable, text).into());
        }
    }
    let found =
        answer.findings.iter().find_map(|it| named(it).filter(|it| it.path == Text::from(path)));
    let Some(file) = found else {
        let text = format!("{} has no file `{path}`: {}", host.name, detail(answer));
        return Err(Failure::new(Why::NotFound, text).into());
    };
    if output == Output::Table {
        let FileIs { inode, sha256, .. } = &file;
        render::say(&format!("{path} on {} is inode {inode}, sha256 {sha256}", host.name))?;
    }
    Ok(file)
}

fn detail(answer: &view::Command) -> &str {
    answer.detail.as_deref().unwrap_or("see `cordon command show`")
}

fn named(finding: &view::Finding) -> Option<FileIs> {
    Some(FileIs {
        path: Text::parse(finding.path.as_deref()?)?,
        device: finding.device?,
        inode: finding.inode?,
        sha256: Sha256::parse(finding.sha256.as_deref()?)?,
    })
}
