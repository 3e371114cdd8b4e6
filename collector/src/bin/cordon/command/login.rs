//! `cordon login`: tries what was given, and keeps it when the collector answers. `cordon status`.

use std::io::Read as _;

use anyhow::Context as _;
use cordon_collector::api::view;

use crate::{
    args::{Access, Login, Output},
    client::Client,
    failure::{Failure, Why},
    profile::{self, Profile},
    render,
};

/// Bytes of a token (chosen: ten times what one has).
const TOKEN_BYTES_MAX: u64 = 1_024;

/// Logs in.
///
/// # Errors
/// What failed; nothing is kept then.
pub(crate) fn run(access: &Access, login: &Login) -> anyhow::Result<()> {
    let missing = |what: &str| {
        let variable = what.to_uppercase();
        Failure::new(Why::Usage, format!("give --{what}, or set CORDON_{variable}"))
    };
    let url = profile::given_url(access).ok_or_else(|| missing("url"))?;
    let ca = profile::given_ca(access)?.ok_or_else(|| missing("ca"))?;
    let profile = Profile { url, ca, token: token(login)? };
    let _status: view::Status = Client::open(&profile)?
        .naming(profile::whence(access))
        .get("/api/v1/status", &Vec::new())?;
    let path = profile.keep(access)?;
    render::say(&format!("logged in to {}; kept in `{}`", profile.url, path.display()))
}

fn token(login: &Login) -> anyhow::Result<String> {
    let text = match &login.token_file {
        Some(path) => std::fs::read_to_string(path)
            .with_context(|| format!("read the token `{}`", path.display()))?,
        None => {
            let mut text = String::new();
            let mut stdin = std::io::stdin().lock().take(TOKEN_BYTES_MAX);
            stdin.read_to_string(&mut text).context("read the token from standard input")?;
            text
        }
    };
    let token = text.trim().to_owned();
    if token.is_empty() || !token.chars().all(|it| it.is_ascii_graphic()) {
        let text = "that is no token: give --token-file FILE; the first one is `admin.token` in \
                    the collector's data folder";
        return Err(Failure::new(Why::Usage, text).into());
    }
    Ok(token)
}

/// How the collector is.
///
/// # Errors
/// What failed.
pub(crate) fn status(client: &Client, output: Output) -> anyhow::Result<()> {
    let status: view::Status = client.get("/api/v1/status", &Vec::new())?;
    render::one(output, &status)
}
