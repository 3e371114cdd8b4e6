//! Round trips, cuts, bombs.
