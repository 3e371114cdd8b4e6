//! The demo's collector: keys made apart, one rule armed and one responder named by root's signature,
//! served on loopback or in the demo's own network.

use std::{
    fs::File,
    io::Read as _,
    net::{IpAddr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use cordon_collector::api::view;
use cordon_shared::{
    detection::RuleSummary,
    entropy::SystemEntropy,
    keyring::author::{self, KeyFiles},
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
    /// Where people find it from outside of the demo's network.
    pub(super) door: String,
}

/// The files of a collector that was made.
pub(super) struct Made {
    data: PathBuf,
    root_key: PathBuf,
    /// The responder's key, apart from the collector's files.
    pub(super) responder: KeyFiles,
}

/// The holder of the responder's key.
const RESPONDER: &str = "responder";

/// Makes the root's and the responder's key, away from the collector, and the collector.
///
/// # Errors
/// What failed.
pub(super) fn make(ground: &Ground, host: IpAddr) -> anyhow::Result<Made> {
    let key = |name: &str| {
        let key = author::new_key(&SystemEntropy);
        author::write_key(&ground.folder.join(name), name, &key)
    };
    let (keys, responder) = (key("root")?, key(RESPONDER)?);
    let data = ground.folder.join("collector");
    let mut init = ground.command(&ground.program(PROGRAM), PROGRAM)?;
    init.arg("init").arg("--data-dir").arg(&data).arg("--root-key").arg(&keys.public);
    init.args(["--listen-host", &host.to_string()]);
    let ports = free_ports(host)?;
    for (option, port) in ["--port-sessions", "--port-enrolment", "--port-api"].iter().zip(ports) {
        init.args([option, port.to_string().as_str()]);
    }
    ground.run(PROGRAM, &mut init)?;
    Ok(Made { data, root_key: keys.private, responder })
}

/// Three ports that nobody has: the collector must come back on the same after it was killed.
fn free_ports(host: IpAddr) -> anyhow::Result<Vec<u16>> {
    let listen = |_| TcpListener::bind((host, 0));
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
        let door = addresses.api.clone();
        let centre = Centre { running, addresses, desk, door };
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
            format!("  export CORDON_URL=https://{}", centre.door),
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
        let mut serve = ground.command(&ground.program(PROGRAM), PROGRAM)?;
        serve.arg("serve").arg("--config").arg(&config).stdout(Stdio::null());
        let mut running = Running(ground.start(None, &mut serve)?);
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

    /// What a person types after `cordon`, on the command line: where, and as whom.
    pub(super) fn environment(
        &self,
        centre: &Centre,
    ) -> anyhow::Result<[(&'static str, String); 3]> {
        let token = std::fs::read_to_string(self.data.join("admin.token"));
        Ok([
            ("CORDON_URL", format!("https://{}", centre.addresses.api)),
            ("CORDON_CA", self.data.join("pki/authority.pem").display().to_string()),
            ("CORDON_TOKEN", token.context("read the administrator's token")?.trim().to_owned()),
        ])
    }

    /// What a person does by hand: adds the rule and the responder to the draft, and signs it with
    /// root's key.
    fn sign(&self, armed: &RuleSummary) -> anyhow::Result<Vec<u8>> {
        let path = self.data.join("keyring/draft");
        let draft = std::fs::read_to_string(&path).context("read the keyring's draft")?;
        let member = member(&self.responder.public)?;
        write(&path, &(rule::armed(&draft, armed) + &member))?;
        let draft = author::Draft::read(&path, SystemClock.now()).context("read the draft")?;
        let bundle = author::sign(&draft, &[author::read_key(&self.root_key)?]);
        Ok(wire::keyring::encode(&bundle).to_vec())
    }
}

/// The responder, as a draft names members.
fn member(public: &Path) -> anyhow::Result<String> {
    let public = std::fs::read_to_string(public).context("read the responder's public key")?;
    let key = public.lines().next().context("read the responder's public key")?;
    Ok(format!(
        "\n[[members.key]]\nkey = \"{key}\"\nholder = \"{RESPONDER}\"\nrole = \"responder\"\n\
         holder_kind = \"file\"\nexpires = \"2100-01-01T00:00:00Z\"\n"
    ))
}

impl Centre {
    /// Where people's requests go.
    ///
    /// # Errors
    /// When the collector announced no address.
    pub(super) fn api(&self) -> anyhow::Result<SocketAddr> {
        self.addresses.api.parse().context("read the collector's address")
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it had ended before.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.running.kill().context("kill the collector")
    }
}
