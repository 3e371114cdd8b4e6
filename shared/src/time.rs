//! Time as a parameter: who needs to know the time takes a [`Clock`].
//!
//! A host has two clocks that matter: BOOTTIME orders what happened on it and never jumps; REALTIME
//! says when it was for people, and may lie.

use std::{
    fmt,
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds in a second.
const NS_PER_S: u64 = 1_000_000_000;

/// Nanoseconds in a `USER_HZ` tick: 100 a second on every architecture that we build for, as
/// `sysconf(_SC_CLK_TCK)` says.
pub const NS_PER_TICK: u64 = NS_PER_S / 100;

/// A moment of the wall clock: nanoseconds since 1970, UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Takes nanoseconds since 1970.
    #[must_use]
    pub const fn from_ns(ns: i64) -> Self {
        Self(ns)
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub const fn as_ns(self) -> i64 {
        self.0
    }

    /// Milliseconds since 1970, rounded down, as OCSF counts.
    #[must_use]
    pub const fn as_ms(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Later by `duration`; stays at the end of time rather than wrap.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        let ns = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(ns))
    }

    /// Earlier by `duration`; stays at the beginning of time rather than wrap.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        let ns = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(ns))
    }

    /// How long ago `earlier` was; zero when it was not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let ns = self.0.saturating_sub(earlier.0);
        Duration::from_nanos(u64::try_from(ns).unwrap_or(0))
    }

    /// Reads RFC 3339.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let at: jiff::Timestamp = text.parse().ok()?;
        i64::try_from(at.as_nanosecond()).ok().map(Self)
    }

    /// The UTC day, as `YYYYMMDD`.
    #[must_use]
    pub fn day(self) -> String {
        let date = jiff::tz::Offset::UTC.to_datetime(self.to_jiff()).date();
        format!("{:04}{:02}{:02}", date.year(), date.month(), date.day())
    }

    fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Milliseconds, always three digits, so that columns align.
        write!(f, "{:.3}", self.to_jiff())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Nanoseconds of `CLOCK_BOOTTIME`: since boot, suspend included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Boottime(u64);

impl Boottime {
    /// Takes nanoseconds since boot.
    #[must_use]
    pub const fn from_ns(ns: u64) -> Self {
        Self(ns)
    }

    /// Nanoseconds since boot.
    #[must_use]
    pub const fn as_ns(self) -> u64 {
        self.0
    }

    /// `USER_HZ` ticks since boot, rounded down as the kernel does for `/proc/PID/stat`.
    #[must_use]
    pub const fn as_ticks(self) -> u64 {
        self.0 / NS_PER_TICK
    }

    /// How long ago `earlier` was; zero when it was not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Later by `duration`.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// Earlier by `duration`, but not before the boot.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// The same moment on both clocks of one host.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ClockSample {
    /// `CLOCK_BOOTTIME`.
    pub boottime: Boottime,
    /// `CLOCK_REALTIME`, as the host believes it.
    pub realtime: Timestamp,
}

impl ClockSample {
    /// What the wall clock showed, or will show, at `boottime`, if nobody sets it.
    #[must_use]
    pub fn realtime_at(&self, boottime: Boottime) -> Timestamp {
        let ahead = i128::from(boottime.as_ns()) - i128::from(self.boottime.as_ns());
        let ns = i128::from(self.realtime.as_ns()) + ahead;
        let cap = if ns < 0 { i64::MIN } else { i64::MAX };
        Timestamp::from_ns(i64::try_from(ns).unwrap_or(cap))
    }
}

/// Tells the time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The wall clock.
    fn now(&self) -> Timestamp;

    /// Time since boot.
    fn boottime(&self) -> Boottime;

    /// Both at once.
    fn sample(&self) -> ClockSample {
        ClockSample { boottime: self.boottime(), realtime: self.now() }
    }
}

/// The kernel's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// Nanoseconds of one of the kernel's clocks.
fn clock_ns(id: ClockId) -> i64 {
    let at = clock_gettime(id);
    at.tv_sec.saturating_mul(1_000_000_000).saturating_add(at.tv_nsec)
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(clock_ns(ClockId::Realtime))
    }

    fn boottime(&self) -> Boottime {
        Boottime(clock_ns(ClockId::Boottime).unsigned_abs())
    }
}

/// A clock that stands until it is moved.
#[derive(Debug, Default)]
pub struct FakeClock {
    realtime_ns: AtomicI64,
    boottime_ns: AtomicU64,
}

impl FakeClock {
    /// Stands at `sample`.
    #[must_use]
    pub fn at(sample: ClockSample) -> Self {
        Self {
            realtime_ns: AtomicI64::new(sample.realtime.as_ns()),
            boottime_ns: AtomicU64::new(sample.boottime.as_ns()),
        }
    }

    /// Lets `duration` pass on both clocks.
    pub fn advance(&self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.boottime_ns.fetch_add(ns, Ordering::SeqCst);
        self.realtime_ns.fetch_add(i64::try_from(ns).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// Sets the wall clock, as a person or an attacker would.
    pub fn set(&self, realtime: Timestamp) {
        self.realtime_ns.store(realtime.as_ns(), Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.realtime_ns.load(Ordering::SeqCst))
    }

    fn boottime(&self) -> Boottime {
        Boottime(self.boottime_ns.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{Boottime, ClockSample, Timestamp};

    #[test]
    fn a_timestamp_is_shown_in_utc_with_milliseconds_and_reads_back() {
        let at = Timestamp::from_ns(1_764_000_000_123_456_789);
        expect!["2025-11-24T16:00:00.123Z"].assert_eq(&at.to_string());
        expect!["20251124"].assert_eq(&at.day());
        let read = Timestamp::parse("2025-11-24T16:00:00.123Z");
        assert_eq!(read, Some(Timestamp::from_ns(1_764_000_000_123_000_000)));
    }

    #[test]
    fn times_before_1970_round_towards_the_past() {
        assert_eq!(Timestamp::from_ns(-1).as_ms(), -1);
    }

    #[test]
    fn a_sample_carries_boottime_over_to_the_wall_clock_both_ways() {
        let sample =
            ClockSample { boottime: Boottime::from_ns(100), realtime: Timestamp::from_ns(1_000) };
        assert_eq!(sample.realtime_at(Boottime::from_ns(150)), Timestamp::from_ns(1_050));
        assert_eq!(sample.realtime_at(Boottime::from_ns(40)), Timestamp::from_ns(940));
        assert_eq!(sample.realtime_at(Boottime::from_ns(u64::MAX)), Timestamp::from_ns(i64::MAX));
    }
}
