//! Compaction: other files, the same rows.

use cordon_shared::seglog::{Errno, Fault, Op};

use super::*;
use crate::lake::compact::{self, FILES_MIN};

/// As many commits of one batch as make one compaction of each class, and one more.
fn filed(disk: &SimDisk, seed: u64) -> (Lake, Vec<Arc<Arrival>>) {
    let lake = open(disk).unwrap();
    let random = Random::new(seed);
    let arrivals: Vec<_> = (0..=FILES_MIN as u64)
        .map(|at| {
            let (epoch, first) = (Epoch::from_u64(9).unwrap(), EventSeq::from_u64(at * 9 + 1));
            let sealed = random.batch(Lane::Network, epoch, first.unwrap(), 9);
            // The later come first in the order of rows, and some share an agent.
            arrival(at, agent(9 - (at % 5) as u8), &sealed)
        })
        .collect();
    for (arrival, next) in arrivals.iter().zip(1..) {
        lake.file(std::slice::from_ref(arrival), next).unwrap();
    }
    (lake, arrivals)
}

fn compact_all(lake: &Lake) -> usize {
    let mut refused = BTreeSet::new();
    let done = std::iter::from_fn(|| lake.compact(&mut refused).unwrap().then_some(())).count();
    assert!(refused.is_empty());
    done
}

#[test]
fn lk_1_a_compaction_changes_files_and_no_row() {
    let disk = SimDisk::default();
    let (lake, arrivals) = filed(&disk, 1);
    let want = expected(&arrivals);
    assert_eq!(all(&lake, &everything()), want);
    let before = lake.0.seen.load().files.len();
    assert!(compact_all(&lake) > 0);
    let state = lake.0.seen.load_full();
    assert!(state.files.len() < before && state.position == arrivals.len() as u64);
    assert_eq!(all(&lake, &everything()), want);
    // What does not count any more is gone from the disk, too.
    let paths = disk.paths();
    let on_disk = paths.iter().filter(|it| it.extension().is_some_and(|it| it == "parquet"));
    assert_eq!(on_disk.count(), state.files.len());
    drop(lake);
    assert_eq!(all(&open(&disk).unwrap(), &everything()), want);
}

#[test]
fn the_rows_of_a_compacted_file_are_sorted() {
    let disk = SimDisk::default();
    let (lake, _) = filed(&disk, 2);
    compact_all(&lake);
    let merged = lake.0.seen.load().files.values().find(|it| it.level == 1).cloned().unwrap();
    let path = Path::new("/lake").join(merged.path());
    let bytes = bytes::Bytes::from(disk.bytes_of(&path).unwrap());
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(bytes, 4_096);
    let rows: Vec<_> = reader.unwrap().flat_map(|it| row::rows(&it.unwrap())).collect();
    let keys: Vec<_> = rows
        .iter()
        .map(|it| {
            let [agent, epoch, lane, seq] = schema::ORDER.map(|name| it[name].clone());
            let text = |it: serde_json::Value| it.as_str().unwrap().to_owned();
            (text(agent), text(epoch), text(lane), seq.as_i64().unwrap())
        })
        .collect();
    assert_eq!(keys.len() as u64, merged.rows);
    assert!(keys.is_sorted());
}

#[test]
fn a_compaction_that_fails_leaves_the_files_as_they_were() {
    for op in [Op::Open, Op::Read, Op::Write, Op::Sync, Op::Rename, Op::Remove] {
        let disk = SimDisk::default();
        let (lake, arrivals) = filed(&disk, 3);
        let want = expected(&arrivals);
        disk.fail(Fault { op: Some(op), skip: 1, times: 1, errno: Errno::Io });
        drop(lake.compact(&mut BTreeSet::new()));
        assert_eq!(all(&lake, &everything()), want, "{op:?}");
        drop(lake);
        disk.heal();
        let lake = open(&disk).unwrap();
        compact_all(&lake);
        assert_eq!(all(&lake, &everything()), want, "{op:?}");
    }
}

#[test]
fn a_search_that_began_before_a_compaction_begins_anew() {
    let disk = SimDisk::default();
    let (lake, arrivals) = filed(&disk, 4);
    let old = lake.0.seen.load_full();
    compact_all(&lake);
    let new = lake.0.seen.swap(Arc::clone(&old));
    let opened = lake.with_state(|state, _| {
        let open = |path: &String| {
            let opened = file::Reading::open(&*lake.0.disk, &lake.0.dir.join(path));
            opened.or(Err(LakeError::Absent { path: path.clone() }))
        };
        let opened: Result<Vec<_>, _> = state.files.keys().map(open).collect();
        lake.0.seen.store(Arc::clone(&new));
        Ok(opened?.len())
    });
    assert_eq!(opened.unwrap(), (new.files.len(), true));
    assert_ne!(old.files.len(), new.files.len());
    assert_eq!(all(&lake, &everything()), expected(&arrivals));
}

#[test]
fn rows_of_an_older_schema_get_nulls_for_what_it_lacked() {
    let mut rows = batch::Rows::new(1007);
    let arrivals = arrivals(5, 0..1, 8);
    for (id, event) in arrivals[0].events() {
        rows.begin();
        ocsf::map(event, &commit::context(&arrivals[0], id, event), &mut rows);
    }
    let whole = rows.take().unwrap();
    let is_kept = |name: &str| !matches!(name, "process" | "cordon_seq");
    let schema = whole.schema();
    let kept: Vec<_> =
        (0..schema.fields().len()).filter(|at| is_kept(schema.field(*at).name())).collect();
    let older = whole.project(&kept).unwrap();
    let mut want = row::rows(&whole);
    for row in &mut want {
        row.as_object_mut().unwrap().retain(|name, _| is_kept(name));
    }
    let adapted = compact::adapted(&older, &schema).unwrap();
    assert_eq!(adapted.schema(), schema);
    assert_eq!(row::rows(&adapted), want);
}

#[test]
fn only_enough_files_of_one_class_day_and_level_are_chosen() {
    let state = |files: usize, level: u8, bytes: u64| {
        let mut state = State::default();
        for at in 0..files {
            let collector = CollectorId::from_slice(&[1; 16]).unwrap();
            let name = partition::file_name(collector, at as u64);
            let day = partition::day(Timestamp::default(), Timestamp::default());
            let (time_min_ms, time_max_ms) = (0, 0);
            let class = 1007;
            let file =
                catalog::File { class, day, name, rows: 1, bytes, time_min_ms, time_max_ms, level };
            state.files.insert(file.path(), Arc::new(file));
        }
        state
    };
    let chosen = |state: &State| compact::choose(state, &BTreeSet::new()).map_or(0, |it| it.len());
    assert_eq!(chosen(&state(FILES_MIN - 1, 0, 1_000)), 0);
    assert_eq!(chosen(&state(FILES_MIN, 0, 1_000)), FILES_MIN);
    assert_eq!(chosen(&state(FILES_MIN * 3, 2, 1_000)), FILES_MIN);
    assert_eq!(chosen(&state(FILES_MIN * 3, 2, 20 << 20)), 3);
    assert_eq!(chosen(&state(FILES_MIN * 3, 2, 40 << 20)), 0);
    let state = state(FILES_MIN, 0, 1_000);
    let refused = state.files.keys().take(1).cloned().collect();
    assert!(compact::choose(&state, &refused).is_none());
}
