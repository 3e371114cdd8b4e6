//! How often a peer may ask: by source address before it is known, by agent afterwards (F-32).
//!
//! Beside the road: in front of each call. What one source or agent is turned away for costs the
//! others nothing; the global bound keeps enrolment from starving the sessions.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
};

use cordon_shared::{
    error::{Classify, Kind},
    id::AgentId,
};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::metric::Count;

/// Enrolment calls a second that one source may make, and at once: a site behind one address that
/// is rolled out (chosen).
const SOURCE_PER_SECOND: NonZeroU32 = NonZeroU32::new(4).expect("4 is not 0");
const SOURCE_BURST: NonZeroU32 = NonZeroU32::new(64).expect("64 is not 0");

/// Enrolment calls a second of all sources together (chosen: a signature costs 0.2 ms).
const GLOBAL_PER_SECOND: NonZeroU32 = NonZeroU32::new(200).expect("200 is not 0");

/// Wrong tokens that one source may show, at once and then each minute, before the alarm is raised.
const WRONG_PER_MINUTE: NonZeroU32 = NonZeroU32::new(1).expect("1 is not 0");
const WRONG_BURST: NonZeroU32 = NonZeroU32::new(5).expect("5 is not 0");

/// Alarms about one source: each is a row of the audit log, which a stranger must not fill.
const ALARMS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(1).expect("1 is not 0");

/// Hellos of one agent: reconnects back off, so more is a broken agent (chosen).
const HELLO_PER_SECOND: NonZeroU32 = NonZeroU32::new(1).expect("1 is not 0");
const HELLO_BURST: NonZeroU32 = NonZeroU32::new(20).expect("20 is not 0");

/// Offers of one agent: it has a few snapshots to offer, and again after each that broke off (chosen).
const OFFER_PER_SECOND: NonZeroU32 = NonZeroU32::new(1).expect("1 is not 0");
const OFFER_BURST: NonZeroU32 = NonZeroU32::new(32).expect("32 is not 0");

/// Too many calls: back off.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("too many calls from {whom}; back off")]
pub struct TooMany {
    /// `this address`, `all addresses` or `this agent`.
    pub whom: &'static str,
}

impl Classify for TooMany {
    fn kind(&self) -> Kind {
        Kind::Busy
    }
}

/// What is to be done about a wrong token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wrong {
    /// A slip: say so.
    Slip,
    /// One too many: turn the source away, and raise the alarm.
    Alarm,
    /// One too many, and the alarm was raised within the minute.
    Known,
}

/// The rate limits.
#[derive(Debug)]
pub struct Admission {
    sources: DefaultKeyedRateLimiter<IpAddr>,
    all: DefaultDirectRateLimiter,
    wrong: DefaultKeyedRateLimiter<IpAddr>,
    alarms: DefaultKeyedRateLimiter<IpAddr>,
    hellos: DefaultKeyedRateLimiter<AgentId>,
    offers: DefaultKeyedRateLimiter<AgentId>,
}

impl Default for Admission {
    fn default() -> Self {
        Self {
            sources: RateLimiter::keyed(
                Quota::per_second(SOURCE_PER_SECOND).allow_burst(SOURCE_BURST),
            ),
            all: RateLimiter::direct(Quota::per_second(GLOBAL_PER_SECOND)),
            wrong: RateLimiter::keyed(Quota::per_minute(WRONG_PER_MINUTE).allow_burst(WRONG_BURST)),
            alarms: RateLimiter::keyed(Quota::per_minute(ALARMS_PER_MINUTE)),
            hellos: RateLimiter::keyed(
                Quota::per_second(HELLO_PER_SECOND).allow_burst(HELLO_BURST),
            ),
            offers: RateLimiter::keyed(
                Quota::per_second(OFFER_PER_SECOND).allow_burst(OFFER_BURST),
            ),
        }
    }
}

impl Admission {
    /// Lets one enrolment call of a source in.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn enrolment(&self, source: IpAddr) -> Result<(), TooMany> {
        let refuse = |whom| {
            Count::RateLimited.add(1);
            Err(TooMany { whom })
        };
        if self.sources.check_key(&network_of(source)).is_err() {
            return refuse("this address");
        }
        if self.all.check().is_err() {
            return refuse("all addresses");
        }
        Ok(())
    }

    /// Notes a wrong token of a source.
    #[must_use]
    pub fn wrong_token(&self, source: IpAddr) -> Wrong {
        let source = network_of(source);
        if self.wrong.check_key(&source).is_ok() {
            return Wrong::Slip;
        }
        if self.alarms.check_key(&source).is_ok() { Wrong::Alarm } else { Wrong::Known }
    }

    /// Lets one hello of an agent in.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn hello(&self, agent: AgentId) -> Result<(), TooMany> {
        if self.hellos.check_key(&agent).is_err() {
            Count::RateLimited.add(1);
            return Err(TooMany { whom: "this agent" });
        }
        Ok(())
    }

    /// Lets one offer of an agent in.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn offer(&self, agent: AgentId) -> Result<(), TooMany> {
        if self.offers.check_key(&agent).is_err() {
            Count::RateLimited.add(1);
            return Err(TooMany { whom: "this agent" });
        }
        Ok(())
    }

    /// Forgets sources and agents that have not come for a while; to be called now and then, or
    /// the lists grow with every address that ever called.
    pub fn tidy(&self) {
        self.sources.retain_recent();
        self.wrong.retain_recent();
        self.alarms.retain_recent();
        self.hellos.retain_recent();
        self.offers.retain_recent();
    }
}

/// What counts as one source: an IPv4 address, or the /64 that an IPv6 host chooses its addresses
/// from (RFC 4291 section 2.5.1).
fn network_of(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn f_32_one_source_is_turned_away_and_another_is_not() {
        let admission = Admission::default();
        let let_in = (0..100).filter(|_| admission.enrolment(source("192.0.2.1")).is_ok()).count();
        assert!((64..80).contains(&let_in), "{let_in} of 100");
        assert!(admission.enrolment(source("192.0.2.2")).is_ok());
    }

    #[test]
    fn f_32_a_sixth_wrong_token_raises_the_alarm_once() {
        let admission = Admission::default();
        let verdicts = (0..8).map(|_| admission.wrong_token(source("192.0.2.1")));
        let expected = [[Wrong::Slip; 5].as_slice(), &[Wrong::Alarm, Wrong::Known, Wrong::Known]];
        assert_eq!(verdicts.collect::<Vec<_>>(), expected.concat());
        assert_eq!(admission.wrong_token(source("192.0.2.2")), Wrong::Slip);
    }

    #[test]
    fn addresses_of_one_ipv6_host_are_one_source() {
        assert_eq!(network_of(source("2001:db8::1")), network_of(source("2001:db8::ffff:1")));
        assert_ne!(network_of(source("2001:db8::1")), network_of(source("2001:db8:0:1::1")));
        assert_eq!(network_of(source("::ffff:192.0.2.1")), source("192.0.2.1"));
    }
}
