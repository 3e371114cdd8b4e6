//! Searches: each filter against the rows it must and must not find, and pages in both directions.

use cordon_shared::{
    digest::Sha256,
    test_support::samples,
    time::{Boottime, Clock},
};
use expect_test::{Expect, expect};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::*;
use crate::lake::search::{Cursor, Filter, Order};

/// The samples of all lanes, in a lake.
fn sampled() -> Lake {
    let lake = open(&SimDisk::default()).unwrap();
    for (lane, at) in [Lane::Critical, Lane::Network, Lane::File].into_iter().zip(0..) {
        let events: Vec<_> = samples().into_iter().filter(|it| it.body.lane() == lane).collect();
        lake.file(&[arrival(at, agent(0), &sealed(lane, 7, 1, &events))], at + 1).unwrap();
    }
    lake
}

#[track_caller]
fn check(filters: Vec<Filter>, want: &Expect) {
    let query = Query { filters, limit: 100, ..Query::default() };
    let mut kinds: Vec<_> = sampled()
        .search(&query)
        .unwrap()
        .rows
        .iter()
        .map(|row| row["cordon_kind"].as_str().unwrap().to_owned())
        .collect();
    kinds.sort();
    want.assert_eq(&kinds.join(" "));
}

#[test]
fn a_filter_finds_what_holds_its_value_and_nothing_else() {
    let text = |it: &str| it.to_owned();
    check(vec![Filter::Agent(agent(1))], &expect![""]);
    check(vec![Filter::Sha256(Sha256::of(b"avatar"))], &expect!["file_change"]);
    check(vec![Filter::Sha256(Sha256::of(b"rootkit"))], &expect!["kernel_load"]);
    check(vec![Filter::Sha256(Sha256::of(b"absent"))], &expect![""]);
    check(vec![Filter::Ip("9.9.9.9".parse().unwrap())], &expect!["dns_query"]);
    check(vec![Filter::Ip("::1".parse().unwrap())], &expect!["connection"]);
    check(vec![Filter::Port(4444)], &expect!["connection"]);
    check(vec![Filter::Path(text("/srv/www/avatar.php"))], &expect!["file_change"]);
    check(vec![Filter::Path(text("/srv/*"))], &expect!["file_change"]);
    check(vec![Filter::Path(text("/srv"))], &expect![""]);
    check(vec![Filter::Name(text("c2.example"))], &expect!["dns_query"]);
    check(vec![Filter::Name(text("avatar.php"))], &expect!["file_change"]);
    check(vec![Filter::User(text("root"))], &expect!["login_session"]);
    check(vec![Filter::Text(text("publickey"))], &expect!["log_record"]);
    check(
        vec![Filter::Text(text("c2.")), Filter::Port(53), Filter::Host(text("web-1"))],
        &expect!["dns_query"],
    );
    check(vec![Filter::Port(53), Filter::Host(text("web-2"))], &expect![""]);
}

#[test]
fn a_process_is_found_by_what_it_did() {
    let lake = sampled();
    let row = lake.search(&Query { classes: vec![4003], limit: 1, ..Query::default() }).unwrap();
    let uid = row.rows[0]["cordon_process_uid"].as_str().unwrap().to_owned();
    let filter = Filter::Process(cordon_shared::id::ProcessUid::parse(&uid).unwrap());
    let found = lake.search(&Query { filters: vec![filter], ..everything() }).unwrap();
    assert!(found.rows.len() > 5);
    assert!(found.rows.iter().all(|it| it.to_string().contains(&uid)));
}

#[test]
fn pages_follow_each_other_in_both_directions_and_lack_nothing() {
    let (lake, arrivals) = (open(&SimDisk::default()).unwrap(), arrivals(9, 0..9, 30));
    for (at, arrival) in (1..).zip(&arrivals) {
        lake.file(std::slice::from_ref(arrival), at).unwrap();
    }
    let mut want = expected(&arrivals);
    for limit in [1, 7, 90, 270, 1_000] {
        assert_eq!(all(&lake, &Query { limit, ..Query::default() }), want, "limit {limit}");
    }
    want.reverse();
    let query = Query { order: Order::Oldest, limit: 13, ..Query::default() };
    assert_eq!(all(&lake, &query), want);
}

#[test]
fn a_span_of_time_begins_with_its_first_moment_and_ends_before_its_last() {
    let (lake, arrivals) = (open(&SimDisk::default()).unwrap(), arrivals(10, 0..6, 20));
    lake.file(&arrivals, 6).unwrap();
    let mut times: Vec<_> =
        expected(&arrivals).iter().map(|it| it["time"].as_i64().unwrap()).collect();
    times.sort_unstable();
    let at = |index: usize| Some(Timestamp::from_ns(times[index] * 1_000_000));
    for (since, until) in [(10, 50), (0, 1), (30, 31)] {
        let query = Query { since: at(since), until: at(until), ..everything() };
        let inside = |it: &&i64| (times[since]..times[until]).contains(it);
        let want = times.iter().filter(inside).count();
        assert_eq!(all(&lake, &query).len(), want);
        let counted = lake.count_by_class(&query).unwrap();
        assert_eq!(counted.classes.values().sum::<u64>(), want as u64);
    }
}

#[test]
fn a_cursor_reads_back() {
    let lake = sampled();
    let next = lake.search(&Query { limit: 1, ..Query::default() }).unwrap().next.unwrap();
    assert_eq!(Cursor::parse(&next.to_string()), Some(next));
    for bad in ["", "_", "1_x", "x_1", &next.to_string().replace('_', "")] {
        assert_eq!(Cursor::parse(bad), None, "{bad}");
    }
}

/// A clock on which every look takes three seconds.
#[derive(Debug)]
struct Hasty(FakeClock);

impl Clock for Hasty {
    fn boottime(&self) -> Boottime {
        self.0.advance(Duration::from_secs(3));
        self.0.boottime()
    }

    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

#[test]
fn a_search_that_finds_nothing_ends_when_its_time_is_up() {
    let disk = SimDisk::default();
    let lake = open(&disk).unwrap();
    for (arrival, next) in arrivals(9, 0..12, 3).iter().zip(1..) {
        lake.file(std::slice::from_ref(arrival), next).unwrap();
    }
    drop(lake);
    let clock = Arc::new(Hasty(FakeClock::at(ClockSample::default())));
    let lake = Lake::open(Opening {
        disk: Arc::new(disk),
        dir: Path::new("/lake"),
        collector: CollectorId::from_slice(&[0xc0; 16]).unwrap(),
        clock,
        entropy: &SeededEntropy::new(1),
        is_used: false,
    });
    let lake = lake.unwrap();
    let nothing = Query { filters: vec![Filter::Sha256(Sha256::of(b"absent"))], ..everything() };
    let found = lake.search(&nothing).unwrap();
    assert!(found.is_partial && found.rows.is_empty());
    assert!(lake.count_by_class(&nothing).unwrap().is_partial);
}

#[test]
fn a_page_of_rows_from_many_files_holds_few_of_them_open() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(cordon_shared::seglog::RealDisk);
    let lake = opening(disk, &folder.path().join("lake")).unwrap();
    let arrivals = arrivals(10, 0..48, 1);
    for (arrival, next) in arrivals.iter().zip(1..) {
        lake.file(std::slice::from_ref(arrival), next).unwrap();
    }
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    let before = getrlimit(Resource::Nofile);
    let few = Rlimit { current: Some(open + 16), ..before };
    setrlimit(Resource::Nofile, few).unwrap();
    let found = lake.search(&everything());
    setrlimit(Resource::Nofile, before).unwrap();
    assert_eq!(found.unwrap().rows, expected(&arrivals));
}
