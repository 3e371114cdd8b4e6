//! Randomness as a parameter: who needs a random number takes an [`Entropy`].

use std::{fmt, sync::Mutex};

use aws_lc_rs::rand;

use crate::digest::Sha256;

/// Gives random bytes.
pub trait Entropy: Send + Sync + fmt::Debug {
    /// Fills `bytes`, whatever their number.
    fn fill(&self, bytes: &mut [u8]);
}

/// The provider's generator, seeded by the kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        // The generator fails only when the kernel has no randomness to seed it with: there is no
        // safe way on from there, and every id and key after it would be guessable.
        rand::fill(bytes).expect("the kernel gives randomness");
    }
}

/// The same bytes for the same seed: for tests, so that a failing run can be replayed.
#[derive(Debug)]
pub struct SeededEntropy {
    state: Mutex<(u64, u64)>,
}

impl SeededEntropy {
    /// Begins the stream of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: Mutex::new((seed, 0)) }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for chunk in bytes.chunks_mut(32) {
            let mut block = [0; 16];
            block[..8].copy_from_slice(&state.0.to_le_bytes());
            block[8..].copy_from_slice(&state.1.to_le_bytes());
            state.1 = state.1.wrapping_add(1);
            let digest = Sha256::of(&block);
            chunk.copy_from_slice(&digest.as_bytes()[..chunk.len()]);
        }
    }
}
