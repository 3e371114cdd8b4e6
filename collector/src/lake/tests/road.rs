//! From the journal's batches to rows and back, on a disk that works.

use std::collections::BTreeMap;

use cordon_shared::test_support::samples;

use super::*;

#[test]
fn a_row_reads_back_as_the_mapping_tells_it() {
    let mut arrivals = Vec::new();
    for (lane, at) in [Lane::Critical, Lane::Network, Lane::File].into_iter().zip(0..) {
        let events: Vec<_> = samples().into_iter().filter(|it| it.body.lane() == lane).collect();
        arrivals.push(arrival(at, agent(0), &sealed(lane, 7, 1, &events)));
    }
    let lake = open(&SimDisk::default()).unwrap();
    let filed = lake.file(&arrivals, 3).unwrap();
    assert_eq!(filed.rows, samples().len() as u64);
    assert_eq!(all(&lake, &everything()), expected(&arrivals));
    for arrival in &arrivals {
        for (id, event) in arrival.events() {
            let row = ocsf::json::to_string(event, &commit::context(arrival, id, event));
            assert_eq!(lake.get(id).unwrap(), serde_json::from_str(&row).unwrap());
        }
    }
}

#[test]
fn random_events_of_many_agents_read_back_too() {
    let (lake, arrivals) = (open(&SimDisk::default()).unwrap(), arrivals(3, 0..24, 40));
    lake.file(&arrivals[..12], 12).unwrap();
    lake.file(&arrivals[12..], 24).unwrap();
    assert_eq!(all(&lake, &everything()), expected(&arrivals));
}

#[test]
fn rows_are_counted_by_class() {
    let (lake, arrivals) = (open(&SimDisk::default()).unwrap(), arrivals(4, 0..6, 50));
    lake.file(&arrivals, 6).unwrap();
    let mut want: BTreeMap<u32, u64> = BTreeMap::new();
    for (_, event) in arrivals.iter().flat_map(|it| it.events()) {
        *want.entry(u32::try_from(ocsf::class::of(&event.body).uid).unwrap()).or_default() += 1;
    }
    let counted = lake.count_by_class(&Query::default()).unwrap();
    assert_eq!((counted.classes, counted.is_partial), (want, false));
}

#[test]
fn what_is_filed_survives_and_the_position_with_it() {
    let disk = SimDisk::default();
    let arrivals = arrivals(5, 0..8, 10);
    for (at, arrival) in (0..).zip(&arrivals) {
        let lake = open(&disk).unwrap();
        assert_eq!(lake.position(), at);
        lake.file(std::slice::from_ref(arrival), at + 1).unwrap();
    }
    let lake = open(&disk).unwrap();
    assert_eq!(lake.position(), 8);
    assert_eq!(all(&lake, &everything()), expected(&arrivals));
    // A gap in the journal moves the position and brings no file.
    assert_eq!(lake.file(&[], 11).unwrap(), Filed::default());
    assert_eq!(lake.position(), 11);
}

#[test]
fn the_same_batches_after_an_error_are_filed_once() {
    let (lake, arrivals) = (open(&SimDisk::default()).unwrap(), arrivals(6, 0..4, 10));
    lake.file(&arrivals, 4).unwrap();
    assert_eq!(lake.file(&arrivals, 4).unwrap(), Filed::default());
    assert_eq!(all(&lake, &everything()).len(), 40);
}

#[test]
fn engines_find_the_files_where_security_lake_puts_them() {
    let disk = SimDisk::default();
    open(&disk).unwrap().file(&arrivals(7, 0..3, 5), 3).unwrap();
    let is_parquet = |it: &&PathBuf| it.extension().is_some_and(|it| it == "parquet");
    let paths: Vec<_> = disk.paths();
    let mut shown: Vec<_> = paths.iter().filter(is_parquet).map(|it| it.display()).collect();
    shown.sort_by_key(ToString::to_string);
    assert!(!shown.is_empty());
    for it in shown {
        let it = it.to_string();
        assert!(
            it.starts_with("/lake/class=") && it.contains("/eventDay=20251124/c0c0c0c0-"),
            "{it}"
        );
    }
}
