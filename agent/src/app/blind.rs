//! The time in which no agent looked (F-47): which sensors saw nothing, and since when.
//!
//! In: what the spool knows of the agent before, and which sensors' sources lived on without it. Out:
//! losses without a count, to be sealed before anything else at a start, and at the end of a stop. So a
//! stop on purpose shows by its own declaration; after `kill -9` or a boot there is only the next one.
//! It never looks at a clock or a sensor itself.

use std::time::Duration;

use cordon_shared::{
    event::{
        Body,
        health::{self, Loss, LossCause},
    },
    id::BootId,
    time::Boottime,
};

use crate::{sensor::outbox::lane_of, spool::Before};

/// How old an observation may be when it reaches the road (chosen: twice the second between two looks
/// of the portable tier).
const LATE: Duration = Duration::from_secs(2);

/// Since when nobody looked, on this boot; `None` when nobody was to. What nobody knows counts from
/// the boot.
pub(super) fn since(before: Before, boot: BootId) -> Option<Boottime> {
    match before {
        Before::Nobody => None,
        Before::Alive(it) if it.boot == boot => Some(it.at.saturating_sub(LATE)),
        Before::Alive(_) | Before::Unknown => Some(Boottime::default()),
    }
}

/// Says that a sensor saw nothing in that time.
pub(super) fn gap(sensor: health::Sensor, from: Boottime, until: Boottime) -> Body {
    Body::Loss(Loss {
        cause: LossCause::SensorDown,
        sensor: Some(sensor),
        lane: lane_of(sensor),
        count: 0,
        is_count_exact: false,
        from,
        until,
        range: None,
    })
}

#[cfg(test)]
mod tests {
    use cordon_shared::{id::BootId, time::Boottime};
    use expect_test::{Expect, expect};

    use super::since;
    use crate::spool::{Alive, Before};

    #[track_caller]
    fn check(before: Before, want: &Expect) {
        let since = since(before, BootId([1; 16]));
        want.assert_eq(&format!("{:?}", since.map(Boottime::as_ns)));
    }

    fn alive(boot: u8, at_s: u64) -> Before {
        let at = Boottime::from_ns(at_s * 1_000_000_000);
        Before::Alive(Alive { boot: BootId([boot; 16]), at })
    }

    #[test]
    fn a_first_agent_has_missed_nothing() {
        check(Before::Nobody, &expect!["None"]);
    }

    #[test]
    fn f_47_nobody_looked_since_the_last_sign_of_life_of_this_boot() {
        check(alive(1, 100), &expect!["Some(98000000000)"]);
        check(alive(1, 1), &expect!["Some(0)"]);
    }

    #[test]
    fn f_47_nobody_looked_since_the_boot_when_the_last_sign_of_life_is_of_another() {
        check(alive(2, 100), &expect!["Some(0)"]);
    }

    #[test]
    fn f_47_nobody_looked_since_the_boot_when_there_is_no_sign_of_life() {
        check(Before::Unknown, &expect!["Some(0)"]);
    }
}
