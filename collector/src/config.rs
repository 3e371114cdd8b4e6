//! Configuration: what was typed ([`Raw`], never leaves this module) and what may be relied upon
//! ([`Config`]).
//!
//! Beside the road: `cordon-collector init` writes the file, `serve` and `check` read it. Every key
//! is also an environment variable, `CORDON_` and the key in capitals with `_` for each dot
//! (`listen.api` is `CORDON_LISTEN_API`), which wins over the file. A key that is not known is
//! refused with its line and the nearest one that is.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use cordon_shared::{
    crypto::signing::PublicKey,
    error::{Classify, Kind},
    id::CollectorId,
    keyring::key::Roots,
    setting::{self, SettingError},
    telemetry::Format,
};
use serde::Deserialize;

/// Every key that there is.
const KEYS: [&str; 11] = [
    "collector_id",
    "data_dir",
    "names",
    "root_keys",
    "root_threshold",
    "rules_dir",
    "listen.sessions",
    "listen.enrolment",
    "listen.api",
    "log.format",
    "log.level",
];

/// Names that the collector's certificate may carry.
const NAMES_MAX: usize = 64;

/// The configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("failed to read `{path}`")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It is no TOML, or it has a key that is not known; the text says where.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A value has the wrong type.
    #[error("{0}")]
    Type(String),
    /// A value breaks a rule.
    #[error("`{key}` must be {want}")]
    Value {
        /// Which key.
        key: &'static str,
        /// What it must be.
        want: &'static str,
    },
}

impl Classify for ConfigError {
    fn kind(&self) -> Kind {
        match self {
            Self::Read { .. } => Kind::Unavailable,
            Self::Setting(_) | Self::Type(_) | Self::Value { .. } => Kind::BadInput,
        }
    }
}

/// What may be relied upon.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Part of the names of journal and lake files.
    pub collector: CollectorId,
    /// Everything that the collector keeps is below it; absolute.
    pub data_dir: PathBuf,
    /// DNS names and addresses that responders dial: they are in the certificate.
    pub names: Vec<String>,
    /// The organisation's roots.
    pub roots: Roots,
    /// Sigma rules beside the shipped ones; absolute.
    pub rules_dir: Option<PathBuf>,
    /// Agents; port 0 takes any, as for the next two.
    pub sessions: SocketAddr,
    /// Enrolment and renewal.
    pub enrolment: SocketAddr,
    /// Responders.
    pub api: SocketAddr,
    /// How the log is written.
    pub log_format: Format,
    /// What the log holds: `error`, `warn`, `info`, `debug` or `trace`.
    pub log_level: String,
}

#[derive(Debug, Deserialize)]
struct Raw {
    collector_id: String,
    data_dir: PathBuf,
    #[serde(default)]
    names: Vec<String>,
    root_keys: Vec<String>,
    #[serde(default = "one")]
    root_threshold: usize,
    rules_dir: Option<PathBuf>,
    listen: RawListen,
    #[serde(default)]
    log: RawLog,
}

#[derive(Debug, Deserialize)]
struct RawListen {
    sessions: String,
    enrolment: String,
    api: String,
}

#[derive(Debug, Default, Deserialize)]
struct RawLog {
    format: Option<String>,
    level: Option<String>,
}

fn one() -> usize {
    1
}

impl Config {
    /// Reads the file, with this process's environment over it.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, |name| std::env::var(name).ok())
    }

    /// Reads TOML; `environment` gives the value of a variable.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn parse(
        text: &str,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let table = setting::read(text, &KEYS, environment)?;
        let raw = Raw::deserialize(table).map_err(|it| ConfigError::Type(it.to_string()))?;
        check(raw)
    }

    /// The file that [`Config::parse`] reads back as this.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let quoted = |texts: &mut dyn Iterator<Item = String>| {
            texts.map(|it| format!("{it:?}")).collect::<Vec<_>>().join(", ")
        };
        let roots = quoted(&mut self.roots.keys().iter().map(ToString::to_string));
        let names = quoted(&mut self.names.iter().cloned());
        let rules_dir = match &self.rules_dir {
            Some(dir) => format!("rules_dir = {:?}\n", dir.display().to_string()),
            None => "# rules_dir = \"/etc/cordon/rules\"\n".to_owned(),
        };
        let format = match self.log_format {
            Format::Text => "text",
            Format::Json => "json",
        };
        format!(
            "# Written by `cordon-collector init`. Every key is also an environment variable:\n\
             # `listen.api` is CORDON_LISTEN_API.\n\
             collector_id = \"{}\"\n\
             data_dir = {:?}\n\
             # DNS names and addresses that people dial: they are in the certificate.\n\
             names = [{names}]\n\
             # The organisation's public root keys, and how many of them a policy needs.\n\
             root_keys = [{roots}]\n\
             root_threshold = {}\n\
             # Sigma rules beside those that come with the collector: *.yaml, *.yml, folders too.\n\
             {rules_dir}\
             \n\
             [listen]\n\
             sessions = \"{}\"\n\
             enrolment = \"{}\"\n\
             api = \"{}\"\n\
             \n\
             [log]\n\
             format = \"{format}\"\n\
             level = \"{}\"\n",
            self.collector,
            self.data_dir.display().to_string(),
            self.roots.threshold(),
            self.sessions,
            self.enrolment,
            self.api,
            self.log_level,
        )
    }
}

fn check(raw: Raw) -> Result<Config, ConfigError> {
    let refuse = |key, want| ConfigError::Value { key, want };
    let collector = CollectorId::parse(&raw.collector_id);
    if !raw.data_dir.is_absolute() {
        return Err(refuse("data_dir", "an absolute path"));
    }
    if raw.rules_dir.as_ref().is_some_and(|it| !it.is_absolute()) {
        return Err(refuse("rules_dir", "an absolute path"));
    }
    if raw.names.len() > NAMES_MAX || !raw.names.iter().all(|it| is_name(it)) {
        return Err(refuse("names", "at most 64 DNS names or addresses"));
    }
    let roots: Option<Vec<_>> = raw.root_keys.iter().map(|it| PublicKey::parse(it)).collect();
    let roots = roots.ok_or(refuse("root_keys", "public keys of 64 hexadecimal digits each"))?;
    let roots = Roots::new(roots, raw.root_threshold);
    let address = |key, text: &str| {
        text.parse::<SocketAddr>().or(Err(refuse(key, "an address and a port: 0.0.0.0:7443")))
    };
    let log_format = Format::parse(raw.log.format.as_deref().unwrap_or("text"));
    let log_level = raw.log.level.unwrap_or_else(|| "info".to_owned());
    if !["error", "warn", "info", "debug", "trace"].contains(&log_level.as_str()) {
        return Err(refuse("log.level", "`error`, `warn`, `info`, `debug` or `trace`"));
    }
    Ok(Config {
        collector: collector.ok_or(refuse("collector_id", "a UUID"))?,
        data_dir: raw.data_dir,
        names: raw.names,
        rules_dir: raw.rules_dir,
        roots: roots.ok_or(refuse("root_threshold", "1..=the number of different root keys"))?,
        sessions: address("listen.sessions", &raw.listen.sessions)?,
        enrolment: address("listen.enrolment", &raw.listen.enrolment)?,
        api: address("listen.api", &raw.listen.api)?,
        log_format: log_format.ok_or(refuse("log.format", "`text` or `json`"))?,
        log_level,
    })
}

/// Whether a certificate can carry it.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let is_letter = |it: char| it.is_ascii_alphanumeric() || "-._:*".contains(it);
    !text.is_empty() && text.len() <= 253 && text.chars().all(is_letter)
}

#[cfg(test)]
mod tests;
