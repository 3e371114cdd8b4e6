//! Which collector, whom it must prove to be, and who asks: what `login` keeps.
//!
//! Options win over `CORDON_URL`, `CORDON_CA`, `CORDON_TOKEN` and `CORDON_PROFILE`, which win over
//! the file. The file belongs to its owner alone, since it holds a bearer token; the token is no
//! option, since everybody on the machine can read those.

use std::{
    env, fmt, io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use cordon_shared::durable;
use serde::{Deserialize, Serialize};

use crate::{
    args::Access,
    failure::{Failure, Why},
};

/// What is needed to ask.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// `https://HOST:PORT`.
    pub(crate) url: String,
    /// The authority's certificate, PEM.
    pub(crate) ca: String,
    /// The bearer token.
    pub(crate) token: String,
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Profile({})", self.url)
    }
}

impl Profile {
    /// Gathers it.
    ///
    /// # Errors
    /// What is missing, and how to give it.
    pub(crate) fn gather(access: &Access) -> anyhow::Result<Self> {
        let kept = read(access)?;
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
    pub(crate) fn keep(&self, access: &Access) -> anyhow::Result<PathBuf> {
        let path = path(access)?;
        let folder = path.parent().context("find the folder of settings")?;
        if !folder.as_os_str().is_empty() {
            durable::create_dir(folder, durable::MODE_DIR)
                .context("make the folder of settings")?;
        }
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

/// Where the authority's certificate comes from, for a person to look at.
pub(crate) fn whence(access: &Access) -> String {
    let file = access.ca.clone().or_else(|| variable("CORDON_CA").map(PathBuf::from));
    match (file, path(access)) {
        (Some(file), _) => format!("`{}`", file.display()),
        (None, Ok(profile)) => format!("`{}`, kept by `cordon login`", profile.display()),
        (None, Err(_)) => "the profile".to_owned(),
    }
}

/// Where the profile lies, and what is kept beside it.
///
/// # Errors
/// When there is no home folder.
pub(crate) fn folder(access: &Access) -> anyhow::Result<PathBuf> {
    let path = path(access)?;
    Ok(path.parent().map(Path::to_path_buf).unwrap_or_default())
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|it| !it.is_empty())
}

fn read(access: &Access) -> anyhow::Result<Option<Profile>> {
    let Ok(path) = path(access) else { return Ok(None) };
    match std::fs::read_to_string(&path) {
        Ok(text) => toml::from_str(&text)
            .map(Some)
            .map_err(|error| unreadable(&path, error.message()).into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read `{}`", path.display())),
    }
}

/// The parser's own text would show the line that it stumbled over, and with it the token.
fn unreadable(path: &Path, message: &str) -> Failure {
    let text =
        format!("`{}` is no profile: {message}; `cordon login` writes it anew", path.display());
    Failure::new(Why::Failed, text)
}

/// What is given, or `$XDG_CONFIG_HOME/cordon/profile.toml`, or that below `~/.config`.
fn path(access: &Access) -> anyhow::Result<PathBuf> {
    let given = access.login_file.clone().or_else(|| variable("CORDON_PROFILE").map(PathBuf::from));
    if let Some(path) = given {
        return Ok(path);
    }
    let base = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|it| it.is_absolute());
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
    let base = base.or_else(home).context("find the home folder: `HOME` is not set")?;
    Ok(base.join("cordon").join("profile.toml"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::{Profile, read};
    use crate::args::Access;

    #[test]
    fn a_profile_is_its_owners_alone_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/profile.toml");
        let access = Access { login_file: Some(path.clone()), ..Access::default() };
        assert!(read(&access).unwrap().is_none());
        let profile = Profile {
            url: "https://collector:7445".to_owned(),
            ca: "-----BEGIN CERTIFICATE-----\n".to_owned(),
            token: "cordon_api_1".to_owned(),
        };
        profile.keep(&access).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read(&access).unwrap().unwrap().url, profile.url);
    }

    #[test]
    fn a_broken_profile_does_not_show_its_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("profile.toml");
        cordon_shared::durable::write(&path, b"token = \"secret\" x", 0o600).unwrap();
        let error = read(&Access { login_file: Some(path), ..Access::default() }).unwrap_err();
        let said = format!("{error:#}");
        assert!(said.contains("cordon login") && !said.contains("secret"), "{said}");
    }
}
