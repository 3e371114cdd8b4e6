//! `cordon report`: what happened, what was done and what remains, for people who were not there.

use std::path::Path;

use anyhow::Context as _;
use cordon_shared::durable;

use super::fleet::segment;
use crate::{
    args::report::{Format, Report},
    client::Client,
    render,
};

/// Fetches a report, and prints it or writes it to a file that its owner alone can read.
///
/// # Errors
/// What failed.
pub(crate) fn run(client: &Client, asked: &Report) -> anyhow::Result<()> {
    let path = format!("/api/v1/incidents/{}/report", segment(&asked.incident)?);
    let text = client.text(&path, &vec![("format", asked.format.name().to_owned())])?;
    match &asked.out {
        Some(out) => write(out, &text),
        // A terminal obeys what a script would only read.
        None if asked.format == Format::Json => render::say(&render::escape_json(&text)),
        None => render::raw(text.as_bytes()),
    }
}

/// It names persons and command lines.
fn write(out: &Path, text: &str) -> anyhow::Result<()> {
    durable::write(out, text.as_bytes(), durable::MODE_SECRET)
        .with_context(|| format!("write `{}`", out.display()))?;
    render::say(&format!("wrote {}", out.display()))
}
