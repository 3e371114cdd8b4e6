//! Launch, exit, change of credentials, ptrace ↔ wire.

use std::sync::Arc;

use cordon_proto::v1;

use super::{super::kinds, Reader, Writer};
use crate::{
    event::process::{
        Ancestor, CredentialChange, Credentials, DescriptorKind, Ending, Exit, HashState, Launch,
        Process, Ptrace,
    },
    limit,
    wire::{WireError, refuse},
};

impl Writer {
    pub(super) fn launch(&mut self, it: &Launch) -> v1::ProcessLaunch {
        let ancestry = it.ancestry.iter().map(|step| v1::Ancestor {
            key: Some(super::actor::key_to(step.key)),
            exe: self.text(&step.exe),
        });
        let ancestry = ancestry.collect();
        let descriptors = it.descriptors.iter().flatten().map(|kind| kinds::descriptor_to(*kind));
        v1::ProcessLaunch {
            process: self.actor(Some(&it.process)),
            parent: self.actor(it.parent.as_ref()),
            ancestry,
            exe_file: it.exe_file.as_ref().map(super::actor::identity_to),
            exe_kind: kinds::executable_to(it.exe_kind),
            hash_state: kinds::hash_to(it.hash_state),
            descriptors: descriptors.collect(),
            argv_bytes_cut: it.argv_bytes_cut,
            is_running_at_start: it.is_running_at_start,
        }
    }

    pub(super) fn exit(&mut self, it: &Exit) -> v1::ProcessExit {
        let (exit_code, signal, has_dumped_core) = match it.ending {
            Ending::Code(code) => (Some(u32::from(code)), 0, false),
            Ending::Signal { number, has_dumped_core } => {
                (None, u32::from(number), has_dumped_core)
            }
            Ending::Unknown => (None, 0, false),
        };
        let process = self.actor(Some(&it.process));
        v1::ProcessExit { process, exit_code, signal, has_dumped_core }
    }

    pub(super) fn credential_change(&mut self, it: &CredentialChange) -> v1::CredentialChange {
        v1::CredentialChange {
            process: self.actor(Some(&it.process)),
            before: Some(credentials_to(&it.before)),
            after: Some(credentials_to(&it.after)),
        }
    }

    pub(super) fn ptrace(&mut self, it: &Ptrace) -> v1::Ptrace {
        v1::Ptrace {
            tracer: self.actor(Some(&it.tracer)),
            target: self.actor(Some(&it.target)),
            request: it.request,
        }
    }
}

impl Reader<'_> {
    pub(super) fn launch(&self, wire: &v1::ProcessLaunch) -> Result<Launch, WireError> {
        let process = self.known("process", wire.process)?;
        let hash_state = kinds::hash_from(wire.hash_state)?;
        if (hash_state == HashState::Known) != process.exe_sha256.is_some() {
            return refuse("hash_state", "KNOWN exactly when the digest is there");
        }
        if wire.ancestry.len() > limit::ANCESTRY_MAX {
            return refuse("ancestry", "at most 16 steps");
        }
        let mut ancestry = Vec::with_capacity(wire.ancestry.len());
        for step in &wire.ancestry {
            let key = super::actor::key_from("ancestry.key", step.key.as_ref())?;
            ancestry.push(Ancestor { key, exe: self.text("ancestry.exe", step.exe)? });
        }
        Ok(Launch {
            process,
            parent: self.actor("parent", wire.parent)?,
            ancestry,
            exe_file: wire.exe_file.as_ref().map(super::actor::identity_from),
            exe_kind: kinds::executable_from(wire.exe_kind)?,
            hash_state,
            descriptors: descriptors_from(&wire.descriptors)?,
            argv_bytes_cut: wire.argv_bytes_cut,
            is_running_at_start: wire.is_running_at_start,
        })
    }

    pub(super) fn exit(&self, wire: &v1::ProcessExit) -> Result<Exit, WireError> {
        let byte = |field, number: u32| match u8::try_from(number) {
            Ok(byte) => Ok(byte),
            Err(_) => refuse(field, "at most 255"),
        };
        let ending = match (wire.exit_code, wire.signal) {
            (Some(code), 0) => Ending::Code(byte("exit_code", code)?),
            (None, 0) => Ending::Unknown,
            (None, number) => Ending::Signal {
                number: byte("signal", number)?,
                has_dumped_core: wire.has_dumped_core,
            },
            (Some(_), _) => return refuse("exit_code", "absent when a signal is there"),
        };
        Ok(Exit { process: self.known("process", wire.process)?, ending })
    }

    pub(super) fn credential_change(
        &self,
        wire: &v1::CredentialChange,
    ) -> Result<CredentialChange, WireError> {
        let (Some(before), Some(after)) = (&wire.before, &wire.after) else {
            return refuse("before, after", "present");
        };
        Ok(CredentialChange {
            process: self.known("process", wire.process)?,
            before: credentials_from(before),
            after: credentials_from(after),
        })
    }

    pub(super) fn ptrace(&self, wire: &v1::Ptrace) -> Result<Ptrace, WireError> {
        let tracer = self.known("tracer", wire.tracer)?;
        let target = self.known("target", wire.target)?;
        Ok(Ptrace { tracer, target, request: wire.request })
    }

    fn known(&self, field: &'static str, index: u32) -> Result<Arc<Process>, WireError> {
        match self.actor(field, index)? {
            Some(process) => Ok(process),
            None => refuse(field, "present"),
        }
    }
}

fn descriptors_from(wire: &[i32]) -> Result<Option<[DescriptorKind; 3]>, WireError> {
    match *wire {
        [] => Ok(None),
        [stdin, stdout, stderr] => Ok(Some([
            kinds::descriptor_from(stdin)?,
            kinds::descriptor_from(stdout)?,
            kinds::descriptor_from(stderr)?,
        ])),
        _ => refuse("descriptors", "none or three"),
    }
}

pub(super) fn credentials_to(it: &Credentials) -> v1::Credentials {
    v1::Credentials {
        uid: it.uid,
        euid: it.euid,
        gid: it.gid,
        egid: it.egid,
        auid: it.auid,
        session: it.session,
        capabilities: it.capabilities,
    }
}

pub(super) fn credentials_from(wire: &v1::Credentials) -> Credentials {
    Credentials {
        uid: wire.uid,
        euid: wire.euid,
        gid: wire.gid,
        egid: wire.egid,
        auid: wire.auid,
        session: wire.session,
        capabilities: wire.capabilities,
    }
}
