//! The responders' own tool, as a person would type it.

use std::{
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::{centre::Centre, ground::Ground};

const LOG: &str = "cordon";
/// The exit code of what was done in part: its verdict says so too.
const PARTIAL: i32 = 4;
/// The exit code of what may not be done.
const REFUSED: i32 = 3;

/// See the module.
pub(super) struct Tool {
    program: PathBuf,
    environment: [(&'static str, String); 3],
    /// The responder's private key.
    key: PathBuf,
}

impl Tool {
    /// The tool, told where the collector is.
    ///
    /// # Errors
    /// What failed.
    pub(super) fn new(
        ground: &Ground,
        made: &super::centre::Made,
        centre: &Centre,
    ) -> anyhow::Result<Self> {
        let environment = made.environment(centre)?;
        Ok(Self { program: ground.program(LOG), environment, key: made.responder.private.clone() })
    }

    /// Asks something; what is printed as JSON: one thing, or a list.
    ///
    /// # Errors
    /// With what the tool said, when it fails.
    pub(super) fn ask(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let said = self.run(arguments)?;
        serde_json::from_str(&said).with_context(|| format!("read what {arguments:?} gave"))
    }

    /// Orders something with the responder's key.
    ///
    /// # Errors
    /// As [`Tool::ask`], and when what came back is not what was asked for.
    pub(super) fn order(&self, arguments: &[&str]) -> anyhow::Result<Vec<Value>> {
        let key = self.key.display().to_string();
        let given = self.ask(&[arguments, &["--key", &key]].concat())?;
        Ok(given.as_array().cloned().unwrap_or_else(|| vec![given]))
    }

    /// Asks for what may be refused; why it was, if so.
    ///
    /// # Errors
    /// As [`Tool::ask`].
    pub(super) fn refused(&self, arguments: &[&str]) -> anyhow::Result<Option<String>> {
        let output = self.start(arguments)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => Ok(None),
            Some(REFUSED) => Ok(Some(said)),
            _ => bail!("`cordon {}` ended with {}: {said}", arguments.join(" "), output.status),
        }
    }

    /// Runs it to its end, and gives what it printed.
    ///
    /// # Errors
    /// With what it said, when it fails.
    pub(super) fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.start(arguments)?;
        let line = arguments.join(" ");
        let said = String::from_utf8_lossy(&output.stderr);
        let is_done = matches!(output.status.code(), Some(0 | PARTIAL));
        ensure!(is_done, "`cordon {line}` ended with {}: {said}", output.status);
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    #[expect(clippy::disallowed_methods, reason = "the demo starts programs")]
    fn start(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        let mut command = Command::new(&self.program);
        command.args(["--output", "json"]).args(arguments).stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (*name, value)));
        command.output().context("start `cordon`")
    }
}

/// A text of an answer; empty when it is not there.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
