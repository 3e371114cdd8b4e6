//! Random commits, failures, kills and losses of power against a model: every event exactly once.

use cordon_shared::seglog::{Errno, Fault};

use super::*;

/// Rounds of one seed.
const ROUNDS: u64 = 10;

/// Kills the collector, and with `power` the machine, and starts it again.
fn crash(disk: &SimDisk, lake: Lake, power: Option<&Random>) -> Lake {
    drop(lake);
    disk.heal();
    if let Some(random) = power {
        disk.power_loss(|| random.below(u64::MAX));
    }
    open(disk).unwrap()
}

#[test]
fn every_event_is_filed_exactly_once_whatever_is_cut_off_when() {
    for seed in 0..5 {
        let (disk, random) = (SimDisk::default(), Random::new(seed));
        let arrivals = arrivals(seed, 0..ROUNDS, 1);
        let mut lake = open(&disk).unwrap();
        let mut position = 0;
        while position < ROUNDS {
            let next = (position + 1 + random.below(3)).min(ROUNDS);
            if random.below(3) == 0 {
                let errno = if random.below(2) == 0 { Errno::Io } else { Errno::NoSpace };
                let skip = random.below(60);
                disk.fail(Fault { op: None, skip, times: 1 + random.below(3), errno });
            }
            let from = usize::try_from(position).unwrap();
            let until = usize::try_from(next).unwrap();
            let filed = lake.file(&arrivals[from..until], next);
            if filed.is_ok() {
                assert!(lake.position() >= next, "seed {seed}");
            }
            match random.below(4) {
                0 => lake = crash(&disk, lake, None),
                1 => lake = crash(&disk, lake, Some(&random)),
                _ => (),
            }
            // What was reported filed stays filed; what was not may be, and is not filed again.
            assert!(lake.position() >= if filed.is_ok() { next } else { position }, "seed {seed}");
            position = lake.position();
        }
        disk.heal();
        assert_eq!(all(&lake, &everything()), expected(&arrivals), "seed {seed}");
        let lake = crash(&disk, lake, Some(&random));
        assert_eq!(all(&lake, &everything()), expected(&arrivals), "seed {seed}");
        assert_eq!(lake.missing(), 0);
    }
}
