//! Events out of a file, one after the other: lines of JSON, or one array of objects.
//!
//! In: a file, decompressed when its name ends in `.zst`, or standard input. Out: each event with its
//! place, or what is wrong with it. One event is in memory at a time, and none is larger than
//! [`EVENT_BYTES_MAX`]; what is larger is passed over without being kept.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    rc::Rc,
};

use anyhow::Context as _;
use serde::{
    Deserializer as _,
    de::{SeqAccess, Visitor},
};
use serde_json::Value as Json;

use crate::failure::{Failure, Why};

/// Bytes of an event as JSON (chosen: twice the largest of ours).
const EVENT_BYTES_MAX: usize = 4 << 20;

/// Bytes that are read at once (chosen).
const BUFFER_BYTES: usize = 256 << 10;

/// The largest window of zstd, as a power of two: 128 MiB, what its own tool takes by default.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// An event: fields and their values.
pub(super) type Event = BTreeMap<String, Json>;

/// Where an event stands.
pub(super) struct Place {
    /// Its line, or its place in the array, from 0.
    pub(super) index: u64,
    is_line: bool,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // People count lines from 1.
        let word = if self.is_line { "line" } else { "event" };
        write!(f, "{word} {}", self.index + 1)
    }
}

/// What is done with each event.
pub(super) type Take<'a> = &'a mut dyn FnMut(Place, Result<Event, String>) -> anyhow::Result<()>;

/// Reads a file of events.
///
/// # Errors
/// When it cannot be read to its end, or `take` fails.
pub(super) fn read(path: &Path, take: Take<'_>) -> anyhow::Result<()> {
    let named = path.display();
    let raw: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let is_gone = |it: &io::Error| it.kind() == io::ErrorKind::NotFound;
        Box::new(File::open(path).map_err(|error| {
            let why = if is_gone(&error) { Why::NotFound } else { Why::Failed };
            Failure::new(why, format!("`{named}` cannot be read: {error}"))
        })?)
    };
    if path.extension().is_some_and(|it| it == "zst") {
        let mut decoder = zstd::stream::read::Decoder::new(raw).context("read zstd")?;
        decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).context("read zstd")?;
        all(decoder, take)
    } else {
        all(raw, take)
    }
    .with_context(|| format!("read `{named}`"))
}

fn all(raw: impl Read, take: Take<'_>) -> anyhow::Result<()> {
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, raw);
    let begin = reader.fill_buf()?;
    if begin.starts_with(b"\xef\xbb\xbf") {
        reader.consume(3);
    }
    let is_array = reader.fill_buf()?.iter().find(|it| !it.is_ascii_whitespace()) == Some(&b'[');
    if is_array { array(reader, take) } else { lines(reader, take) }
}

fn lines(mut reader: impl BufRead, take: Take<'_>) -> anyhow::Result<()> {
    let mut line = Vec::new();
    for index in 0.. {
        let Some(is_whole) = one_line(&mut reader, &mut line)? else { break };
        if is_whole && line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let event = if is_whole {
            serde_json::from_slice::<Event>(&line)
                .map_err(|it| format!("{} at column {}", in_words(&it), it.column()))
        } else {
            Err(too_large())
        };
        take(Place { index, is_line: true }, event)?;
    }
    Ok(())
}

/// The next line without its end. Nothing at the end of the file; false when it was too large, and
/// then it was passed over.
fn one_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    let (mut is_begun, mut is_whole) = (false, true);
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(is_begun.then_some(is_whole));
        }
        is_begun = true;
        let end = buffer.iter().position(|it| *it == b'\n');
        let piece = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
        is_whole = is_whole && line.len() + piece.len() <= EVENT_BYTES_MAX;
        if is_whole {
            line.extend_from_slice(piece);
        }
        let used = piece.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            return Ok(Some(is_whole));
        }
    }
}

fn array(reader: impl Read, take: Take<'_>) -> anyhow::Result<()> {
    let left = Rc::new(Cell::new(EVENT_BYTES_MAX));
    let capped = Capped { reader, left: Rc::clone(&left) };
    let mut deserializer = serde_json::Deserializer::from_reader(capped);
    let (mut index, mut failed) = (0, None);
    let items = Items { left: &left, index: &mut index, failed: &mut failed, take: &mut *take };
    let read = deserializer.deserialize_seq(items).and_then(|()| deserializer.end());
    if let Some(error) = failed {
        return Err(error);
    }
    match read {
        Ok(()) => Ok(()),
        // Where one event of an array ends and the next begins is not known after an error.
        Err(error) if error.is_io() && left.get() > 0 => Err(error.into()),
        Err(error) => {
            let at = format!("{} at line {}", in_words(&error), error.line());
            let reason = if left.get() == 0 { too_large() } else { at };
            let place = Place { index, is_line: false };
            take(place, Err(format!("{reason}; nothing after it is read")))
        }
    }
}

/// Lets as many bytes through as an event may have.
struct Capped<R> {
    reader: R,
    left: Rc<Cell<usize>>,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.left.get();
        if left == 0 {
            return Err(io::Error::other("too large"));
        }
        let most = into.len().min(left);
        let count = self.reader.read(into.get_mut(..most).unwrap_or_default())?;
        self.left.set(left - count);
        Ok(count)
    }
}

/// Takes the items of an array as they are read.
struct Items<'a, 'b> {
    left: &'a Cell<usize>,
    index: &'a mut u64,
    failed: &'a mut Option<anyhow::Error>,
    take: Take<'b>,
}

impl<'de> Visitor<'de> for Items<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<Json>()? {
            let event = match item {
                Json::Object(fields) => Ok(fields.into_iter().collect()),
                Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
                    Err("is no JSON object".to_owned())
                }
            };
            let place = Place { index: *self.index, is_line: false };
            if let Err(error) = (self.take)(place, event) {
                *self.failed = Some(error);
                return Err(serde::de::Error::custom("nobody takes them"));
            }
            *self.index += 1;
            self.left.set(EVENT_BYTES_MAX);
        }
        Ok(())
    }
}

fn in_words(error: &serde_json::Error) -> String {
    let said = error.to_string();
    // Where it is is told by who knows what a line is.
    let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(it, _)| it);
    format!("is no JSON object: {said}")
}

fn too_large() -> String {
    format!("is larger than {EVENT_BYTES_MAX} bytes")
}

#[cfg(test)]
mod tests;
