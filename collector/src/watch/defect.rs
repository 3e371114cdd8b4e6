//! What breaks in the watch is told, and does not stop it (F-49).
//!
//! Beside the road: a rule that broke on an event was switched off by the engine; here people hear of
//! it, once: log, metric, audit log, status.

use std::sync::Arc;

use tracing::{error, warn};

use super::Parts;
use crate::{detect::engine::Engine, metric::Count, notice::Trouble, store::By};

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Defects {
    /// Of this engine so many rules.
    rules: (Arc<Engine>, usize),
}

impl Defects {
    /// Tells which rules were switched off since the last page, and forgets those of rules that were
    /// loaded again.
    pub(super) async fn tell_rules(&mut self, parts: &Parts, engine: &Arc<Engine>) {
        if !Arc::ptr_eq(&self.rules.0, engine) {
            self.rules = (Arc::clone(engine), 0);
            parts.board.troubles().end(Trouble::RulesOff);
        }
        let broken = engine.broken();
        let Some(new) = broken.get(self.rules.1..).filter(|it| !it.is_empty()) else { return };
        for it in new {
            Count::RulePanics.add(1);
            error!(file = it.file, "{it}");
            let by = By { principal: "collector".to_owned(), at: parts.clock.now() };
            let (object, detail) = (format!("rule {}", it.rule.id), it.to_string());
            let audited = parts.store.audit(&by, "rule.switched_off", &object, &detail);
            if let Err(error) = audited.await {
                Count::StoreFailures.add(1);
                warn!("failed to write to the audit log that a rule is off: {error}");
            }
        }
        self.rules.1 = broken.len();
        let count = u64::try_from(broken.len()).unwrap_or(u64::MAX);
        parts.board.troubles().begin(Trouble::RulesOff, count);
    }
}
