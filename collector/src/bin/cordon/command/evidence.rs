//! `cordon evidence`: what hosts said of themselves, sealed by them; and whether it is still that.
//!
//! A container is checked here and not by the collector, which cannot vouch for itself: signature of
//! the agent's receipt key, digest of the whole, digest of each entry. Whose key it is, is pinned at
//! first sight, beside the profile; a collector that shows another one later is not believed.
//!
//! A container is never unpacked to disk: names and contents are a compromised host's.

mod pin;

use std::{
    fs::{self, File},
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cordon_collector::api::view;
use cordon_shared::{
    crypto::signing::{PublicKey, SignedBytes},
    durable,
    snapshot::{
        Manifest,
        check::{Checked, State, check},
    },
    wire,
};

use super::fleet::segment;
use crate::{
    args::{Access, Output, evidence::Evidence},
    client::{Client, Query},
    failure::{Failure, Why},
    render::{self, Row},
};

/// A signed manifest: its payload's bound, and room for what it is wrapped in.
const MANIFEST_BYTES_MAX: u64 = 512 << 10;

/// One read of a download.
const CHUNK_BYTES: usize = 256 << 10;

/// Evidence.
///
/// # Errors
/// What failed; also that it is not whole.
pub(crate) fn run(access: &Access, output: Output, verb: &Evidence) -> anyhow::Result<()> {
    let client = || Client::of(access);
    match verb {
        Evidence::List { listing, incident } => {
            let query: Query = incident.iter().map(|it| ("incident", it.clone())).collect();
            let rows: Vec<view::Evidence> =
                client()?.list("/api/v1/evidence", &query, listing.limit)?;
            render::list(output, &rows)
        }
        Evidence::Show { id } => show(&client()?, output, id),
        Evidence::Export { id, out } => export(access, &client()?, output, (id, out)),
        Evidence::Verify { file, manifest, receipt_key } => {
            let manifest = manifest.clone().unwrap_or_else(|| beside(file));
            verify(access, output, (file, &manifest), receipt_key.as_deref())
        }
    }
}

fn show(client: &Client, output: Output, id: &str) -> anyhow::Result<()> {
    let it: view::EvidenceManifest =
        client.get(&format!("/api/v1/evidence/{}", segment(id)?), &Vec::new())?;
    if output == Output::Json {
        return render::one(output, &it);
    }
    render::one(output, &it.evidence)?;
    render::say("\nEntries")?;
    render::list(output, &it.entries)?;
    render::say("\nCustody")?;
    render::list(output, &it.custody)
}

/// Downloads a container and its manifest, and checks the one by the other.
fn export(
    access: &Access,
    client: &Client,
    output: Output,
    (id, out): (&str, &Path),
) -> anyhow::Result<()> {
    let path = format!("/api/v1/evidence/{}", segment(id)?);
    let shown: view::EvidenceManifest = client.get(&path, &Vec::new())?;
    let signed = STANDARD.decode(&shown.manifest).context("read the manifest")?;
    let signed = wire::signed::decode(&signed).context("read the manifest")?;
    let offered = PublicKey::parse(&shown.receipt_key).context("read the agent's receipt key")?;
    let agent = wire::snapshot::peek(&signed).context("read the manifest")?.agent;
    let key = pin::first_sight(access, agent, offered)?;
    // Before a byte of it is fetched: a manifest that proves nothing bounds nothing.
    let manifest = opened(&signed, &key)?;
    let wait = render::wait("downloading the container");
    download(client, &format!("{path}/content"), manifest.size_bytes, out)?;
    drop(wait);
    durable::write(&beside(out), &wire::signed::encode(&signed), durable::MODE_SECRET)
        .with_context(|| format!("write `{}`", beside(out).display()))?;
    judge(output, &manifest, out)
}

/// Writes aside first: a name that is there is a download that ended.
fn download(client: &Client, path: &str, size: u64, out: &Path) -> anyhow::Result<()> {
    let aside = named(out, ".part");
    let mut file = File::create(&aside).with_context(|| format!("make `{}`", aside.display()))?;
    // One byte more would show that there is more than was signed.
    let mut body = client.stream(path)?.take(size.saturating_add(1));
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = body.read(&mut chunk).context("download the container")?;
        if count == 0 {
            break;
        }
        file.write_all(chunk.get(..count).unwrap_or_default())
            .with_context(|| format!("write `{}`", aside.display()))?;
    }
    file.sync_all().with_context(|| format!("write `{}`", aside.display()))?;
    fs::rename(&aside, out).with_context(|| format!("write `{}`", out.display()))
}

fn verify(
    access: &Access,
    output: Output,
    (file, manifest): (&Path, &Path),
    given: Option<&str>,
) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    let opened_file =
        File::open(manifest).and_then(|it| it.take(MANIFEST_BYTES_MAX).read_to_end(&mut bytes));
    opened_file.with_context(|| format!("read the manifest `{}`", manifest.display()))?;
    let signed = wire::signed::decode(&bytes);
    let signed = signed.map_err(|error| no_manifest(manifest, &error.to_string()))?;
    let about = wire::snapshot::peek(&signed);
    let about = about.map_err(|error| no_manifest(manifest, &error.to_string()))?;
    let key = match given {
        Some(text) => PublicKey::parse(text)
            .ok_or_else(|| Failure::new(Why::Usage, "a receipt key is 64 hexadecimal digits"))?,
        None => pin::known(access, about.agent)?.ok_or_else(|| {
            let text = format!(
                "the receipt key of agent {} is not pinned on this machine: give it with \
                 --receipt-key, as its enrolment or `cordon evidence show` has it",
                about.agent
            );
            Failure::new(Why::Usage, text)
        })?,
    };
    judge(output, &opened(&signed, &key)?, file)
}

fn no_manifest(path: &Path, why: &str) -> Failure {
    Failure::new(Why::Failed, format!("`{}` is no signed manifest: {why}", path.display()))
}

fn opened(signed: &SignedBytes, key: &PublicKey) -> anyhow::Result<Manifest> {
    Ok(wire::snapshot::open(signed, key).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|it| format!(": {it}"));
        let text = format!(
            "the manifest is not by the agent's receipt key {key}{}: it proves nothing",
            cause.unwrap_or_default()
        );
        Failure::new(Why::Failed, text)
    })?)
}

/// Compares, shows every entry, and fails when anything differs.
fn judge(output: Output, manifest: &Manifest, file: &Path) -> anyhow::Result<()> {
    let mut container = File::open(file).with_context(|| format!("open `{}`", file.display()))?;
    let read = |it: io::Error| anyhow::Error::from(it).context("read the container");
    let checked = check(manifest, &mut container).map_err(read)?;
    render::list(output, &rows(manifest, &checked))?;
    if checked.is_whole() {
        return Ok(());
    }
    let bad =
        checked.entries.iter().filter(|(_, it)| matches!(it, State::Differs | State::Unreadable));
    let bad: Vec<_> = bad.map(|(name, state)| format!("{name} {}", state.as_str())).collect();
    let text = match bad.is_empty() {
        true => "no entry differs, and the container is not the one that was sealed".to_owned(),
        false => format!("this is not what was sealed: {}", bad.join(", ")),
    };
    Err(Failure::new(Why::Failed, text).into())
}

/// How an entry is.
#[derive(Debug, serde::Serialize)]
struct Judged {
    name: String,
    state: String,
    outcome: String,
    size_bytes: u64,
    sha256: Option<String>,
    reason: String,
}

/// The container first, then each entry.
fn rows(manifest: &Manifest, checked: &Checked) -> Vec<Judged> {
    let state = if checked.is_container_same { State::Same } else { State::Differs };
    let container = Judged {
        name: "container".to_owned(),
        state: state.as_str().to_owned(),
        outcome: "sealed".to_owned(),
        size_bytes: manifest.size_bytes,
        sha256: Some(manifest.sha256.to_string()),
        reason: format!("by agent {} at {}", manifest.agent, manifest.ended.realtime),
    };
    let entries = manifest.entries.iter().zip(&checked.entries).map(|(it, (_, state))| Judged {
        name: it.name.to_string(),
        state: state.as_str().to_owned(),
        outcome: it.outcome.as_str().to_owned(),
        size_bytes: it.size_bytes,
        sha256: it.sha256.map(|it| it.to_string()),
        reason: it.reason.clone(),
    });
    std::iter::once(container).chain(entries).collect()
}

impl Row for Judged {
    const HEAD: &'static [&'static str] = &["entry", "state", "outcome", "bytes", "why"];
    const LESS: &'static [&'static str] = &["bytes", "outcome"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.state.clone(),
            self.outcome.clone(),
            self.size_bytes.to_string(),
            self.reason.clone(),
        ]
    }
}

fn beside(file: &Path) -> PathBuf {
    named(file, ".manifest")
}

fn named(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
