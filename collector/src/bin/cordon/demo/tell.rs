//! How the demo speaks: one line per step, with the time since it began.

use std::time::Duration;

use cordon_shared::time::{Boottime, Clock as _, SystemClock};

/// Writes the story.
pub(super) struct Teller {
    begin: Boottime,
}

impl Teller {
    pub(super) fn new() -> Self {
        Self { begin: SystemClock.boottime() }
    }

    /// A step that is done now.
    pub(super) fn step(&self, what: &str, text: &str) {
        let since = SystemClock.boottime().since(self.begin);
        say(&line(&format!("{:.2} s", since.as_secs_f64()), what, text));
    }

    /// Something that happened `after` a step began.
    pub(super) fn after(&self, after: Duration, what: &str, text: &str) {
        say(&line(&format!("+{:.1} ms", after.as_secs_f64() * 1_000.0), what, text));
    }

    /// More about the step before.
    pub(super) fn more(&self, text: &str) {
        say(&line("", "", text));
    }

    /// A line of its own.
    pub(super) fn plain(&self, text: &str) {
        say(text);
    }
}

fn line(when: &str, what: &str, text: &str) -> String {
    format!("{when:>12}  {what:<10} {text}")
}

#[expect(clippy::print_stdout, reason = "this is what the person asked for")]
fn say(line: &str) {
    println!("{line}");
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn columns_align() {
        assert_eq!(line("0.10 s", "agent", "enrolled"), "      0.10 s  agent      enrolled");
        assert_eq!(line("+31.0 ms", "detection", "x"), "    +31.0 ms  detection  x");
    }
}
