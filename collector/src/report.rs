//! The report of an incident: what happened, when, where, what was done with which proof, and what
//! remains.
//!
//! At the end of the upper road: [`gather`] reads store and lake and makes [`model::Facts`]; all else
//! is pure. [`model::Report::of`] reads the clocks and says what remains, [`html`] and [`markdown`]
//! write it down, [`figure`] draws. What a report says is computed from what was recorded and never
//! typed; a phase that did not happen says "not yet", and `partial` stays partial (promise 2).
//!
//! What hosts said is hostile: it is kept as [`said::Said`], which shows what would hide or turn
//! text, and every writer escapes it. Lists have bounds and end in "and N more".

pub mod clock;

pub mod figure;

pub mod gather;

pub mod html;

pub mod markdown;

pub mod model;

pub mod remain;

pub mod said;

pub mod summary;

mod written;

#[cfg(test)]
pub(crate) mod tests;
