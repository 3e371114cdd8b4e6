//! Composition root: makes every stage and every channel, and owns the order in which they stop.
//!
//! [`App::build`] opens what there is to open and binds the listeners; it accepts nothing yet.
//! [`App::run`] starts the tasks, waits for the stop, and stops them along the road: listeners and
//! sessions first (what is under way is answered), then the journal, then those that read it, then
//! the store.

mod address;
mod answer;
mod desk;
mod error;
mod filing;
mod serve;
mod threads;
mod upkeep;

use std::sync::Arc;

use arc_swap::ArcSwap;
use cordon_shared::{
    crypto::tls,
    entropy::{Entropy, SystemEntropy},
    time::{Clock, SystemClock},
};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info};

pub use self::{address::Addresses, error::StartError, serve::serve};
use self::{
    address::{announce, bind, reachable},
    answer::Answer,
    error::system,
    threads::Threads,
};
use crate::{
    config::Config,
    gateway::{
        self,
        admission::Admission,
        enrolment::Enrolments,
        keyring::{self, Current},
        registry::Registry,
        seen::Seen,
        session::{Ground, Sessions},
        upload::Uploads,
    },
    guard,
    ingest::{
        Ingest,
        fanout::{Fanout, Feed},
        journal::Journal,
    },
    lake::filer::Filer,
    layout::Layout,
    listen::{Listener, Rule},
    pki::{authority::Authority, issue::Issuing, revoke::Revocations},
    reserve::Reserve,
    store::Store,
};

/// A collector that is ready to run.
#[derive(Debug)]
pub struct App {
    reserve: Reserve,
    store: Store,
    journal: Journal,
    ingest: Ingest,
    fanout: Arc<Fanout>,
    filer: Filer,
    answer: Answer,
    feed: Feed,
    sessions: Listener,
    enrolment: Listener,
    desk: desk::Desk,
    enrolments: Enrolments,
    revocations: Revocations,
    keyring: watch::Sender<Current>,
    addresses: Addresses,
    clock: Arc<dyn Clock>,
}

impl App {
    /// Opens stores and journal, binds the listeners, writes `addresses.json`.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn build(config: &Config) -> Result<Self, StartError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let layout = Layout::new(&config.data_dir);
        guard::check(&layout, &config.roots)?;
        let (reserve, disk) = filing::disk(&layout).map_err(system("reserve room on the disk"))?;
        let store = Store::open(&layout.state()).await?;
        let authority = Authority::open(&layout.pki())?;
        let identity = authority.identity(&layout.pki(), &config.names, clock.now(), &*entropy)?;
        let trusted = std::slice::from_ref(authority.certificate());
        let server = |config| Arc::new(ArcSwap::new(config));
        let session_tls = server(tls::session_server(&identity, trusted, Arc::clone(&clock))?);
        let enrolment_tls =
            server(tls::open_server(&identity, &[tls::ALPN_H2], Arc::clone(&clock))?);
        let protocols = [tls::ALPN_H2, tls::ALPN_HTTP_1];
        let api_tls = server(tls::open_server(&identity, &protocols, Arc::clone(&clock))?);
        let settled = Rule { settle_within: Some(gateway::SETTLE_WITHIN) };
        let sessions = bind("sessions", config.sessions, (session_tls, settled)).await?;
        let enrolment = bind("enrolment", config.enrolment, (enrolment_tls, settled)).await?;
        let api = bind("api", config.api, (api_tls, Rule::default())).await?;
        let addresses = Addresses::of(&sessions, &enrolment, &api);
        let addresses = addresses.map_err(system("find the ports"))?;
        let answer = Answer::open(&layout, config, &store, Arc::clone(&clock)).await?;
        let place = (&layout, &disk);
        let both = (Arc::clone(&clock), &*entropy);
        let lake = filing::open(place, (config.collector, answer.position()), both.clone())?;
        let (journal, ingest, fanout) = filing::journal(place, (&lake, answer.position()), both)?;
        let filer = filing::filer((&lake, &fanout), &answer.board(), Arc::clone(&clock));
        let feed = answer.feed(&fanout);
        upkeep::load_hosts(&store, ingest.hosts()).await?;
        let (keyring, keyring_seen) = watch::channel(Current::load(&store).await?);
        let desk = desk::Desk {
            listener: api,
            lake,
            vault: filing::vault(&layout, &reserve)?,
            roots: config.roots.clone(),
            authority: authority.fingerprint(),
            enrolment: reachable(&config.names, addresses.enrolment),
            metrics: desk::metrics(),
            standing: (reserve.clone(), ingest.pressure()),
        };
        let enrolments = Enrolments {
            issuing: Arc::new(Issuing::new(authority, store.clone(), Arc::clone(&clock), entropy)?),
            roots: config.roots.clone(),
            keyring: keyring_seen,
            admission: Arc::new(Admission::default()),
            store: store.clone(),
            clock: Arc::clone(&clock),
        };
        announce(&layout, addresses).map_err(system("write the addresses"))?;
        Ok(Self {
            reserve,
            revocations: Revocations::load(&store).await?,
            store,
            journal,
            ingest,
            fanout,
            filer,
            answer,
            feed,
            sessions,
            enrolment,
            desk,
            enrolments,
            keyring,
            addresses,
            clock,
        })
    }

    /// The addresses that the listeners got.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Serves until `stop`, then stops along the road.
    ///
    /// # Errors
    /// [`StartError::System`] when a thread could not be started, [`StartError::Gone`] when one has
    /// ended before its time.
    pub async fn run(self, stop: CancellationToken) -> Result<(), StartError> {
        let registry = Arc::new(Registry::default());
        let (seen, commands_seen) = Seen::channel();
        let tasks = TaskTracker::new();
        let background = CancellationToken::new();
        let mut threads = Threads::default();
        let journal = self.journal.start().map_err(system("start the journal's thread"))?;
        threads.add("journal", journal);
        let filer = self.filer.start().map_err(system("start the filer's thread"))?;
        threads.add("filer", filer);
        let ground = Arc::new(Ground {
            ingest: self.ingest,
            store: self.store.clone(),
            registry: Arc::clone(&registry),
            revocations: self.revocations.clone(),
            admission: Arc::clone(&self.enrolments.admission),
            seen,
            keyring: self.enrolments.keyring.clone(),
            clock: Arc::clone(&self.clock),
            stop: stop.clone(),
        });
        let uploads = Uploads::new(Arc::clone(&ground), self.desk.vault.clone());
        let served = (Sessions::new(ground, tasks.clone()), uploads);
        let upkeep = upkeep::Upkeep {
            store: self.store.clone(),
            registry: Arc::clone(&registry),
            admission: Arc::clone(&self.enrolments.admission),
        };
        let cutting = Arc::clone(&registry);
        let cut = move |agent| cutting.cut(agent);
        let revoked =
            tasks.spawn(self.revocations.follow(self.store.clone(), cut, background.clone()));
        let in_force = self.answer.in_force();
        let followed =
            keyring::follow(self.store.clone(), self.keyring, in_force.clone(), background.clone());
        tasks.spawn(followed);
        tasks.spawn(upkeep.run(background.clone()));
        tasks.spawn(self.reserve.keep(background.clone()));
        let (incoming, accept) = self.sessions.accept(stop.clone());
        tasks.spawn(accept);
        let sessions = tasks.spawn(gateway::serve_sessions(served, incoming, stop.clone()));
        let (incoming, accept) = self.enrolment.accept(stop.clone());
        tasks.spawn(accept);
        tasks.spawn(gateway::serve_enrolment(self.enrolments, incoming, stop.clone()));
        let (board, book, wake) = (self.answer.board(), self.answer.book(), self.answer.wake());
        let watched = (registry.clone(), commands_seen);
        let stops = (&stop, &background);
        let watch = self.answer.start(self.feed, watched, &tasks, stops);
        threads.add("watch", watch.map_err(system("start the watch's thread"))?);
        let seen = (self.store.clone(), Arc::clone(&registry));
        tasks.spawn(self.desk.run(seen, (board, in_force, wake), book, stop.clone()));
        info!(addresses = ?self.addresses, "the collector serves");

        let gone = threads.watch(&stop).await;
        info!("the collector stops: sessions, journal, readers, store");
        if let Err(error) = sessions.await {
            error!("the sessions ended badly: {error}");
        }
        background.cancel();
        drop(revoked);
        tasks.close();
        tasks.wait().await;
        threads.join().await;
        drop(self.fanout);
        self.store.close().await;
        gone.map_or(Ok(()), |thread| Err(StartError::Gone { thread }))
    }
}
