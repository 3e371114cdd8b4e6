//! Reaches the collector's port for sessions as who we are: for the session, and for evidence beside it.

use std::sync::Arc;

use cordon_shared::{
    crypto::tls,
    error::{Classify, Kind},
    time::Clock,
};
use tonic::transport::Channel;

use super::{
    EnrollError,
    connect::{self, ConnectError},
    identity::{Files, Identity},
    renew,
};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// There was none.
    #[error("failed to connect")]
    Connect(#[from] ConnectError),
    /// Our identity cannot be read.
    #[error("failed to use the identity")]
    Identity(#[from] EnrollError),
}

impl Classify for DialError {
    fn kind(&self) -> Kind {
        match self {
            Self::Connect(error) => error.kind(),
            Self::Identity(error) => error.kind(),
        }
    }
}

/// The way to the collector.
#[derive(Clone, Debug)]
pub struct Dial {
    /// The identity's files, read anew for each connection: certificates are renewed.
    pub files: Files,
    /// An HTTP proxy that takes CONNECT.
    pub proxy: Option<String>,
}

impl Dial {
    /// Connects to `address`, `host:port`, with the newest certificate.
    ///
    /// # Errors
    /// [`DialError`].
    pub async fn session(
        &self,
        address: &str,
        clock: &Arc<dyn Clock>,
    ) -> Result<Channel, DialError> {
        let identity = Identity::read(&self.files).map_err(EnrollError::from)?;
        let key = Identity::key(&self.files).map_err(EnrollError::from)?;
        let own = renew::validity(&identity)?;
        let with = tls::Identity { chain: identity.chain, key };
        let config = tls::session_client(&with, &identity.authorities, own, Arc::clone(clock));
        let config = config.map_err(ConnectError::Tls)?;
        Ok(connect::channel(address, self.proxy.as_deref(), config).await?)
    }
}
