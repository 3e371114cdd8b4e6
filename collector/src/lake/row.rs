//! Rows back into OCSF JSON: what a file holds of an event, as the mapping would tell it.
//!
//! In: a record batch with the file's own schema, whichever release wrote it. Out: one JSON object a
//! row, without what is null. It knows no field.

use arrow_array::{
    Array, ArrayRef, BooleanArray, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
};
use serde_json::{Map, Value};

/// A row of the lake: an OCSF event.
pub type Row = Value;

/// All rows of a batch, in its order.
pub(super) fn rows(batch: &RecordBatch) -> Vec<Row> {
    let schema = batch.schema();
    (0..batch.num_rows())
        .map(|row| {
            let columns = schema.fields().iter().zip(batch.columns());
            object(columns.map(|(field, column)| (field.name().as_str(), column)), row)
        })
        .collect()
}

fn object<'a>(columns: impl Iterator<Item = (&'a str, &'a ArrayRef)>, row: usize) -> Value {
    let cells = columns.filter_map(|(name, column)| Some((name.to_owned(), cell(column, row)?)));
    Value::Object(cells.collect::<Map<_, _>>())
}

/// A cell; none when it is null.
fn cell(column: &ArrayRef, row: usize) -> Option<Value> {
    if column.is_null(row) {
        return None;
    }
    let column = column.as_any();
    if let Some(it) = column.downcast_ref::<StringArray>() {
        return Some(Value::from(it.value(row)));
    }
    if let Some(it) = column.downcast_ref::<Int64Array>() {
        return Some(Value::from(it.value(row)));
    }
    if let Some(it) = column.downcast_ref::<BooleanArray>() {
        return Some(Value::from(it.value(row)));
    }
    if let Some(it) = column.downcast_ref::<StructArray>() {
        let columns = it.fields().iter().zip(it.columns());
        return Some(object(columns.map(|(field, column)| (field.name().as_str(), column)), row));
    }
    let items = column.downcast_ref::<ListArray>()?.value(row);
    Some((0..items.len()).map(|at| cell(&items, at).unwrap_or(Value::Null)).collect())
}
