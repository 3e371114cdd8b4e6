//! Receipt keys as they were first seen: one small file for each agent, beside the profile.
//!
//! The first sight is believed, which is a limit: who fears that the collector lied then compares the
//! key with the one on the host.

use std::{fs, io, path::PathBuf};

use anyhow::Context as _;
use cordon_shared::{crypto::signing::PublicKey, durable, id::AgentId};

use crate::{
    args::Access,
    failure::{Failure, Why},
    profile,
};

/// The pinned key of an agent, if there is one.
///
/// # Errors
/// When it cannot be read.
pub(super) fn known(access: &Access, agent: AgentId) -> anyhow::Result<Option<PublicKey>> {
    let path = path(access, agent)?;
    match fs::read_to_string(&path) {
        Ok(text) => {
            let key = PublicKey::parse(&text);
            Ok(Some(key.with_context(|| format!("read `{}` as a key", path.display()))?))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read `{}`", path.display())),
    }
}

/// Pins a key at first sight; gives the one that is pinned.
///
/// # Errors
/// When another one is pinned, or it cannot be kept.
pub(super) fn first_sight(
    access: &Access,
    agent: AgentId,
    offered: PublicKey,
) -> anyhow::Result<PublicKey> {
    let path = path(access, agent)?;
    match known(access, agent)? {
        Some(pinned) if pinned == offered => Ok(pinned),
        Some(pinned) => {
            let text = format!(
                "the collector shows another receipt key of agent {agent} than the one that was \
                 pinned, {pinned}; an agent never changes its key: find out why before you remove \
                 `{}`",
                path.display()
            );
            Err(Failure::new(Why::Refused, text).into())
        }
        None => {
            let folder = path.parent().context("find the folder of settings")?;
            durable::create_dir(folder, durable::MODE_DIR).context("make the folder of pins")?;
            durable::write(&path, format!("{offered}\n").as_bytes(), durable::MODE_SECRET)
                .with_context(|| format!("write `{}`", path.display()))?;
            Ok(offered)
        }
    }
}

fn path(access: &Access, agent: AgentId) -> anyhow::Result<PathBuf> {
    Ok(profile::folder(access)?.join("receipt-keys").join(agent.to_string()))
}

#[cfg(test)]
mod tests {
    use cordon_shared::test_support::{self, order};

    use super::{first_sight, known};
    use crate::args::Access;

    #[test]
    fn a_key_is_pinned_at_first_sight_and_another_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let profile = Some(folder.path().join("profile.toml"));
        let access = Access { login_file: profile, ..Access::default() };
        let (agent, key) = (test_support::agent(), order::key(4).public());
        assert_eq!(known(&access, agent).unwrap(), None);
        assert_eq!(first_sight(&access, agent, key).unwrap(), key);
        assert_eq!(first_sight(&access, agent, key).unwrap(), key);
        assert_eq!(known(&access, agent).unwrap(), Some(key));
        let said = first_sight(&access, agent, order::key(5).public()).unwrap_err().to_string();
        assert!(said.contains("another receipt key"), "{said}");
    }
}
