//! People who respond: keys of their own, the responders' tool, and the files of a collector that
//! they may find in hostile hands.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use cordon_shared::{crypto::signing::SigningKey, keyring::author};
use serde_json::Value;

use crate::{
    binary::Program,
    child::{Launch, Output},
    testbed::{SOON, Testbed},
};

/// A responder with a key of her own.
#[derive(Debug)]
pub struct Responder {
    name: &'static str,
    key: PathBuf,
}

/// Makes the keys of these, and has root sign a keyring that they are in.
///
/// # Errors
/// What the programs said.
pub fn respond<const COUNT: usize>(
    testbed: &Testbed,
    names: [&'static str; COUNT],
) -> anyhow::Result<[Responder; COUNT]> {
    let people = names.map(|name| {
        let key = testbed.folder().join(name).join(format!("{name}.key"));
        Responder { name, key }
    });
    let mut members = String::new();
    for it in &people {
        let folder = it.key.parent().context("a key is in a folder")?.display().to_string();
        run(testbed, &["key", "new", "--name", it.name, "--out", &folder])?.expect_success()?;
        let public = std::fs::read_to_string(it.key.with_extension("pub"));
        let public = public.context("read a public key")?;
        let public = public.lines().next().context("a public key is a line")?.to_owned();
        members.push_str(&format!(
            "\n[[members.key]]\nkey = \"{public}\"\nholder = \"{}\"\nrole = \"responder\"\n\
             holder_kind = \"file\"\nexpires = \"2100-01-01T00:00:00Z\"\n",
            it.name
        ));
    }
    let newer = |draft: String| draft.replace("\nversion = 1\n", "\nversion = 2\n") + &members;
    testbed.collector().sign_keyring(newer)?;
    Ok(people)
}

/// Runs the responders' tool as whoever may read everything.
///
/// # Errors
/// When it cannot be run.
pub fn run(testbed: &Testbed, arguments: &[&str]) -> anyhow::Result<Output> {
    let data = |name: &str| testbed.collector().data().join(name);
    let token = std::fs::read_to_string(data("admin.token")).context("read the token")?;
    Launch::new("cordon", Program::Cordon.path()?)
        .env("CORDON_URL", testbed.api().url())
        .env("CORDON_CA", data("pki/authority.pem"))
        .env("CORDON_TOKEN", token.trim())
        .args(arguments)
        .run(SOON)
}

/// What an order came to.
#[derive(Debug)]
pub struct Ordered {
    /// The exit code.
    pub code: Option<i32>,
    /// What was printed.
    pub shown: Vec<Value>,
    /// What was said.
    pub said: String,
}

impl Ordered {
    /// The id of the first command.
    #[must_use]
    pub fn command(&self) -> &str {
        self.shown.first().and_then(|it| it["command_id"].as_str()).unwrap_or_default()
    }
}

impl Responder {
    /// Orders something, signed with her key.
    ///
    /// # Errors
    /// When the tool cannot be run.
    pub fn order(&self, testbed: &Testbed, arguments: &[&str]) -> anyhow::Result<Ordered> {
        let key = self.key.display().to_string();
        let done = run(testbed, &[arguments, &["--key", &key, "--output", "json"]].concat())?;
        let shown = serde_json::from_str(&done.stdout).unwrap_or_default();
        Ok(Ordered { code: done.status.code(), shown, said: done.stderr })
    }

    /// Her private key.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn key(&self) -> anyhow::Result<SigningKey> {
        author::read_key(&self.key).context("read a key")
    }
}

/// Changes the state of a collector behind its back: what whoever owns its machine can do.
///
/// # Errors
/// When it cannot be changed.
pub fn tamper(testbed: &Testbed, statements: &str) -> anyhow::Result<()> {
    let script = "import sqlite3, sys\n\
                  state = sqlite3.connect(sys.argv[1], timeout=10)\n\
                  state.executescript(sys.argv[2])\n\
                  state.commit()";
    let state = testbed.collector().data().join("state.sqlite").display().to_string();
    let done = Launch::new("tamper", "python3").args(["-c", script, &state, statements]);
    let done = done.run(SOON)?;
    ensure!(done.status.success(), "the state was not changed: {}", done.stderr);
    Ok(())
}
