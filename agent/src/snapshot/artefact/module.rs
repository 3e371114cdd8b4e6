//! The kernel: what is mounted, which modules and BPF programs it runs, and the switches that turn a
//! file into code that it runs by itself.

use std::path::Path;

use aya::programs::{ProgramError, loaded_programs};
use cordon_shared::text::Text;
use serde_json::json;

use super::Take;
use crate::{
    sensor::procfs::read_capped,
    snapshot::draft::{Draft, Stop},
};

/// One file of `/proc`.
const FILE_BYTES_MAX: usize = 1 << 20;

/// Loaded programs that are listed (chosen: ten times what a host of containers has).
const PROGRAMS_MAX: usize = 4_096;

/// Under `/proc/sys/kernel`: what runs when a program crashes, a module is asked for, or a device
/// comes; and whether the kernel says that it is not itself any more.
const SWITCHES: [&str; 5] = ["tainted", "core_pattern", "modprobe", "modules_disabled", "hotplug"];

impl Take<'_> {
    pub(super) fn mounts(&self, draft: &mut Draft) -> Result<(), Stop> {
        let path = self.ground.proc.join("self/mountinfo");
        let bytes = read_capped(&path, FILE_BYTES_MAX);
        draft.raw(&bytes.map_err(|error| Stop::of("list of mounts", &error))?)
    }

    pub(super) fn modules(&self, draft: &mut Draft) -> Result<(), Stop> {
        for name in SWITCHES {
            let path = self.ground.proc.join("sys/kernel").join(name);
            if let Ok(bytes) = read_capped(&path, FILE_BYTES_MAX) {
                let value = Text::from(bytes.trim_ascii());
                draft.raw(format!("# {name}: {value}\n").as_bytes())?;
            }
        }
        let path: &Path = &self.ground.proc.join("modules");
        match read_capped(path, FILE_BYTES_MAX) {
            Ok(bytes) => draft.raw(&bytes),
            // A kernel without modules: the switches are all there is.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Stop::of("list of modules", &error)),
        }
    }

    pub(super) fn bpf(&self, draft: &mut Draft) -> Result<(), Stop> {
        for program in loaded_programs().take(PROGRAMS_MAX) {
            self.go_on()?;
            let it = match program {
                Ok(it) => it,
                // It was unloaded between two questions.
                Err(ProgramError::SyscallError(error))
                    if error.io_error.kind() == std::io::ErrorKind::NotFound =>
                {
                    continue;
                }
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    let cause = cause.unwrap_or_default();
                    return Err(Stop::Failed(format!("BPF programs: {error}: {cause}")));
                }
            };
            draft.line(&json!({
                "id": it.id(),
                "type": format!("{:?}", it.program_type()),
                "name": Text::from(it.name()).to_string(),
                "tag": format!("{:016x}", it.tag()),
                "created_by_uid": it.created_by_uid(),
                "map_ids": it.map_ids().ok().flatten(),
            }))?;
        }
        Ok(())
    }
}
