//! Loads an object's programs and attaches them, or finds them running from before.
//!
//! In: an [`Object`], the scope, where to pin. Out: [`Loaded`]: the maps, open, and the programs
//! recording into them. Whether the host offers this tier is found out by loading, never by reading
//! the kernel's configuration.
//!
//! A pinned set is taken over when it was made from the same object for the same scope and was
//! completed; any other is removed and made anew, and what lay unread in its ring is counted.

use std::{
    error::Error,
    fs, io,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use aya::{
    Btf, Ebpf, EbpfLoader,
    maps::{Map, MapData},
    programs::{
        BtfTracePoint, Program as Kernel, ProgramFd, ProgramInfo, TracePoint,
        links::{FdLink, PinnedLink},
    },
};
use cordon_shared::{
    digest::Hasher,
    entropy::Entropy,
    id::Epoch,
    time::{Boottime, Clock},
};

use super::{
    drops::Declared,
    maps::{Config, Maps, from_map},
    pins,
    program::{Hook, Need, Object, Program},
    record,
    refusal::{self, broken},
    ring::Ring,
};
use crate::sensor::{SensorError, scope::Scope};

/// What to load, and for whom.
#[derive(Debug)]
pub struct Settings<'a> {
    /// Which programs.
    pub object: &'static Object,
    /// Whose doings they record.
    pub scope: &'a Scope,
    /// The agent's folder of pins ([`pins::folder`]); `None`: the programs end with the process.
    pub pins: Option<&'a Path>,
    /// Bytes of the ring instead of the object's own: a power of two, at least 64 KiB.
    pub ring_bytes: Option<u32>,
    /// For the moment at which recording began.
    pub clock: &'a dyn Clock,
    /// For the generation's number.
    pub entropy: &'a dyn Entropy,
}

/// Programs that record, and their maps.
#[derive(Debug)]
pub struct Loaded {
    /// What they record into.
    pub ring: Ring,
    /// The rest of what is shared with them.
    pub maps: Maps,
    /// This making of the ring: random, never 0, the same for all who open the same pins.
    pub generation: u64,
    /// Where the programs came from.
    pub origin: Origin,
    /// What is not seen for want of an optional program, for people.
    pub lacks: Vec<String>,
    /// Keeps the programs running.
    pub held: Held,
}

/// Keeps programs running as long as it lives, even if somebody removes their pins (F-47).
#[derive(Debug)]
pub struct Held {
    /// Those without pins.
    unpinned: Option<Ebpf>,
    _links: Vec<PinnedLink>,
}

impl Held {
    /// Whether the programs end with it, because they were never pinned.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.unpinned.is_some()
    }
}

/// Where the programs came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// They were loaded now.
    Fresh,
    /// They were loaded now, and took the place of a pinned set that did not fit.
    Replaced {
        /// Records that nobody had read.
        unread: u64,
        /// When the first of these happened.
        since: Option<Boottime>,
    },
    /// They ran all the time.
    Resumed,
}

/// Takes over the pinned programs, or loads and attaches them.
///
/// # Errors
/// [`SensorError::Forbidden`] and [`SensorError::Unsupported`] say for people which program or step
/// the kernel refused; [`SensorError::Broken`] when the pins could not be read or removed.
pub fn load(settings: &Settings<'_>) -> Result<Loaded, SensorError> {
    let identity = identity(settings);
    let folder = settings.pins.map(|it| it.join(settings.object.name));
    let mut origin = Origin::Fresh;
    if let Some(folder) = &folder {
        match resume(folder, identity, settings) {
            Ok(Some(loaded)) => return Ok(loaded),
            Ok(None) => (),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (),
            Err(source) => return Err(broken("take over the pinned programs")(source)),
        }
        if folder.try_exists().map_err(broken("look for pinned programs"))? {
            origin = unread(folder);
            pins::remove_object(folder).map_err(broken("remove outdated pins"))?;
        }
        fs::create_dir_all(folder).map_err(|it| refusal::of("make the folder of pins", &it))?;
    }
    let loaded = fresh(settings, identity, folder.as_deref(), origin);
    if let (Err(_), Some(folder)) = (&loaded, &folder) {
        // Half a set is of no use to anybody. The error to tell is the first one; the next start
        // removes what this could not.
        if let Err(error) = pins::remove_object(folder) {
            tracing::warn!("failed to remove the pins in `{}`: {error}", folder.display());
        }
        // The agent's own folder goes too, unless another object is pinned there.
        if let Some(agent) = folder.parent()
            && let Err(error) = pins::remove_empty(agent)
        {
            tracing::warn!("failed to remove the folder `{}`: {error}", agent.display());
        }
    }
    loaded
}

/// What a set was made from: programs, scope and size of the ring. Two that agree may take each
/// other's place.
fn identity(settings: &Settings<'_>) -> u64 {
    let mut hasher = Hasher::default();
    hasher.update(settings.object.bytes);
    hasher.update(&ring_bytes(settings).to_le_bytes());
    if let Scope::Cgroup(it) = settings.scope {
        hasher.update(&it.id.to_le_bytes());
        hasher.update(&it.level.to_le_bytes());
    }
    let digest = hasher.finish();
    let (head, _) = digest.as_bytes().split_first_chunk().expect("a digest has 32 bytes");
    u64::from_le_bytes(*head)
}

fn ring_bytes(settings: &Settings<'_>) -> u32 {
    settings.ring_bytes.unwrap_or(settings.object.ring_bytes)
}

/// The pinned set in `folder`, when it is whole and was made from the same.
fn resume(folder: &Path, identity: u64, settings: &Settings<'_>) -> io::Result<Option<Loaded>> {
    let mut maps = Maps::open(|name| pinned(folder, name))?;
    let config = maps.config()?;
    if config.identity != identity || !config.is_ready {
        return Ok(None);
    }
    let (mut lacks, mut links) = (Vec::new(), Vec::new());
    for program in settings.object.programs {
        if !link_pin(folder, program).try_exists()? {
            match program.need {
                Need::Needed => return Ok(None),
                Need::Optional(without) => lacks.push(without.to_owned()),
            }
            continue;
        }
        links.push(PinnedLink::from_pin(link_pin(folder, program)).map_err(io::Error::other)?);
        let info = ProgramInfo::from_pin(program_pin(folder, program)).map_err(io::Error::other)?;
        maps.watch(info.fd().map_err(io::Error::other)?);
    }
    maps.begin(config, settings.scope)?;
    let ring = Ring::open(pinned(folder, "ring")?)?;
    let generation = config.generation;
    let held = Held { unpinned: None, _links: links };
    Ok(Some(Loaded { ring, maps, generation, origin: Origin::Resumed, lacks, held }))
}

/// How much an outdated set leaves unread. The head of a record is the same in every version.
fn unread(folder: &Path) -> Origin {
    let (mut unread, mut since) = (0, None);
    let mut count = || -> io::Result<()> {
        let mut ring = Ring::open(pinned(folder, "ring")?)?;
        let from = ring.committed();
        ring.read(from, &mut |_after, bytes| {
            unread += 1;
            since = since.or_else(|| record::head_at_ns(bytes).map(Boottime::from_ns));
            ControlFlow::Continue(())
        })?;
        Ok(())
    };
    if let Err(error) = count() {
        tracing::warn!("failed to count what lies unread in `{}`: {error}", folder.display());
    }
    Origin::Replaced { unread, since }
}

fn fresh(
    settings: &Settings<'_>,
    identity: u64,
    folder: Option<&Path>,
    origin: Origin,
) -> Result<Loaded, SensorError> {
    // Declared first, so that it outlives the loader that borrows it. The loader reads the kernel's
    // types by itself, which takes tens of megabytes: once at a time is enough.
    #[expect(clippy::needless_late_init, reason = "made here, it would not outlive the loader")]
    let btf;
    let mut loader = EbpfLoader::new();
    loader.btf(None);
    btf = Btf::from_sys_fs().map_err(|it| refusal::of("read the kernel's BTF", &it))?;
    loader.btf(Some(&btf)).map_max_entries("ring", ring_bytes(settings));
    let mut ebpf =
        loader.load(settings.object.bytes).map_err(|it| refusal::of("load the object", &it))?;
    let opened = Maps::open(|name| take(&mut ebpf, folder, name));
    let mut maps = opened.map_err(|it| refusal::of("make the maps", &it))?;
    let ring = take(&mut ebpf, folder, "ring").and_then(Ring::open);
    let ring = ring.map_err(|it| refusal::of("map the ring", &it))?;
    let (mut lacks, mut links) = (Vec::new(), Vec::new());
    for program in settings.object.programs {
        match (attach(&mut ebpf, &btf, program, folder), program.need) {
            (Ok((fd, link)), _) => {
                maps.watch(fd);
                links.extend(link);
            }
            (Err(error), Need::Needed) => return Err(error),
            (Err(error), Need::Optional(without)) => lacks.push(format!("{without}: {error}")),
        }
    }
    let begun = Declared::begun(settings.clock.boottime());
    maps.set_declared(begun).map_err(broken("keep what was declared"))?;
    let generation = Epoch::random(settings.entropy).as_u64();
    // A set that is found without it was never completed.
    let config = Config { generation, identity, is_ready: true };
    maps.begin(config, settings.scope).map_err(broken("configure the programs"))?;
    let held = Held { unpinned: folder.is_none().then_some(ebpf), _links: links };
    Ok(Loaded { ring, maps, generation, origin, lacks, held })
}

/// Loads and attaches one program. Its link and itself are pinned in `folder` afterwards; without
/// one, `ebpf` holds them.
fn attach(
    ebpf: &mut Ebpf,
    btf: &Btf,
    program: &Program,
    folder: Option<&Path>,
) -> Result<(ProgramFd, Option<PinnedLink>), SensorError> {
    let Some(kernel) = ebpf.program_mut(program.name) else {
        let message = format!("the object has no program `{}`", program.name);
        return Err(SensorError::Unsupported(message));
    };
    let is_pinned = folder.is_some();
    let link = match program.hook {
        Hook::BtfTracepoint(hook) => on_btf_tracepoint(kernel, btf, hook, is_pinned),
        Hook::Tracepoint(category, hook) => {
            pins::ensure_tracefs().map_err(|it| refusal::of("mount tracefs", &it))?;
            on_tracepoint(kernel, category, hook, is_pinned)
        }
    };
    let link = link.map_err(|it| refusal::of_program(program.name, it.as_ref()))?;
    let mut held = None;
    if let (Some(link), Some(folder)) = (link, folder) {
        let pinned = link.pin(link_pin(folder, program));
        held = Some(pinned.map_err(|it| refusal::of("pin a link", &it))?);
        let pinned = kernel.pin(program_pin(folder, program));
        pinned.map_err(|it| refusal::of("pin a program", &it))?;
    }
    let fd = kernel.fd().map_err(|it| refusal::of_program(program.name, &it))?;
    Ok((fd.try_clone().map_err(broken("keep a program open"))?, held))
}

/// The link, when `is_pinned` says that somebody else than the program is to hold it.
type Linked = Result<Option<FdLink>, Box<dyn Error>>;

fn on_btf_tracepoint(kernel: &mut Kernel, btf: &Btf, hook: &str, is_pinned: bool) -> Linked {
    let kernel: &mut BtfTracePoint = kernel.try_into()?;
    kernel.load(hook, btf)?;
    let id = kernel.attach()?;
    Ok(if is_pinned { Some(kernel.take_link(id)?.into()) } else { None })
}

fn on_tracepoint(kernel: &mut Kernel, category: &str, hook: &str, is_pinned: bool) -> Linked {
    let kernel: &mut TracePoint = kernel.try_into()?;
    kernel.load()?;
    let id = kernel.attach(category, hook)?;
    Ok(if is_pinned { Some(kernel.take_link(id)?.try_into()?) } else { None })
}

/// Takes the map `name` out of the object, and pins it.
fn take(ebpf: &mut Ebpf, folder: Option<&Path>, name: &str) -> io::Result<MapData> {
    let map = ebpf.take_map(name);
    let (Some(Map::Array(map)) | Some(Map::PerCpuArray(map)) | Some(Map::RingBuf(map))) = map
    else {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("no map `{name}`")));
    };
    if let Some(folder) = folder {
        map.pin(map_pin(folder, name)).map_err(io::Error::other)?;
    }
    Ok(map)
}

fn pinned(folder: &Path, name: &str) -> io::Result<MapData> {
    MapData::from_pin(map_pin(folder, name)).map_err(from_map)
}

fn map_pin(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("map_{name}"))
}

fn link_pin(folder: &Path, program: &Program) -> PathBuf {
    folder.join(format!("link_{}", program.name))
}

fn program_pin(folder: &Path, program: &Program) -> PathBuf {
    folder.join(format!("program_{}", program.name))
}
