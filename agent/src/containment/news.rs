//! What happens to the network of a host that is held without any command: a lease ends, a hold stays
//! overdue, somebody takes the packet filter away. Each leaves as an event, so that people see it.
//!
//! Beside the lower road: it comes from the tending of the network and leaves as a receipt does. It
//! is never about a command's outcome; that is the receipt's. An adversary who flushes the filter in
//! a loop makes one event a minute, with a count.

use std::time::Duration;

use cordon_shared::{
    event::{Body, Event, login::LogRecord},
    id::CommandId,
    text::Text,
    time::{Boottime, ClockSample},
};

use super::{Answer, Containment, hold::Hold};

/// Between two events about a filter that was put back (chosen: what a person reads).
const AGAIN: Duration = Duration::from_secs(60);
/// Untold news at most: one for each hold, and one for the filter.
const NEWS_MAX: usize = super::hold::HOLDS_MAX + 1;

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    /// A lease has ended, and its hold with it.
    Ended,
    /// A lease has ended, and its hold stays.
    Overdue,
    /// The network was open while the host was held; it is closed again.
    PutBack,
}

/// What was not told yet.
#[derive(Debug, Default)]
pub(super) struct News {
    untold: Vec<Answer>,
    put_back: u64,
    told_at: Option<Boottime>,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Ended => "lease_ended",
            Self::Overdue => "hold_overdue",
            Self::PutBack => "isolation_put_back",
        }
    }

    /// RFC 5424: a notice, or an alert.
    fn severity(self) -> u8 {
        match self {
            Self::Ended => 5,
            Self::Overdue | Self::PutBack => 1,
        }
    }
}

impl Containment {
    /// Takes what is to be told.
    pub(super) fn news(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.news.untold)
    }

    /// Notes what happened, of one hold or of the first that is in force.
    pub(super) fn tell(&mut self, what: What, about: Option<(CommandId, Option<&Hold>)>) {
        let ClockSample { boottime, realtime } = self.parts.clock.sample();
        if what == What::PutBack {
            self.news.put_back = self.news.put_back.saturating_add(1);
            if self.news.told_at.is_some_and(|it| boottime.since(it) < AGAIN) {
                return;
            }
            self.news.told_at = Some(boottime);
        }
        let first = || self.parts.book.holds().iter().next().map(|(id, hold)| (id, Some(hold)));
        let Some((command, hold)) = about.or_else(first) else { return };
        let message = match what {
            What::Ended => format!("the lease of {command} has ended, and its hold with it"),
            What::Overdue => format!("the lease of {command} has ended; the host stays isolated"),
            What::PutBack => {
                let times = std::mem::take(&mut self.news.put_back);
                format!(
                    "the network was open while the host was held, {times} times since the last word; it is closed again"
                )
            }
        };
        let field = |name: &'static str, value: String| (text(name), text(&value));
        let mut fields =
            vec![field("what", what.name().to_owned()), field("command", command.to_string())];
        fields.extend(hold.and_then(|it| it.incident).map(|it| field("incident", it.to_string())));
        let record = LogRecord {
            source: text("cordon-agent"),
            unit: text("containment"),
            message: text(&message),
            severity: Some(what.severity()),
            fields,
            cursor: Text::EMPTY,
        };
        if self.news.untold.len() < NEWS_MAX {
            let body = Body::LogRecord(record);
            let event = Event { boottime, realtime, exercise: None, body };
            self.news.untold.push(Answer { command, event });
        }
    }
}

fn text(it: &str) -> Text {
    Text::from(it)
}
