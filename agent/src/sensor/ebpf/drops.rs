//! Records that found the ring full: how the kernel's count becomes losses, each declared exactly
//! once over restarts of the agent.
//!
//! In: the count (which only rises), how far the spool has our observations. Out: a loss to declare,
//! and the state to keep in the kernel beside the count, so that both live equally long. Pure.
//!
//! A loss has no record in the ring, hence no position of its own. Records lie at multiples of 8, so
//! the low three bits of an observation's position are free: a loss that is declared after the
//! record at `P` stands at `P + 1` (a second one, with no record in between, at `P + 2`). At most
//! one loss is on its way at a time. After a crash the spool says how far it came: at or past the
//! loss's position, and it is declared; before, and it is declared again.

use cordon_shared::time::Boottime;

/// Positions of records are multiples of it.
const STRIDE: u64 = 8;

/// The position of the ring in an observation's: without the marks of losses.
#[must_use]
pub const fn ring_position(offset: u64) -> u64 {
    offset & !(STRIDE - 1)
}

/// What was declared. As it lies in the kernel's map: `struct declared` in `bpf/record.h`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Declared {
    count: u64,
    until: Boottime,
    pending: Option<Pending>,
}

/// A loss on its way to the spool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Pending {
    offset: u64,
    count: u64,
    until: Boottime,
}

/// A loss to declare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Loss {
    /// The position that its observation carries.
    pub offset: u64,
    /// Records that were dropped.
    pub count: u64,
    /// Since when: the last declaration, or when the counter was made.
    pub from: Boottime,
    /// Until when.
    pub until: Boottime,
}

impl Declared {
    /// Nothing, since `at`.
    #[must_use]
    pub fn begun(at: Boottime) -> Self {
        Self { count: 0, until: at, pending: None }
    }

    /// Reads the map's value.
    #[must_use]
    pub fn from_words(words: [u64; 5]) -> Self {
        let [count, until, offset, pending_count, pending_until] = words;
        let pending = (offset != 0).then_some(Pending {
            offset,
            count: pending_count,
            until: Boottime::from_ns(pending_until),
        });
        Self { count, until: Boottime::from_ns(until), pending }
    }

    /// The map's value.
    #[must_use]
    pub fn to_words(self) -> [u64; 5] {
        let (offset, count, until) =
            self.pending.map_or((0, 0, 0), |it| (it.offset, it.count, it.until.as_ns()));
        [self.count, self.until.as_ns(), offset, count, until]
    }

    /// Learns that the spool has everything up to `offset`.
    #[must_use]
    pub fn settle(self, offset: u64) -> Self {
        match self.pending {
            Some(it) if it.offset <= offset => {
                Self { count: it.count, until: it.until, pending: None }
            }
            Some(_) | None => self,
        }
    }

    /// Begins anew after a restart, at `offset`: what did not reach the spool is declared again.
    #[must_use]
    pub fn restart(self, offset: u64) -> Self {
        Self { pending: None, ..self.settle(offset) }
    }

    /// Whether [`Declared::declare`] would declare `dropped`.
    #[must_use]
    pub fn is_due(&self, dropped: u64) -> bool {
        self.pending.is_none() && dropped > self.count
    }

    /// Declares what was dropped since the last time, when `dropped` in all are more and nothing is
    /// on its way. `after` is the position of the newest observation.
    ///
    /// Returns the state to keep, which must be kept before the loss is handed on.
    #[must_use]
    pub fn declare(self, dropped: u64, after: u64, now: Boottime) -> Option<(Self, Loss)> {
        // With seven losses after the last record, the next waits for one.
        if !self.is_due(dropped) || after % STRIDE == STRIDE - 1 {
            return None;
        }
        let offset = after + 1;
        let loss = Loss { offset, count: dropped - self.count, from: self.until, until: now };
        let pending = Some(Pending { offset, count: dropped, until: now });
        Some((Self { pending, ..self }, loss))
    }
}

#[cfg(test)]
mod tests;
