//! Launch, exit, change of credentials, ptrace.

use std::sync::Arc;

use crate::{digest::Sha256, id::ProcessKey, text::Text};

/// Who a process is to the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Credentials {
    /// Real user.
    pub uid: u32,
    /// Effective user.
    pub euid: u32,
    /// Real group.
    pub gid: u32,
    /// Effective group.
    pub egid: u32,
    /// Login user; [`Credentials::UNSET`] when none was set.
    pub auid: u32,
    /// Audit session; [`Credentials::UNSET`] when none was set.
    pub session: u32,
    /// Effective capabilities, a bit each (capabilities(7)).
    pub capabilities: u64,
}

impl Credentials {
    /// What the kernel writes where no login was recorded.
    pub const UNSET: u32 = u32::MAX;
}

/// A process as the actor or object of an event.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Process {
    /// Its name on this boot of this host.
    pub key: ProcessKey,
    /// Execs of this process so far.
    pub exec_count: u32,
    /// Path of the executable.
    pub exe: Text,
    /// Digest of the executable.
    pub exe_sha256: Option<Sha256>,
    /// Arguments, the program's name first.
    pub argv: Vec<Text>,
    /// Working directory.
    pub cwd: Text,
    /// Who it is to the kernel.
    pub credentials: Option<Credentials>,
    /// Account name of the real user.
    pub user: Text,
    /// Path under the cgroup v2 root.
    pub cgroup: Text,
    /// Container id; empty outside containers.
    pub container: Text,
    /// The process that forked it.
    pub parent: Option<ProcessKey>,
    /// As its own pid namespace counts, where that is not the initial one.
    pub namespace_pid: Option<u32>,
    /// The kernel's short name, 15 bytes at most.
    pub comm: Text,
}

impl Process {
    /// A process of which nothing but the key is known.
    #[must_use]
    pub fn unknown(key: ProcessKey) -> Self {
        Self {
            key,
            exec_count: 0,
            exe: Text::EMPTY,
            exe_sha256: None,
            argv: Vec::new(),
            cwd: Text::EMPTY,
            credentials: None,
            user: Text::EMPTY,
            cgroup: Text::EMPTY,
            container: Text::EMPTY,
            parent: None,
            namespace_pid: None,
            comm: Text::EMPTY,
        }
    }

    /// The arguments as one line, a space between each two.
    #[must_use]
    pub fn command_line(&self) -> Text {
        if let [one] = self.argv.as_slice() {
            return one.clone();
        }
        let mut line = Vec::with_capacity(self.argv.iter().map(|it| it.len() + 1).sum());
        for (index, argument) in self.argv.iter().enumerate() {
            if index > 0 {
                line.push(b' ');
            }
            line.extend_from_slice(argument.as_bytes());
        }
        line.into()
    }
}

/// One step of an ancestry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ancestor {
    /// Which process.
    pub key: ProcessKey,
    /// Path of its executable, when known.
    pub exe: Text,
}

/// What a descriptor leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DescriptorKind {
    /// Not open.
    Closed,
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A pipe or FIFO.
    Pipe,
    /// A socket.
    Socket,
    /// A terminal.
    Terminal,
    /// Another character or block device.
    Device,
    /// Anything else.
    Other,
}

impl DescriptorKind {
    /// The word that rules and the lake use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::File => "file",
            Self::Directory => "directory",
            Self::Pipe => "pipe",
            Self::Socket => "socket",
            Self::Terminal => "terminal",
            Self::Device => "device",
            Self::Other => "other",
        }
    }
}

/// Where the executed image came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExecutableKind {
    /// A file with a name.
    File,
    /// A file that was unlinked before or while it was launched.
    Deleted,
    /// Memory, `memfd_create(2)`.
    Memfd,
}

/// Whether a launch carries its executable's digest, and why not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HashState {
    /// It does.
    Known,
    /// The byte or time budget was used up.
    OverBudget,
    /// Gone, or another file, by the time it was opened.
    Vanished,
    /// Larger than the budget for one file.
    TooLarge,
    /// Opening or reading failed.
    Unreadable,
    /// The tier does not hash.
    NotTried,
}

/// An exec. A fork alone makes no launch.
#[derive(Clone, PartialEq, Debug)]
pub struct Launch {
    /// After the exec.
    pub process: Arc<Process>,
    /// Its parent, as far as known.
    pub parent: Option<Arc<Process>>,
    /// Nearest first; begins with the parent.
    pub ancestry: Vec<Ancestor>,
    /// The file that was executed.
    pub exe_file: Option<super::file::Identity>,
    /// Where the image came from.
    pub exe_kind: ExecutableKind,
    /// Whether `process.exe_sha256` is there, and why not.
    pub hash_state: HashState,
    /// Descriptors 0, 1 and 2; `None` when the tier does not know.
    pub descriptors: Option<[DescriptorKind; 3]>,
    /// Bytes of the arguments that did not fit.
    pub argv_bytes_cut: u32,
    /// It ran already when the sensor began.
    pub is_running_at_start: bool,
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// By itself, with this code.
    Code(u8),
    /// By a signal.
    Signal {
        /// Its number (signal(7)).
        number: u8,
        /// Whether the kernel wrote a core.
        has_dumped_core: bool,
    },
    /// The tier saw only that it is gone.
    Unknown,
}

/// The last thread of a process ended.
#[derive(Clone, PartialEq, Debug)]
pub struct Exit {
    /// Who ended.
    pub process: Arc<Process>,
    /// How.
    pub ending: Ending,
}

/// A process changed who it is.
#[derive(Clone, PartialEq, Debug)]
pub struct CredentialChange {
    /// Who, after the change.
    pub process: Arc<Process>,
    /// Before.
    pub before: Credentials,
    /// After.
    pub after: Credentials,
}

/// A process took hold of another.
#[derive(Clone, PartialEq, Debug)]
pub struct Ptrace {
    /// Who.
    pub tracer: Arc<Process>,
    /// Whom.
    pub target: Arc<Process>,
    /// As in ptrace(2).
    pub request: u64,
}
