//! Renewal: at half of a certificate's life, at the enrolment port, by proof of the key.
//!
//! The key stays, so that one file changes, at once: there is no moment with a certificate that does
//! not fit its key. A failed renewal is tried again with back-off, for thirty days past the end.

use std::{sync::Arc, time::Duration};

use cordon_proto::v1;
use cordon_shared::{
    backoff::Backoff,
    crypto::{
        cert::{self, Validity},
        tls,
    },
    entropy::Entropy,
    time::Clock,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    EnrollError, certificates,
    connect::{self, ConnectError},
    identity::{Files, Identity},
};

/// First and longest delay between tries.
const RETRY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(600));

/// What renewal needs.
#[derive(Debug)]
pub struct Renewal {
    /// The identity's files.
    pub files: Files,
    /// Where to renew, `host:port` each.
    pub addresses: Vec<String>,
    /// An HTTP proxy that takes CONNECT.
    pub proxy: Option<String>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes delays differ.
    pub entropy: Arc<dyn Entropy>,
    /// Counts certificates: the session begins anew with each.
    pub renewed: watch::Sender<u64>,
}

impl Renewal {
    /// Renews for as long as the program runs.
    pub async fn run(self, stop: CancellationToken) {
        let mut backoff = Backoff::new(RETRY.0, RETRY.1);
        loop {
            let wait = match self.due() {
                Ok(wait) if !wait.is_zero() => wait,
                Ok(_) => match self.renew().await {
                    Ok(()) => {
                        info!("renewed the certificate");
                        backoff.reset();
                        self.renewed.send_modify(|it| *it += 1);
                        continue;
                    }
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        warn!(error, "failed to renew the certificate; trying again");
                        backoff.next_delay(self.entropy.as_ref())
                    }
                },
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    warn!(error, "failed to read the certificate; trying again");
                    backoff.next_delay(self.entropy.as_ref())
                }
            };
            // Both branches are cancel-safe.
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait.min(Duration::from_secs(3_600))) => (),
            }
        }
    }

    /// How long until half of the life is over.
    fn due(&self) -> Result<Duration, EnrollError> {
        let identity = Identity::read(&self.files)?;
        let validity = validity(&identity)?;
        let life = validity.until.since(validity.from);
        let half = validity.from.saturating_add(life / 2);
        Ok(half.since(self.clock.now()))
    }

    async fn renew(&self) -> Result<(), EnrollError> {
        let identity = Identity::read(&self.files)?;
        let key = Identity::key(&self.files)?;
        let leaf = identity.chain.first().map(|it| it.to_vec()).unwrap_or_default();
        let mut failure = EnrollError::NoAddress;
        for address in &self.addresses {
            let own = validity(&identity).ok();
            let clock = Arc::clone(&self.clock);
            let connected = match tls::renewal_client(&identity.authorities, own, clock) {
                Ok(config) => connect::channel(address, self.proxy.as_deref(), config).await,
                Err(error) => Err(ConnectError::Tls(error)),
            };
            let channel = match connected {
                Ok(channel) => channel,
                Err(source) => {
                    failure = EnrollError::Connect { address: address.clone(), source };
                    continue;
                }
            };
            let mut client = v1::enrolment_client::EnrolmentClient::new(channel);
            let refused = |status: tonic::Status| EnrollError::Refused(status.message().to_owned());
            let challenge = client.challenge(v1::ChallengeRequest {}).await.map_err(refused)?;
            let challenge = challenge.into_inner().challenge;
            let csr = key.request()?;
            let proof = key.sign_renewal(&challenge, &csr)?;
            let request = v1::RenewRequest {
                certificate: leaf.into(),
                csr: csr.into(),
                challenge,
                proof: proof.into(),
            };
            let reply = client.renew(request).await.map_err(refused)?.into_inner();
            let chain = certificates(&reply.certificates);
            if chain.is_empty() {
                return Err(EnrollError::Answer { field: "certificates", rule: "at least one" });
            }
            self.files.write_certificates(&chain, &certificates(&reply.authorities))?;
            return Ok(());
        }
        Err(failure)
    }
}

/// From when until when our certificate is good.
///
/// # Errors
/// [`EnrollError::Answer`] when it cannot be read out of the certificate.
pub fn validity(identity: &Identity) -> Result<Validity, EnrollError> {
    let leaf = identity.chain.first();
    leaf.and_then(|it| cert::validity_of(it))
        .ok_or(EnrollError::Answer { field: "certificates", rule: "one with a validity" })
}
