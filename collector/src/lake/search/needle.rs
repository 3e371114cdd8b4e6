//! What a search looks for, as values in columns; pure.
//!
//! A [`Filter`] is what a responder says, a [`Needle`] what rows are held against: one value that
//! any of a few columns may hold. The columns are named here once, as Parquet spells them.

use std::net::IpAddr;

use arrow_array::{Array, ArrayRef, Int64Array, ListArray, RecordBatch, StringArray, StructArray};
use cordon_shared::{
    digest::Sha256,
    id::{AgentId, EventId, ProcessUid},
};

/// One condition of a search; all of them must hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Filter {
    /// What this agent sent.
    Agent(AgentId),
    /// What happened on this machine: its name or its id.
    Host(String),
    /// What this process did, or what began it.
    Process(ProcessUid),
    /// Events with this executable, file or driver.
    Sha256(Sha256),
    /// Connections from or to this address.
    Ip(IpAddr),
    /// Connections to this port.
    Port(u16),
    /// Events of an executable or a file with this path; one that ends in `*` matches what begins
    /// so.
    Path(String),
    /// A name that was looked up, or that of a file or a process.
    Name(String),
    /// Events of this account, by name.
    User(String),
    /// This text anywhere in a command line, a path, a looked-up name or a message.
    Text(String),
    /// The event of this name.
    Id(EventId),
}

/// A value that one of some columns holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Needle {
    pub(super) columns: &'static [&'static str],
    pub(super) value: Value,
}

/// How a cell is compared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value {
    Is(String),
    Begins(String),
    Holds(String),
    Number(i64),
}

const HASHES: &[&str] = &["cordon_exe_sha256", "cordon_file_sha256"];
const PATHS: &[&str] = &["cordon_exe_path", "cordon_file_path", "cordon_file_path_before"];
const NAMES: &[&str] =
    &["cordon_dns_name", "file.name", "file_result.name", "process.name", "actor.process.name"];
const TEXTS: &[&str] =
    &["cordon_cmd_line", "cordon_exe_path", "cordon_file_path", "cordon_dns_name", "message"];

impl Filter {
    /// What rows are held against.
    pub(super) fn needles(&self) -> Vec<Needle> {
        let is = |columns, value: String| vec![Needle { columns, value: Value::Is(value) }];
        match self {
            Self::Agent(it) => is(&["cordon_agent"], it.to_string()),
            Self::Host(it) => is(&["cordon_host_name", "cordon_host"], it.clone()),
            Self::Process(it) => {
                is(&["cordon_process_uid", "cordon_parent_uid", "process.uid"], it.to_string())
            }
            Self::Sha256(it) => is(HASHES, it.to_string()),
            Self::Ip(it) => is(&["cordon_src_ip", "cordon_dst_ip"], it.to_string()),
            Self::Port(it) => {
                let value = Value::Number(i64::from(*it));
                vec![Needle { columns: &["cordon_dst_port"], value }]
            }
            Self::Path(it) => {
                let value = it.strip_suffix('*').map(str::to_owned).map(Value::Begins);
                let value = value.unwrap_or_else(|| Value::Is(it.clone()));
                vec![Needle { columns: PATHS, value }]
            }
            Self::Name(it) => is(NAMES, it.clone()),
            Self::User(it) => is(&["cordon_user"], it.clone()),
            Self::Text(it) => vec![Needle { columns: TEXTS, value: Value::Holds(it.clone()) }],
            Self::Id(it) => {
                let seq = i64::try_from(it.seq.as_u64()).unwrap_or(i64::MAX);
                let seq = Needle { columns: &["cordon_seq"], value: Value::Number(seq) };
                [
                    is(&["cordon_agent"], it.agent.to_string()),
                    is(&["cordon_epoch"], it.epoch.to_string()),
                    is(&["cordon_lane"], it.lane.to_string()),
                    vec![seq],
                ]
                .concat()
            }
        }
    }
}

/// Which rows of a batch hold all needles.
pub(super) fn matching(needles: &[Needle], batch: &RecordBatch) -> Vec<bool> {
    let mut rows = vec![true; batch.num_rows()];
    for needle in needles {
        let mut found = vec![false; batch.num_rows()];
        for column in needle.columns {
            let mut path = column.split('.');
            let root = path.next().and_then(|name| batch.column_by_name(name));
            let path: Vec<_> = path.collect();
            if let Some(root) = root {
                either(&mut found, &holding(root, &path, &needle.value));
            }
        }
        rows.iter_mut().zip(&found).for_each(|(row, found)| *row &= found);
    }
    rows
}

fn either(rows: &mut [bool], others: &[bool]) {
    rows.iter_mut().zip(others).for_each(|(row, other)| *row |= other);
}

/// Which rows of a column hold the value at `path`; none when the column has no such path.
fn holding(column: &ArrayRef, path: &[&str], value: &Value) -> Vec<bool> {
    let any = column.as_any();
    match path {
        [] => cells(column, value),
        ["list", "element", path @ ..] => {
            let Some(list) = any.downcast_ref::<ListArray>() else {
                return vec![false; column.len()];
            };
            let items = holding(list.values(), path, value);
            (0..list.len())
                .map(|row| {
                    let ends = list.value_offsets().get(row).zip(list.value_offsets().get(row + 1));
                    let range = ends.and_then(|(from, until)| {
                        Some(usize::try_from(*from).ok()?..usize::try_from(*until).ok()?)
                    });
                    let items = range.and_then(|it| items.get(it));
                    items.is_some_and(|items| items.contains(&true))
                })
                .collect()
        }
        [name, path @ ..] => {
            let inner = any.downcast_ref::<StructArray>().and_then(|it| it.column_by_name(name));
            inner.map_or_else(|| vec![false; column.len()], |it| holding(it, path, value))
        }
    }
}

fn cells(column: &ArrayRef, value: &Value) -> Vec<bool> {
    if let (Some(it), Value::Number(number)) = (column.as_any().downcast_ref::<Int64Array>(), value)
    {
        return it.iter().map(|cell| cell == Some(*number)).collect();
    }
    let Some(it) = column.as_any().downcast_ref::<StringArray>() else {
        return vec![false; column.len()];
    };
    let holds = |cell: Option<&str>| match (cell, value) {
        (Some(cell), Value::Is(want)) => cell == want,
        (Some(cell), Value::Begins(want)) => cell.starts_with(want),
        (Some(cell), Value::Holds(want)) => cell.contains(want),
        (None, _) | (_, Value::Number(_)) => false,
    };
    it.iter().map(holds).collect()
}
