//! The verbs, one file for each noun.

pub(crate) mod audit;
pub(crate) mod case;
pub(crate) mod contain;
pub(crate) mod event;
pub(crate) mod fleet;
pub(crate) mod keyring;
pub(crate) mod login;
pub(crate) mod manual;
pub(crate) mod rule;
