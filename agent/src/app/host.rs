//! What this machine says of itself.

use std::{fs, io};

use cordon_shared::{id::BootId, limit, wire::session::HostFacts};

use super::StartError;

/// Looks at the machine.
///
/// # Errors
/// [`StartError::System`] when the kernel does not name this boot.
pub(super) fn facts() -> Result<HostFacts, StartError> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_err(|source| StartError::System { doing: "read the boot id", source })?;
    let boot = BootId::parse(&boot).ok_or_else(|| StartError::System {
        doing: "understand the boot id",
        source: io::ErrorKind::InvalidData.into(),
    })?;
    let names = rustix::system::uname();
    let name = cut(&names.nodename().to_string_lossy(), limit::HOST_NAME_CHARS_MAX);
    Ok(HostFacts {
        host_name: if name.is_empty() { "unnamed".to_owned() } else { name },
        machine_id: fact(&fs::read_to_string("/etc/machine-id").unwrap_or_default()),
        boot,
        os: fact(&os()),
        kernel: fact(&names.release().to_string_lossy()),
        architecture: fact(&names.machine().to_string_lossy()),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// `PRETTY_NAME` of os-release(5).
fn os() -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or_default().trim_matches('"').to_owned()
}

fn fact(text: &str) -> String {
    cut(text.trim(), limit::HOST_FACT_CHARS_MAX)
}

/// As much of a text as fits into so many bytes.
fn cut(text: &str, bytes_max: usize) -> String {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
