//! Random actions against the log on a disk that fails, beside a plain model of what must be there.
//!
//! After every opening the whole log is read and judged: what was synced is there after a loss of
//! power, what was flushed is there after `kill -9`, nothing is altered, nothing comes twice, and
//! what is missing is exactly what was hurt from outside, trimmed, or never made durable.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use proptest::{collection::vec, prelude::*, test_runner::TestCaseError};

use super::{DIR, Entry, Index, LogId, Options, Reader, Recovery, SimDisk, Writer, options};
use crate::seglog::{Errno, Fault, Op, SeglogError};

#[derive(Clone, Debug)]
enum Action {
    Append(usize),
    Flush,
    Sync,
    Rotate,
    Read(usize),
    Rewind(u64),
    Trim,
    Kill,
    PowerLoss(u64),
    Flip { file: usize, byte: usize, bit: u32 },
    Delete(usize),
    Fail(Fault),
    Full(usize),
    Heal,
}

fn fault() -> impl Strategy<Value = Fault> {
    let op = prop_oneof![
        Just(None),
        Just(Some(Op::Write)),
        Just(Some(Op::Sync)),
        Just(Some(Op::SyncDir)),
        Just(Some(Op::Rename)),
        Just(Some(Op::Read)),
    ];
    let errno = prop_oneof![Just(Errno::Io), Just(Errno::NoSpace)];
    (op, 0..4_u64, 1..3_u64, errno).prop_map(|(op, skip, times, errno)| Fault {
        op,
        skip,
        times,
        errno,
    })
}

/// What works, and what goes wrong without damage.
fn deeds() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => (8..400_usize).prop_map(Action::Append),
        3 => Just(Action::Flush),
        3 => Just(Action::Sync),
        1 => Just(Action::Rotate),
        3 => (1..9_usize).prop_map(Action::Read),
        1 => (0..9_u64).prop_map(Action::Rewind),
        2 => Just(Action::Trim),
        1 => Just(Action::Kill),
        1 => any::<u64>().prop_map(Action::PowerLoss),
        1 => fault().prop_map(Action::Fail),
        1 => (100..900_usize).prop_map(Action::Full),
        2 => Just(Action::Heal),
    ]
}

/// Damage from outside.
fn damage() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (any::<usize>(), any::<usize>(), 0..8_u32)
            .prop_map(|(file, byte, bit)| Action::Flip { file, byte, bit }),
        1 => any::<usize>().prop_map(Action::Delete),
    ]
}

/// What must be there.
#[derive(Debug, Default)]
struct Model {
    records: BTreeMap<u64, Vec<u8>>,
    durable: u64,
    trimmed: u64,
    /// Records that may be missing.
    hurt: BTreeSet<u64>,
    /// Whether files were damaged so that the newest records may not even be numbered.
    is_damaged: bool,
    serial: u64,
    openings: u8,
}

struct Run {
    disk: SimDisk,
    writer: Writer,
    reader: Reader,
    model: Model,
    damage: Option<Action>,
}

fn start(disk: &SimDisk, model: &mut Model, position: u64) -> (Writer, Recovery) {
    model.openings = model.openings.wrapping_add(1);
    let options = Options {
        new_log_id: LogId::from_bytes([model.openings; 16]),
        needed_from: Index::from_u64(model.trimmed),
        next_min: Index::from_u64(position),
        ..options()
    };
    match Writer::open(Arc::new(disk.clone()), DIR.as_ref(), &options) {
        Ok(opened) => opened,
        Err(_failed) => {
            disk.heal();
            Writer::open(Arc::new(disk.clone()), DIR.as_ref(), &options).unwrap()
        }
    }
}

impl Run {
    fn new() -> Self {
        let (disk, mut model) = (SimDisk::default(), Model::default());
        let (writer, _) = start(&disk, &mut model, 0);
        let reader = writer.log().reader(Index::ZERO);
        Self { disk, writer, reader, model, damage: None }
    }

    fn act(mut self, action: Action) -> Result<Self, TestCaseError> {
        match action {
            Action::Append(bytes) => self.append(bytes),
            Action::Flush => self.note(Writer::flush),
            Action::Sync => self.note(Writer::sync),
            Action::Rotate => {
                let state = self.writer.next().to_string();
                self.note(|writer| writer.rotate(state.as_bytes()).map(|()| Index::ZERO));
            }
            Action::Read(count) => self.read(count)?,
            Action::Rewind(back) => {
                let to = self.reader.position().as_u64().saturating_sub(back);
                self.reader.rewind(Index::from_u64(to.max(self.model.trimmed)));
            }
            Action::Trim => self.trim()?,
            Action::Kill => return self.reopen(None),
            Action::PowerLoss(seed) => return self.reopen(Some(seed)),
            // Under a running writer nobody could tell what the file would have held.
            Action::Flip { .. } | Action::Delete(_) => {
                self.damage = Some(action);
                return self.reopen(None);
            }
            Action::Fail(fault) => self.disk.fail(fault),
            Action::Full(room) => {
                let paths = self.disk.paths();
                let used: usize =
                    paths.iter().filter_map(|it| self.disk.bytes_of(it)).map(|it| it.len()).sum();
                self.disk.set_bytes_max(Some(used + room));
            }
            Action::Heal => self.disk.heal(),
        }
        let log = self.writer.log();
        prop_assert!(log.durable() <= log.flushed() && log.flushed() <= self.writer.next());
        self.model.durable = self.model.durable.max(log.durable().as_u64());
        Ok(self)
    }

    fn append(&mut self, bytes: usize) {
        self.model.serial += 1;
        let mut payload = self.model.serial.to_be_bytes().to_vec();
        payload.resize(bytes, 0x5a);
        let mut taken = None;
        self.note(|writer| writer.append(&payload).inspect(|index| taken = Some(*index)));
        if let Some(index) = taken {
            self.model.hurt.remove(&index.as_u64());
            self.model.records.insert(index.as_u64(), payload);
        }
    }

    /// Calls the writer; records that it says are lost may be missing.
    fn note(&mut self, call: impl FnOnce(&mut Writer) -> Result<Index, SeglogError>) {
        if let Err(SeglogError::Lost { from, until }) = call(&mut self.writer) {
            self.model.hurt.extend(from.as_u64()..until.as_u64());
        }
    }

    /// SP-2: in order, none twice, nothing altered, and a gap only where something is missing.
    fn read(&mut self, count: usize) -> Result<(), TestCaseError> {
        for _ in 0..count {
            let position = self.reader.position();
            let Ok(Some(entry)) = self.reader.next_entry() else { break };
            self.judge(position, &entry)?;
        }
        Ok(())
    }

    fn judge(&self, position: Index, entry: &Entry) -> Result<(), TestCaseError> {
        match entry {
            Entry::Record(record) => {
                prop_assert_eq!(record.index, position);
                let wanted = self.model.records.get(&position.as_u64());
                prop_assert_eq!(wanted.map(Vec::as_slice), Some(&*record.payload));
            }
            Entry::Gap(gap) => {
                prop_assert_eq!(gap.from, position);
                prop_assert!(gap.records() > 0);
                let range = gap.from.as_u64().max(self.model.trimmed)
                    ..gap.until.as_u64().max(self.model.trimmed);
                let missing = self.model.records.range(range).map(|(index, _)| index);
                for index in missing {
                    prop_assert!(
                        self.model.hurt.contains(index),
                        "{} is not there: {:?}",
                        index,
                        gap
                    );
                }
            }
        }
        Ok(())
    }

    /// SP-1: nothing at or after what is acknowledged goes.
    fn trim(&mut self) -> Result<(), TestCaseError> {
        let before = self.reader.position().as_u64().min(self.model.durable);
        self.model.trimmed = self.model.trimmed.max(before);
        let spans = self.writer.log().segments();
        drop(self.writer.log().trim(Index::from_u64(before)));
        let kept = self.writer.log().segments();
        for span in spans.iter().filter(|span| !kept.contains(span)) {
            prop_assert!(span.until.as_u64() <= before);
        }
        Ok(())
    }

    fn file(&self, number: usize) -> Option<PathBuf> {
        let mut paths = self.disk.paths();
        paths.retain(|path| path.extension().is_some_and(|end| end == "seg"));
        (!paths.is_empty()).then(|| paths.swap_remove(number % paths.len()))
    }

    /// Flips a bit and notes which record it hit.
    fn flip(&mut self, file: usize, byte: usize, bit: u32) {
        let Some(path) = self.file(file) else { return };
        let bytes = self.disk.bytes_of(&path).unwrap();
        if bytes.is_empty() {
            return;
        }
        let at = byte % bytes.len();
        let mut is_inside = false;
        for (index, payload) in &self.model.records {
            let found = bytes.windows(payload.len()).position(|window| window == payload);
            if let Some(found) = found
                && (found.saturating_sub(32)..found + payload.len() + 4).contains(&at)
            {
                self.model.hurt.insert(*index);
                is_inside = true;
            }
        }
        if !is_inside {
            // A header, a preface, or a record that was hit before: flipped twice, a header may
            // cost its whole segment, so the whole is forgiven.
            self.forgive(&bytes);
        }
        self.model.is_damaged = true;
        self.disk.flip(&path, byte, bit);
    }

    fn delete(&mut self, file: usize) {
        let Some(path) = self.file(file) else { return };
        self.forgive(&self.disk.bytes_of(&path).unwrap());
        self.model.is_damaged = true;
        self.disk.delete(&path);
    }

    fn forgive(&mut self, bytes: &[u8]) {
        for (index, payload) in &self.model.records {
            if bytes.windows(payload.len()).any(|window| window == payload) {
                self.model.hurt.insert(*index);
            }
        }
    }

    /// Ends the process, with the power or without, opens again, and judges all that is there.
    fn reopen(mut self, power_loss: Option<u64>) -> Result<Self, TestCaseError> {
        match self.damage.take() {
            Some(Action::Flip { file, byte, bit }) => self.flip(file, byte, bit),
            Some(Action::Delete(file)) => self.delete(file),
            Some(_) | None => (),
        }
        let Self { disk, writer, reader, mut model, .. } = self;
        let position = reader.position();
        let flushed = writer.log().flushed().as_u64();
        model.durable = model.durable.max(writer.log().durable().as_u64());
        drop((writer, reader));
        let kept = if power_loss.is_some() { model.durable } else { flushed };
        if let Some(mut state) = power_loss {
            disk.power_loss(|| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                state >> 33
            });
        }
        disk.heal();
        // What did not have to survive may have, as it was.
        let unsure: Vec<u64> = model.records.range(kept..).map(|(index, _)| *index).collect();
        model.hurt.extend(unsure);
        let (writer, recovery) = start(&disk, &mut model, position.as_u64());
        let next = recovery.next.as_u64();
        let mut run =
            Self { reader: writer.log().reader(position), disk, writer, model, damage: None };
        let lost: Vec<u64> = run.model.records.range(next..).map(|(index, _)| *index).collect();
        for index in lost {
            prop_assert!(run.model.hurt.contains(&index), "{index} is past the end: {recovery:?}");
            run.model.records.remove(&index);
        }
        run.judge_all()?;
        run.model.durable = run.writer.log().durable().as_u64();
        Ok(run)
    }

    /// Reads from what was trimmed to the end with a cursor of its own.
    fn judge_all(&mut self) -> Result<(), TestCaseError> {
        let log = self.writer.log();
        let mut reader = log.reader(Index::from_u64(self.model.trimmed));
        let mut seen = BTreeSet::new();
        loop {
            let position = reader.position();
            let Some(entry) = reader.next_entry().unwrap() else { break };
            self.judge(position, &entry)?;
            if let Entry::Record(record) = entry {
                prop_assert!(seen.insert(record.index.as_u64()));
            }
        }
        prop_assert!(reader.position() >= log.flushed());
        // From here on what was seen is durable, and what was not seen is gone.
        let trimmed = self.model.trimmed;
        self.model.records.retain(|index, _| *index < trimmed || seen.contains(index));
        if !self.model.is_damaged {
            self.model.hurt.clear();
        }
        Ok(())
    }
}

fn run(actions: Vec<Action>) -> Result<(), TestCaseError> {
    let mut run = Run::new();
    for action in actions {
        run = run.act(action)?;
    }
    run.reopen(None)?.reopen(Some(1))?;
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sp_1_sp_3_what_was_synced_survives_whatever_fails(actions in vec(deeds(), 1..80)) {
        run(actions)?;
    }

    #[test]
    fn sp_2_damage_costs_what_it_hit_and_is_met_as_a_gap(
        actions in vec(prop_oneof![12 => deeds().boxed(), 1 => damage().boxed()], 1..80)
    ) {
        run(actions)?;
    }
}
