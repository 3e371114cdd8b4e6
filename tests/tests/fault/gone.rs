//! Files of the collector that are gone or ruined: it does not start over them, and says what to do.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use cordon_shared::{crypto::cert::TlsKey, durable};
use cordon_tests::{
    activity::Deed,
    binary::Program,
    child::{Launch, degraded},
    testbed::{SOON, Testbed},
};

const A_WHILE: Duration = Duration::from_secs(60);

/// Something that is done to a file or folder, and what the collector then says.
type Case = (&'static str, fn(&Path), &'static str);

const CASES: [Case; 7] = [
    ("state.sqlite", remove, "is gone or empty: put it back from a backup"),
    ("state.sqlite", ruin, "damaged: put `state.sqlite` back from a backup"),
    ("lake", remove, "mount its disk, or put it back from a backup"),
    ("lake/catalog", remove, "mount its disk, or put it back from a backup"),
    ("pki/authority.key", ruin, "authority.key` is damaged"),
    ("pki/authority.key", exchange, "the key of `authority.pem`"),
    ("pki/authority.pem", ruin, "authority.pem` is damaged"),
];

fn remove(path: &Path) {
    if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
}

fn ruin(path: &Path) {
    durable::write(path, &[0x5a; 8_192], durable::MODE_SECRET).unwrap();
}

fn exchange(path: &Path) {
    TlsKey::random().unwrap().write(path).unwrap();
}

/// A folder as it is, in another place.
fn copy(from: &Path, to: &Path) {
    let copied = Launch::new("cp", "cp").args(["-a"]).args([from, to]).run(SOON).unwrap();
    copied.expect_success().unwrap();
}

#[test]
fn f_11_f_12_what_is_gone_or_ruined_stops_the_start_and_is_good_again_once_it_is_back() {
    if let Some(why) = Testbed::degraded() {
        return degraded("launches in a lake that is lost", why);
    }
    let mut testbed = Testbed::start().unwrap();
    let mut agent = testbed.agent("web-1").unwrap();
    let generated = agent.does(Deed::Launch, "gone", 50, A_WHILE).unwrap().launches().unwrap();
    testbed.arrived(&generated, A_WHILE).unwrap();
    agent.stop().unwrap();
    testbed.collector_mut().stop().unwrap();
    let data = testbed.collector().data().to_path_buf();
    let backup = testbed.folder().join("backup");
    copy(&data, &backup);
    for (name, harm, words) in CASES {
        let path: PathBuf = data.join(name);
        harm(&path);
        let serve = Launch::new("serve", Program::Collector.path().unwrap());
        let serve = serve.args(["serve", "--config"]).args([data.join("collector.toml")]);
        let output = serve.run(SOON).unwrap();
        assert_eq!(output.code(), 1, "{name}: {}", output.stderr);
        assert!(output.stderr.contains(words), "{name}: `{words}` is not in: {}", output.stderr);
        fs::remove_dir_all(&data).unwrap();
        copy(&backup, &data);
    }
    testbed.collector_mut().start_again().unwrap();
    agent.start().unwrap();
    let rows = testbed.settle([&mut agent], &generated, A_WHILE).unwrap();
    rows.must_conserve(&generated).unwrap();
}
