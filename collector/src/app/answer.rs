//! Detection and response behind the journal: opened with it, fed by a thread that ends after it.
//!
//! The watch runs on a thread of its own and ends when it has read all that the journal has; the
//! outbox and the clockwork of expiry are tasks that end when the sessions have.

use std::{io, sync::Arc, thread::JoinHandle};

use cordon_shared::{
    entropy::{Entropy, SystemEntropy},
    keyring::{author, key::Roots},
    time::Clock,
};
use tokio::{
    runtime::Handle,
    sync::{Notify, mpsc},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::error::StartError;
use crate::{
    api::{self, view},
    config::Config,
    gateway::{registry::Registry, seen::CommandSeen},
    ingest::fanout::{Fanout, Feed, Sight},
    layout::Layout,
    notice::{Board, InForce},
    pki::authority::{self, AuthorityError},
    response::{dispatch::Dispatch, reconcile, ring::Ring, sign::Signer},
    store::Store,
    watch::{self, CONSUMER, Parts, Watch, rules::Rules},
};

/// Detection and response, opened and not running yet.
#[derive(Debug)]
pub(super) struct Answer {
    store: Store,
    roots: Roots,
    signer: Signer,
    rules: Arc<Rules>,
    position: u64,
    board: Board,
    in_force: InForce,
    /// Notified when the outbox has something new.
    wake: Arc<Notify>,
    clock: Arc<dyn Clock>,
}

impl Answer {
    /// Reads automation's key, the rules, and how far the journal was read.
    pub(super) async fn open(
        layout: &Layout,
        config: &Config,
        store: &Store,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let key = author::read_key(&authority::automation_path(&layout.pki()));
        let key = key.map_err(AuthorityError::from)?;
        let rules_dir = config.rules_dir.clone();
        let loading = tokio::task::spawn_blocking(move || Rules::load(rules_dir)).await;
        let rules = loading.map_err(io::Error::other).map_err(super::system("load the rules"))?;
        Ok(Self {
            store: store.clone(),
            roots: config.roots.clone(),
            signer: Signer::new(key),
            rules: Arc::new(rules),
            position: store.position(CONSUMER).await?,
            board: Board::default(),
            in_force: InForce::default(),
            wake: Arc::new(Notify::new()),
            clock,
        })
    }

    /// From where the journal is needed.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The way to the journal: from now on it forgets nothing that was not read.
    pub(super) fn feed(&self, fanout: &Arc<Fanout>) -> Feed {
        fanout.feed(CONSUMER, Sight::Appended, self.position)
    }

    /// Where notices are posted.
    pub(super) fn board(&self) -> Board {
        self.board.clone()
    }

    /// Which keyring agents get.
    pub(super) fn in_force(&self) -> InForce {
        self.in_force.clone()
    }

    /// To be notified when a command was added to the outbox.
    pub(super) fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// The rules as the API shows them.
    pub(super) fn book(&self) -> api::Rules {
        let rules = Arc::clone(&self.rules);
        let list = Arc::new(move || shown(&rules));
        let rules = Arc::clone(&self.rules);
        let reload = Arc::new(move || rules.reload());
        api::Rules { list, reload }
    }

    /// Starts the thread and the tasks; the thread ends after the journal.
    pub(super) fn start(
        self,
        feed: Feed,
        (registry, seen): (Arc<Registry>, mpsc::Receiver<CommandSeen>),
        tasks: &TaskTracker,
        (stop, background): (&CancellationToken, &CancellationToken),
    ) -> io::Result<JoinHandle<()>> {
        let wake = self.wake;
        let ring = || Ring::new(self.store.clone(), self.roots.clone(), self.in_force.clone());
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let dispatch = Dispatch::new(
            (self.store.clone(), ring()),
            registry,
            seen,
            Arc::clone(&wake),
            Arc::clone(&self.clock),
        );
        tasks.spawn(dispatch.run(background.clone()));
        let (board, clock) = (self.board.clone(), Arc::clone(&self.clock));
        tasks.spawn(reconcile::expire(self.store.clone(), board, clock, background.clone()));
        let parts = Parts {
            ring: ring(),
            store: self.store,
            rules: self.rules,
            signer: self.signer,
            board: self.board,
            wake,
            clock: self.clock,
            entropy,
        };
        Watch::new(parts, self.position, Handle::current(), stop.clone()).start(feed)
    }
}

/// What is loaded, as the API shows it; whether a rule is armed is the keyring's to say.
fn shown(rules: &Rules) -> (Vec<view::Rule>, Vec<String>) {
    let watch::rules::Inventory { rules, problems } = rules.inventory();
    let rules = rules.into_iter().map(|(rule, file)| view::Rule {
        rule_id: rule.id,
        title: rule.title,
        severity: rule.severity.as_str().to_owned(),
        sha256: rule.sha256.to_string(),
        source: file,
        is_armed: false,
    });
    (rules.collect(), problems)
}
