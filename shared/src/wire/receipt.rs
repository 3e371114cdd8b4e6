//! Receipts: what became of a command ↔ wire.

use cordon_proto::v1;

use super::{
    WireError, bytes,
    command::{file_from, file_to, process_from, process_to},
    event::{clock_from, clock_to},
    kinds, optional, refuse, required, signed,
};
use crate::{
    crypto::signing::{PublicKey, SignatureError, SignedBytes, SigningKey},
    digest::Sha256,
    event::receipt::{Finding, Receipt, StepReport, Verdict},
    id::{AgentId, CommandId, IncidentId, LedgerId},
    limit,
    time::{ClockSample, Timestamp},
    wire::command::OpenError,
};

/// Payload type of a receipt.
pub const RECEIPT: &str = "cordon.v1.Receipt";

/// Signs a receipt with the agent's receipt key.
#[must_use]
pub fn sign(receipt: &Receipt, key: &SigningKey) -> SignedBytes {
    key.sign(RECEIPT, &to_wire(receipt))
}

/// Opens a receipt that the agent's receipt key signed.
///
/// # Errors
/// [`OpenError`]: it proves nothing.
pub fn open(signed: &SignedBytes, key: &PublicKey) -> Result<Receipt, OpenError> {
    let opened = signed.open::<v1::Receipt>(RECEIPT, std::slice::from_ref(key))?;
    Ok(from_wire(&opened.message)?)
}

/// Reads a receipt without checking its signature: for showing one beside the mark that it was not
/// checked.
///
/// # Errors
/// [`OpenError`] when it does not read.
pub fn peek(signed: &SignedBytes) -> Result<Receipt, OpenError> {
    match crate::crypto::canonical::decode::<v1::Receipt>(&signed.payload) {
        Some(wire) => Ok(from_wire(&wire)?),
        None => Err(SignatureError::NotCanonical { wanted: RECEIPT }.into()),
    }
}

/// Reads a receipt that was proved when it was kept; nothing when its bytes do not read.
#[must_use]
pub fn kept(bytes: &[u8]) -> Option<Receipt> {
    peek(&signed::decode(bytes).ok()?).ok()
}

fn to_wire(it: &Receipt) -> v1::Receipt {
    let steps = it.steps.iter().map(|it| v1::StepReport {
        step: it.step.clone(),
        outcome: kinds::outcome_to(it.outcome),
        detail: it.detail.clone(),
    });
    v1::Receipt {
        command_id: bytes(it.command.as_bytes()),
        agent_id: bytes(it.agent.as_bytes()),
        incident: it.incident.map(|it| bytes(it.as_bytes())).unwrap_or_default(),
        verdict: kinds::verdict_to(it.verdict),
        refusal: it.refusal.map_or(0, kinds::refusal_to),
        detail: it.detail.clone(),
        steps: steps.collect(),
        open: it.open.clone(),
        ledger_entries: it.ledger.iter().map(|it| bytes(it.as_bytes())).collect(),
        received: Some(clock_to(it.received)),
        began: Some(clock_to(it.began)),
        ended: Some(clock_to(it.ended)),
        command_sha256: bytes(it.command_sha256.as_bytes()),
        findings: it.findings.iter().map(finding_to).collect(),
    }
}

fn from_wire(wire: &v1::Receipt) -> Result<Receipt, WireError> {
    if wire.steps.len() > limit::RECEIPT_STEPS_MAX {
        return refuse("steps", "at most 512");
    }
    if wire.open.len() > limit::RECEIPT_STEPS_MAX {
        return refuse("open", "at most 512");
    }
    if wire.findings.len() > limit::RECEIPT_FINDINGS_MAX {
        return refuse("findings", "at most 256");
    }
    if wire.ledger_entries.len() > limit::RECEIPT_STEPS_MAX {
        return refuse("ledger_entries", "at most 512");
    }
    let verdict = kinds::verdict_from(wire.verdict)?;
    let refusal = match wire.refusal {
        0 => None,
        number => Some(kinds::refusal_from(number)?),
    };
    if refusal.is_some() != (verdict == Verdict::Refused) {
        return refuse("refusal", "present when the verdict is `refused`, and only then");
    }
    if verdict == Verdict::Complete && !wire.open.is_empty() {
        return refuse("open", "empty when the verdict is `complete`");
    }
    let ledger = wire.ledger_entries.iter();
    let ledger = ledger.map(|it| required("ledger_entries", it, LedgerId::from_slice));
    Ok(Receipt {
        command: required("command_id", &wire.command_id, CommandId::from_slice)?,
        agent: required("agent_id", &wire.agent_id, AgentId::from_slice)?,
        incident: optional("incident", &wire.incident, IncidentId::from_slice)?,
        verdict,
        refusal,
        detail: sentence("detail", &wire.detail)?,
        steps: wire.steps.iter().map(step_from).collect::<Result<_, _>>()?,
        open: wire.open.iter().map(|it| sentence("open", it)).collect::<Result<_, _>>()?,
        findings: wire.findings.iter().map(finding_from).collect::<Result<_, _>>()?,
        ledger: ledger.collect::<Result<_, _>>()?,
        received: clock("received", wire.received.as_ref())?,
        began: clock("began", wire.began.as_ref())?,
        ended: clock("ended", wire.ended.as_ref())?,
        command_sha256: required("command_sha256", &wire.command_sha256, Sha256::from_slice)?,
    })
}

fn step_from(wire: &v1::StepReport) -> Result<StepReport, WireError> {
    Ok(StepReport {
        step: sentence("steps.step", &wire.step)?,
        outcome: kinds::outcome_from(wire.outcome)?,
        detail: sentence("steps.detail", &wire.detail)?,
    })
}

fn finding_to(it: &Finding) -> v1::Finding {
    v1::Finding {
        file: it.file.as_ref().map(file_to),
        size_bytes: it.size_bytes,
        modified_ns: it.modified.as_ns(),
        process: it.process.map(process_to),
        question: it.question,
        note: it.note.clone(),
    }
}

fn finding_from(wire: &v1::Finding) -> Result<Finding, WireError> {
    if wire.file.is_none() && wire.process.is_none() {
        return refuse("findings", "a file, a process, or both");
    }
    let file = wire.file.as_ref();
    let process = wire.process.as_ref();
    Ok(Finding {
        file: file.map(|it| file_from(Some(it))).transpose()?,
        size_bytes: wire.size_bytes,
        modified: Timestamp::from_ns(wire.modified_ns),
        process: process.map(|it| process_from(Some(it))).transpose()?,
        question: wire.question,
        note: sentence("findings.note", &wire.note)?,
    })
}

fn sentence(field: &'static str, text: &str) -> Result<String, WireError> {
    if text.len() > limit::RECEIPT_TEXT_BYTES_MAX {
        return refuse(field, "at most 512 bytes");
    }
    Ok(text.to_owned())
}

fn clock(field: &'static str, wire: Option<&v1::ClockSample>) -> Result<ClockSample, WireError> {
    match wire {
        Some(wire) => Ok(clock_from(wire)),
        None => refuse(field, "present"),
    }
}

#[cfg(test)]
mod tests;
