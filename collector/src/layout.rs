//! What lies where below `data_dir`: each path once.

use std::path::{Path, PathBuf};

/// The collector's folder.
#[derive(Clone, Debug)]
pub struct Layout(PathBuf);

impl Layout {
    /// Below this folder.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self(data_dir.to_owned())
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// Keys and certificates.
    #[must_use]
    pub fn pki(&self) -> PathBuf {
        self.0.join("pki")
    }

    /// The journal's segments.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.0.join("journal")
    }

    /// Parquet files and their catalog.
    #[must_use]
    pub fn lake(&self) -> PathBuf {
        self.0.join("lake")
    }

    /// The keyring: its draft, and what root signed.
    #[must_use]
    pub fn keyring(&self) -> PathBuf {
        self.0.join("keyring")
    }

    /// What root is to sign first.
    #[must_use]
    pub fn draft(&self) -> PathBuf {
        self.keyring().join("draft")
    }

    /// Forensic containers.
    #[must_use]
    pub fn evidence(&self) -> PathBuf {
        self.0.join("evidence")
    }

    /// The state database.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.0.join("state.sqlite")
    }

    /// The configuration that `init` writes.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.0.join("collector.toml")
    }

    /// The first administrator's API token.
    #[must_use]
    pub fn admin_token(&self) -> PathBuf {
        self.0.join("admin.token")
    }

    /// The addresses that `serve` got.
    #[must_use]
    pub fn addresses(&self) -> PathBuf {
        self.0.join("addresses.json")
    }
}
