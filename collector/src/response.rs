//! From a detection to a command that is closed: what is decided, signed, sent, and what became of it.
//!
//! Orders go down from here; receipts come back as facts on the other road. Nothing here can make a
//! host do what its keyring does not permit.
//!
//! ```text
//! watch ─▶ decide ─▶ sign ─▶ store (command, outbox) ─▶ dispatch ─▶ gateway
//!            ▲ ring                       ▲ closed, expired
//!            keyring     API ─▶ admit ─┘ (signed by people)
//!                                     reconcile ◀─ receipt (an event) ◀─ watch
//! ```

pub mod ring;

pub mod decide;

pub mod sign;

pub mod admit;

pub mod dispatch;

pub mod lease;

pub mod reconcile;
