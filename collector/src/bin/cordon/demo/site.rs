//! The demo's site: a centre, and hosts with a network, a name and folders of their own, wired to it.
//!
//! A host sees the machine's files but for [`SEEN`]: there it sees folders of the demo's own, so that
//! the intruder can do to it what intruders do to hosts, at the paths where they do it.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use nix::sched::{CloneFlags, setns};

use super::{
    apart::{self, Apart, Bind},
    far::{self, Far},
    wire,
};

/// The centre's number in the network.
pub(super) const CENTRE: u8 = 1;
/// Hosts have those from here on.
const FIRST_HOST: u8 = 2;

/// What a host sees of its own, and what is in it; all of it belongs to the service's account. The
/// folders are of every machine (FHS 3.0).
const SEEN: [(&str, &str); 3] =
    [("/srv", "www/data"), ("/var/spool", "cron/crontabs"), ("/dev/shm", "")];

/// The hosts. Each sees nothing of the others, and of its own what is at [`SEEN`] only there: a sweep
/// of one must not find what is on another.
pub(super) const WEB: &str = "web-1";
pub(super) const DB: &str = "db-1";
pub(super) const BUILD: &str = "build-1";
const HOSTS: [&str; 3] = [WEB, DB, BUILD];
/// What they see in place of it.
const EMPTY: &str = "empty";

/// Documents of the staged web site.
pub(super) const DOCUMENTS: usize = 400;
/// Where they lie.
pub(super) const DOCUMENTS_AT: &str = "srv/www/data";

/// The account that the staged web server works as.
#[derive(Clone, Debug)]
pub(super) struct Account {
    /// Its name.
    pub(super) name: String,
    /// Its number, and its group's.
    pub(super) id: (u32, u32),
}

/// See the module.
pub(super) struct Site {
    outside: File,
    account: Account,
    hosts: u8,
    /// The demo's folder.
    folder: PathBuf,
}

/// A host of the site.
pub(super) struct Place {
    /// Its number in the network.
    pub(super) number: u8,
    /// Its namespaces.
    pub(super) apart: Apart,
    /// What it sees at [`SEEN`], below the same paths.
    pub(super) folder: PathBuf,
}

impl Site {
    /// The centre, which this thread is in from then on.
    ///
    /// # Errors
    /// When this user may not, or the kernel has no bridge: this thread is where it was.
    pub(super) fn make(folder: &Path) -> anyhow::Result<Self> {
        let outside = apart::own("net")?;
        let account = account()?;
        for name in HOSTS.iter().chain(&[EMPTY]) {
            fs::create_dir_all(folder.join(name)).context("make a host's folder")?;
        }
        let made = apart::enter_new_network().and_then(|()| {
            wire::bridge().context("make a bridge")?;
            wire::assign(wire::BRIDGE, CENTRE).context("give the centre its addresses")
        });
        if let Err(error) = made {
            setns(&outside, CloneFlags::CLONE_NEWNET).context("come back")?;
            return Err(error);
        }
        Ok(Self { outside, account, hosts: 0, folder: folder.to_owned() })
    }

    /// The machine's own network.
    ///
    /// # Errors
    /// When there are too many files.
    pub(super) fn outside(&self) -> anyhow::Result<File> {
        self.outside.try_clone().context("hold the machine's network")
    }

    /// Whom the staged web server works as.
    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    /// One more host; what it sees of its own lies in a folder of its name.
    ///
    /// # Errors
    /// What failed.
    pub(super) fn host(&mut self, name: &str) -> anyhow::Result<Place> {
        let folder = self.folder.join(name);
        let (user, group) = self.account.id;
        let mut binds = Vec::new();
        for (at, inner) in SEEN {
            let seen = folder.join(at.trim_start_matches('/'));
            let inner = seen.join(inner);
            fs::create_dir_all(&inner).context("make a host's folders")?;
            for it in inner.ancestors().take_while(|it| it.starts_with(&seen)) {
                chown(it, Some(user), Some(group)).context("hand a host's folders over")?;
                fs::set_permissions(it, Permissions::from_mode(0o755))?;
            }
            binds.push(Bind { folder: seen, at: at.into() });
        }
        let own = ["srv", "var", "dev"].map(|it| folder.join(it));
        let others = HOSTS.iter().filter(|it| **it != name).map(|it| self.folder.join(it));
        let empty = self.folder.join(EMPTY);
        binds.extend(own.into_iter().chain(others).map(|at| Bind { folder: empty.clone(), at }));
        self.documents(&folder)?;
        let number = FIRST_HOST + self.hosts;
        self.hosts += 1;
        let apart = Apart::host(name, &binds)?;
        plug(&apart, number)?;
        Ok(Place { number, apart, folder })
    }

    /// The far end.
    ///
    /// # Errors
    /// What failed.
    pub(super) fn far(&self) -> anyhow::Result<Far> {
        let apart = Apart::network()?;
        plug(&apart, far::NUMBER)?;
        Far::listen(&apart)
    }

    #[expect(clippy::disallowed_methods, reason = "nothing of it is to be durable")]
    fn documents(&self, folder: &Path) -> anyhow::Result<()> {
        let (user, group) = self.account.id;
        for number in 0..DOCUMENTS {
            let path = folder.join(DOCUMENTS_AT).join(format!("page-{number}.html"));
            fs::write(&path, format!("<p>page {number}</p>\n")).context("write a document")?;
            chown(&path, Some(user), Some(group)).context("hand a document over")?;
        }
        Ok(())
    }
}

impl Place {
    /// Where a file of the host lies for us.
    pub(super) fn path(&self, on_host: &str) -> PathBuf {
        self.folder.join(on_host.trim_start_matches('/'))
    }
}

/// Folders whose files a host's agent watches.
pub(super) fn watched() -> impl Iterator<Item = &'static str> {
    SEEN.iter().map(|(at, _)| *at)
}

/// Wires a network to the centre, which this thread is in.
fn plug(apart: &Apart, number: u8) -> anyhow::Result<()> {
    wire::to(&format!("port{number}"), apart.network_file()).context("wire a host")?;
    apart.within(|| {
        wire::assign(wire::HOST_END, number).context("give a host its addresses")?;
        wire::up(wire::HOST_END).context("set a host's device up")
    })
}

/// A service's account, as every Debian has it; `nobody` elsewhere.
fn account() -> anyhow::Result<Account> {
    let text = fs::read_to_string("/etc/passwd").context("read the accounts")?;
    let find = |name: &str| {
        let line = text.lines().find(|it| it.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map(str::parse);
        let id = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        Some(Account { name: name.to_owned(), id })
    };
    find("www-data").or_else(|| find("nobody")).context("find an account for a web server")
}
