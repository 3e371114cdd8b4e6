//! The second law: an agent numbers its events 1, 2, 3, … in each lane and epoch, so what is missing
//! in between shows without knowing what was generated.
//!
//! It finds what the markers cannot: events that nobody marked, and losses that were declared and
//! were none. It cannot see what is missing at the end of an epoch.

use std::{collections::BTreeMap, fmt};

/// Events of one lane and epoch: a stored one, or a range that was declared lost.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Numbered {
    /// `AGENT.EPOCH.lane`.
    pub series: String,
    /// The first, from 1.
    pub first: u64,
    /// The last; the first when it is one event.
    pub last: u64,
}

impl fmt::Display for Numbered {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}..={}", self.series, self.first, self.last)
    }
}

/// What the numbers say.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Numbers {
    /// Lanes and epochs that were seen.
    pub series: u64,
    /// Neither stored nor declared.
    pub missing: Vec<Numbered>,
    /// Stored more than once.
    pub repeated: Vec<Numbered>,
    /// Declared lost, and stored all the same.
    pub found: Vec<Numbered>,
    /// Declared lost, and not stored.
    pub declared: u64,
}

impl Numbers {
    /// Events that are neither stored nor declared.
    #[must_use]
    pub fn missing_count(&self) -> u64 {
        self.missing.iter().map(|it| it.last - it.first + 1).sum()
    }

    /// Fails unless every number is stored once or declared, and not both.
    ///
    /// # Errors
    /// What the numbers say, as text.
    pub fn must_hold(&self) -> anyhow::Result<()> {
        let faults = [&self.missing, &self.repeated, &self.found];
        anyhow::ensure!(faults.iter().all(|it| it.is_empty()), "{self}");
        Ok(())
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} series, {} declared lost", self.series, self.declared)?;
        let lists = [
            ("missing", &self.missing),
            ("stored more than once", &self.repeated),
            ("declared lost and stored", &self.found),
        ];
        for (what, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            let first: Vec<_> = list.iter().take(5).map(ToString::to_string).collect();
            write!(out, "; {} times {what}: {}", list.len(), first.join(", "))?;
        }
        Ok(())
    }
}

/// Judges.
#[must_use]
pub fn numbers(
    stored: impl IntoIterator<Item = Numbered>,
    declared: impl IntoIterator<Item = Numbered>,
) -> Numbers {
    let mut series: BTreeMap<String, (Vec<Numbered>, Vec<Numbered>)> = BTreeMap::new();
    for it in stored {
        series.entry(it.series.clone()).or_default().0.push(it);
    }
    for it in declared {
        series.entry(it.series.clone()).or_default().1.push(it);
    }
    let mut numbers = Numbers { series: series.len() as u64, ..Numbers::default() };
    for (name, (mut stored, mut declared)) in series {
        stored.sort();
        declared.sort();
        judge(&name, &stored, &declared, &mut numbers);
    }
    numbers
}

fn judge(series: &str, stored: &[Numbered], declared: &[Numbered], out: &mut Numbers) {
    let is_declared = |seq: u64| declared.iter().any(|it| (it.first..=it.last).contains(&seq));
    let mut last = 0;
    for it in stored {
        if it.first == last {
            out.repeated.push(it.clone());
        } else {
            gap(series, last + 1, it.first, declared, out);
        }
        if is_declared(it.first) {
            out.found.push(it.clone());
        }
        last = it.first;
    }
    let end = declared.iter().map(|it| it.last).max().unwrap_or(0);
    gap(series, last + 1, end.max(last) + 1, declared, out);
}

/// What lies in `from..until`, a hole in what is stored: declared, or missing.
fn gap(series: &str, from: u64, until: u64, declared: &[Numbered], out: &mut Numbers) {
    let mut at = from;
    while at < until {
        let covering = declared.iter().find(|it| (it.first..=it.last).contains(&at));
        let next = declared.iter().map(|it| it.first).filter(|it| *it > at).min();
        let end = match covering {
            Some(it) => (it.last + 1).min(until),
            None => next.unwrap_or(until).min(until),
        };
        match covering {
            Some(_) => out.declared += end - at,
            None => {
                out.missing.push(Numbered { series: series.to_owned(), first: at, last: end - 1 });
            }
        }
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::{Numbered, numbers};

    #[track_caller]
    fn check(stored: &[u64], declared: &[(u64, u64)], want: &Expect) {
        let of = |(first, last)| Numbered { series: "a".to_owned(), first, last };
        let stored = stored.iter().map(|seq| of((*seq, *seq)));
        let judged = numbers(stored, declared.iter().map(|it| of(*it)));
        let word = if judged.must_hold().is_ok() { "hold" } else { "broken" };
        want.assert_eq(&format!("{word}: {judged}"));
    }

    #[test]
    fn all_numbers_once_hold() {
        check(&[2, 1, 3], &[], &expect!["hold: 1 series, 0 declared lost"]);
    }

    #[test]
    fn a_hole_that_is_declared_holds() {
        check(&[1, 5], &[(2, 4)], &expect!["hold: 1 series, 3 declared lost"]);
    }

    #[test]
    fn a_hole_that_is_declared_in_part_is_broken() {
        check(
            &[1, 6],
            &[(3, 4)],
            &expect!["broken: 1 series, 2 declared lost; 2 times missing: a.2..=2, a.5..=5"],
        );
    }

    #[test]
    fn a_number_that_comes_twice_is_broken() {
        check(
            &[1, 1],
            &[],
            &expect!["broken: 1 series, 0 declared lost; 1 times stored more than once: a.1..=1"],
        );
    }

    #[test]
    fn a_loss_that_was_none_is_broken() {
        check(
            &[1, 2],
            &[(2, 2)],
            &expect![
                "broken: 1 series, 0 declared lost; 1 times declared lost and stored: a.2..=2"
            ],
        );
    }

    #[test]
    fn a_loss_at_the_end_is_declared() {
        check(&[1], &[(2, 9)], &expect!["hold: 1 series, 8 declared lost"]);
    }
}
