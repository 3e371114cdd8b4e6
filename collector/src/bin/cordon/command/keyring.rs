//! `cordon keyring`: the signed list of who may command what, as the collector hands it to agents.

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cordon_collector::api::view;
use cordon_shared::{keyring::author, wire};

use crate::{
    args::{Output, key::Keyring},
    client::Client,
    render,
};

/// The keyring.
///
/// # Errors
/// What failed.
pub(crate) fn run(client: &Client, output: Output, keyring: &Keyring) -> anyhow::Result<()> {
    match keyring {
        Keyring::Show => show(output, client.get("/api/v1/keyring", &Vec::new())?),
        Keyring::Install { file } => {
            let bundle = author::read_bundle(file).context("read the signed keyring")?;
            show(output, install(client, &wire::keyring::encode(&bundle))?)
        }
    }
}

/// The signed bytes are for scripts; people read who may do what from the draft.
fn show(output: Output, keyring: view::Keyring) -> anyhow::Result<()> {
    match output {
        Output::Json => render::one(output, &keyring),
        Output::Table => render::one(output, &view::Keyring { signed: String::new(), ..keyring }),
    }
}

/// Hands a signed keyring to the collector.
///
/// # Errors
/// What the collector says against it.
pub(crate) fn install(client: &Client, signed: &[u8]) -> anyhow::Result<view::Keyring> {
    let offered = view::Keyring {
        number: 0,
        signed: STANDARD.encode(signed),
        installed: String::new(),
        installed_by: String::new(),
    };
    client.put("/api/v1/keyring", &offered)
}
