//! The process tree, as far as it was seen.
//!
//! A process is named by pid and start time, so a reused pid is another process. An exit is kept for
//! [`GRACE`], so that what its files and connections did last still finds it, and for as long as it
//! has children here. When more than [`PROCESSES_MAX`] are known, those that ended first go first,
//! then those that were not asked for the longest.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use cordon_shared::{
    event::process::{Ancestor, Process},
    id::ProcessKey,
    limit,
    time::Boottime,
};

/// Processes that are known at one time (chosen: a busy build host has 2,000 alive and starts 500 a
/// second; at 500 bytes each this is 8 MB at the very most, and a tenth of it on a usual host).
pub const PROCESSES_MAX: usize = 16_384;

/// How long one that ended is kept (chosen: sensors hand over within a second).
const GRACE: Duration = Duration::from_secs(10);

/// What part goes at once when there are too many and none has ended: looking for the oldest costs
/// one pass.
const SHED_PART: usize = 8;

#[derive(Debug)]
struct Node {
    process: Arc<Process>,
    used: u64,
}

/// The tree.
#[derive(Debug, Default)]
pub struct Ancestry {
    nodes: HashMap<ProcessKey, Node>,
    newest: HashMap<u32, ProcessKey>,
    ended: VecDeque<(Boottime, ProcessKey)>,
    uses: u64,
}

impl Ancestry {
    /// Takes a process as it is after an exec, or as it was found running.
    pub fn launch(&mut self, process: Process) -> Arc<Process> {
        let key = process.key;
        let process = Arc::new(process);
        self.uses += 1;
        let node = Node { process: Arc::clone(&process), used: self.uses };
        self.nodes.insert(key, node);
        self.newest.insert(key.pid, key);
        self.shed();
        process
    }

    /// A child runs its parent's image until it execs.
    pub fn fork(&mut self, child: ProcessKey, parent: ProcessKey, _at: Boottime) {
        let like = self.get(parent);
        let like = like.map_or_else(|| Process::unknown(child), |it| Process::clone(&it));
        self.launch(Process { key: child, parent: Some(parent), exec_count: 0, ..like });
    }

    /// One ended: it stays for a while.
    pub fn exit(&mut self, key: ProcessKey, at: Boottime) {
        if self.nodes.contains_key(&key) {
            self.ended.push_back((at, key));
        }
    }

    /// Lets go of those that ended long enough ago.
    pub fn forget(&mut self, now: Boottime) {
        while self.ended.front().is_some_and(|(at, _)| now.since(*at) >= GRACE) {
            if let Some((_, key)) = self.ended.pop_front() {
                self.remove(key);
            }
        }
    }

    /// One process.
    pub fn get(&mut self, key: ProcessKey) -> Option<Arc<Process>> {
        self.uses += 1;
        let node = self.nodes.get_mut(&key)?;
        node.used = self.uses;
        Some(Arc::clone(&node.process))
    }

    /// Who had this pid last.
    #[must_use]
    pub fn newest(&self, pid: u32) -> Option<ProcessKey> {
        self.newest.get(&pid).copied()
    }

    /// The chain of parents, nearest first, as far as it is known and no longer than
    /// [`limit::ANCESTRY_MAX`]. The last may be a name alone.
    #[must_use]
    pub fn ancestors(&self, process: &Process) -> Vec<Ancestor> {
        let mut chain: Vec<Ancestor> = Vec::new();
        let mut next = process.parent;
        while let Some(key) = next {
            let is_ring = key == process.key || chain.iter().any(|it| it.key == key);
            if is_ring || chain.len() == limit::ANCESTRY_MAX {
                break;
            }
            let node = self.nodes.get(&key);
            let exe = node.map(|it| it.process.exe.clone()).unwrap_or_default();
            chain.push(Ancestor { key, exe });
            next = node.and_then(|it| it.process.parent);
        }
        chain
    }

    /// How many are known.
    #[must_use]
    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    fn remove(&mut self, key: ProcessKey) {
        self.nodes.remove(&key);
        if self.newest.get(&key.pid) == Some(&key) {
            self.newest.remove(&key.pid);
        }
    }

    fn shed(&mut self) {
        while self.nodes.len() > PROCESSES_MAX {
            if let Some((_, key)) = self.ended.pop_front() {
                self.remove(key);
                continue;
            }
            let mut by_use: Vec<_> = self.nodes.iter().map(|(key, it)| (it.used, *key)).collect();
            by_use.sort_unstable_by_key(|it| it.0);
            by_use.truncate(PROCESSES_MAX / SHED_PART);
            for (_, key) in by_use {
                self.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
