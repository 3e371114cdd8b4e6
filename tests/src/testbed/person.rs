//! What people do on a testbed: they ask with the responders' tool, and let automation act.

use anyhow::Context;
use serde_json::Value;

use super::{Agent, SOON, Testbed};
use crate::{binary::Program, child::Launch, wait};

/// "Shell with a socket as its standard input and output", by its id.
pub const SHELL_RULE: &str = "2a4c7d0e-6b51-4f39-9d7a-5c1e8f20b3a6";

impl Testbed {
    /// The responders' tool, as whoever may do everything that needs no key.
    ///
    /// # Errors
    /// When there is no such program, or no token.
    pub fn cordon(&self) -> anyhow::Result<Launch> {
        let data = |name: &str| self.collector().data().join(name);
        let token = std::fs::read_to_string(data("admin.token")).context("read the token")?;
        Ok(Launch::new("cordon", Program::Cordon.path()?)
            .env("CORDON_URL", self.api().url())
            .env("CORDON_CA", data("pki/authority.pem"))
            .env("CORDON_TOKEN", token.trim()))
    }

    /// A page of a list, as REST shows it.
    ///
    /// # Errors
    /// When it is not shown.
    pub fn items(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let list = self.api().get(path)?;
        list["items"].as_array().cloned().with_context(|| format!("`{path}` is no list: {list}"))
    }

    /// [`SHELL_RULE`], as REST shows it.
    ///
    /// # Errors
    /// When it is not loaded.
    pub fn shell_rule(&self) -> anyhow::Result<Value> {
        let mut rules = self.items("/api/v1/rules")?.into_iter();
        rules.find(|it| it["rule_id"] == SHELL_RULE).context("find the rule")
    }

    /// Lets automation act on [`SHELL_RULE`], and waits until the agent knows.
    ///
    /// # Errors
    /// What the programs said.
    pub fn arm_shell_rule(&self, agent: &Agent) -> anyhow::Result<()> {
        self.collector().arm(&self.shell_rule()?)?;
        agent.knows_the_second_keyring()
    }
}

impl Agent {
    /// Waits until it has the keyring that was signed after the testbed's own.
    ///
    /// # Errors
    /// When it does not come.
    pub fn knows_the_second_keyring(&self) -> anyhow::Result<()> {
        wait::until_so("the agent has the second keyring", SOON, || {
            self.log().is_ok_and(|it| it.contains("took keyring (2, 2)"))
        })
    }
}
