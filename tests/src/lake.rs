//! The lake as a stranger finds it: Parquet files in folders, read with nothing but a Parquet reader.
//!
//! No catalog and no search of the collector's is asked, so that the oracle cannot be wrong in the
//! same way as they are. Every file that ends in `.parquet` counts; a file that the collector is
//! still writing must not be called so. Columns are those that `shared::ocsf::column` names.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::Field,
    schema::types::Type,
};

use crate::oracle::{self, Generated};

/// One event of the lake, as far as the tests look at it; texts are empty where the row has none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Row {
    /// `AGENT.EPOCH.lane.SEQ`.
    pub event_id: String,
    /// Number of its OCSF class.
    pub class_uid: i64,
    /// Which agent.
    pub agent: String,
    /// Which opening of the spool.
    pub epoch: String,
    /// Which lane.
    pub lane: String,
    /// Number in lane and epoch.
    pub seq: u64,
    /// `process_launch`, `loss`, ….
    pub kind: String,
    /// Arguments, joined.
    pub cmd_line: String,
    /// Path of the executable.
    pub exe_path: String,
    /// Its SHA-256, hexadecimal.
    pub exe_sha256: String,
    /// Whom the event is about.
    pub process_uid: String,
    /// Its parent.
    pub parent_uid: String,
    /// Path of the file that the event is about.
    pub file_path: String,
    /// What was lost, when the row declares a loss.
    pub loss: Loss,
}

/// What a row declares lost.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Loss {
    /// Why; empty when the row declares none.
    pub cause: String,
    /// Of which lane.
    pub lane: String,
    /// Whose events, when one sensor's.
    pub sensor: String,
    /// Since when and until when, in ms since 1970.
    pub times_ms: (u64, u64),
    /// How many.
    pub count: u64,
    /// Whether that is all of them.
    pub is_exact: bool,
    /// Of which epoch, when they had been numbered.
    pub epoch: String,
    /// The first and the last of them.
    pub seqs: (u64, u64),
}

/// Columns that are read, all of them flat but the first.
const COLUMNS: &[&str] = &[
    "metadata",
    "class_uid",
    "start_time",
    "end_time",
    "cordon_agent",
    "cordon_epoch",
    "cordon_lane",
    "cordon_seq",
    "cordon_kind",
    "cordon_cmd_line",
    "cordon_exe_path",
    "cordon_exe_sha256",
    "cordon_process_uid",
    "cordon_parent_uid",
    "cordon_file_path",
    "cordon_loss_cause",
    "cordon_loss_lane",
    "cordon_loss_sensor",
    "cordon_loss_count",
    "cordon_loss_is_exact",
    "cordon_loss_epoch",
    "cordon_loss_first_seq",
    "cordon_loss_last_seq",
];

/// Everything that a lake holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rows(pub Vec<Row>);

impl Rows {
    /// The launches that carry a marker of `generated`, or one that begins like it and was never
    /// generated: a stranger.
    #[must_use]
    pub fn marked(&self, generated: &Generated) -> Vec<oracle::Row> {
        let stems: BTreeSet<&str> = generated.keys().filter_map(|it| stem(it)).collect();
        let of = |row: &Row| {
            let marker =
                words(&row.cmd_line).find(|it| stem(it).is_some_and(|it| stems.contains(it)))?;
            let payload = format!("{}|{}", row.cmd_line, row.exe_sha256);
            Some(oracle::Row { event_id: row.event_id.clone(), marker: marker.to_owned(), payload })
        };
        self.0.iter().filter(|it| it.kind == "process_launch").filter_map(of).collect()
    }

    /// Fails unless every launch of `generated` is here once and whole, and nothing is missing in
    /// any agent's numbers, nor declared lost in the critical lane.
    ///
    /// # Errors
    /// What is wrong, as text.
    pub fn must_conserve(&self, generated: &Generated) -> anyhow::Result<()> {
        let declared = self.declared("critical");
        oracle::judge(generated, &self.marked(generated), 0).must_hold()?;
        self.numbers().must_hold()?;
        ensure!(declared == 0, "{declared} declared lost in the critical lane");
        Ok(())
    }

    /// The launch with this marker.
    ///
    /// # Errors
    /// When there is none.
    pub fn launch(&self, marker: &str) -> anyhow::Result<&Row> {
        let is_it = |row: &&Row| {
            row.kind == "process_launch" && words(&row.cmd_line).any(|it| it == marker)
        };
        self.0.iter().find(is_it).with_context(|| format!("no launch is marked `{marker}`"))
    }

    /// Losses that were declared for a lane.
    pub fn losses(&self, lane: &str) -> impl Iterator<Item = &Loss> {
        self.0.iter().map(|it| &it.loss).filter(move |it| !it.cause.is_empty() && it.lane == lane)
    }

    /// How many events were declared lost in a lane.
    #[must_use]
    pub fn declared(&self, lane: &str) -> u64 {
        self.losses(lane).map(|it| it.count).sum()
    }

    /// What the numbers say: every event that an agent has numbered is here once, or declared lost.
    #[must_use]
    pub fn numbers(&self) -> oracle::Numbers {
        let stored = self.0.iter().map(|it| oracle::Numbered {
            series: format!("{}.{}.{}", it.agent, it.epoch, it.lane),
            first: it.seq,
            last: it.seq,
        });
        let of_loss = |row: &Row| {
            let it = &row.loss;
            let (first, last) = it.seqs;
            (first > 0).then(|| oracle::Numbered {
                series: format!("{}.{}.{}", row.agent, it.epoch, it.lane),
                first,
                last,
            })
        };
        oracle::numbers(stored, self.0.iter().filter_map(of_loss))
    }

    /// How many rows each class has.
    #[must_use]
    pub fn by_class(&self) -> BTreeMap<i64, u64> {
        let mut counts = BTreeMap::new();
        for row in &self.0 {
            *counts.entry(row.class_uid).or_default() += 1;
        }
        counts
    }
}

/// The words of a command line, without quotes around them.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split([' ', '\'', '"']).filter(|it| !it.is_empty())
}

/// What a marker begins with: `a` of `a-17`.
fn stem(marker: &str) -> Option<&str> {
    let (stem, number) = marker.rsplit_once('-')?;
    number.bytes().all(|it| it.is_ascii_digit()).then_some(stem).filter(|_| !number.is_empty())
}

/// Reads the whole lake.
///
/// # Errors
/// A file that cannot be read, or that is no Parquet.
pub fn read(lake: &Path) -> anyhow::Result<Rows> {
    View::new(lake).rows()
}

/// How many rows the files say that they have.
///
/// # Errors
/// As [`read`].
pub fn count(lake: &Path) -> anyhow::Result<u64> {
    let mut rows = 0;
    for path in files(lake)? {
        let reader = SerializedFileReader::new(File::open(&path).context("open")?)?;
        rows += u64::try_from(reader.metadata().file_metadata().num_rows()).unwrap_or(0);
    }
    Ok(rows)
}

/// How many bytes the files have.
///
/// # Errors
/// As [`read`].
pub fn bytes(lake: &Path) -> anyhow::Result<u64> {
    let sizes = files(lake)?.into_iter().map(|it| fs::metadata(it).map(|it| it.len()));
    sizes.sum::<Result<u64, _>>().context("measure the lake")
}

/// A lake that is looked at again and again: each file is read once.
#[derive(Debug)]
pub struct View {
    lake: PathBuf,
    known: BTreeMap<PathBuf, Vec<Row>>,
}

impl View {
    /// Of the lake at `lake`.
    #[must_use]
    pub fn new(lake: &Path) -> Self {
        Self { lake: lake.to_path_buf(), known: BTreeMap::new() }
    }

    /// What it holds now.
    ///
    /// # Errors
    /// As [`read`]; also when a file went while it was being read: look again.
    pub fn rows(&mut self) -> anyhow::Result<Rows> {
        let files = files(&self.lake)?;
        self.known.retain(|path, _| files.contains(path));
        for path in files {
            let Entry::Vacant(place) = self.known.entry(path) else { continue };
            let path = place.key().display().to_string();
            let rows = rows_of(place.key()).with_context(|| format!("read `{path}`"))?;
            place.insert(rows);
        }
        Ok(Rows(self.known.values().flatten().cloned().collect()))
    }
}

/// Every Parquet file below a folder; none when there is no folder.
///
/// # Errors
/// When a folder cannot be listed.
pub fn files(lake: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![lake.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).context("list the lake"),
        };
        for entry in entries {
            let entry = entry.context("list the lake")?;
            if entry.file_type().context("list the lake")?.is_dir() {
                waiting.push(entry.path());
            } else if entry.path().extension().is_some_and(|it| it == "parquet") {
                found.insert(entry.path());
            }
        }
    }
    Ok(found)
}

fn rows_of(path: &Path) -> anyhow::Result<Vec<Row>> {
    let reader = SerializedFileReader::new(File::open(path).context("open")?)?;
    let schema = reader.metadata().file_metadata().schema();
    let wanted: Vec<_> =
        schema.get_fields().iter().filter(|it| COLUMNS.contains(&it.name())).cloned().collect();
    for must in ["metadata", "class_uid", "cordon_agent", "cordon_seq", "cordon_kind"] {
        ensure!(wanted.iter().any(|it| it.name() == must), "there is no column `{must}`");
    }
    let projection = Type::group_type_builder(schema.name()).with_fields(wanted).build()?;
    let mut rows = Vec::new();
    for found in reader.get_row_iter(Some(projection))? {
        let mut row = Row::default();
        for (name, field) in found?.get_column_iter() {
            take(&mut row, name, field);
        }
        rows.push(row);
    }
    Ok(rows)
}

fn take(row: &mut Row, name: &str, field: &Field) {
    let number = |field: &Field| {
        if let Field::Long(it) = field { u64::try_from(*it).unwrap_or(0) } else { 0 }
    };
    let text = |field: &Field| {
        if let Field::Str(it) = field { it.clone() } else { String::new() }
    };
    match name {
        "metadata" => {
            let Field::Group(metadata) = field else { return };
            let uid = metadata.get_column_iter().find(|(name, _)| *name == "uid");
            row.event_id = uid.map(|(_, it)| text(it)).unwrap_or_default();
        }
        "class_uid" => row.class_uid = i64::try_from(number(field)).unwrap_or(0),
        "cordon_agent" => row.agent = text(field),
        "cordon_epoch" => row.epoch = text(field),
        "cordon_lane" => row.lane = text(field),
        "cordon_seq" => row.seq = number(field),
        "cordon_kind" => row.kind = text(field),
        "cordon_cmd_line" => row.cmd_line = text(field),
        "cordon_exe_path" => row.exe_path = text(field),
        "cordon_exe_sha256" => row.exe_sha256 = text(field),
        "cordon_process_uid" => row.process_uid = text(field),
        "cordon_parent_uid" => row.parent_uid = text(field),
        "cordon_file_path" => row.file_path = text(field),
        "cordon_loss_cause" => row.loss.cause = text(field),
        "cordon_loss_lane" => row.loss.lane = text(field),
        "cordon_loss_sensor" => row.loss.sensor = text(field),
        "start_time" => row.loss.times_ms.0 = number(field),
        "end_time" => row.loss.times_ms.1 = number(field),
        "cordon_loss_count" => row.loss.count = number(field),
        "cordon_loss_is_exact" => row.loss.is_exact = matches!(field, Field::Bool(true)),
        "cordon_loss_epoch" => row.loss.epoch = text(field),
        "cordon_loss_first_seq" => row.loss.seqs.0 = number(field),
        "cordon_loss_last_seq" => row.loss.seqs.1 = number(field),
        _ => (),
    }
}
