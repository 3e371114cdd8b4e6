//! What is done once and ends: `enroll`, `check`, `status`.

use std::{path::PathBuf, sync::Arc};

use cordon_shared::{
    entropy::SystemEntropy,
    limit,
    time::{Clock, SystemClock},
};

use super::{
    StartError, host, obey, print,
    sensors::{Sensed, pins},
};
use crate::{
    config::Config,
    enroll::{
        self, Ground,
        identity::{Files, Identity},
    },
};

/// The file of roots and keyring.
pub(super) fn keyring_path(config: &Config) -> PathBuf {
    config.data_dir.join("keyring")
}

/// `enroll`: a token becomes this host's identity.
///
/// # Errors
/// [`StartError::Enroll`].
pub async fn enroll(config: &Config, token: &str) -> Result<(), StartError> {
    let files = Files::new(config.identity_dir());
    let (keyring, facts) = (keyring_path(config), host::facts()?);
    let ground = Ground {
        files: &files,
        keyring: &keyring,
        proxy: config.proxy.as_deref(),
        facts: &facts,
        clock: Arc::new(SystemClock),
        entropy: &SystemEntropy,
    };
    let record = enroll::enroll(token, &ground).await?;
    print::line(&format!("enrolled as agent {}", record.agent));
    print::line("next: cordon-agent run");
    Ok(())
}

/// `check`: which tier each sensor gets, and why.
///
/// # Errors
/// [`StartError::Scope`].
pub fn check(config: &Config) -> Result<(), StartError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let unpinned = Config { pin: false, ..config.clone() };
    let sensed = Sensed::open(&unpinned, &clock, &SystemEntropy, |_| None)?;
    for it in sensed.states() {
        let (sensor, tier) = (it.sensor.as_str(), it.tier.as_str());
        print::line(&format!("{sensor:<8} {tier:<9} {}", it.reason));
    }
    obey::describe(config).iter().for_each(|it| print::line(it));
    if let Some(folder) = pins(config).filter(|_| config.pin) {
        print::line(&format!("pins     {}", folder.display()));
    }
    Ok(())
}

/// `status`: who this agent is.
///
/// # Errors
/// [`StartError::Identity`] when this host is not enrolled.
pub fn status(config: &Config) -> Result<(), StartError> {
    let identity = Identity::read(&Files::new(config.identity_dir()))?;
    let record = &identity.record;
    print::line(&format!("agent    {}", record.agent));
    print::line(&format!("host     {}", record.host));
    print::line(&format!("tier     {}", record.host_tier));
    print::line(&format!("held     {}", if record.is_held { "yes" } else { "no" }));
    let validity = enroll::renew::validity(&identity)?;
    let now = SystemClock.now();
    let note = if validity.until.saturating_add(limit::RENEWAL_GRACE) < now {
        " (over for more than 30 days: remove the folder `identity` and enrol anew)"
    } else if validity.until < now {
        " (over: `cordon-agent run` renews it, for 30 days)"
    } else {
        ""
    };
    print::line(&format!("until    {}{note}", validity.until));
    obey::isolation(config).iter().for_each(|it| print::line(it));
    obey::describe(config).iter().for_each(|it| print::line(it));
    if let Some(folder) = pins(config).filter(|_| config.pin) {
        print::line(&format!("pins     {}", folder.display()));
    }
    Ok(())
}
