//! Cgroup path → container id. Pure.
//!
//! Every runtime names a container's cgroup after its id, 64 hexadecimal digits (OCI runtime
//! specification: an id is the runtime's own choice; these four all take SHA-256s or random bytes of
//! that length). What stands around it differs.

use cordon_shared::text::Text;

/// What may stand before and after the id in the last part of a path that has one.
///
/// | runtime | cgroup driver systemd | cgroup driver cgroupfs |
/// |---|---|---|
/// | Docker | `docker-ID.scope` | `/docker/ID` |
/// | containerd | `cri-containerd-ID.scope` | `/kubepods/…/ID` |
/// | CRI-O | `crio-ID.scope`, `crio-conmon-ID.scope` | `/crio-ID` |
/// | Podman | `libpod-ID.scope`, `libpod-ID.scope/container` | `/libpod_parent/libpod-ID` |
const AROUND: [(&str, &str); 10] = [
    ("docker-", ".scope"),
    ("cri-containerd-", ".scope"),
    ("containerd-", ".scope"),
    ("crio-conmon-", ".scope"),
    ("crio-", ".scope"),
    ("libpod-conmon-", ".scope"),
    ("libpod-", ".scope"),
    ("crio-", ""),
    ("libpod-", ""),
    ("", ""),
];

/// Digits of an id.
const ID_CHARS: usize = 64;

/// The container's id; empty outside containers. The innermost counts.
#[must_use]
pub fn id(cgroup: &Text) -> Text {
    let mut parts = cgroup.as_bytes().rsplit(|it| *it == b'/');
    parts.find_map(id_in).map_or(Text::EMPTY, Text::from)
}

fn id_in(part: &[u8]) -> Option<&[u8]> {
    let inner = |(before, after): &(&str, &str)| {
        part.strip_prefix(before.as_bytes())?.strip_suffix(after.as_bytes())
    };
    let is_id = |it: &&[u8]| it.len() == ID_CHARS && it.iter().all(u8::is_ascii_hexdigit);
    AROUND.iter().filter_map(inner).find(is_id)
}

#[cfg(test)]
mod tests {
    use cordon_shared::text::Text;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[track_caller]
    fn check(cgroup: &str, is_container: bool) {
        let id = super::id(&Text::from(cgroup.replace("ID", ID)));
        assert_eq!(id.to_string(), if is_container { ID } else { "" }, "{cgroup}");
    }

    #[test]
    fn containers_of_each_runtime_are_known() {
        for cgroup in [
            "/docker/ID",
            "/system.slice/docker-ID.scope",
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod7.slice/cri-containerd-ID.scope",
            "/kubepods/besteffort/pod9/ID",
            "/kubepods.slice/kubepods-pod1.slice/crio-ID.scope",
            "/machine.slice/libpod-ID.scope",
            "/machine.slice/libpod-ID.scope/container",
            "/libpod_parent/libpod-ID",
        ] {
            check(cgroup, true);
        }
    }

    #[test]
    fn everything_else_is_outside() {
        for cgroup in [
            "",
            "/",
            "/user.slice/user-0.slice/session-1.scope",
            "/docker/short",
            "/system.slice/docker-ID.service",
            "/system.slice/dockerID.scope",
        ] {
            check(cgroup, false);
        }
    }
}
