//! What fits, what is dropped, and who is told.

use cordon_shared::{
    event::{health, process::Ending},
    id::ProcessKey,
    time::Boottime,
};
use expect_test::{Expect, expect};
use tokio::sync::mpsc;

use super::{Flow, OnFull, Outbox};
use crate::sensor::{Exit, Fact, Observation, Position};

fn exit(pid: u32) -> Observation {
    let process = ProcessKey { pid, start_ticks: 1 };
    let fact = Fact::Exit(Exit { process, ending: Ending::Code(0) });
    Observation { at: Boottime::from_ns(u64::from(pid)), source: Position::NONE, fact }
}

fn shown(batch: &[Observation]) -> Vec<String> {
    let one = |it: &Observation| match &it.fact {
        Fact::Exit(exit) => format!("exit {}", exit.process.pid),
        Fact::Loss(loss) => {
            format!("lost {} from {} until {}", loss.count, loss.from.as_ns(), loss.until.as_ns())
        }
        Fact::Launch(_)
        | Fact::Fork(_)
        | Fact::Connection(_)
        | Fact::Listen(_)
        | Fact::FileChange(_) => format!("{:?}", it.fact),
    };
    batch.iter().map(one).collect()
}

/// Sends batches of these pids into a queue of one, taking one batch out where there is a 0.
#[track_caller]
fn check(script: &[&[u32]], want: &Expect) {
    let (sender, mut receiver) = mpsc::channel(1);
    let mut outbox = Outbox::new(sender, health::Sensor::File, OnFull::Drop);
    let mut got = Vec::new();
    for pids in script {
        if pids.is_empty() {
            got.push(shown(&receiver.try_recv().expect("a batch waits")));
        } else {
            let batch = pids.iter().copied().map(exit).collect();
            assert_eq!(outbox.send(batch), Flow::Continue);
        }
    }
    want.assert_eq(&format!("{got:?}"));
}

#[test]
fn what_fits_goes_through_in_order() {
    check(&[&[1, 2], &[]], &expect![[r#"[["exit 1", "exit 2"]]"#]]);
}

#[test]
fn the_newest_are_dropped_and_the_count_goes_ahead_of_the_next_batch() {
    check(
        &[&[1], &[2, 3], &[4], &[], &[5], &[]],
        &expect![[r#"[["exit 1"], ["lost 3 from 2 until 4", "exit 5"]]"#]],
    );
}

#[test]
fn a_sensor_learns_that_nobody_listens() {
    let (sender, receiver) = mpsc::channel(1);
    drop(receiver);
    let mut outbox = Outbox::new(sender, health::Sensor::File, OnFull::Drop);
    assert_eq!(outbox.send(vec![exit(1)]), Flow::Stop);
}
