//! Configuration: what was typed (`Raw`, never leaves this module) and what may be relied upon
//! ([`Config`]).
//!
//! Beside the road: a person writes the file, every subcommand reads it. Every key is also an
//! environment variable ([`cordon_shared::setting`]), which wins over the file. What the file says
//! is the host's own policy: nothing that comes over the network changes it.

use std::{
    io,
    path::{Component, Path, PathBuf},
};

use cordon_shared::{
    digest::Sha256,
    enrolment::is_address,
    error::{Classify, Kind},
    event::health::Tier,
    setting::{self, SettingError},
    telemetry::Format,
};
use serde::Deserialize;

use crate::sensor::select::Choice;

/// Every key that there is.
const KEYS: [&str; 15] = [
    "data_dir",
    "collector",
    "enrolment",
    "proxy",
    "scope",
    "spool_bytes_max",
    "pin",
    "file_paths",
    "policy",
    "protected",
    "sensors.process",
    "sensors.network",
    "sensors.file",
    "log.format",
    "log.level",
];

/// Where the configuration is when nobody says otherwise.
pub const USUAL_PATH: &str = "/etc/cordon/agent.toml";

/// The spool's usual quota (chosen: a day of a busy host at 60 bytes an event).
const SPOOL_BYTES: u64 = 1 << 30;

/// The smallest quota: each lane has at least two segments.
const SPOOL_BYTES_MIN: u64 = 1 << 20;

/// Addresses of one kind.
const ADDRESSES_MAX: usize = 16;

/// Protected executables (chosen: a list that a person still oversees).
const PROTECTED_MAX: usize = 64;

/// Folders that are watched unless the file says otherwise: what intruders change first, cron tables and
/// the units of packages among them. Not `/var/log`: no shipped rule looks at files there, and each
/// line that a program appends by opening its log anew would be an event.
const FILE_PATHS: [&str; 9] = [
    "/etc",
    "/root",
    "/home",
    "/srv",
    "/var/www",
    "/usr/local",
    "/var/spool/cron",
    "/usr/lib/systemd",
    "/lib/systemd",
];

/// The configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("failed to read `{path}` (name another file with --config)")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A key is not known, or it is no TOML.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A value has the wrong type; the text says where.
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

/// How much of the host the agent watches, as configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// All of it.
    Host,
    /// One cgroup and what is beneath it.
    Cgroup(String),
}

/// What this host lets commands do, whoever signed them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Policy {
    /// Verify, plan, act.
    Enforce,
    /// Verify and plan; report what would have been done; do nothing.
    Observe,
}

/// What may be relied upon.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// The file that says so, which no command touches.
    pub path: PathBuf,
    /// Everything that the agent keeps is below it; absolute.
    pub data_dir: PathBuf,
    /// Where sessions go, `host:port` each, tried in turn.
    pub collector: Vec<String>,
    /// Where renewals go, `host:port` each; enrolment itself goes where the token says.
    pub enrolment: Vec<String>,
    /// An HTTP proxy that takes CONNECT, `host:port`.
    pub proxy: Option<String>,
    /// How much of the host is watched.
    pub scope: Scope,
    /// Quota of all lanes together.
    pub spool_bytes_max: u64,
    /// Whether kernel programs outlive the agent, so that a restart misses nothing.
    pub pin: bool,
    /// Folders whose files are watched.
    pub file_paths: Vec<PathBuf>,
    /// What commands may do here.
    pub policy: Policy,
    /// Executables whose processes no command ever touches; absolute.
    pub protected: Vec<PathBuf>,
    /// Tier of the process sensor.
    pub process: Choice,
    /// Tier of the network sensor.
    pub network: Choice,
    /// Tier of the file sensor.
    pub file: Choice,
    /// How the log looks.
    pub log_format: Format,
    /// What the log holds: a level, or levels by target.
    pub log_level: String,
}

#[derive(Debug, Deserialize)]
struct Raw {
    #[serde(default = "data_dir")]
    data_dir: PathBuf,
    #[serde(default)]
    collector: Vec<String>,
    #[serde(default)]
    enrolment: Vec<String>,
    proxy: Option<String>,
    scope: Option<String>,
    spool_bytes_max: Option<u64>,
    pin: Option<bool>,
    file_paths: Option<Vec<PathBuf>>,
    policy: Option<String>,
    #[serde(default)]
    protected: Vec<PathBuf>,
    #[serde(default)]
    sensors: RawSensors,
    #[serde(default)]
    log: RawLog,
}

#[derive(Debug, Default, Deserialize)]
struct RawSensors {
    process: Option<String>,
    network: Option<String>,
    file: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct RawLog {
    format: Option<String>,
    level: Option<String>,
}

fn data_dir() -> PathBuf {
    PathBuf::from("/var/lib/cordon-agent")
}

impl Config {
    /// Reads the file, with this process's environment over it. Without a name it is
    /// [`USUAL_PATH`], which may be missing: a host can be looked at before anybody configured it.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: Option<&Path>) -> Result<Self, ConfigError> {
        let named = path.unwrap_or(Path::new(USUAL_PATH));
        let text = match std::fs::read_to_string(named) {
            Ok(text) => text,
            Err(error) if path.is_none() && error.kind() == io::ErrorKind::NotFound => {
                String::new()
            }
            Err(source) => return Err(ConfigError::Read { path: named.to_owned(), source }),
        };
        let config = Self::parse(&text, |name| std::env::var(name).ok())?;
        Ok(Self { path: std::path::absolute(named).unwrap_or(config.path), ..config })
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

    /// Where keys and certificates are.
    #[must_use]
    pub fn identity_dir(&self) -> PathBuf {
        self.data_dir.join("identity")
    }

    /// Where batches wait.
    #[must_use]
    pub fn spool_dir(&self) -> PathBuf {
        self.data_dir.join("spool")
    }

    /// Name of the folder of this agent's pins: agents on one kernel must not share it.
    #[must_use]
    pub fn pin_name(&self) -> String {
        let digest = Sha256::of(self.data_dir.as_os_str().as_encoded_bytes()).to_string();
        format!("cordon-{}", digest.get(..8).unwrap_or_default())
    }
}

fn check(raw: Raw) -> Result<Config, ConfigError> {
    let refuse = |key, want| ConfigError::Value { key, want };
    if !raw.data_dir.is_absolute() {
        return Err(refuse("data_dir", "an absolute path"));
    }
    for (key, given) in [("collector", &raw.collector), ("enrolment", &raw.enrolment)] {
        if given.len() > ADDRESSES_MAX || !given.iter().all(|it| is_address(it)) {
            return Err(refuse(key, "at most 16 texts `host:port`"));
        }
    }
    if raw.proxy.as_deref().is_some_and(|it| !is_address(it)) {
        return Err(refuse("proxy", "`host:port`"));
    }
    let spool_bytes_max = raw.spool_bytes_max.unwrap_or(SPOOL_BYTES);
    if spool_bytes_max < SPOOL_BYTES_MIN {
        return Err(refuse("spool_bytes_max", "at least 1048576 bytes"));
    }
    let file_paths =
        raw.file_paths.unwrap_or_else(|| FILE_PATHS.into_iter().map(PathBuf::from).collect());
    if !file_paths.iter().all(|it| it.is_absolute()) {
        return Err(refuse("file_paths", "absolute paths"));
    }
    let policy = match raw.policy.as_deref() {
        None | Some("enforce") => Policy::Enforce,
        Some("observe") => Policy::Observe,
        Some(_) => return Err(refuse("policy", "`enforce` or `observe`")),
    };
    if raw.protected.len() > PROTECTED_MAX || !raw.protected.iter().all(|it| is_plain(it)) {
        return Err(refuse("protected", "at most 64 absolute paths of executables, without `..`"));
    }
    let log_format = Format::parse(raw.log.format.as_deref().unwrap_or("text"));
    Ok(Config {
        path: PathBuf::from(USUAL_PATH),
        data_dir: raw.data_dir,
        collector: raw.collector,
        enrolment: raw.enrolment,
        proxy: raw.proxy,
        scope: scope(raw.scope.as_deref())?,
        spool_bytes_max,
        pin: raw.pin.unwrap_or(true),
        file_paths,
        policy,
        protected: raw.protected,
        process: choice("sensors.process", raw.sensors.process.as_deref())?,
        network: choice("sensors.network", raw.sensors.network.as_deref())?,
        file: choice("sensors.file", raw.sensors.file.as_deref())?,
        log_format: log_format.ok_or(refuse("log.format", "`text` or `json`"))?,
        log_level: raw.log.level.unwrap_or_else(|| "info".to_owned()),
    })
}

/// Whether it is the path of a file as the kernel would show it, symbolic links aside.
fn is_plain(path: &Path) -> bool {
    let is_up = |it| matches!(it, Component::ParentDir | Component::CurDir);
    path.is_absolute() && path.file_name().is_some() && !path.components().any(is_up)
}

fn scope(text: Option<&str>) -> Result<Scope, ConfigError> {
    match text {
        None | Some("host") => Ok(Scope::Host),
        Some(text) => match text.strip_prefix("cgroup:") {
            Some(path) if !path.is_empty() => Ok(Scope::Cgroup(path.to_owned())),
            Some(_) | None => {
                Err(ConfigError::Value { key: "scope", want: "`host` or `cgroup:PATH`" })
            }
        },
    }
}

fn choice(key: &'static str, text: Option<&str>) -> Result<Choice, ConfigError> {
    match text {
        None | Some("auto") => Ok(Choice::Auto),
        Some("ebpf") => Ok(Choice::Only(Tier::Ebpf)),
        Some("kernel") => Ok(Choice::Only(Tier::KernelInterface)),
        Some("portable") => Ok(Choice::Only(Tier::Portable)),
        Some("none") => Ok(Choice::Only(Tier::None)),
        Some(_) => {
            Err(ConfigError::Value { key, want: "`auto`, `ebpf`, `kernel`, `portable` or `none`" })
        }
    }
}

#[cfg(test)]
mod tests;
