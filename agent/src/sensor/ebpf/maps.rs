//! What user space and the kernel programs share beside the ring: configuration, counters, and what
//! was declared of them. The values lie as `bpf/record.h` says.

use std::{
    fmt, fs, io,
    os::fd::{AsFd, AsRawFd},
};

use aya::{
    maps::{Array, Map, MapData, MapError, PerCpuArray},
    programs::ProgramFd,
};

use super::drops::Declared;
use crate::sensor::scope::Scope;

/// The maps.
pub struct Maps {
    config: Array<MapData, [u64; 6]>,
    drops: PerCpuArray<MapData, [u64; 2]>,
    asleep: Array<MapData, u32>,
    declared: Array<MapData, [u64; 5]>,
    /// For the runs that the kernel itself skipped.
    programs: Vec<ProgramFd>,
}

impl Maps {
    /// Opens the maps that `take` gives by name, and watches `programs` for runs that the kernel
    /// skipped.
    ///
    /// # Errors
    /// What `take` says, and what the kernel says of a map that is not what it should be.
    pub fn open(mut take: impl FnMut(&'static str) -> io::Result<MapData>) -> io::Result<Self> {
        let mut array = |name| take(name).map(Map::Array);
        Ok(Self {
            config: Array::try_from(array("config")?).map_err(from_map)?,
            asleep: Array::try_from(array("asleep")?).map_err(from_map)?,
            declared: Array::try_from(array("declared")?).map_err(from_map)?,
            drops: PerCpuArray::try_from(Map::PerCpuArray(take("drops")?)).map_err(from_map)?,
            programs: Vec::new(),
        })
    }

    /// Watches `program` for runs that the kernel skipped.
    pub fn watch(&mut self, program: ProgramFd) {
        self.programs.push(program);
    }

    /// What the programs go by.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn config(&self) -> io::Result<Config> {
        self.config.get(&0, 0).map(Config::from_words).map_err(from_map)
    }

    /// Lets the programs go by `config`, and by who this process is. From then on they record.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn begin(&mut self, config: Config, scope: &Scope) -> io::Result<()> {
        let own = own_key(&fs::read_to_string("/proc/self/stat")?)?;
        self.config.set(0, config.to_words(scope, own), 0).map_err(from_map)
    }

    /// Records that found the ring full, and runs of a program that the kernel skipped because it
    /// was running already on that processor: all since the programs were loaded.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn dropped(&self) -> io::Result<u64> {
        let counts = self.drops.get(&0, 0).map_err(from_map)?;
        let dropped: u64 = counts.iter().map(|[count, _last_ns]| count).sum();
        self.programs.iter().try_fold(dropped, |sum, it| Ok(sum.saturating_add(skipped(it)?)))
    }

    /// Asks the next record to wake the reader, or not to.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_asleep(&mut self, is_asleep: bool) -> io::Result<()> {
        self.asleep.set(0, u32::from(is_asleep), 0).map_err(from_map)
    }

    /// What was declared of the drops.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn declared(&self) -> io::Result<Declared> {
        self.declared.get(&0, 0).map(Declared::from_words).map_err(from_map)
    }

    /// Keeps what was declared.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_declared(&mut self, declared: Declared) -> io::Result<()> {
        self.declared.set(0, declared.to_words(), 0).map_err(from_map)
    }
}

impl fmt::Debug for Maps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Maps").finish_non_exhaustive()
    }
}

/// How a set of maps was made: a part of `struct config` in `bpf/record.h`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// This making of the maps: random, never 0.
    pub generation: u64,
    /// What it was made from.
    pub identity: u64,
    /// The making was completed, and the programs record.
    pub is_ready: bool,
}

impl Config {
    fn from_words([generation, identity, _cgroup, _start, _pid, is_ready]: [u64; 6]) -> Self {
        Self { generation, identity, is_ready: is_ready != 0 }
    }

    fn to_words(self, scope: &Scope, (pid, start_ticks): (u32, u64)) -> [u64; 6] {
        let (cgroup_id, level) = match scope {
            Scope::Host => (0, 0),
            Scope::Cgroup(it) => (it.id, it.level),
        };
        let pid_and_level = u64::from(pid) | u64::from(level) << 32;
        let is_ready = u64::from(self.is_ready);
        [self.generation, self.identity, cgroup_id, start_ticks, pid_and_level, is_ready]
    }
}

/// Pid and start, as the kernel's filter compares them: fields 1 and 22 of `/proc/self/stat`,
/// proc(5). In a pid namespace of its own the agent cannot know the outer pid and sees itself.
fn own_key(stat: &str) -> io::Result<(u32, u64)> {
    let parse = || {
        let pid = stat.split(' ').next()?.parse().ok()?;
        let (_name, rest) = stat.rsplit_once(") ")?;
        let start_ticks = rest.split(' ').nth(19)?.parse().ok()?;
        Some((pid, start_ticks))
    };
    parse().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "read /proc/self/stat"))
}

/// Runs of `program` that the kernel skipped because it ran already on that processor: the line
/// `recursion_misses` of its descriptor (kernel/bpf/syscall.c, `bpf_prog_show_fdinfo`; 5.12).
fn skipped(program: &ProgramFd) -> io::Result<u64> {
    let number = program.as_fd().as_raw_fd();
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{number}"))?;
    let value = text.lines().find_map(|line| line.strip_prefix("recursion_misses:"));
    Ok(value.and_then(|it| it.trim().parse().ok()).unwrap_or(0))
}

/// What the kernel says of a map.
pub(super) fn from_map(error: MapError) -> io::Error {
    if let MapError::SyscallError(error) = error { error.io_error } else { io::Error::other(error) }
}

#[cfg(test)]
mod tests {
    use super::own_key;

    #[test]
    fn a_name_with_blanks_and_brackets_does_not_shift_the_fields() {
        let stat = "71 (a) R b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20 21";
        assert_eq!(own_key(stat).ok(), Some((71, 4242)));
        assert!(own_key("71 (a").is_err());
    }
}
