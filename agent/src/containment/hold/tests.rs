use cordon_shared::time::Boottime;
use expect_test::{Expect, expect};

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);
const BOOT: BootId = BootId([1; 16]);
const NEXT_BOOT: BootId = BootId([2; 16]);

fn command(number: u8) -> CommandId {
    CommandId::from_slice(&[number; 16]).expect("not nil")
}

fn hours(count: u64) -> Duration {
    HOUR * u32::try_from(count).expect("few")
}

/// So many hours after the beginning, by all clocks; the collector is heard.
fn at(count: u64) -> Now {
    let wall = Timestamp::from_ns(1_000_000).saturating_add(hours(count));
    let boottime = Boottime::from_ns(5_000).saturating_add(hours(count));
    Now {
        boot: BOOT,
        sample: ClockSample { realtime: wall, boottime },
        times: Times { local: wall, collector: Some(wall) },
        is_heard: true,
    }
}

fn unheard(now: Now) -> Now {
    Now { is_heard: false, ..now }
}

fn lease(hours_signed: u64, end: LeaseEnd) -> Lease {
    Lease { duration: hours(hours_signed), end, duration_max: hours(24) }
}

fn hold(lease: Option<Lease>) -> Hold {
    let now = at(0);
    let (since, began) = (now.times.best(), now.sample);
    let (holders, allowed) = (["ann".to_owned()].into(), Vec::new());
    Hold { incident: None, holders, allowed, lease, since, began, boot: BOOT, is_overdue: false }
}

fn one(lease: Option<Lease>) -> Holds {
    let mut holds = Holds::default();
    holds.add(command(1), hold(lease)).expect("few");
    holds
}

#[test]
fn a_lease_ends_as_it_was_signed() {
    let release = one(Some(lease(1, LeaseEnd::Release)));
    assert_eq!(release.due(&at(0)), []);
    assert_eq!(release.due(&at(1)), [Due::Release(command(1))]);
    let mut stays = one(Some(lease(1, LeaseEnd::Hold)));
    assert_eq!(stays.due(&at(1)), [Due::Stay(command(1))]);
    stays.stay(command(1));
    assert_eq!(stays.due(&at(2)), [], "people are called once");
    assert!(!stays.is_empty());
    assert_eq!(one(None).due(&at(10_000)), [], "without a lease it lasts");
}

#[test]
fn nobody_ends_a_lease_by_cutting_the_collector_off() {
    let holds = one(Some(lease(1, LeaseEnd::Release)));
    assert_eq!(holds.due(&unheard(at(23))), []);
    assert_eq!(holds.due(&unheard(at(24))), [Due::Release(command(1))]);
}

#[test]
fn nobody_ends_a_lease_by_setting_the_clock() {
    let holds = one(Some(lease(1, LeaseEnd::Release)));
    let wall = at(10_000).times.local;
    let set = |now: Now| Now {
        sample: ClockSample { realtime: wall, ..now.sample },
        times: Times { local: wall, ..now.times },
        ..now
    };
    assert_eq!(holds.due(&set(at(0))), []);
    assert_eq!(holds.due(&set(unheard(at(2)))), []);
    let back = Timestamp::from_ns(0);
    let late = unheard(at(25));
    let late = Now { sample: ClockSample { realtime: back, ..late.sample }, ..late };
    assert_eq!(holds.due(&late), [Due::Release(command(1))]);
}

#[test]
fn after_a_reboot_the_wall_clock_is_all_there_is() {
    let holds = one(Some(lease(1, LeaseEnd::Release)));
    let again = |count: u64| {
        let now = unheard(at(count));
        let boottime = Boottime::from_ns(1);
        let times = Times { collector: None, ..now.times };
        Now { boot: NEXT_BOOT, sample: ClockSample { boottime, ..now.sample }, times, ..now }
    };
    assert_eq!(holds.due(&again(23)), []);
    assert_eq!(holds.due(&again(24)), [Due::Release(command(1))]);
}

#[test]
fn a_renewed_lease_begins_anew() {
    let mut holds = one(Some(lease(1, LeaseEnd::Hold)));
    holds.stay(command(1));
    let persons = ["bob".to_owned()].into();
    assert!(holds.renew(command(1), lease(2, LeaseEnd::Release), &persons, &at(1)));
    assert_eq!(holds.due(&at(2)), []);
    assert_eq!(holds.due(&at(3)), [Due::Release(command(1))]);
    assert!(!holds.renew(command(2), lease(2, LeaseEnd::Release), &persons, &at(1)));
}

fn networks(text: &str) -> Vec<Network> {
    let network = |it: &str| {
        let (address, bits) = it.split_once('/').expect("a prefix");
        let address = address.parse().expect("an address");
        Network { address, prefix_bits: bits.parse().expect("a number") }
    };
    text.split_whitespace().map(network).collect()
}

#[track_caller]
fn check(allowed: &[&str], want: &Expect) {
    let mut holds = Holds::default();
    for (number, it) in (1..).zip(allowed) {
        let hold = Hold { allowed: networks(it), ..hold(None) };
        holds.add(command(number), hold).expect("few");
    }
    let shown = holds.allowed().into_iter().map(|it| format!("{}/{}", it.address, it.prefix_bits));
    want.assert_eq(&shown.collect::<Vec<_>>().join(" "));
}

#[test]
fn f_46_open_is_what_every_hold_leaves_open() {
    check(&[], &expect![""]);
    check(&["10.0.0.0/8 192.0.2.1/32"], &expect!["10.0.0.0/8 192.0.2.1/32"]);
    check(&["10.0.0.0/8 192.0.2.1/32", "10.1.0.0/16"], &expect!["10.1.0.0/16"]);
    check(&["10.0.0.0/8", ""], &expect![""]);
    check(&["2001:db8::/32 10.0.0.0/8", "2001:db8:1::/48 11.0.0.0/8"], &expect!["2001:db8:1::/48"]);
    check(&["0.0.0.0/0", "::/0"], &expect![""]);
}

#[test]
fn more_holds_than_any_host_has_are_refused() {
    let mut holds = Holds::default();
    for number in 1..=u8::try_from(HOLDS_MAX).expect("few") {
        holds.add(command(number), hold(None)).expect("few");
    }
    assert_eq!(holds.add(command(255), hold(None)), Err(Full));
    assert_eq!(holds.add(command(1), hold(None)), Ok(()), "the same again is no more");
    assert!(holds.end(command(1)) && !holds.end(command(1)));
}

fn put(path: &std::path::Path, bytes: &[u8]) {
    cordon_shared::durable::write(path, bytes, 0o600).expect("there is room");
}

#[test]
fn holds_are_on_disk_as_they_were() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("holds");
    assert_eq!(file::read(&path).expect("none is none"), (Holds::default(), Vec::new()));
    let mut holds = one(Some(lease(1, LeaseEnd::Hold)));
    let incident = IncidentId::from_slice(&[9; 16]);
    let allowed = networks("10.0.0.0/8 2001:db8::/32");
    holds.add(command(2), Hold { incident, allowed, is_overdue: true, ..hold(None) }).expect("few");
    let far_ends = vec!["192.0.2.7:7443".parse().expect("an address")];
    file::write(&path, &holds, &far_ends).expect("there is room");
    assert_eq!(file::read(&path).expect("it was written"), (holds, far_ends));
}

#[test]
fn a_file_that_is_not_understood_is_not_taken_for_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("holds");
    file::write(&path, &one(None), &[]).expect("there is room");
    let whole = std::fs::read(&path).expect("it was written");
    for cut in 0..whole.len() - 1 {
        put(&path, &whole[..cut]);
        file::read(&path).expect_err("cut short");
    }
    let text = String::from_utf8(whole).expect("it is text");
    for (from, to) in [("\"version\": 2", "\"version\": 3"), ("0101", "zz01")] {
        put(&path, text.replace(from, to).as_bytes());
        file::read(&path).expect_err(to);
    }
}

#[test]
fn a_file_that_knows_no_persons_is_still_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("holds");
    file::write(&path, &one(Some(lease(1, LeaseEnd::Hold))), &[]).expect("there is room");
    let text = std::fs::read_to_string(&path).expect("it was written");
    let old = text
        .replace("\"version\": 2", "\"version\": 1")
        .replace("\"signed_by\": [\n        \"ann\"\n      ],", "");
    assert_ne!(old, text);
    cordon_shared::durable::write(&path, old.as_bytes(), 0o600).expect("there is room");
    let (read, _) = file::read(&path).expect("read");
    assert!(read.iter().all(|(_, it)| it.holders.is_empty()) && !read.is_empty());
}
