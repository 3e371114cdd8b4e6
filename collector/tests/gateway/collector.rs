//! A collector in a temporary folder.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use clap::Parser;
use cordon_collector::{
    app::{Addresses, App},
    cli::{Cli, Command},
    config::Config,
    init,
    lake::{Lake, Opening},
    layout::Layout,
    pki::authority::Authority,
    store::{By, NewToken, Store},
};
use cordon_shared::{
    crypto::signing::SigningKey,
    digest::Sha256,
    entropy::{Entropy, SystemEntropy},
    id::TokenId,
    keyring::author,
    seglog::RealDisk,
    time::{Clock, SystemClock},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A running collector; stopped when dropped, waited for by [`Collector::stop`].
pub(crate) struct Collector {
    pub(crate) addresses: Addresses,
    pub(crate) store: Store,
    pub(crate) authority: Authority,
    config: Config,
    dir: tempfile::TempDir,
    stop: CancellationToken,
    running: Option<JoinHandle<()>>,
}

/// An enrolment token, as its bearer has it.
#[derive(Clone, Debug)]
pub(crate) struct Bearer {
    pub(crate) id: TokenId,
    pub(crate) secret: [u8; 32],
    pub(crate) authority: Sha256,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = author::write_key(dir.path(), "root", &SigningKey::from_seed([9; 32])).unwrap();
        let data_dir = dir.path().join("data");
        let mut typed = vec!["cordon-collector", "init", "--data-dir", data_dir.to_str().unwrap()];
        typed.extend(["--root-key", root.public.to_str().unwrap()]);
        for port in ["--port-sessions", "--port-enrolment", "--port-api"] {
            typed.extend([port, "0"]);
        }
        let Command::Init(options) = Cli::parse_from(typed).command else { panic!("it says init") };
        let path = init::run(&options, &SystemClock, &SystemEntropy).await.unwrap();
        // The root's private key leaves, as a person would carry it away.
        std::fs::remove_file(root.private).unwrap();
        let config = Config::parse(&std::fs::read_to_string(path).unwrap(), |_| None).unwrap();
        let layout = Layout::new(&config.data_dir);
        let store = Store::open(&layout.state()).await.unwrap();
        let authority = Authority::open(&layout.pki()).unwrap();
        let (addresses, stop, running) = run(&config).await;
        Self { addresses, store, authority, config, dir, stop, running: Some(running) }
    }

    /// Stops along the road, and starts again on the same folder and, most likely, other ports.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        let (addresses, stop, running) = run(&self.config).await;
        (self.addresses, self.stop, self.running) = (addresses, stop, Some(running));
    }

    pub(crate) async fn stop(&mut self) {
        self.stop.cancel();
        if let Some(running) = self.running.take() {
            tokio::time::timeout(Duration::from_secs(20), running).await.unwrap().unwrap();
        }
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// The lake of a collector that was stopped.
    pub(crate) fn lake(&self) -> Lake {
        Lake::open(Opening {
            disk: Arc::new(RealDisk),
            dir: &Layout::new(&self.config.data_dir).lake(),
            collector: self.config.collector,
            clock: Arc::new(SystemClock),
            entropy: &SystemEntropy,
            is_used: false,
        })
        .unwrap()
    }

    pub(crate) fn sessions(&self) -> SocketAddr {
        self.addresses.sessions
    }

    pub(crate) async fn token(&self, change: impl FnOnce(&mut NewToken)) -> Bearer {
        let mut secret = [0; 32];
        SystemEntropy.fill(&mut secret);
        let mut token = NewToken {
            id: TokenId::random(&SystemClock, &SystemEntropy),
            secret_sha256: Sha256::of(&secret),
            uses_max: 10,
            networks: Vec::new(),
            labels: vec!["site=north".to_owned()],
            tier: "standard".to_owned(),
            is_approved: true,
            expires: SystemClock.now().saturating_add(Duration::from_secs(3_600)),
        };
        change(&mut token);
        self.store.add_token(&token, &by()).await.unwrap();
        Bearer { id: token.id, secret, authority: self.authority.fingerprint() }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn run(config: &Config) -> (Addresses, CancellationToken, JoinHandle<()>) {
    let app = App::build(config).await.unwrap();
    let (addresses, stop) = (app.addresses(), CancellationToken::new());
    let stopped = stop.clone();
    #[expect(clippy::disallowed_methods, reason = "the test waits for it in `stop`")]
    let running = tokio::spawn(async move { app.run(stopped).await.unwrap() });
    (addresses, stop, running)
}

pub(crate) fn by() -> By {
    By { principal: "ada".to_owned(), at: SystemClock.now() }
}
