//! From an incident to commands: what is proposed, who must approve, what is signed and sent.
//!
//! Orders go down from here; receipts come back as facts on the other road. Nothing here can make a
//! host do what its keyring does not permit.

pub mod sign;
