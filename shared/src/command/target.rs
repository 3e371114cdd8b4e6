//! Whom a command is for: a tree of digests whose root is signed, and each agent's path in it.
//!
//! ```text
//! leaf  SHA-256(0x00 ‖ agent id, 16 ‖ len(host name) as u16 big-endian ‖ host name ‖ len(tier) as u8 ‖ tier)
//! node  SHA-256(0x01 ‖ left, 32 ‖ right, 32)
//! row   the last node of an odd row goes up as it is
//! ```
//!
//! A leaf holds the host's name and tier as the person saw them when signing; the agent checks both
//! against its own, so that a collector cannot show one host and mean another. Leaves and nodes begin
//! with different bytes, so that neither can stand for the other (RFC 6962 section 2.1), and the
//! number of targets is signed, so that a path has one shape only.

use crate::{
    digest::{Hasher, Sha256},
    id::AgentId,
    limit,
};

/// The most targets of one command.
pub const TARGETS_MAX: usize = 1 << limit::TARGET_PROOF_MAX;

/// Bytes of a tier's name.
pub const TIER_BYTES_MAX: usize = 64;

/// One host as the person saw it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// Whose agent.
    pub agent: AgentId,
    /// Its name; at most 253 bytes.
    pub host_name: String,
    /// Its tier; at most 64 bytes.
    pub host_tier: String,
}

impl Target {
    fn leaf(&self) -> Sha256 {
        let mut hasher = Hasher::default();
        hasher.update(&[0]);
        hasher.update(self.agent.as_bytes());
        // Longer ones are refused where they come in; here they could only make a leaf of no host.
        hasher.update(&u16::try_from(self.host_name.len()).unwrap_or(u16::MAX).to_be_bytes());
        hasher.update(self.host_name.as_bytes());
        hasher.update(&[u8::try_from(self.host_tier.len()).unwrap_or(u8::MAX)]);
        hasher.update(self.host_tier.as_bytes());
        hasher.finish()
    }
}

/// What a command signs of its targets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Targets {
    /// How many: 1..=[`TARGETS_MAX`].
    pub count: u32,
    /// The root of their tree.
    pub root: Sha256,
}

/// One agent's place in the tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    /// The host's name as it was signed.
    pub host_name: String,
    /// Its tier as it was signed.
    pub host_tier: String,
    /// Which leaf.
    pub index: u32,
    /// The other side of each node on the way up; at most 20.
    pub siblings: Vec<Sha256>,
}

/// The tree over all targets of one command.
#[derive(Clone, Debug)]
pub struct Tree {
    targets: Vec<Target>,
    /// Leaves first, the root alone last.
    rows: Vec<Vec<Sha256>>,
}

impl Tree {
    /// Builds the tree; nothing when there is no target or there are more than [`TARGETS_MAX`].
    #[must_use]
    pub fn new(targets: Vec<Target>) -> Option<Self> {
        if targets.is_empty() || targets.len() > TARGETS_MAX {
            return None;
        }
        let mut rows = vec![targets.iter().map(Target::leaf).collect::<Vec<_>>()];
        while let Some(row) = rows.last().filter(|row| row.len() > 1) {
            rows.push(row.chunks(2).map(above).collect());
        }
        Some(Self { targets, rows })
    }

    /// What the command signs.
    ///
    /// # Panics
    /// Never: a tree has at least one leaf.
    #[must_use]
    pub fn root(&self) -> Targets {
        let root = self.rows.last().and_then(|row| row.first());
        Targets {
            count: u32::try_from(self.targets.len()).expect("`new` takes at most 2^20"),
            root: *root.expect("`new` refuses an empty tree"),
        }
    }

    /// Each target with its proof, in the order in which they were given.
    pub fn proofs(&self) -> impl Iterator<Item = (AgentId, Proof)> {
        self.targets.iter().enumerate().map(|(index, target)| {
            let proof = Proof {
                host_name: target.host_name.clone(),
                host_tier: target.host_tier.clone(),
                index: u32::try_from(index).unwrap_or(u32::MAX),
                siblings: self.siblings(index),
            };
            (target.agent, proof)
        })
    }

    fn siblings(&self, mut index: usize) -> Vec<Sha256> {
        let mut siblings = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            siblings.extend(row.get(index ^ 1));
            index /= 2;
        }
        siblings
    }
}

/// The node above one or two.
fn above(pair: &[Sha256]) -> Sha256 {
    match pair {
        [left, right] => node(left, right),
        // `chunks(2)` gives one or two; one goes up as it is.
        rest => rest.first().copied().unwrap_or_else(|| Sha256::of(b"")),
    }
}

fn node(left: &Sha256, right: &Sha256) -> Sha256 {
    let mut hasher = Hasher::default();
    hasher.update(&[1]);
    hasher.update(left.as_bytes());
    hasher.update(right.as_bytes());
    hasher.finish()
}

impl Proof {
    /// Whether `agent`, under the name and tier of this proof, is one of `targets`.
    #[must_use]
    pub fn holds(&self, agent: AgentId, targets: &Targets) -> bool {
        let (mut index, mut count) = (self.index, targets.count);
        if index >= count || self.siblings.len() > limit::TARGET_PROOF_MAX {
            return false;
        }
        let (host_name, host_tier) = (self.host_name.clone(), self.host_tier.clone());
        let mut digest = Target { agent, host_name, host_tier }.leaf();
        let mut siblings = self.siblings.iter();
        while count > 1 {
            let is_alone = index % 2 == 0 && index + 1 == count;
            if !is_alone {
                let Some(sibling) = siblings.next() else { return false };
                digest = match index % 2 {
                    0 => node(&digest, sibling),
                    _ => node(sibling, &digest),
                };
            }
            index /= 2;
            count = count.div_ceil(2);
        }
        siblings.next().is_none() && digest == targets.root
    }
}

#[cfg(test)]
mod tests;
