//! Sockets of every network namespace that a process of this host is in, and who holds them; routes
//! and neighbours beside them.

use std::collections::{BTreeMap, HashMap};

use cordon_shared::text::Text;
use serde_json::json;

use super::{Take, link};
use crate::{
    sensor::procfs::{read_capped, socket},
    snapshot::draft::{Draft, Stop},
};

/// Network namespaces that are looked into (chosen: a host of containers; the rest is told of).
const NAMESPACES_MAX: usize = 64;

/// One list of one namespace.
const LIST_BYTES_MAX: usize = 8 << 20;

/// Lists with addresses and ports.
const INTERNET: [&str; 6] = ["tcp", "tcp6", "udp", "udp6", "raw", "raw6"];

/// What else the kernel shows of a network.
const OTHER: [&str; 6] = ["dev", "if_inet6", "route", "ipv6_route", "arp", "packet"];

impl Take<'_> {
    /// One process of each network namespace, by the namespace's name.
    fn namespaces(&self) -> BTreeMap<String, u32> {
        let mut found = BTreeMap::new();
        for pid in self.processes.keys() {
            let name = link(&self.ground.proc.join(pid.to_string()).join("ns/net"));
            if !name.is_empty() {
                found.entry(name.to_string()).or_insert(*pid);
            }
        }
        found
    }

    pub(super) fn sockets(&mut self, draft: &mut Draft) -> Result<(), Stop> {
        let owners = socket::owners(&self.ground.proc);
        let namespaces = self.namespaces();
        if namespaces.is_empty() {
            return Err(Stop::Failed("no network namespace may be read".to_owned()));
        }
        for (name, pid) in namespaces.iter().take(NAMESPACES_MAX) {
            self.go_on()?;
            for list in INTERNET {
                for line in self.lines(*pid, list) {
                    let Some(it) = socket::parse(&line) else { continue };
                    let state = line.split_ascii_whitespace().nth(3).unwrap_or_default();
                    draft.line(&json!({
                        "namespace": name,
                        "protocol": list,
                        "local": it.local.to_string(),
                        "remote": it.remote.to_string(),
                        "state": state_name(list, state),
                        "inode": it.inode,
                        "pid": owners.get(&it.inode),
                    }))?;
                }
            }
            self.local_sockets((name, *pid), &owners, draft)?;
        }
        if namespaces.len() > NAMESPACES_MAX {
            draft.lacks(format!("{} network namespaces more", namespaces.len() - NAMESPACES_MAX));
        }
        Ok(())
    }

    /// `Num RefCount Protocol Flags Type St Inode Path` (proc(5)).
    fn local_sockets(
        &self,
        (name, pid): (&str, u32),
        owners: &HashMap<u64, u32>,
        draft: &mut Draft,
    ) -> Result<(), Stop> {
        for line in self.lines(pid, "unix") {
            let mut fields = line.split_ascii_whitespace().skip(4);
            let (Some(kind), Some(state), Some(inode)) =
                (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let Ok(inode) = inode.parse::<u64>() else { continue };
            let path = fields.next().unwrap_or_default();
            draft.line(&json!({
                "namespace": name,
                "protocol": "unix",
                "type": kind,
                "state": state,
                "path": Text::from(path).to_string(),
                "inode": inode,
                "pid": owners.get(&inode),
            }))?;
        }
        Ok(())
    }

    /// A list without its heading.
    fn lines(&self, pid: u32, list: &str) -> Vec<String> {
        let path = self.ground.proc.join(pid.to_string()).join("net").join(list);
        let bytes = read_capped(&path, LIST_BYTES_MAX).unwrap_or_default();
        String::from_utf8_lossy(&bytes).lines().skip(1).map(str::to_owned).collect()
    }

    pub(super) fn network(&mut self, draft: &mut Draft) -> Result<(), Stop> {
        for (name, pid) in self.namespaces().into_iter().take(NAMESPACES_MAX) {
            self.go_on()?;
            for list in OTHER {
                let path = self.ground.proc.join(pid.to_string()).join("net").join(list);
                if let Ok(bytes) = read_capped(&path, LIST_BYTES_MAX) {
                    draft.raw(format!("# {name} {list}\n").as_bytes())?;
                    draft.raw(&bytes)?;
                }
            }
        }
        Ok(())
    }
}

/// Names of `include/net/tcp_states.h`; the number where a protocol has none.
fn state_name(list: &str, number: &str) -> String {
    let names = [
        "established",
        "syn_sent",
        "syn_recv",
        "fin_wait1",
        "fin_wait2",
        "time_wait",
        "close",
        "close_wait",
        "last_ack",
        "listen",
        "closing",
        "new_syn_recv",
    ];
    let index = usize::from_str_radix(number, 16).ok().and_then(|it| it.checked_sub(1));
    let name = index.and_then(|it| names.get(it)).filter(|_| list.starts_with("tcp"));
    name.map_or_else(|| number.to_ascii_lowercase(), |it| (*it).to_owned())
}
