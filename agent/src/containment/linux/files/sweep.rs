//! A sweep: files of these paths, and files and running programs of these contents.
//!
//! It walks the roots without following a link or leaving a file system, and reads what it meets. What
//! it did not read is counted and said; where that is nothing, no finding means a clean host.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::ErrorKind,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use cordon_shared::{
    command::{action::Question, scope::FileIs},
    digest::Sha256,
    event::receipt::Finding,
    id::ProcessKey,
    limit,
    text::Text,
    time::Timestamp,
};

use super::{
    super::stat,
    Linux,
    place::{self, Opened},
};
use crate::containment::files::{FILE_BYTES_MAX, Files as _, Look, Over, Swept};

/// Folders that wait to be read (chosen: 100 bytes each).
const FOLDERS_MAX: usize = 65_536;

/// Bytes of the paths of all findings: a receipt has to fit the journal.
const FINDING_BYTES_MAX: usize = 64 << 10;

type Inode = (u64, u64);

struct Walk<'a> {
    door: &'a Linux,
    wanted: Vec<(u32, Sha256)>,
    over: Over<'a>,
    running: BTreeMap<Inode, Vec<ProcessKey>>,
    found: BTreeSet<Inode>,
    bytes: usize,
    untold: u64,
    unread: u64,
    first_unread: Option<Text>,
    swept: Swept,
}

pub(super) fn sweep(door: &Linux, questions: &[Question], over: Over<'_>) -> Swept {
    let mut walk = Walk {
        door,
        wanted: Vec::new(),
        over,
        running: BTreeMap::new(),
        found: BTreeSet::new(),
        bytes: 0,
        untold: 0,
        unread: 0,
        first_unread: None,
        swept: Swept::default(),
    };
    walk.processes();
    for (number, question) in (0_u32..).zip(questions) {
        match question {
            Question::Sha256(sha256) => walk.wanted.push((number, *sha256)),
            Question::Path(path) => walk.path(number, path),
            Question::Network(_) | Question::Domain(_) | Question::Yara(_) => {
                let open = format!("question {number} is not one that this agent answers");
                walk.swept.open.push(open);
            }
        }
    }
    if !walk.wanted.is_empty() {
        walk.roots();
        walk.programs();
    }
    walk.finish()
}

impl Walk<'_> {
    /// Who runs what.
    fn processes(&mut self) {
        let Ok(listed) = fs::read_dir("/proc") else {
            self.swept.open.push("processes could not be listed".to_owned());
            return;
        };
        for entry in listed.flatten() {
            let pid = entry.file_name().to_str().and_then(|it| it.parse::<u32>().ok());
            let Some(pid) = pid else { continue };
            let Ok(exe) = fs::metadata(format!("/proc/{pid}/exe")) else { continue };
            if let Ok(Some(stat)) = stat(pid) {
                let key = ProcessKey { pid, start_ticks: stat.start_ticks };
                self.running.entry((exe.dev(), exe.ino())).or_default().push(key);
            }
        }
    }

    fn path(&mut self, question: u32, path: &Text) {
        match self.door.look(path) {
            Look::Nothing => (),
            Look::File(found) => {
                let package = self.door.package(path).ok().flatten();
                let note = package.map_or_else(String::new, |it| format!("of package {}", it.name));
                let (size, at) = (found.size_bytes, found.attributes.modified);
                self.tell(question, &found.file, (size, at), &note);
            }
            Look::Not { what, .. } => self.swept.open.push(format!("{path} is {what}")),
        }
        self.swept.files += 1;
    }

    /// One finding for each process that runs it, or one.
    fn tell(&mut self, question: u32, file: &FileIs, about: (u64, Timestamp), note: &str) {
        let inode = (file.device, file.inode);
        self.found.insert(inode);
        let runners = self.running.get(&inode).cloned().unwrap_or_default();
        let of = |process| Finding {
            file: Some(file.clone()),
            size_bytes: about.0,
            modified: about.1,
            process,
            question,
            note: note.to_owned(),
        };
        let mut findings: Vec<_> = runners.into_iter().map(|it| of(Some(it))).collect();
        if findings.is_empty() {
            findings.push(of(None));
        }
        findings.into_iter().for_each(|it| self.push(it));
    }

    fn push(&mut self, finding: Finding) {
        self.bytes += finding.file.as_ref().map_or(0, |it| it.path.len()) + finding.note.len();
        let is_full = self.swept.findings.len() >= limit::RECEIPT_FINDINGS_MAX;
        if is_full || self.bytes > FINDING_BYTES_MAX {
            self.untold += 1;
        } else {
            self.swept.findings.push(finding);
        }
    }

    fn roots(&mut self) {
        let roots: BTreeSet<PathBuf> =
            self.door.roots.iter().filter_map(|it| fs::canonicalize(it).ok()).collect();
        let is_inner = |it: &PathBuf| it.ancestors().skip(1).any(|up| roots.contains(up));
        for root in roots.iter().filter(|it| !is_inner(it)) {
            let Ok(met) = fs::symlink_metadata(root) else { continue };
            self.tree(root.clone(), met.dev());
        }
    }

    fn tree(&mut self, root: PathBuf, device: u64) {
        let mut folders = vec![root];
        while let Some(folder) = folders.pop() {
            if let Some(why) = (self.over)() {
                self.swept.open.push(format!("{why}: {} and on was not read", folder.display()));
                return;
            }
            let Ok(listed) = fs::read_dir(&folder) else {
                self.miss(&folder);
                continue;
            };
            for entry in listed.flatten() {
                let (path, Ok(met)) = (entry.path(), entry.metadata()) else { continue };
                let is_left = met.is_file() && (self.over)().is_some();
                // What was taken away is nowhere any more.
                if met.is_dir() && path == self.door.quarantine {
                    continue;
                }
                let is_out = met.dev() != device || folders.len() >= FOLDERS_MAX;
                if is_left || (met.is_dir() && is_out) {
                    self.miss(&path);
                } else if met.is_file() {
                    self.file(&path);
                } else if met.is_dir() {
                    folders.push(path);
                }
            }
        }
    }

    fn file(&mut self, path: &Path) {
        let text = Text::from(path.as_os_str().as_bytes());
        let held = match place::open(&text) {
            Ok(Opened::File(held)) if held.size_bytes <= FILE_BYTES_MAX => held,
            Ok(Opened::File(_)) | Err(_) => return self.miss(path),
            // Gone meanwhile, or nothing that has contents.
            Ok(_) => return,
        };
        let Ok(sha256) = held.digest() else { return self.miss(path) };
        self.swept.files += 1;
        let hits = self.wanted.iter().filter(|it| it.1 == sha256).map(|it| it.0);
        for question in hits.collect::<Vec<_>>() {
            let (device, inode) = (held.device, held.inode);
            let file = FileIs { path: text.clone(), device, inode, sha256 };
            self.tell(question, &file, (held.size_bytes, modified(&held.file)), "");
        }
    }

    /// What runs and was not met as a file: elsewhere, or removed.
    fn programs(&mut self) {
        for (inode, keys) in self.running.clone() {
            let Some(first) = keys.first().filter(|_| !self.found.contains(&inode)) else {
                continue;
            };
            if (self.over)().is_some() {
                self.unread += 1;
                continue;
            }
            let exe = format!("/proc/{}/exe", first.pid);
            let held = match File::open(&exe) {
                Ok(file) => place::hold(file.into()),
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(_) => {
                    self.miss(Path::new(&exe));
                    continue;
                }
            };
            let held = held.ok().filter(|it| (it.device, it.inode) == inode);
            let Some((held, sha256)) = held.and_then(|it| it.digest().ok().map(|d| (it, d))) else {
                self.miss(Path::new(&exe));
                continue;
            };
            self.swept.files += 1;
            let shown = fs::read_link(&exe).unwrap_or_default();
            let note = format!("runs {}", Text::from(shown.as_os_str().as_bytes()));
            let note: String = note.chars().take(120).collect();
            let hits = self.wanted.iter().filter(|it| it.1 == sha256).map(|it| it.0);
            for (question, key) in
                hits.flat_map(|it| keys.iter().map(move |key| (it, *key))).collect::<Vec<_>>()
            {
                let (size_bytes, modified) = (held.size_bytes, modified(&held.file));
                let (process, note) = (Some(key), note.clone());
                self.push(Finding { file: None, size_bytes, modified, process, question, note });
            }
        }
    }

    fn miss(&mut self, path: &Path) {
        self.unread += 1;
        self.first_unread.get_or_insert_with(|| Text::from(path.as_os_str().as_bytes()));
    }

    fn finish(mut self) -> Swept {
        if self.unread > 0 {
            let first = self.first_unread.map_or_else(String::new, |it| format!(", first {it}"));
            self.swept.open.push(format!("{} were not read{first}", self.unread));
        }
        if self.untold > 0 {
            self.swept.open.push(format!("{} more were found", self.untold));
        }
        self.swept
    }
}

fn modified(file: &File) -> Timestamp {
    let met = file.metadata().map(|it| (it.mtime(), it.mtime_nsec())).unwrap_or_default();
    Timestamp::from_ns(met.0.saturating_mul(1_000_000_000).saturating_add(met.1))
}
