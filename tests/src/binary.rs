//! Finds the programs under test, or builds them.
//!
//! First `CORDON_BIN_DIR`, where `tests/run` puts the release build; then the folder above the test's
//! own executable, which is the target folder of the same profile. What is in neither is built with
//! the cargo that runs the tests.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

/// A program of Cordon, or a helper of the tests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Program {
    /// `cordon-agent`.
    Agent,
    /// `cordon-collector`.
    Collector,
    /// `cordon`, the responder's tool.
    Cordon,
    /// `deeds`: harmless things that a host does ([`crate::activity`]).
    Deeds,
}

impl Program {
    /// Its file name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agent => "cordon-agent",
            Self::Collector => "cordon-collector",
            Self::Cordon => "cordon",
            Self::Deeds => "deeds",
        }
    }

    const fn package(self) -> &'static str {
        match self {
            Self::Agent => "cordon-agent",
            Self::Collector | Self::Cordon => "cordon-collector",
            Self::Deeds => "cordon-tests",
        }
    }

    /// Where the program lies; built now when it lies nowhere.
    ///
    /// # Errors
    /// When it cannot be built, with what the compiler said.
    pub fn path(self) -> anyhow::Result<PathBuf> {
        let folder = own_folder()?;
        let named = env::var_os("CORDON_BIN_DIR").map(PathBuf::from);
        for folder in named.iter().chain([&folder]) {
            let path = folder.join(self.name());
            if path.is_file() {
                return Ok(path);
            }
        }
        self.build(&folder)?;
        Ok(folder.join(self.name()))
    }

    #[expect(clippy::disallowed_methods, reason = "tests start programs")]
    fn build(self, folder: &Path) -> anyhow::Result<()> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["build", "--locked", "--package", self.package(), "--bin", self.name()]);
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command.arg("--target-dir").arg(folder.parent().unwrap_or(folder));
        if folder.ends_with("release") {
            command.arg("--release");
        }
        let output = command.output().context("start cargo")?;
        if !output.status.success() {
            bail!("cannot build `{}`: {}", self.name(), String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }
}

/// `target/PROFILE`, in which the test's executable lies, or in whose `deps` it lies.
fn own_folder() -> anyhow::Result<PathBuf> {
    let own = env::current_exe().context("find the test's own executable")?;
    let folder = own.parent().context("an executable lies in a folder")?;
    let is_deps = folder.ends_with("deps");
    Ok(if is_deps { folder.parent().unwrap_or(folder) } else { folder }.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::{Program, own_folder};

    #[test]
    fn a_helper_of_the_tests_is_found_or_built() {
        assert!(Program::Deeds.path().unwrap().is_file());
    }

    #[test]
    fn the_own_folder_is_that_of_the_profile() {
        assert!(!own_folder().unwrap().ends_with("deps"));
    }
}
