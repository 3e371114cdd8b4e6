//! One entry while it is taken: bytes under a bound, and what is lacking.

use std::{fmt, io};

use cordon_shared::snapshot::Outcome;
use serde_json::Value;

/// Why an entry ends before its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stop {
    /// There is no such thing on this host: nothing is lacking.
    Absent(String),
    /// It has more bytes than it may have.
    Full(u64),
    /// It could not be read on.
    Failed(String),
}

impl Stop {
    /// What reading a file says.
    pub fn of(what: impl fmt::Display, error: &io::Error) -> Self {
        match error.kind() == io::ErrorKind::NotFound {
            true => Self::Absent(format!("this host has no {what}")),
            false => Self::Failed(format!("{what}: {error}")),
        }
    }
}

/// An entry.
#[derive(Debug)]
pub struct Draft {
    bytes: Vec<u8>,
    bytes_max: u64,
    lacks: Vec<String>,
}

/// How many reasons are kept; what is lacking beyond them is lacking all the same.
const REASONS_MAX: usize = 4;

impl Draft {
    /// An empty one.
    #[must_use]
    pub fn new(bytes_max: u64) -> Self {
        Self { bytes: Vec::new(), bytes_max, lacks: Vec::new() }
    }

    /// Adds a line of JSON, whole or not at all.
    ///
    /// # Errors
    /// [`Stop`] when it has no room.
    pub fn line(&mut self, value: &Value) -> Result<(), Stop> {
        let mut line = value.to_string().into_bytes();
        line.push(b'\n');
        if line.len() > self.room() {
            return Err(Stop::Full(self.bytes_max));
        }
        self.bytes.extend_from_slice(&line);
        Ok(())
    }

    /// Adds bytes, as many as have room.
    ///
    /// # Errors
    /// [`Stop`] when not all of them had.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let room = self.room();
        self.bytes.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        if bytes.len() > room { Err(Stop::Full(self.bytes_max)) } else { Ok(()) }
    }

    fn room(&self) -> usize {
        let left = self.bytes_max.saturating_sub(self.bytes.len() as u64);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// Notes that something is lacking, and goes on.
    pub fn lacks(&mut self, what: String) {
        if self.lacks.len() < REASONS_MAX && !self.lacks.contains(&what) {
            self.lacks.push(what);
        }
    }

    /// Its contents, what became of it, and why. Of one that is [`Outcome::Taken`] nothing is lacking
    /// that was on the host; it is empty when there is no such thing.
    #[must_use]
    pub fn finish(mut self, ended: Result<(), Stop>) -> Finished {
        match ended {
            Ok(()) => (),
            Err(Stop::Absent(why)) if self.lacks.is_empty() => {
                return Finished { bytes: self.bytes, outcome: Outcome::Taken, reason: why };
            }
            Err(Stop::Absent(why) | Stop::Failed(why)) => self.lacks.push(why),
            Err(Stop::Full(bytes_max)) => self.lacks.push(format!("more than {bytes_max} bytes")),
        }
        let outcome = match (self.bytes.is_empty(), self.lacks.is_empty()) {
            (_, true) => Outcome::Taken,
            (true, false) => Outcome::Missed,
            (false, false) => Outcome::Cut,
        };
        Finished { bytes: self.bytes, outcome, reason: self.lacks.join("; ") }
    }
}

/// An entry that is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finished {
    /// Its contents.
    pub bytes: Vec<u8>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it was cut or missed, or that there is no such thing.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::{Draft, Stop};

    #[track_caller]
    fn check(bytes_max: u64, fill: impl FnOnce(&mut Draft) -> Result<(), Stop>, expect: &Expect) {
        let mut draft = Draft::new(bytes_max);
        let ended = fill(&mut draft);
        let it = draft.finish(ended);
        let text = String::from_utf8_lossy(&it.bytes).into_owned();
        expect.assert_eq(&format!("{:?} {text:?} {}", it.outcome, it.reason));
    }

    #[test]
    fn lines_are_whole_and_bytes_are_as_many_as_fit() {
        let line = json!({"a": 1});
        check(8, |it| it.line(&line), &expect![[r#"Taken "{\"a\":1}\n" "#]]);
        check(7, |it| it.line(&line), &expect![[r#"Missed "" more than 7 bytes"#]]);
        check(
            15,
            |it| it.line(&line).and_then(|()| it.line(&line)),
            &expect![[r#"Cut "{\"a\":1}\n" more than 15 bytes"#]],
        );
        check(3, |it| it.raw(b"abcd"), &expect![[r#"Cut "abc" more than 3 bytes"#]]);
    }

    #[test]
    fn of_what_is_not_there_nothing_is_lacking() {
        let absent = || Err(Stop::Absent("this host has no utmp".to_owned()));
        check(9, |_| absent(), &expect![[r#"Taken "" this host has no utmp"#]]);
        check(9, |_| Ok(()), &expect![[r#"Taken "" "#]]);
        check(
            9,
            |it| {
                it.lacks("2 processes".to_owned());
                it.raw(b"x")
            },
            &expect![[r#"Cut "x" 2 processes"#]],
        );
    }
}
