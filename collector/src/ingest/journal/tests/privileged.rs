//! The journal on a real file system that is full (F-7); needs root, to mount one of its own.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use cordon_shared::{
    entropy::SystemEntropy,
    seglog::RealDisk,
    time::{Clock, SystemClock, Timestamp},
};
use rustix::{
    mount::{UnmountFlags, unmount},
    process::geteuid,
};

use super::{agent, sealed, *};

/// An ext4 of 16 MiB on a loop device, gone with the value.
struct SmallDisk {
    at: PathBuf,
    _folder: tempfile::TempDir,
}

impl SmallDisk {
    fn mount() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (image, at) = (folder.path().join("image"), folder.path().join("disk"));
        File::create(&image).unwrap().set_len(16 << 20).unwrap();
        std::fs::create_dir(&at).unwrap();
        run("mkfs.ext4", &["-q", "-F", "-m", "0", image.to_str().unwrap()]);
        run("mount", &["-o", "loop", image.to_str().unwrap(), at.to_str().unwrap()]);
        Self { at, _folder: folder }
    }

    fn ballast(&self) -> PathBuf {
        self.at.join("ballast")
    }

    /// Writes until nothing more fits.
    fn fill(&self) {
        let mut file = File::create(self.ballast()).unwrap();
        for block in [65_536, 4_096, 1] {
            while file.write_all(&vec![1; block]).is_ok() {}
        }
        // What the file system allocates late may only show now.
        drop(file.sync_all());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Err(error) = unmount(&self.at, UnmountFlags::DETACH) {
            eprintln!("cannot unmount `{}`: {error}", self.at.display());
        }
    }
}

fn run(program: &str, arguments: &[&str]) {
    #[expect(clippy::disallowed_methods, reason = "what a test mounts it mounts with mount(8)")]
    let status = Command::new(program).args(arguments).status().unwrap();
    assert!(status.success(), "{program} {arguments:?}: {status}");
}

fn open(dir: &Path) -> (Journal, Ingest, Arc<Fanout>) {
    let dir = dir.join("journal");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (disk, entropy) = (Arc::new(RealDisk), SystemEntropy);
    Journal::open(Opening { disk, dir: &dir, consumers: &[], clock, entropy: &entropy }).unwrap()
}

fn submission(offer: Offer, reply: &mpsc::Sender<Outcome>) -> Submission {
    let (received, boot_epoch) = (Timestamp::from_ns(5), Timestamp::from_ns(3));
    let reply = reply.clone();
    Submission { agent: agent(0), offer, received, boot_epoch, is_corrected: true, reply }
}

#[tokio::test]
async fn f_7_a_full_disk_holds_the_answers_and_recovers_by_itself() {
    if !geteuid().is_root() {
        eprintln!("degraded: a full disk is not shown: not root");
        return;
    }
    let disk = SmallDisk::mount();
    let (journal, ingest, fanout) = open(&disk.at);
    let thread = journal.start().unwrap();
    let (reply, mut outcomes) = mpsc::channel(64);
    let batch = |first| sealed(first, 7, first, 200);
    let checked = |first| Offer::Checked(validate(batch(first).bytes().clone()).unwrap());
    ingest.reserve().await.unwrap().send(submission(checked(1), &reply));
    assert_eq!(outcomes.recv().await, Some(stored(7, 200, Repeat::First)));

    disk.fill();
    for first in [201, 401, 601] {
        ingest.reserve().await.unwrap().send(submission(checked(first), &reply));
    }
    let refused = batch(801);
    let (header, bytes) = (*refused.header(), refused.bytes().clone());
    let offer = Offer::Refused { header, bytes, reason: "broken".to_owned() };
    ingest.reserve().await.unwrap().send(submission(offer, &reply));
    ingest.pressure().wait_for(|it| *it == Pressure::Stalled).await.unwrap();
    // Detection goes on; nobody is told that anything is kept.
    let mut feed = fanout.feed("detect", Sight::Appended, 0);
    assert!(feed.next(1, 9, Duration::from_secs(20)).unwrap().next > 1);
    assert_eq!(outcomes.try_recv().ok(), None);

    std::fs::remove_file(disk.ballast()).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test measures real time")]
    let began = Instant::now();
    for last in [400, 600, 800] {
        let Some(Outcome::Stored { seq, .. }) = outcomes.recv().await else { panic!("a refusal") };
        assert!(seq >= last);
    }
    assert!(matches!(outcomes.recv().await, Some(Outcome::Refused { .. })));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());

    // It is all there for the next start.
    drop((ingest, feed));
    thread.join().unwrap();
    drop(fanout);
    let (_journal, _ingest, fanout) = open(&disk.at);
    let page = fanout.feed("lake", Sight::Durable, 0).next(0, 64, Duration::ZERO).unwrap();
    let events: usize = page.arrivals.iter().map(|it| it.contents.events.len()).sum();
    assert_eq!(events, 800);
    assert_eq!(std::fs::read_dir(disk.at.join("refused")).unwrap().count(), 1);
}
