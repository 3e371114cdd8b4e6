//! The demo's collector: keys made apart, one rule armed by root's signature, served on loopback.

use std::{
    fs::File,
    io::Read as _,
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use cordon_collector::api::view;
use cordon_shared::{
    detection::RuleSummary,
    entropy::SystemEntropy,
    keyring::author,
    time::{Clock as _, SystemClock},
    wire,
};
use serde::Deserialize;

use super::{
    ground::{Ground, Running, write},
    wait,
};
use crate::{
    client::Client,
    command::{keyring, rule},
    profile::Profile,
};

const PROGRAM: &str = "cordon-collector";
/// How long the collector may take to serve (chosen: a slow disk; it is there in a fraction of it).
const SERVES_WITHIN: Duration = Duration::from_secs(20);
/// How long it may take to answer again after a restart.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// Where the listeners are, as the collector writes it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub(super) struct Addresses {
    /// Agents.
    pub(super) sessions: String,
    /// Enrolment and renewal.
    pub(super) enrolment: String,
    /// Responders.
    pub(super) api: String,
}

/// The collector, served.
pub(super) struct Centre {
    running: Running,
    /// Where it listens.
    pub(super) addresses: Addresses,
    /// How a person asks it.
    pub(super) desk: Client,
}

/// The files of a collector that was made.
pub(super) struct Made {
    data: PathBuf,
    root_key: PathBuf,
}

/// Makes the root key, away from the collector, and the collector.
///
/// # Errors
/// What failed.
pub(super) fn make(ground: &Ground) -> anyhow::Result<Made> {
    let root = author::new_key(&SystemEntropy);
    let keys = author::write_key(&ground.folder.join("root"), "root", &root)?;
    let data = ground.folder.join("collector");
    let mut init = ground.command(PROGRAM)?;
    init.arg("init").arg("--data-dir").arg(&data).arg("--root-key").arg(&keys.public);
    let ports = free_ports()?;
    for (option, port) in ["--port-sessions", "--port-enrolment", "--port-api"].iter().zip(ports) {
        init.args([option, port.to_string().as_str()]);
    }
    ground.run(PROGRAM, &mut init)?;
    Ok(Made { data, root_key: keys.private })
}

/// Three ports that nobody has: the collector must come back on the same after it was killed.
fn free_ports() -> anyhow::Result<Vec<u16>> {
    let listen = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let held: Vec<_> = (0..3).map(listen).collect::<Result<_, _>>().context("find free ports")?;
    held.iter().map(|it| Ok(it.local_addr()?.port())).collect()
}

impl Made {
    /// Starts the collector, arms a rule in a keyring that root signs, and installs it.
    ///
    /// # Errors
    /// What failed.
    pub(super) fn serve(&self, ground: &mut Ground, armed: &RuleSummary) -> anyhow::Result<Centre> {
        let (running, addresses) = self.start(ground)?;
        let token = std::fs::read_to_string(self.data.join("admin.token"));
        let token = token.context("read the administrator's token")?;
        let authority = self.data.join("pki/authority.pem");
        let profile = Profile {
            url: format!("https://{}", addresses.api),
            ca: std::fs::read_to_string(&authority).context("read the authority's certificate")?,
            token: token.trim().to_owned(),
        };
        let desk = Client::open(&profile)?;
        let centre = Centre { running, addresses, desk };
        keyring::install(&centre.desk, &self.sign(armed)?)?;
        Ok(centre)
    }

    /// Starts it again, where it was.
    ///
    /// # Errors
    /// What failed.
    pub(super) fn serve_again(
        &self,
        ground: &mut Ground,
        centre: &mut Centre,
    ) -> anyhow::Result<()> {
        let (running, addresses) = self.start(ground)?;
        centre.running = running;
        anyhow::ensure!(addresses == centre.addresses, "the collector came back elsewhere");
        wait::until("the collector answers", ANSWERS_WITHIN, || {
            Ok(centre.desk.get::<view::Status>("/api/v1/status", &Vec::new()).ok())
        })?;
        Ok(())
    }

    /// What a person types to look around.
    pub(super) fn how_to_look(&self, centre: &Centre) -> Vec<String> {
        let (pki, data) = (self.data.join("pki/authority.pem"), &self.data);
        vec![
            String::new(),
            "The collector and the agent stay up until Ctrl-C. To look around, in another terminal:".to_owned(),
            format!("  export CORDON_URL=https://{}", centre.addresses.api),
            format!("  export CORDON_CA={}", pki.display()),
            format!("  export CORDON_TOKEN=$(cat {})", data.join("admin.token").display()),
            "  cordon incident list".to_owned(),
            "  cordon event search --since 10m".to_owned(),
        ]
    }

    fn start(&self, ground: &mut Ground) -> anyhow::Result<(Running, Addresses)> {
        let config = self.data.join("collector.toml");
        let addresses = self.data.join("addresses.json");
        // The file of the last start must not be taken for this one's.
        if addresses.try_exists()? {
            std::fs::remove_file(&addresses).context("forget the last addresses")?;
        }
        let mut serve = ground.command(PROGRAM)?;
        serve.arg("serve").arg("--config").arg(&config).stdout(Stdio::null());
        let mut running = Running(ground.start(PROGRAM, &mut serve)?);
        let addresses = wait::until("the collector serves", SERVES_WITHIN, || {
            if let Some(status) = running.0.try_wait()? {
                return Err(anyhow!(
                    "it ended with {status}; its log ends:\n{}",
                    ground.tail(PROGRAM)
                ));
            }
            let Ok(mut file) = File::open(&addresses) else { return Ok(None) };
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            Ok(serde_json::from_str::<Addresses>(&text).ok())
        })?;
        Ok((running, addresses))
    }

    /// What a person does by hand: adds the rule to the draft, and signs it with root's key.
    fn sign(&self, armed: &RuleSummary) -> anyhow::Result<Vec<u8>> {
        let path = self.data.join("keyring/draft");
        let draft = std::fs::read_to_string(&path).context("read the keyring's draft")?;
        write(&path, &rule::armed(&draft, armed))?;
        let draft = author::Draft::read(&path, SystemClock.now()).context("read the draft")?;
        let bundle = author::sign(&draft, &[author::read_key(&self.root_key)?]);
        Ok(wire::keyring::encode(&bundle).to_vec())
    }
}

impl Centre {
    /// `kill -9`.
    ///
    /// # Errors
    /// When it had ended before.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.running.kill().context("kill the collector")
    }
}
