//! Columns → values: each type that a row holds is read in one place, and what does not parse is
//! [`StoreError::Corrupt`] with the column's name.

use std::str::FromStr;

use cordon_shared::time::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{Row, any::AnyRow};

use super::{StoreError, failed};

const READING: &str = "read a row of the state database";

pub(super) fn text(row: &AnyRow, column: &str) -> Result<String, StoreError> {
    row.try_get(column).map_err(failed(READING))
}

pub(super) fn text_maybe(row: &AnyRow, column: &str) -> Result<Option<String>, StoreError> {
    row.try_get(column).map_err(failed(READING))
}

pub(super) fn bytes(row: &AnyRow, column: &str) -> Result<Vec<u8>, StoreError> {
    row.try_get(column).map_err(failed(READING))
}

pub(super) fn bytes_maybe(row: &AnyRow, column: &str) -> Result<Option<Vec<u8>>, StoreError> {
    row.try_get(column).map_err(failed(READING))
}

pub(super) fn number(row: &AnyRow, column: &str) -> Result<i64, StoreError> {
    row.try_get(column).map_err(failed(READING))
}

pub(super) fn count(row: &AnyRow, column: &str) -> Result<u64, StoreError> {
    u64::try_from(number(row, column)?).map_err(|_negative| corrupt(column))
}

pub(super) fn flag(row: &AnyRow, column: &str) -> Result<bool, StoreError> {
    let flag: i32 = row.try_get(column).map_err(failed(READING))?;
    Ok(flag != 0)
}

pub(super) fn time(row: &AnyRow, column: &str) -> Result<Timestamp, StoreError> {
    number(row, column).map(Timestamp::from_ns)
}

pub(super) fn time_maybe(row: &AnyRow, column: &str) -> Result<Option<Timestamp>, StoreError> {
    let ns: Option<i64> = row.try_get(column).map_err(failed(READING))?;
    Ok(ns.map(Timestamp::from_ns))
}

/// A value that has a text form, read by `parse`.
pub(super) fn parsed<T>(
    row: &AnyRow,
    column: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, StoreError> {
    parse(&text(row, column)?).ok_or_else(|| corrupt(column))
}

/// The same, where the column may be null.
pub(super) fn parsed_maybe<T>(
    row: &AnyRow,
    column: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, StoreError> {
    let Some(text) = text_maybe(row, column)? else { return Ok(None) };
    parse(&text).map(Some).ok_or_else(|| corrupt(column))
}

/// A list that no query looks into.
pub(super) fn json<T: DeserializeOwned>(row: &AnyRow, column: &str) -> Result<T, StoreError> {
    serde_json::from_str(&text(row, column)?).map_err(|_source| corrupt(column))
}

/// The text of such a list.
pub(super) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("lists of texts have a JSON form")
}

/// A count as the database keeps it.
pub(super) fn to_number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Reads what `Display` of a number wrote.
pub(super) fn from_display<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

pub(super) fn corrupt(column: &str) -> StoreError {
    StoreError::Corrupt { column: column.to_owned() }
}
