//! `cordon key`: keys are made and keyrings signed where the person is, never on the collector.

use std::path::Path;

use anyhow::Context as _;
use cordon_shared::{
    entropy::SystemEntropy,
    keyring::author,
    time::{Clock as _, SystemClock},
};

use crate::{
    args::key::Key,
    failure::{Failure, Why},
    render,
};

/// Does what was asked.
///
/// # Errors
/// What failed, and on which file.
pub(crate) fn run(command: &Key) -> anyhow::Result<()> {
    match command {
        Key::Root { out } => make(out, "root"),
        Key::New { name, out } => {
            let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_.@".contains(it);
            if name.is_empty() || name.starts_with('.') || !name.chars().all(is_plain) {
                let text = format!("`{name}` must be a file's name: letters, digits, - _ . @");
                return Err(Failure::new(Why::Usage, text).into());
            }
            make(out, name)
        }
        Key::Sign { keys, draft, out } => {
            let mut signers = Vec::new();
            for path in keys {
                signers.push(author::read_key(path).context("read the key")?);
            }
            let draft = author::Draft::read(draft, SystemClock.now()).context("read the draft")?;
            let bundle = author::sign(&draft, &signers);
            author::write_bundle(out, &bundle).context("write the keyring")?;
            render::say(&format!("signed keyring: {}", out.display()))
        }
    }
}

fn make(out: &Path, name: &str) -> anyhow::Result<()> {
    let key = author::new_key(&SystemEntropy);
    let files = author::write_key(out, name, &key).context("write the key")?;
    render::say(&format!("private key, keep it off the collector: {}", files.private.display()))?;
    render::say(&format!("public key, to be handed on:            {}", files.public.display()))
}
