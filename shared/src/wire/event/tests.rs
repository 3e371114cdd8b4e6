//! Round trips, and what is refused.

use cordon_proto::v1;
use expect_test::{Expect, expect};

use super::{Reader, Writer};
use crate::test_support::{origin, samples};

fn body() -> v1::BatchBody {
    let mut writer = Writer::new(origin());
    for event in samples() {
        writer.push(&event);
    }
    writer.finish()
}

#[test]
fn every_kind_of_event_comes_back_as_it_went() {
    let body = body();
    let reader = Reader::new(&body).expect("our own tables are good");
    let back: Vec<_> =
        body.events.iter().map(|it| reader.event(it).expect("our own events are good")).collect();
    assert_eq!(back, samples());
}

#[test]
fn what_repeats_stands_in_the_tables_once() {
    let body = body();
    assert_eq!(body.processes.len(), 2);
    let mut strings = body.strings.clone();
    strings.sort();
    strings.dedup();
    assert_eq!(strings.len(), body.strings.len());
}

/// Spoils the body of the samples and shows the first refusal.
#[track_caller]
fn check(spoil: impl FnOnce(&mut v1::BatchBody), expect: &Expect) {
    let mut body = body();
    spoil(&mut body);
    let refusal = match Reader::new(&body) {
        Err(error) => Some(error),
        Ok(reader) => body.events.iter().find_map(|it| reader.event(it).err()),
    };
    expect.assert_eq(&refusal.map_or_else(|| "taken".to_owned(), |it| it.to_string()));
}

/// The wire form of the first event of a kind.
macro_rules! first {
    ($body:ident, $kind:ident) => {
        $body
            .events
            .iter_mut()
            .find_map(|it| match &mut it.body {
                Some(v1::event::Body::$kind(it)) => Some(it),
                _ => None,
            })
            .expect("there is a sample of every kind")
    };
}

#[test]
fn an_untouched_body_is_taken() {
    check(|_| (), &expect!["taken"]);
}

#[test]
fn a_body_without_clock_is_refused() {
    check(|it| it.clock = None, &expect!["`clock` must be present"]);
}

#[test]
fn a_body_without_boot_id_is_refused() {
    check(|it| it.boot_id.clear(), &expect!["`boot_id` must be 16 bytes"]);
}

#[test]
fn an_event_without_body_is_refused() {
    check(|it| it.events[0].body = None, &expect!["`body` must be present"]);
}

#[test]
fn a_string_that_is_not_in_the_table_is_refused() {
    check(
        |it| first!(it, FileChange).path = 9_999,
        &expect!["`path` must be an index into `strings`"],
    );
}

#[test]
fn a_process_that_is_not_in_the_table_is_refused() {
    check(
        |it| first!(it, ProcessLaunch).process = 9_999,
        &expect!["`process` must be an index into `processes`"],
    );
}

#[test]
fn a_launch_of_nobody_is_refused() {
    check(|it| first!(it, ProcessLaunch).process = 0, &expect!["`process` must be present"]);
}

#[test]
fn a_digest_of_the_wrong_length_is_refused() {
    check(
        |it| {
            it.strings.push(vec![1; 31].into());
            let index = u32::try_from(it.strings.len()).expect("few");
            it.processes[0].exe_sha256 = index;
        },
        &expect!["`exe_sha256` must be 32 bytes"],
    );
}

#[test]
fn a_known_hash_that_is_not_there_is_refused() {
    check(
        |it| it.processes[0].exe_sha256 = 0,
        &expect!["`hash_state` must be KNOWN exactly when the digest is there"],
    );
}

#[test]
fn an_unknown_word_is_refused() {
    check(
        |it| first!(it, FileChange).action = 99,
        &expect!["`action` must be a word that the wire knows"],
    );
}

#[test]
fn an_address_of_five_bytes_is_refused() {
    check(
        |it| {
            it.strings.push(vec![1; 5].into());
            let index = u32::try_from(it.strings.len()).expect("few");
            first!(it, Connection).local.as_mut().expect("set").address = index;
        },
        &expect!["`local` must be an address of 4 or 16 bytes"],
    );
}

#[test]
fn a_port_beyond_16_bits_is_refused() {
    check(
        |it| first!(it, Connection).remote.as_mut().expect("set").port = 65_536,
        &expect!["`remote` must be a port of at most 65535"],
    );
}

#[test]
fn an_exit_with_both_code_and_signal_is_refused() {
    check(
        |it| first!(it, ProcessExit).exit_code = Some(1),
        &expect!["`exit_code` must be absent when a signal is there"],
    );
}

#[test]
fn a_process_without_pid_is_refused() {
    check(
        |it| it.processes[0].key = None,
        &expect!["`key` must be a pid of at least 1 and its start time"],
    );
}

#[test]
fn an_ancestry_without_end_is_refused() {
    check(
        |it| {
            let ancestry = &mut first!(it, ProcessLaunch).ancestry;
            *ancestry = vec![ancestry[0]; 17];
        },
        &expect!["`ancestry` must be at most 16 steps"],
    );
}

#[test]
fn a_loss_range_that_runs_backwards_is_refused() {
    check(
        |it| first!(it, Loss).last_seq = 0,
        &expect!["`epoch, first_seq, last_seq` must be a range of one epoch"],
    );
}

#[test]
fn a_string_beyond_the_limit_is_refused() {
    check(
        |it| it.strings[0] = vec![b'x'; 16_385].into(),
        &expect!["`strings` must be 1..=16384 bytes each"],
    );
}
