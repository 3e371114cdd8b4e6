//! Which collector, whom it must prove to be, and who asks: what `login` keeps.
//!
//! Options win over `CORDON_URL`, `CORDON_CA` and `CORDON_TOKEN`, which win over the file. The file
//! belongs to its owner alone, since it holds a bearer token.

use std::{env, io, path::PathBuf};

use anyhow::Context as _;
use cordon_shared::durable;
use serde::{Deserialize, Serialize};

use crate::{
    args::Access,
    failure::{Failure, Why},
};

/// What is needed to ask.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// `https://HOST:PORT`.
    pub(crate) url: String,
    /// The authority's certificate, PEM.
    pub(crate) ca: String,
    /// The bearer token.
    pub(crate) token: String,
}

impl Profile {
    /// Gathers it.
    ///
    /// # Errors
    /// What is missing, and how to give it.
    pub(crate) fn gather(access: &Access) -> anyhow::Result<Self> {
        let kept = read()?;
        let missing = |what: &str| {
            let text =
                format!("no {what} is known: run `cordon login --url … --ca … --token-file …`");
            Failure::new(Why::Usage, text)
        };
        let ca = given_ca(access)?.or_else(|| kept.as_ref().map(|it| it.ca.clone()));
        let token = variable("CORDON_TOKEN").or(kept.as_ref().map(|it| it.token.clone()));
        Ok(Self {
            url: given_url(access).or(kept.map(|it| it.url)).ok_or_else(|| missing("collector"))?,
            ca: ca.ok_or_else(|| missing("authority"))?,
            token: token.ok_or_else(|| missing("token"))?,
        })
    }

    /// Keeps it for the next call; gives where.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn keep(&self) -> anyhow::Result<PathBuf> {
        let path = path()?;
        let folder = path.parent().context("find the folder of settings")?;
        durable::create_dir(folder, durable::MODE_DIR).context("make the folder of settings")?;
        let text = toml::to_string(self).context("write the profile")?;
        durable::write(&path, text.as_bytes(), durable::MODE_SECRET)
            .with_context(|| format!("write `{}`", path.display()))?;
        Ok(path)
    }
}

/// The collector that an option or the environment names.
pub(crate) fn given_url(access: &Access) -> Option<String> {
    access.url.clone().or_else(|| variable("CORDON_URL"))
}

/// The authority's certificate in the file that an option or the environment names.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn given_ca(access: &Access) -> anyhow::Result<Option<String>> {
    let path = access.ca.clone().or_else(|| variable("CORDON_CA").map(PathBuf::from));
    let read = |path: PathBuf| {
        std::fs::read_to_string(&path)
            .with_context(|| format!("read the authority's certificate `{}`", path.display()))
    };
    path.map(read).transpose()
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|it| !it.is_empty())
}

fn read() -> anyhow::Result<Option<Profile>> {
    let Ok(path) = path() else { return Ok(None) };
    match std::fs::read_to_string(&path) {
        Ok(text) => toml::from_str(&text)
            .map(Some)
            .with_context(|| format!("read `{}`; `cordon login` writes it anew", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read `{}`", path.display())),
    }
}

/// `$XDG_CONFIG_HOME/cordon/profile.toml`, or below `~/.config`.
fn path() -> anyhow::Result<PathBuf> {
    let base = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|it| it.is_absolute());
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
    let base = base.or_else(home).context("find the home folder: `HOME` is not set")?;
    Ok(base.join("cordon").join("profile.toml"))
}
