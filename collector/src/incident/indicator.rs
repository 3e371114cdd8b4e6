//! What of a detected event is worth looking for elsewhere.
//!
//! On the road: the watch asks for each event that a rule matched; the store keeps the answer with the
//! incident, joins incidents by it, and gates ask the fleet for it. Pure. What every machine has (a
//! shell's own program, a loopback address) is no indicator: it would tie all incidents into one.

use std::net::IpAddr;

use cordon_shared::{
    event::{Body, Event, file, process::Process},
    incident::{Indicator, IndicatorKind},
};

/// Where a system keeps what it came with; programs there are everybody's.
const COMMON_PLACES: &[&[u8]] =
    &[b"/usr/", b"/bin/", b"/sbin/", b"/lib", b"/etc/", b"/opt/", b"/proc/", b"/sys/", b"/snap/"];

/// Where a file's name alone says something: anybody may write there, and little belongs there.
const ODD_PLACES: &[&[u8]] = &[b"/tmp/", b"/var/tmp/", b"/dev/shm/"];

/// The indicators of an event; of each thing its contents, or where they are not known its odd place.
#[must_use]
pub fn of(event: &Event) -> Vec<Indicator> {
    let mut found = Vec::new();
    if let Body::ProcessLaunch(launch) = &event.body {
        found.extend(program(&launch.process));
    } else if let Body::FileChange(change) = &event.body {
        found.extend(change.actor.as_deref().and_then(program));
        found.extend(written(change));
    } else if let Body::Connection(connection) = &event.body {
        found.extend(connection.actor.as_deref().and_then(program));
        found.extend(remote(connection.remote.ip()));
    }
    found
}

/// The program of a process, unless it is one that everybody has.
fn program(process: &Process) -> Option<Indicator> {
    let path = process.exe.as_bytes();
    if path.is_empty() || is_below(path, COMMON_PLACES) {
        return None;
    }
    match process.exe_sha256 {
        Some(digest) => Some(Indicator::sha256(digest)),
        None => odd(path),
    }
}

/// A file that came to be, or got other contents.
fn written(change: &file::Change) -> Option<Indicator> {
    let is_gone = matches!(change.action, file::Action::Delete | file::Action::Attributes);
    if is_gone || change.is_directory {
        return None;
    }
    match change.sha256 {
        Some(digest) => Some(Indicator::sha256(digest)),
        None => odd(change.path.as_bytes()),
    }
}

fn odd(path: &[u8]) -> Option<Indicator> {
    let text = std::str::from_utf8(path).ok().filter(|_| is_below(path, ODD_PLACES))?;
    Indicator::parse(IndicatorKind::Path, text)
}

/// An address that is one machine's and nobody's everywhere.
fn remote(address: IpAddr) -> Option<Indicator> {
    let is_common = match address.to_canonical() {
        IpAddr::V4(it) => {
            it.is_loopback()
                || it.is_unspecified()
                || it.is_multicast()
                || it.is_link_local()
                || it.is_broadcast()
        }
        IpAddr::V6(it) => {
            it.is_loopback()
                || it.is_unspecified()
                || it.is_multicast()
                || it.is_unicast_link_local()
        }
    };
    (!is_common).then(|| Indicator::address(address))
}

fn is_below(path: &[u8], places: &[&[u8]]) -> bool {
    places.iter().any(|it| path.starts_with(it))
}

#[cfg(test)]
mod tests;
