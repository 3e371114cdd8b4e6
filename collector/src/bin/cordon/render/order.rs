//! The columns of what is asked about orders: steps, findings, leases, entries of the ledger.

use cordon_collector::api::view;

use super::{Row, time};

impl Row for view::Step {
    const HEAD: &'static [&'static str] = &["step", "outcome", "more"];

    fn cells(&self) -> Vec<String> {
        vec![self.step.clone(), self.outcome.clone(), self.detail.clone()]
    }
}

impl Row for view::Finding {
    const HEAD: &'static [&'static str] = &["file", "inode", "pid", "sha256", "more"];
    const LESS: &'static [&'static str] = &["inode", "more"];

    fn cells(&self) -> Vec<String> {
        let number = |it: Option<u64>| it.map_or_else(|| "-".to_owned(), |it| it.to_string());
        vec![
            self.path.clone().unwrap_or_else(|| "-".to_owned()),
            number(self.inode),
            number(self.pid.map(u64::from)),
            self.sha256.clone().unwrap_or_else(|| "-".to_owned()),
            self.note.clone(),
        ]
    }
}

impl Row for view::Lease {
    const HEAD: &'static [&'static str] =
        &["command", "agent", "since (utc)", "until (utc)", "then", "signed by"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.command_id.clone(),
            self.agent_id.clone(),
            time(&self.since),
            self.until.as_deref().map_or_else(|| "-".to_owned(), time),
            if self.is_sticky { "stays" } else { "released" }.to_owned(),
            self.signed_by.join(" and "),
        ]
    }
}

impl Row for view::Entered {
    const HEAD: &'static [&'static str] = &["entry", "agent", "at (utc)", "undone by", "what"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.entry_id.clone(),
            self.agent_id.clone(),
            time(&self.at),
            self.undone_by.clone().unwrap_or_else(|| "-".to_owned()),
            self.summary.clone(),
        ]
    }
}
