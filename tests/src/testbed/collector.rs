//! The collector of a testbed: made as a person makes one, then killed and started at will.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitStatus,
};

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    SOON,
    api::{Api, text},
};
use crate::{
    binary::Program,
    child::{Child, Launch},
    network::Network,
    proxy::Proxy,
    wait,
};

/// Where a collector listens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub struct Addresses {
    /// Agents' sessions.
    pub sessions: SocketAddr,
    /// Enrolment and renewal.
    pub enrolment: SocketAddr,
    /// Responders.
    pub api: SocketAddr,
}

/// A collector that runs, or ran.
#[derive(Debug)]
pub struct Collector {
    child: Child,
    data: PathBuf,
    root_key: PathBuf,
    addresses: Addresses,
    api: Api,
    /// Into the network that it is in, if it is in one: responders are outside.
    _door: Option<Proxy>,
}

impl Collector {
    /// Keys, `init`, `serve`, keyring. The root key stays in `folder`, away from `data`.
    pub(super) fn start(
        folder: &Path,
        data: &Path,
        logs: &Path,
        network: Option<&Network>,
    ) -> anyhow::Result<Self> {
        let place = |launch: Launch| match network {
            Some(it) => launch.in_network(it.centre()),
            None => launch,
        };
        let host = network.map_or(Ipv4Addr::LOCALHOST, Network::address).to_string();
        let keys = folder.join("keys");
        std::fs::create_dir(&keys).context("make a folder for keys")?;
        let cordon = || anyhow::Ok(Launch::new("cordon", Program::Cordon.path()?));
        let made = cordon()?.args(["key", "root", "--out"]).args([&keys]).run(SOON)?;
        made.expect_success()?;
        let program = Program::Collector.path()?;
        let init = Launch::new("init", &program)
            .args(["init", "--listen-host", &host])
            .args(["--port-sessions", "0", "--port-enrolment", "0", "--port-api", "0"])
            .args(["--data-dir".as_ref(), data.as_os_str()])
            .args(["--root-key".as_ref(), keys.join("root.pub").as_os_str()]);
        init.run(SOON)?.expect_success()?;

        let serve = Launch::new("collector", program).args(["serve", "--config"]);
        let serve = place(serve.args([data.join("collector.toml")]));
        let child = serve.start(logs)?;
        let addresses = announced(data)?;
        // At its next start it is found where it was: agents know it by these addresses.
        let serve = serve
            .env("CORDON_LISTEN_SESSIONS", addresses.sessions.to_string())
            .env("CORDON_LISTEN_ENROLMENT", addresses.enrolment.to_string())
            .env("CORDON_LISTEN_API", addresses.api.to_string());
        let child = child.starting_again_as(serve);
        let door = network.map(|it| Proxy::start_into(it.centre(), addresses.api)).transpose()?;
        let api = Api::open(data, door.as_ref().map_or(addresses.api, Proxy::address))?;
        let it = Self {
            child,
            data: data.to_path_buf(),
            root_key: keys.join("root.key"),
            addresses,
            api,
            _door: door,
        };
        it.ready()?;
        it.sign_keyring(|draft| draft)?;
        Ok(it)
    }

    /// Has root sign the draft, after `change`, and installs what it signed.
    ///
    /// # Errors
    /// What the programs said.
    pub fn sign_keyring(&self, change: impl FnOnce(String) -> String) -> anyhow::Result<()> {
        let folder = tempfile::tempdir().context("make a folder for a keyring")?;
        let (draft, signed) = (folder.path().join("draft"), folder.path().join("signed"));
        let text = std::fs::read_to_string(self.data.join("keyring/draft"));
        write(&draft, &change(text.context("read the draft of the keyring")?))?;
        let sign = Launch::new("cordon", Program::Cordon.path()?)
            .args(["key".as_ref(), "sign".as_ref(), "--key".as_ref(), self.root_key.as_os_str()])
            .args(["--draft".as_ref(), draft.as_os_str()])
            .args(["--out".as_ref(), signed.as_os_str()]);
        sign.run(SOON)?.expect_success()?;
        let text = std::fs::read_to_string(&signed).context("read the signed keyring")?;
        let is_inside = |line: &&str| !line.starts_with("-----");
        let base64: String = text.lines().filter(is_inside).collect();
        self.api.put("/api/v1/keyring", &json!({ "signed": base64 }))?;
        Ok(())
    }

    /// Lets a rule, as the API shows it, move automation: root signs a keyring that arms it.
    ///
    /// # Errors
    /// What the programs said.
    pub fn arm(&self, rule: &Value) -> anyhow::Result<()> {
        self.arm_with(rule, |draft| draft)
    }

    /// The same in a keyring that `change` has had its say about.
    ///
    /// # Errors
    /// What the programs said.
    pub fn arm_with(
        &self,
        rule: &Value,
        change: impl FnOnce(String) -> String,
    ) -> anyhow::Result<()> {
        let (id, sha256) = (text(rule, "rule_id")?, text(rule, "sha256")?);
        self.sign_keyring(|draft| {
            // Policy and members both: a draft is signed anew with the time of its signing.
            let newer = draft.replace("\nversion = 1\n", "\nversion = 2\n");
            let newer = change(newer);
            format!("{newer}\n[[members.armed]]\nrule = \"{id}\"\nsha256 = \"{sha256}\"\n")
        })
    }

    /// Waits until it says that it is well.
    ///
    /// # Errors
    /// When it does not within 30 s.
    pub fn ready(&self) -> anyhow::Result<()> {
        wait::until_so("the collector is well", SOON, || self.api.is_healthy())
    }

    /// Where it listens, over all its starts.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Its REST API.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> &Child {
        &self.child
    }

    /// Its folder.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Its lake.
    #[must_use]
    pub fn lake(&self) -> PathBuf {
        self.data.join("lake")
    }

    /// Its journal.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.data.join("journal")
    }

    /// `SIGKILL`.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()
    }

    /// `SIGTERM`, and waits for its end: what it has in memory is filed then. Nothing when it has
    /// ended already.
    ///
    /// # Errors
    /// When it takes longer than 30 s, or ends badly.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        if !self.child.is_running()? {
            return Ok(());
        }
        let status: ExitStatus = self.child.stop(SOON)?;
        anyhow::ensure!(status.success(), "the collector ended with {status}");
        Ok(())
    }

    /// Starts it again at the same addresses, and waits until it is well.
    ///
    /// # Errors
    /// When it does not come up within 30 s.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        self.child.start_again()?;
        self.ready()
    }

    /// Whether it runs.
    ///
    /// # Errors
    /// When the kernel will not say.
    pub fn is_running(&mut self) -> anyhow::Result<bool> {
        self.child.is_running()
    }
}

/// What `serve` wrote about its ports.
fn announced(data: &Path) -> anyhow::Result<Addresses> {
    let path = data.join("addresses.json");
    wait::until("the collector says where it listens", SOON, || {
        let text = std::fs::read_to_string(&path).map_err(|it| it.to_string())?;
        serde_json::from_str(&text).map_err(|it| it.to_string())
    })
}

#[expect(clippy::disallowed_methods, reason = "a file of a test, gone with it")]
pub(super) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("write `{}`", path.display()))
}
