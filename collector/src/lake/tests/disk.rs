//! The lake on a disk that is full, loses files, or loses the catalog.

use cordon_shared::{
    error::{Classify, Kind},
    seglog::{Errno, Fault, Op},
};

use super::*;

#[test]
fn on_a_full_disk_nothing_is_filed_and_nothing_is_lost_f_7() {
    let disk = SimDisk::default();
    let (lake, arrivals) = (open(&disk).unwrap(), arrivals(1, 0..6, 40));
    lake.file(&arrivals[..3], 3).unwrap();
    let used: usize =
        disk.paths().iter().filter_map(|it| disk.bytes_of(it)).map(|it| it.len()).sum();
    for more in [0, 100, 20_000, 60_000] {
        disk.set_bytes_max(Some(used + more));
        let error = lake.file(&arrivals[3..], 6).unwrap_err();
        assert_eq!(error.kind(), Kind::Busy, "{}", error.chain());
        assert_eq!(all(&lake, &everything()), expected(&arrivals[..3]));
    }
    disk.set_bytes_max(None);
    lake.file(&arrivals[3..], 6).unwrap();
    assert_eq!(all(&lake, &everything()), expected(&arrivals));
    drop(lake);
    assert_eq!(all(&open(&disk).unwrap(), &everything()), expected(&arrivals));
}

#[test]
fn whatever_fails_once_the_next_try_files_every_row_once_f_8() {
    for op in [Op::Open, Op::Write, Op::Sync, Op::Rename, Op::SyncDir] {
        for skip in [0, 1, 3] {
            let errno = if skip == 1 { Errno::Io } else { Errno::NoSpace };
            let disk = SimDisk::default();
            let (lake, arrivals) = (open(&disk).unwrap(), arrivals(2, 0..3, 1));
            disk.fail(Fault { op: Some(op), skip, times: 1, errno });
            if let Err(error) = lake.file(&arrivals, 3) {
                let kind = error.kind();
                assert!(matches!(kind, Kind::Busy | Kind::Unavailable), "{}", error.chain());
                lake.file(&arrivals, 3).unwrap();
            }
            drop(lake);
            disk.heal();
            let lake = open(&disk).unwrap();
            assert_eq!(lake.position(), 3);
            assert_eq!(all(&lake, &everything()), expected(&arrivals), "{op:?} {skip}");
        }
    }
}

#[test]
fn leftovers_of_a_crash_are_removed_and_strangers_are_left_alone() {
    let disk = SimDisk::default();
    let lake = open(&disk).unwrap();
    lake.file(&arrivals(3, 0..1, 40), 1).unwrap();
    drop(lake);
    let paths = disk.paths();
    let file = paths.iter().find(|it| it.starts_with("/lake/class=1007")).unwrap();
    let folder = file.parent().unwrap();
    let leftover = folder.join(partition::file_name(CollectorId::from_slice(&[9; 16]).unwrap(), 3));
    let (stranger, aside) = (folder.join("mine.parquet"), Path::new("/lake/aside/x.new"));
    for path in [&leftover, &stranger, aside] {
        disk.put(path, b"bytes");
    }
    open(&disk).unwrap();
    assert_eq!(disk.bytes_of(&leftover), None);
    assert_eq!(disk.bytes_of(aside), None);
    assert!(disk.bytes_of(&stranger).is_some());
}

#[test]
fn a_file_that_is_gone_is_counted_and_searches_say_that_they_are_partial() {
    let disk = SimDisk::default();
    let lake = open(&disk).unwrap();
    let (first, second) = (arrivals(4, 0..1, 4), arrivals(4, 1..2, 4));
    lake.file(&first, 1).unwrap();
    lake.file(&second, 2).unwrap();
    let gone = lake.0.seen.load().files.keys().next().unwrap().clone();
    drop(lake);
    disk.delete(&Path::new("/lake").join(gone));
    let lake = open(&disk).unwrap();
    assert_eq!(lake.missing(), 1);
    let found = lake.search(&everything()).unwrap();
    assert!(found.is_partial && !found.rows.is_empty() && found.rows.len() < 8);
}

#[test]
fn a_file_that_is_damaged_makes_searches_partial_and_the_others_are_served_f9() {
    for keep in [0, 40] {
        let disk = SimDisk::default();
        let lake = open(&disk).unwrap();
        lake.file(&arrivals(4, 0..1, 4), 1).unwrap();
        lake.file(&arrivals(4, 1..2, 4), 2).unwrap();
        let hurt = Path::new("/lake").join(lake.0.seen.load().files.keys().next().unwrap());
        drop(lake);
        let bytes = disk.bytes_of(&hurt).unwrap();
        disk.put(&hurt, &bytes[..keep]);
        let found = open(&disk).unwrap().search(&everything()).unwrap();
        assert!(found.is_partial && !found.rows.is_empty() && found.rows.len() < 8);
    }
}

#[test]
fn a_lake_without_its_catalog_is_refused_and_left_as_it_is() {
    let disk = SimDisk::default();
    let lake = open(&disk).unwrap();
    lake.file(&arrivals(5, 0..1, 4), 1).unwrap();
    drop(lake);
    let before = disk.paths();
    let (catalog, files): (Vec<_>, Vec<_>) =
        before.iter().partition(|it| it.starts_with("/lake/catalog"));
    catalog.into_iter().for_each(|it| disk.delete(it));
    let error = open(&disk).unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
    for it in files {
        assert!(disk.bytes_of(it).is_some(), "{} is gone", it.display());
    }
}

#[test]
fn a_collector_that_was_at_work_begins_no_second_lake_f_12() {
    let dir = Path::new("/lake");
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::default());
    let clock = || Arc::new(FakeClock::at(ClockSample::default()));
    let collector = CollectorId::from_slice(&[0xc0; 16]).unwrap();
    let entropy = &SeededEntropy::new(1);
    let open = |is_used| {
        let (disk, clock) = (Arc::clone(&disk), clock());
        Lake::open(Opening { disk, dir, collector, clock, entropy, is_used })
    };
    assert!(matches!(open(true), Err(LakeError::Catalog { .. })));
    drop(open(false).unwrap());
    open(true).unwrap();
}

#[test]
fn a_catalog_with_a_flipped_bit_is_refused_or_whole() {
    let disk = SimDisk::default();
    let lake = open(&disk).unwrap();
    for at in 0..3 {
        lake.file(&arrivals(6, at..at + 1, 2), at + 1).unwrap();
    }
    drop(lake);
    let segment = disk.paths().into_iter().rfind(|it| it.starts_with("/lake/catalog")).unwrap();
    let bytes = disk.bytes_of(&segment).unwrap();
    let files = disk.paths().iter().filter(|it| it.to_string_lossy().ends_with(".parquet")).count();
    for byte in (0..bytes.len()).step_by(7) {
        disk.put(&segment, &bytes);
        disk.flip(&segment, byte, 3);
        if let Ok(lake) = open(&disk) {
            // The last record may pass for one that was torn; its batches come again.
            assert!(lake.position() >= 2, "byte {byte}: {}", lake.position());
            return;
        }
        let left = disk.paths();
        let left = left.iter().filter(|it| it.to_string_lossy().ends_with(".parquet")).count();
        assert_eq!(left, files, "byte {byte}");
    }
}

#[test]
fn what_could_not_be_written_gives_its_room_back_f_7() {
    let disk = SimDisk::default();
    let lake = open(&disk).unwrap();
    let arrivals = arrivals(8, 0..80, 2);
    for (arrival, next) in arrivals[..79].iter().zip(1..) {
        lake.file(std::slice::from_ref(arrival), next).unwrap();
    }
    let counted = |disk: &SimDisk| {
        let is_file =
            |it: &PathBuf| it.starts_with("/lake/class=1007") || it.starts_with("/lake/aside");
        disk.paths().into_iter().filter(is_file).count()
    };
    let before = counted(&disk);
    for op in [Op::Write, Op::Sync, Op::Rename, Op::SyncDir] {
        let fault = Fault { op: Some(op), skip: 0, times: 1, errno: Errno::NoSpace };
        disk.fail(fault);
        assert!(lake.compact(&mut BTreeSet::new()).is_err());
        disk.fail(fault);
        assert!(lake.file(&arrivals[79..], 80).is_err());
        assert_eq!(counted(&disk), before, "{op:?}");
    }
    lake.file(&arrivals[79..], 80).unwrap();
    assert_eq!(all(&lake, &everything()), expected(&arrivals));
}
