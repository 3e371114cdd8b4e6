//! Processes, file identities and endpoints ↔ wire: what events of all kinds point at.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use bytes::Bytes;
use cordon_proto::v1;
use prost::Message;

use super::{
    Reader, Writer,
    process::{credentials_from, credentials_to},
};
use crate::{
    digest::Sha256,
    event::{file::Identity, process::Process},
    id::ProcessKey,
    limit,
    time::Timestamp,
    wire::{WireError, refuse},
};

impl Writer {
    /// Index of a process in the table.
    pub(super) fn actor(&mut self, process: Option<&Arc<Process>>) -> u32 {
        let Some(process) = process else { return 0 };
        if let Some(index) = self.processes.get(process) {
            return *index;
        }
        let wire = v1::Process {
            key: Some(key_to(process.key)),
            exec_count: process.exec_count,
            exe: self.text(&process.exe),
            exe_sha256: self.digest(process.exe_sha256.as_ref()),
            argv: process.argv.iter().map(|it| self.text(it)).collect(),
            cwd: self.text(&process.cwd),
            credentials: process.credentials.as_ref().map(credentials_to),
            user: self.text(&process.user),
            cgroup: self.text(&process.cgroup),
            container: self.text(&process.container),
            parent: process.parent.map(key_to),
            namespace_pid: process.namespace_pid.unwrap_or(0),
            comm: self.text(&process.comm),
        };
        self.raw_bytes += wire.encoded_len() + 4;
        self.body.processes.push(wire);
        let index = u32::try_from(self.body.processes.len()).unwrap_or(0);
        self.processes.insert(Arc::clone(process), index);
        index
    }

    pub(super) fn digest(&mut self, digest: Option<&Sha256>) -> u32 {
        digest.map_or(0, |it| self.bytes(Bytes::copy_from_slice(it.as_bytes())))
    }

    pub(super) fn endpoint(&mut self, address: IpAddr, port: u16) -> v1::Endpoint {
        let bytes = match address {
            IpAddr::V4(it) => Bytes::copy_from_slice(&it.octets()),
            IpAddr::V6(it) => Bytes::copy_from_slice(&it.octets()),
        };
        v1::Endpoint { address: self.bytes(bytes), port: u32::from(port) }
    }
}

impl Reader<'_> {
    pub(super) fn actor(
        &self,
        field: &'static str,
        index: u32,
    ) -> Result<Option<Arc<Process>>, WireError> {
        if index == 0 {
            return Ok(None);
        }
        match self.processes.get(index as usize - 1) {
            Some(process) => Ok(Some(Arc::clone(process))),
            None => refuse(field, "an index into `processes`"),
        }
    }

    pub(super) fn process(&self, wire: &v1::Process) -> Result<Process, WireError> {
        if wire.argv.len() > limit::ARGV_COUNT_MAX {
            return refuse("argv", "at most 512 arguments");
        }
        let mut argv = Vec::with_capacity(wire.argv.len());
        for index in &wire.argv {
            argv.push(self.text("argv", *index)?);
        }
        let parent = match &wire.parent {
            None => None,
            parent => Some(key_from("parent", parent.as_ref())?),
        };
        Ok(Process {
            key: key_from("key", wire.key.as_ref())?,
            exec_count: wire.exec_count,
            exe: self.text("exe", wire.exe)?,
            exe_sha256: self.digest("exe_sha256", wire.exe_sha256)?,
            argv,
            cwd: self.text("cwd", wire.cwd)?,
            credentials: wire.credentials.as_ref().map(credentials_from),
            user: self.text("user", wire.user)?,
            cgroup: self.text("cgroup", wire.cgroup)?,
            container: self.text("container", wire.container)?,
            parent,
            namespace_pid: (wire.namespace_pid != 0).then_some(wire.namespace_pid),
            comm: self.text("comm", wire.comm)?,
        })
    }

    pub(super) fn digest(
        &self,
        field: &'static str,
        index: u32,
    ) -> Result<Option<Sha256>, WireError> {
        let text = self.text(field, index)?;
        if text.is_empty() {
            return Ok(None);
        }
        match Sha256::from_slice(text.as_bytes()) {
            Some(digest) => Ok(Some(digest)),
            None => refuse(field, "32 bytes"),
        }
    }

    pub(super) fn endpoint(
        &self,
        field: &'static str,
        wire: Option<&v1::Endpoint>,
    ) -> Result<(IpAddr, u16), WireError> {
        let Some(wire) = wire else { return refuse(field, "present") };
        let text = self.text(field, wire.address)?;
        let address = if let Ok(octets) = <[u8; 4]>::try_from(text.as_bytes()) {
            IpAddr::V4(Ipv4Addr::from(octets))
        } else if let Ok(octets) = <[u8; 16]>::try_from(text.as_bytes()) {
            IpAddr::V6(Ipv6Addr::from(octets))
        } else {
            return refuse(field, "an address of 4 or 16 bytes");
        };
        match u16::try_from(wire.port) {
            Ok(port) => Ok((address, port)),
            Err(_) => refuse(field, "a port of at most 65535"),
        }
    }

    pub(super) fn socket(
        &self,
        field: &'static str,
        wire: Option<&v1::Endpoint>,
    ) -> Result<SocketAddr, WireError> {
        let (address, port) = self.endpoint(field, wire)?;
        Ok(SocketAddr::new(address, port))
    }
}

pub(super) fn key_to(key: ProcessKey) -> v1::ProcessKey {
    v1::ProcessKey { pid: key.pid, start_ticks: key.start_ticks }
}

pub(super) fn key_from(
    field: &'static str,
    wire: Option<&v1::ProcessKey>,
) -> Result<ProcessKey, WireError> {
    match wire {
        Some(it) if it.pid != 0 => Ok(ProcessKey { pid: it.pid, start_ticks: it.start_ticks }),
        _ => refuse(field, "a pid of at least 1 and its start time"),
    }
}

pub(super) fn identity_to(it: &Identity) -> v1::FileIdentity {
    v1::FileIdentity {
        device: it.device,
        inode: it.inode,
        ctime_ns: it.ctime.as_ns(),
        mtime_ns: it.mtime.as_ns(),
        size_bytes: it.size_bytes,
        mode: it.mode,
        owner_uid: it.owner_uid,
        owner_gid: it.owner_gid,
        links: it.links,
    }
}

pub(super) fn identity_from(wire: &v1::FileIdentity) -> Identity {
    Identity {
        device: wire.device,
        inode: wire.inode,
        ctime: Timestamp::from_ns(wire.ctime_ns),
        mtime: Timestamp::from_ns(wire.mtime_ns),
        size_bytes: wire.size_bytes,
        mode: wire.mode,
        owner_uid: wire.owner_uid,
        owner_gid: wire.owner_gid,
        links: wire.links,
    }
}
