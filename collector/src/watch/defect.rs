//! What breaks in the watch is told, and does not stop it (F-49).
//!
//! Beside the road: a rule that broke on an event was switched off by the engine; here people hear of
//! it, once: log, metric, audit log, status. So they do of what was found and cannot be kept.

use std::sync::Arc;

use tracing::{error, warn};

use super::{Parts, page::Found};
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
            let object = format!("rule {}", it.rule.id);
            audit(parts, "rule.switched_off", &object, &it.to_string()).await;
        }
        self.rules.1 = broken.len();
        let count = u64::try_from(broken.len()).unwrap_or(u64::MAX);
        parts.board.troubles().begin(Trouble::RulesOff, count);
    }
}

impl Found {
    /// Each receipt and each detection by itself, in the order in which they are done together.
    pub(super) fn pieces(&self) -> Vec<Self> {
        let claims =
            self.claims.iter().map(|it| Self { claims: vec![it.clone()], ..Self::default() });
        let repeats =
            self.repeats.iter().map(|it| Self { repeats: vec![it.clone()], ..Self::default() });
        claims.chain(repeats).collect()
    }
}

/// Tells of a receipt or a detection that cannot be kept.
pub(super) async fn tell_passed_over(parts: &Parts, piece: &Found, why: &str) {
    let claims = piece.claims.iter().map(|it| ("receipt", it.event));
    let detections = piece.repeats.iter();
    let detections = detections.filter_map(|it| Some(("detection", it.first.basis.event()?)));
    for (what, event) in claims.chain(detections) {
        Count::PassedOver.add(1);
        parts.board.troubles().add(Trouble::PassedOver);
        let object = format!("event {event}");
        let detail = format!("the {what} of this event could not be kept: {why}");
        error!(%event, "{detail}");
        audit(parts, "watch.passed_over", &object, &detail).await;
    }
}

async fn audit(parts: &Parts, action: &str, object: &str, detail: &str) {
    let by = By { principal: "collector".to_owned(), at: parts.clock.now() };
    if let Err(error) = parts.store.audit(&by, action, object, detail).await {
        Count::StoreFailures.add(1);
        warn!("failed to write to the audit log: {error}");
    }
}
