//! `cordon-collector init`: a new collector in an empty folder, once.
//!
//! Beside the road. It is a local command and no route of the API, and it refuses a folder that
//! holds a collector, so that nobody can set one up over another. It takes public root keys alone.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use cordon_shared::{
    crypto::signing::{PublicKey, SigningKey},
    digest::Sha256,
    durable,
    entropy::Entropy,
    error::{Classify, Kind},
    id::{CollectorId, TokenId},
    keyring::{
        author::{self, AuthorError, Draft},
        key::Roots,
    },
    telemetry::Format,
    time::{Clock, Timestamp},
};

use crate::{
    cli,
    config::{self, Config},
    layout::Layout,
    pki::authority::{self, Authority, AuthorityError},
    store::{By, NewApiToken, Store, StoreError},
};

/// Life of the keyring that the draft proposes, and of the first administrator's token.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);

/// No collector was made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is one already.
    #[error("`{path}` holds a collector already; give an empty folder")]
    Taken {
        /// Where.
        path: PathBuf,
    },
    /// The file is a private key: it must never come near a collector.
    #[error("`{path}` is a private key; give its public half, the file that ends in `.pub`")]
    Private {
        /// Which file.
        path: PathBuf,
    },
    /// An option breaks a rule.
    #[error("`{option}` must be {want}")]
    Option {
        /// Which.
        option: &'static str,
        /// What it must be.
        want: &'static str,
    },
    /// A key file, or the draft of the keyring.
    #[error(transparent)]
    Author(#[from] AuthorError),
    /// The authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The state database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The disk failed.
    #[error("failed to {doing} `{path}`")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl Classify for InitError {
    fn kind(&self) -> Kind {
        match self {
            Self::Taken { .. } => Kind::Conflict,
            Self::Private { .. } | Self::Option { .. } => Kind::BadInput,
            Self::Author(error) => error.kind(),
            Self::Authority(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Disk { .. } => Kind::Unavailable,
        }
    }
}

/// Makes a collector and gives the path of its configuration.
///
/// # Errors
/// [`InitError`]. A folder that was begun is not begun again: remove it first.
pub async fn run(
    options: &cli::Init,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<PathBuf, InitError> {
    let roots = roots(options)?;
    let config = config(options, roots, CollectorId::random(clock, entropy))?;
    let layout = Layout::new(&config.data_dir);
    let now = clock.now();
    make_folders(&layout)?;
    let pki = layout.pki();
    let name = format!("Cordon collector {}", config.collector);
    let authority = Authority::create(&pki, &name, now, entropy)?;
    authority.identity(&pki, &config.names, now, entropy)?;
    let automation = authority::create_automation(&pki, entropy)?;
    write(&layout.draft(), &draft(&config.roots, &automation, now), durable::MODE_PUBLIC)?;
    let store = Store::create(&layout.state()).await?;
    let token = create_admin(&store, clock, entropy).await;
    store.close().await;
    write(&layout.admin_token(), &token?, durable::MODE_SECRET)?;
    // The configuration last: without it nothing starts, so that a half-made folder is not served.
    write(&layout.config(), &config.to_toml(), durable::MODE_PUBLIC)?;
    Ok(layout.config())
}

fn roots(options: &cli::Init) -> Result<Roots, InitError> {
    let mut keys = Vec::with_capacity(options.root_key.len());
    for path in &options.root_key {
        if author::is_private_key(path)? {
            return Err(InitError::Private { path: path.clone() });
        }
        keys.push(author::read_public(path)?);
    }
    let want = "1..=the number of different root keys";
    Roots::new(keys, options.root_threshold)
        .ok_or(InitError::Option { option: "--root-threshold", want })
}

fn config(options: &cli::Init, roots: Roots, collector: CollectorId) -> Result<Config, InitError> {
    let data_dir =
        std::path::absolute(&options.data_dir).map_err(disk("find", &options.data_dir))?;
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !options.listen_host.is_unspecified() {
        names.push(options.listen_host.to_string());
    }
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if config::is_name(&host) {
        names.push(host);
    }
    if !options.name.iter().all(|it| config::is_name(it)) {
        let want = "a DNS name or an address";
        return Err(InitError::Option { option: "--name", want });
    }
    names.extend(options.name.iter().cloned());
    let mut seen = std::collections::HashSet::new();
    names.retain(|it| seen.insert(it.clone()));
    let address = |port| (options.listen_host, port).into();
    Ok(Config {
        collector,
        data_dir,
        names,
        roots,
        rules_dir: None,
        sessions: address(options.port_sessions),
        enrolment: address(options.port_enrolment),
        api: address(options.port_api),
        log_format: Format::Text,
        log_level: "info".to_owned(),
    })
}

/// Makes the folders; refuses where a collector was made, or begun, before.
fn make_folders(layout: &Layout) -> Result<(), InitError> {
    for path in [layout.config(), layout.pki(), layout.state()] {
        if path.try_exists().map_err(disk("look for", &path))? {
            return Err(InitError::Taken { path: layout.root().to_owned() });
        }
    }
    for path in [layout.pki(), layout.journal(), layout.lake(), layout.keyring()] {
        durable::create_dir(&path, durable::MODE_DIR).map_err(disk("make the folder", &path))?;
    }
    Ok(())
}

/// The first administrator: a bearer token, of which the store keeps the digest.
async fn create_admin(
    store: &Store,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<String, StoreError> {
    let mut secret = [0; 32];
    entropy.fill(&mut secret);
    let text = format!("cordon_api_{}", hex::encode(secret));
    let now = clock.now();
    let token = NewApiToken {
        id: TokenId::random(clock, entropy),
        secret_sha256: Sha256::of(text.as_bytes()),
        principal: "admin".to_owned(),
        role: "admin".to_owned(),
        expires: now.saturating_add(YEAR),
    };
    let by = By { principal: "init".to_owned(), at: now };
    store.add_api_token(&token, &by).await?;
    Ok(text)
}

/// What root is asked to sign: itself as the only admin, and automation within its default totals
/// (section 8 of the design: isolation 4 h a day, nothing on the critical tier).
fn draft(roots: &Roots, automation: &SigningKey, now: Timestamp) -> String {
    let expires = now.saturating_add(YEAR);
    let hex = |keys: &[PublicKey]| {
        keys.iter().map(|it| format!("\"{it}\"")).collect::<Vec<_>>().join(", ")
    };
    let admins: String = (1..).zip(roots.keys()).map(|(number, key)| {
        format!(
            "[[policy.admin]]\nkey = \"{key}\"\nholder = \"root-{number}\"\nholder_kind = \"file\"\n\
             expires = \"{expires}\"\n\n"
        )
    }).collect();
    format!(
        "# What root signs: `cordon key sign --root root.key --draft draft --out current`.\n\
         # Add a [[members.key]] for each responder, and a [[members.armed]] for each rule that may\n\
         # move automation.\n\
         [policy]\nversion = 1\nexpires = \"{expires}\"\nroots = [{}]\nroot_threshold = {}\n\
         admin_threshold = 1\ntargets_max_single = 100\n\n\
         {admins}\
         [[policy.automation]]\nhost_tier = \"\"\nisolation_per_day_s = 14400\nkills_per_hour = 60\n\
         citation_age_s_max = 60\n\n\
         [[policy.automation]]\nhost_tier = \"critical\"\nisolation_per_day_s = 0\n\
         kills_per_hour = 0\ncitation_age_s_max = 60\n\n\
         [members]\nversion = 1\n\n\
         [[members.key]]\nkey = \"{}\"\nholder = \"automation\"\nrole = \"automation\"\n\
         holder_kind = \"file\"\nexpires = \"{expires}\"\n",
        hex(roots.keys()),
        roots.threshold(),
        automation.public(),
    )
}

/// Reads the draft as the signer will.
///
/// # Errors
/// [`AuthorError`].
pub fn read_draft(path: &Path, now: Timestamp) -> Result<Draft, AuthorError> {
    Draft::read(path, now)
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), InitError> {
    durable::write(path, text.as_bytes(), mode).map_err(disk("write", path))
}

fn disk(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> InitError {
    let path = path.to_owned();
    move |source| InitError::Disk { doing, path, source }
}

#[cfg(test)]
mod tests;
