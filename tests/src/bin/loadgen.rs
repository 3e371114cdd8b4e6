//! Many agents' worth of sessions against a collector; comes with the sessions themselves.

fn main() {}
