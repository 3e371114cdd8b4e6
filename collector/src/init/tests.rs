//! Cases of `init`, by the sentence that each shows.

use std::os::unix::fs::PermissionsExt;

use clap::Parser;
use cordon_shared::{entropy::SystemEntropy, time::SystemClock};
use expect_test::expect;

use super::*;

fn options(dir: &Path, root: &Path) -> cli::Init {
    let data_dir = dir.join("data");
    let typed = [
        "cordon-collector",
        "init",
        "--data-dir",
        data_dir.to_str().unwrap(),
        "--root-key",
        root.to_str().unwrap(),
        "--port-api",
        "0",
        "--name",
        "ir.example.org",
    ];
    match cli::Cli::parse_from(typed).command {
        cli::Command::Init(options) => options,
        cli::Command::Serve(_) | cli::Command::Check(_) => unreachable!("it says init"),
    }
}

fn root(dir: &Path) -> author::KeyFiles {
    let key = SigningKey::from_seed([9; 32]);
    author::write_key(dir, "root", &key).unwrap()
}

async fn init(options: &cli::Init) -> Result<PathBuf, InitError> {
    run(options, &SystemClock, &SystemEntropy).await
}

#[tokio::test]
async fn a_collector_is_made_once() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path(), &root(dir.path()).public);
    let path = init(&options).await.unwrap();
    let config = Config::parse(&std::fs::read_to_string(path).unwrap(), |_| None).unwrap();
    assert_eq!(config.api.port(), 0);
    assert!(config.names.contains(&"ir.example.org".to_owned()));
    let layout = Layout::new(&config.data_dir);
    let mode = std::fs::metadata(layout.admin_token()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = init(&options).await.unwrap_err();
    assert!(again.to_string().ends_with("holds a collector already; give an empty folder"));
}

#[tokio::test]
async fn the_draft_is_one_that_root_can_sign_and_agents_take() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path(), &root(dir.path()).public);
    init(&options).await.unwrap();
    let layout = Layout::new(&options.data_dir);
    let draft = read_draft(&layout.draft(), SystemClock.now()).unwrap();
    let bundle = author::sign(&draft, &[SigningKey::from_seed([9; 32])]);
    let roots = Roots::new(vec![SigningKey::from_seed([9; 32]).public()], 1).unwrap();
    let keyring = author::check(&bundle, &roots, None).unwrap();
    let automation = author::read_public(&layout.pki().join("automation.pub")).unwrap();
    let keys = keyring.keys(SystemClock.now());
    assert!(keys.iter().any(|it| it.public == automation));
    assert_eq!(keyring.totals("critical").kills_per_hour, 0);
    assert_eq!(keyring.totals("standard").kills_per_hour, 60);
}

#[tokio::test]
async fn a_private_root_key_is_refused_before_anything_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path(), &root(dir.path()).private);
    let error = init(&options).await.unwrap_err().to_string();
    let error = error.replace(&dir.path().display().to_string(), "DIR");
    expect!["`DIR/root.key` is a private key; give its public half, the file that ends in `.pub`"]
        .assert_eq(&error);
    assert!(!options.data_dir.try_exists().unwrap());
}
