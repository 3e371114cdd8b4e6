//! One question to many hosts: who has it, who has not, and who did not say.

use cordon_collector::api::view;
use cordon_shared::{
    command::action::{Action, Question},
    digest::Sha256,
    entropy::SystemEntropy,
    id::{IncidentId, SweepId},
    text::Text,
    time::SystemClock,
};
use serde::Serialize;

use crate::{
    args::{Output, order::Sweep},
    client::Client,
    desk::{Desk, parsed},
    failure::{Failure, Why},
    render::{self, Row},
};

/// What one host says.
#[derive(Serialize)]
struct Answer {
    host: String,
    agent_id: String,
    /// `hit`, `clean` or `unanswered`.
    answer: &'static str,
    command_id: String,
    verdict: Option<String>,
    detail: Option<String>,
    findings: Vec<view::Finding>,
}

impl Row for Answer {
    const HEAD: &'static [&'static str] = &["host", "answer", "found", "what"];

    fn cells(&self) -> Vec<String> {
        let first = self.findings.first().and_then(|it| it.path.clone());
        let what = first.or_else(|| self.detail.clone()).unwrap_or_default();
        vec![self.host.clone(), self.answer.to_owned(), self.findings.len().to_string(), what]
    }
}

/// Asks, and tells apart who has it, who has not, and who did not say.
///
/// # Errors
/// What failed; [`Why::Partial`] when some did not say.
pub(super) fn order(client: &Client, output: Output, asked: &Sweep) -> anyhow::Result<()> {
    let mut questions = Vec::new();
    for it in &asked.sha256 {
        let text = || Failure::new(Why::Usage, format!("`{it}` must be 64 hexadecimal digits"));
        questions.push(Question::Sha256(Sha256::parse(it).ok_or_else(text)?));
    }
    questions.extend(asked.path.iter().map(|it| Question::Path(Text::from(it.as_str()))));
    let sweep = SweepId::random(&SystemClock, &SystemEntropy);
    let of = |it: &String| parsed(it, "incident", IncidentId::parse);
    let incident = asked.of.as_ref().map(of).transpose()?;
    let mut desk = Desk::open(client, &asked.signing)?;
    let hosts = if asked.all { desk.every_host()? } else { desk.hosts(&asked.hosts)? };
    for host in &hosts {
        let action = Action::Sweep { sweep, questions: questions.clone() };
        let mut command = desk.command(action)?;
        command.incident = incident.or(command.incident);
        desk.order(host, command)?;
    }
    if !asked.signing.no_wait {
        desk.wait()?;
    }
    let answers = hosts.iter().zip(desk.issued()).map(|(host, it)| Answer {
        host: host.name.clone(),
        agent_id: host.agent_id.clone(),
        answer: answer(it),
        command_id: it.command_id.clone(),
        verdict: it.verdict.clone(),
        detail: it.detail.clone(),
        findings: it.findings.clone(),
    });
    let answers: Vec<Answer> = answers.collect();
    render::list(output, &answers)?;
    let count = |what: &str| answers.iter().filter(|it| it.answer == what).count();
    let (hit, clean, silent) = (count("hit"), count("clean"), count("unanswered"));
    let told = format!("sweep {sweep}: {hit} hit, {clean} clean, {silent} unanswered");
    if output == Output::Table {
        render::say(&told)?;
    }
    if silent == 0 || asked.signing.no_wait || asked.signing.dry_run {
        return Ok(());
    }
    let why = if silent == answers.len() { Why::Unreachable } else { Why::Partial };
    Err(Failure::new(why, told).into())
}

/// A host that could not look everywhere and found nothing has not answered.
fn answer(it: &view::Command) -> &'static str {
    match it.verdict.as_deref() {
        Some("complete" | "partial") if !it.findings.is_empty() => "hit",
        Some("complete") => "clean",
        _ => "unanswered",
    }
}
