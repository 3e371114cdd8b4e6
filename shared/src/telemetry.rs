//! Logging, set up once at the start of a program.

use std::io::IsTerminal as _;

use tracing_subscriber::{
    Layer as _,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Format {
    /// Reads `text` or `json`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Why logging was not set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter does not parse.
    #[error("log filter `{filter}` is not like `info` or `info,cordon_agent=debug`")]
    Filter {
        /// As it was given.
        filter: String,
    },
    /// Somebody set it up before.
    #[error("logging is set up already")]
    Again,
}

/// Reads a filter. A word that is no level would be a target that nothing has, and silence all else.
fn read(filter: &str) -> Option<Targets> {
    let is_level = |it: &str| !it.is_empty() && it.parse::<LevelFilter>().is_ok();
    let is_good = |it: &str| it.contains('=') || is_level(it);
    filter.split(',').all(is_good).then(|| filter.parse().ok()).flatten()
}

/// Writes the log to standard error. `filter` is a level, or levels by target.
///
/// # Errors
/// [`TelemetryError`] for a bad filter, or at the second call.
pub fn init(filter: &str, format: Format) -> Result<(), TelemetryError> {
    let targets = read(filter).ok_or(TelemetryError::Filter { filter: filter.to_owned() })?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let result = match format {
        Format::Text => {
            let lines = lines.with_ansi(std::io::stderr().is_terminal()).with_target(false);
            tracing_subscriber::registry().with(lines.with_filter(targets)).try_init()
        }
        Format::Json => {
            let lines = lines.json().flatten_event(true);
            tracing_subscriber::registry().with(lines.with_filter(targets)).try_init()
        }
    };
    result.map_err(|_already| TelemetryError::Again)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_word_that_is_no_level_is_no_filter() {
        for good in ["info", "off", "info,cordon_agent=debug", "warn,h2=trace"] {
            assert!(read(good).is_some(), "{good}");
        }
        for bad in ["", "loud", "info,loud", "cordon_agent", "cordon_agent=loud", "a=info,"] {
            assert!(read(bad).is_none(), "{bad}");
        }
    }
}
