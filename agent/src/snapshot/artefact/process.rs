//! Processes: what they run, with which arguments, what they have open and mapped.
//!
//! Of the environment only the names are taken: values hold passwords and keys, and whoever may read
//! evidence need not be who may use those. Arguments are taken whole, as the agent's events have them.

use std::{fs, io, path::PathBuf};

use cordon_shared::{
    event::process::{Credentials, Process},
    id::ProcessKey,
    limit,
    text::Text,
};
use serde_json::{Value, json};

use super::{Take, digest::open_magic, link};
use crate::{
    sensor::procfs::{process as procfs, read_capped},
    snapshot::draft::{Draft, Stop},
};

/// Of an environment: names of variables beyond it are cut.
const ENVIRONMENT_BYTES_MAX: usize = 128 << 10;

/// Names of variables of one process.
const VARIABLES_MAX: usize = 512;

/// Of `/proc/PID/maps`: a program that maps ten thousand files.
const MAPS_BYTES_MAX: usize = 2 << 20;

/// Open files of one process.
const OPEN_MAX: usize = 4_096;

/// Of `/proc/PID/fdinfo/N`: the lines that matter come first.
const DESCRIPTOR_BYTES_MAX: usize = 512;

impl Take<'_> {
    pub(super) fn processes(&mut self, draft: &mut Draft) -> Result<(), Stop> {
        for key in self.processes.clone().into_values() {
            self.go_on()?;
            if let Some(value) = self.process(key) {
                draft.line(&value)?;
            }
        }
        Ok(())
    }

    /// `None` when it has ended.
    fn process(&mut self, key: ProcessKey) -> Option<Value> {
        let (process, argv_bytes_cut) = procfs::process(&self.ground.proc, key.pid)?;
        let folder = self.folder(key);
        let digest = match open_magic(&folder.join("exe")) {
            Ok((mut file, _)) => self.digests.of(&mut file, self.patience),
            Err(_) => Err("unreadable"),
        };
        let variables = self.variables(key);
        if process.key != key || !self.is_there(key) {
            return None;
        }
        let namespace = |name: &str| link(&folder.join("ns").join(name)).to_string();
        let Process { exe, argv, cwd, credentials, cgroup, parent, namespace_pid, comm, .. } =
            process;
        Some(json!({
            "pid": key.pid,
            "start_ticks": key.start_ticks,
            "process_uid": key.uid(self.kit.agent, self.kit.boot).to_string(),
            "parent_pid": parent.map(|it| it.pid),
            "parent_start_ticks": parent.map(|it| it.start_ticks),
            "namespace_pid": namespace_pid,
            "comm": comm.to_string(),
            "exe": exe.to_string(),
            "is_deleted": exe.as_bytes().ends_with(b" (deleted)"),
            "sha256": digest.ok().map(|it| it.to_string()),
            "sha256_state": digest.err().unwrap_or("known"),
            "argv": argv.iter().map(Text::to_string).collect::<Vec<_>>(),
            "argv_bytes_cut": argv_bytes_cut,
            "cwd": cwd.to_string(),
            "root": link(&folder.join("root")).to_string(),
            "credentials": credentials.as_ref().map(shown),
            "cgroup": cgroup.to_string(),
            "namespaces": {
                "mnt": namespace("mnt"),
                "net": namespace("net"),
                "pid": namespace("pid"),
                "user": namespace("user"),
            },
            "environment_names": variables,
        }))
    }

    fn folder(&self, key: ProcessKey) -> PathBuf {
        self.ground.proc.join(key.pid.to_string())
    }

    /// Names only: see the module.
    fn variables(&self, key: ProcessKey) -> Option<Vec<String>> {
        let path = self.folder(key).join("environ");
        let bytes = read_capped(&path, ENVIRONMENT_BYTES_MAX).ok()?;
        let variables = bytes.split(|it| *it == 0).filter(|it| !it.is_empty());
        let names = variables.take(VARIABLES_MAX).map(|it| {
            let name = it.split(|it| *it == b'=').next().unwrap_or_default();
            let name = name.get(..name.len().min(limit::HOST_FACT_CHARS_MAX)).unwrap_or_default();
            Text::from(name).to_string()
        });
        Some(names.collect())
    }

    pub(super) fn open_files(&mut self, draft: &mut Draft) -> Result<(), Stop> {
        let mut unread = 0_usize;
        for key in self.processes.values() {
            self.go_on()?;
            let folder = self.folder(*key);
            let entries = match fs::read_dir(folder.join("fd")) {
                Ok(entries) => entries,
                Err(error) => {
                    unread += usize::from(error.kind() == io::ErrorKind::PermissionDenied);
                    continue;
                }
            };
            let mut files = Vec::new();
            for entry in entries.flatten().take(OPEN_MAX) {
                let number = entry.file_name().to_string_lossy().into_owned();
                let about = folder.join("fdinfo").join(&number);
                let about = read_capped(&about, DESCRIPTOR_BYTES_MAX).unwrap_or_default();
                let about = String::from_utf8_lossy(&about);
                let flags = about.lines().find_map(|it| it.strip_prefix("flags:"));
                files.push(json!({
                    "fd": number.parse::<u32>().ok(),
                    "target": link(&entry.path()).to_string(),
                    "flags": flags.map(str::trim),
                }));
            }
            let is_ours = self.is_there(*key) && !files.is_empty();
            if is_ours {
                let start_ticks = key.start_ticks;
                draft.line(&json!({"pid": key.pid, "start_ticks": start_ticks, "open": files}))?;
            }
        }
        if unread > 0 {
            draft.lacks(format!("the open files of {unread} processes may not be read"));
        }
        Ok(())
    }

    pub(super) fn maps(&mut self, draft: &mut Draft) -> Result<(), Stop> {
        let mut unread = 0_usize;
        for key in self.processes.values() {
            self.go_on()?;
            let bytes = match read_capped(&self.folder(*key).join("maps"), MAPS_BYTES_MAX) {
                Ok(bytes) => bytes,
                Err(error) => {
                    unread += usize::from(error.kind() == io::ErrorKind::PermissionDenied);
                    continue;
                }
            };
            let is_whole = self.named.contains(key);
            let lines = bytes.split(|it| *it == b'\n').filter(|it| !it.is_empty());
            let kept = lines.filter(|it| is_whole || is_executable(it));
            let kept: Vec<_> = kept.map(|it| Text::from(it).to_string()).collect();
            if !kept.is_empty() && self.is_there(*key) {
                draft.line(&json!({
                    "pid": key.pid,
                    "start_ticks": key.start_ticks,
                    "is_whole": is_whole && bytes.len() < MAPS_BYTES_MAX,
                    "maps": kept,
                }))?;
            }
        }
        if unread > 0 {
            draft.lacks(format!("the mappings of {unread} processes may not be read"));
        }
        Ok(())
    }

    pub(super) fn executable(&mut self, number: u8, draft: &mut Draft) -> Result<(), Stop> {
        let index = usize::from(number).saturating_sub(1);
        let key = *self.named.get(index).ok_or(Stop::Absent("no such process".to_owned()))?;
        let gone = || Stop::Failed(format!("process {} has ended", key.pid));
        if !self.is_there(key) {
            return Err(gone());
        }
        let (mut file, _) = open_magic(&self.folder(key).join("exe"))
            .map_err(|error| Stop::Failed(format!("the executable of {}: {error}", key.pid)))?;
        // The link was followed by pid: it was this process's only if it is still there.
        if !self.is_there(key) {
            return Err(gone());
        }
        let mut chunk = vec![0; 64 << 10];
        loop {
            self.go_on()?;
            match io::Read::read(&mut file, &mut chunk) {
                Ok(0) => return Ok(()),
                Ok(count) => draft.raw(chunk.get(..count).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(Stop::Failed(error.to_string())),
            }
        }
    }
}

/// `address perms offset dev inode path` (proc(5)).
fn is_executable(line: &[u8]) -> bool {
    let perms = line.split(|it| *it == b' ').nth(1).unwrap_or_default();
    perms.contains(&b'x')
}

fn shown(it: &Credentials) -> Value {
    let known = |it: u32| (it != Credentials::UNSET).then_some(it);
    json!({
        "uid": it.uid,
        "euid": it.euid,
        "gid": it.gid,
        "egid": it.egid,
        "auid": known(it.auid),
        "session": known(it.session),
        "capabilities": format!("{:016x}", it.capabilities),
    })
}
