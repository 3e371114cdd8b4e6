//! Rows into record batches: the [`Sink`] that the OCSF mapping is told to.
//!
//! In: calls of the mapping, row after row. Out: one Arrow record batch of what was told. The
//! columns of a class lie flat in one list, objects before what is in them; a call looks for its
//! field from where the last one stood, so that a row costs what it says and not what it could say.
//! Columns that a row passed over are filled with nulls when they are next told, or at the end.
//!
//! It never fails: a field that the class lacks is left out (a test of the mapping sees that there
//! is none), and the size is the caller's to watch ([`Rows::is_full`]).

use std::{
    fmt::{Display, Write as _},
    sync::Arc,
};

use arrow_array::{
    ArrayRef, ListArray, RecordBatch, StructArray,
    builder::{ArrayBuilder as _, BooleanBuilder, Int64Builder, StringBuilder},
};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field, SchemaRef};
use cordon_shared::ocsf::{
    Sink,
    column::{self, Kind},
};

use super::schema;

/// Rows of one batch (chosen: columns of a few tens of KiB, which stay in the processor's cache).
pub(super) const ROWS_MAX: usize = 4_096;

/// Bytes of text of one batch: far below the 2 GiB that a column's offsets can count, even with the
/// largest event on top.
pub(super) const BYTES_MAX: usize = 8 << 20;

/// The rows of one class on their way into a batch.
#[derive(Debug)]
pub(super) struct Rows {
    schema: SchemaRef,
    nodes: Vec<Node>,
    open: Vec<Scope>,
    rows: usize,
    bytes: usize,
}

/// One column, or an object or list with those that follow it.
#[derive(Debug)]
struct Node {
    name: &'static str,
    /// The first node that is not inside this one.
    end: usize,
    cells: Cells,
}

#[derive(Debug)]
enum Cells {
    Text(StringBuilder),
    Long(Int64Builder),
    Flag(BooleanBuilder),
    /// Whether the object is there.
    Object(NullBufferBuilder),
    /// Whether the list is there, and where each ends in the object that follows.
    List(NullBufferBuilder, Vec<i32>),
}

/// What is open.
#[derive(Clone, Copy, Debug)]
struct Scope {
    /// Where the next field is looked for.
    next: usize,
    end: usize,
    /// The row, or the place in the list's objects.
    row: usize,
    /// The list that the next `close` ends.
    list: Option<usize>,
}

impl Rows {
    /// No rows of a class yet.
    pub(super) fn new(class: u32) -> Self {
        let mut nodes = Vec::new();
        column::all(i64::from(class)).for_each(|field| push(&mut nodes, field.name, field.kind));
        let open = Vec::with_capacity(8);
        Self { schema: schema::of(class), nodes, open, rows: 0, bytes: 0 }
    }

    /// Begins a row; it ends with the next, or with the batch.
    pub(super) fn begin(&mut self) {
        self.open.clear();
        self.open.push(Scope { next: 0, end: self.nodes.len(), row: self.rows, list: None });
        self.rows += 1;
    }

    /// Whether the batch is as large as one gets.
    pub(super) fn is_full(&self) -> bool {
        self.rows >= ROWS_MAX || self.bytes >= BYTES_MAX
    }

    /// Rows so far.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    /// The batch; afterwards there are no rows.
    ///
    /// # Errors
    /// [`ArrowError`] when the columns do not fit together, which would be a mistake of ours.
    pub(super) fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        let schema = Arc::clone(&self.schema);
        let (mut at, mut columns) = (0, Vec::with_capacity(schema.fields().len()));
        for field in schema.fields() {
            columns.push(self.array(at, self.rows, field)?);
            at = self.nodes.get(at).map_or(at, |node| node.end);
        }
        (self.rows, self.bytes) = (0, 0);
        RecordBatch::try_new(schema, columns)
    }

    /// The column at `at` with `length` rows.
    fn array(&mut self, at: usize, length: usize, field: &Field) -> Result<ArrayRef, ArrowError> {
        let wrong = || ArrowError::SchemaError(format!("`{}` is not as told", field.name()));
        let node = self.nodes.get_mut(at).ok_or_else(wrong)?;
        node.cells.pad(length);
        match (&mut node.cells, field.data_type()) {
            (Cells::Text(it), _) => Ok(Arc::new(it.finish())),
            (Cells::Long(it), _) => Ok(Arc::new(it.finish())),
            (Cells::Flag(it), _) => Ok(Arc::new(it.finish())),
            (Cells::Object(there), DataType::Struct(fields)) => {
                let there = there.finish();
                let (mut at, mut columns) = (at + 1, Vec::with_capacity(fields.len()));
                for field in fields {
                    columns.push(self.array(at, length, field)?);
                    at = self.nodes.get(at).map_or(at, |node| node.end);
                }
                let array = StructArray::try_new(fields.clone(), columns, there)?;
                Ok(Arc::new(array))
            }
            (Cells::List(there, ends), DataType::List(element)) => {
                let there = there.finish();
                let mut offsets = Vec::with_capacity(ends.len() + 1);
                offsets.push(0);
                offsets.append(ends);
                let items = offsets.last().and_then(|it| usize::try_from(*it).ok()).unwrap_or(0);
                let values = self.array(at + 1, items, element)?;
                let offsets = OffsetBuffer::new(offsets.into());
                Ok(Arc::new(ListArray::try_new(Arc::clone(element), offsets, values, there)?))
            }
            (Cells::Object(_) | Cells::List(..), _) => Err(wrong()),
        }
    }

    /// The next cell of a field, with all before it filled; none when the scope has no such field.
    fn cells(&mut self, field: &'static str) -> Option<(usize, &mut Cells)> {
        let scope = self.open.last_mut()?;
        let mut at = scope.next;
        while at < scope.end {
            let node = self.nodes.get(at)?;
            if std::ptr::eq(node.name, field) || node.name == field {
                break;
            }
            at = node.end;
        }
        if at >= scope.end {
            return None;
        }
        let node = self.nodes.get_mut(at)?;
        scope.next = node.end;
        node.cells.pad(scope.row);
        Some((at, &mut node.cells))
    }

    fn enter(&mut self, at: usize, row: usize, list: Option<usize>) {
        let end = self.nodes.get(at).map_or(0, |node| node.end);
        self.open.push(Scope { next: at + 1, end, row, list });
    }

    /// What is told inside is left out.
    fn enter_nothing(&mut self) {
        self.open.push(Scope { next: 0, end: 0, row: 0, list: None });
    }
}

impl Sink for Rows {
    fn text(&mut self, field: &'static str, value: &dyn Display) {
        let Some((_, Cells::Text(it))) = self.cells(field) else { return };
        let before = it.values_slice().len();
        // Writing into a builder cannot fail.
        let _written = write!(it, "{value}");
        it.append_value("");
        let written = it.values_slice().len() - before;
        self.bytes += written;
    }

    fn long(&mut self, field: &'static str, value: i64) {
        if let Some((_, Cells::Long(it))) = self.cells(field) {
            it.append_value(value);
        }
    }

    fn flag(&mut self, field: &'static str, value: bool) {
        if let Some((_, Cells::Flag(it))) = self.cells(field) {
            it.append_value(value);
        }
    }

    fn open(&mut self, field: &'static str) {
        let row = self.open.last().map_or(0, |scope| scope.row);
        if let Some((at, Cells::Object(there))) = self.cells(field) {
            there.append_non_null();
            self.enter(at, row, None);
        } else {
            self.enter_nothing();
        }
    }

    fn list(&mut self, field: &'static str) {
        if let Some((at, Cells::List(..))) = self.cells(field) {
            self.enter(at, 0, Some(at));
        } else {
            self.enter_nothing();
        }
    }

    fn item(&mut self) {
        let at = self.open.last().and_then(|scope| scope.list).map(|at| at + 1);
        let element = at.and_then(|at| Some((at, &mut self.nodes.get_mut(at)?.cells)));
        if let Some((at, Cells::Object(there))) = element {
            let row = there.len();
            there.append_non_null();
            self.enter(at, row, None);
        } else {
            self.enter_nothing();
        }
    }

    fn close(&mut self) {
        let Some(Scope { list: Some(at), .. }) = self.open.pop() else { return };
        let items = self.nodes.get(at + 1).map_or(0, |element| element.cells.len());
        let Some(Node { cells: Cells::List(there, ends), .. }) = self.nodes.get_mut(at) else {
            return;
        };
        there.append_non_null();
        ends.push(i32::try_from(items).unwrap_or(i32::MAX));
    }
}

impl Cells {
    fn len(&self) -> usize {
        match self {
            Self::Text(it) => it.len(),
            Self::Long(it) => it.len(),
            Self::Flag(it) => it.len(),
            Self::Object(there) | Self::List(there, _) => there.len(),
        }
    }

    /// Fills with nulls up to `length`.
    fn pad(&mut self, length: usize) {
        let missing = length.saturating_sub(self.len());
        if missing == 0 {
            return;
        }
        match self {
            Self::Text(it) => it.append_nulls(missing),
            Self::Long(it) => it.append_nulls(missing),
            Self::Flag(it) => it.append_nulls(missing),
            Self::Object(there) => there.append_n_nulls(missing),
            Self::List(there, ends) => {
                there.append_n_nulls(missing);
                ends.resize(ends.len() + missing, ends.last().copied().unwrap_or(0));
            }
        }
    }
}

fn push(nodes: &mut Vec<Node>, name: &'static str, kind: Kind) {
    let at = nodes.len();
    let cells = match kind {
        Kind::Text => Cells::Text(StringBuilder::new()),
        Kind::Long => Cells::Long(Int64Builder::new()),
        Kind::Flag => Cells::Flag(BooleanBuilder::new()),
        Kind::Object(_) => Cells::Object(NullBufferBuilder::new(0)),
        Kind::List(_) => Cells::List(NullBufferBuilder::new(0), Vec::new()),
    };
    nodes.push(Node { name, end: 0, cells });
    match kind {
        Kind::Object(fields) => fields.iter().for_each(|it| push(nodes, it.name, it.kind)),
        Kind::List(fields) => push(nodes, schema::ELEMENT, Kind::Object(fields)),
        Kind::Text | Kind::Long | Kind::Flag => (),
    }
    let end = nodes.len();
    if let Some(node) = nodes.get_mut(at) {
        node.end = end;
    }
}
