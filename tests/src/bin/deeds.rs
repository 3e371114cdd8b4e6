//! `deeds KIND --marker M --count N --folder F`: does something harmless N times and says what it did.
//!
//! Started by `cordon_tests::activity` inside the cgroup and namespaces of the host that it plays.
//! Touches nothing outside of the folder that it was given.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::Write,
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Command, ExitCode, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::{Context, anyhow, ensure};
use clap::Parser;
use cordon_shared::time::{Clock, SystemClock};
use cordon_tests::activity::{Deed, Done, LAUNCHED};

#[derive(Parser)]
struct Args {
    /// launch, file, connect, socket-shell or caught-shell.
    #[arg(value_parser = parse_deed)]
    deed: Deed,
    /// What the markers begin with.
    #[arg(long)]
    marker: String,
    /// How many times.
    #[arg(long)]
    count: u64,
    /// Where files may be made.
    #[arg(long)]
    folder: PathBuf,
}

fn parse_deed(word: &str) -> Result<Deed, String> {
    Deed::parse(word)
        .ok_or_else(|| "must be launch, file, connect, socket-shell or caught-shell".to_owned())
}

/// How long a shell may stay.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cordon_tests::child::note(&format!("deeds: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen")?;
    let begin = SystemClock.boottime();
    let mut lived_us = Vec::new();
    for index in 0..args.count {
        let marker = format!("{}-{index}", args.marker);
        match args.deed {
            Deed::Launch => launch(LAUNCHED, &[&marker])?,
            Deed::File => churn(&args.folder, &marker)?,
            Deed::Connect => connect(&listener)?,
            Deed::SocketShell => {
                let (status, _) = socket_shell(&listener, &format!(": {marker}"))?;
                ensure!(status.success(), "the shell ended with {status}");
            }
            Deed::CaughtShell => {
                let (status, lived) = socket_shell(&listener, &format!("read it; : {marker}"))?;
                ensure!(
                    status.signal() == Some(9),
                    "nobody killed the shell: it ended with {status}"
                );
                lived_us.push(u64::try_from(lived.as_micros()).unwrap_or(u64::MAX));
            }
        }
    }
    let elapsed = SystemClock.boottime().since(begin);
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let done = Done { marker: args.marker.clone(), count: args.count, elapsed_ms, lived_us };
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&done)?).context("say what was done")
}

/// `posix_spawn` and wait: std takes that road when nothing is to be done between fork and exec.
#[expect(clippy::disallowed_methods, reason = "tests start programs")]
fn launch(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new(program).args(arguments).status().context("launch")?;
    ensure!(status.success(), "`{program}` ended with {status}");
    Ok(())
}

fn churn(folder: &Path, marker: &str) -> anyhow::Result<()> {
    let (path, moved) = (folder.join(marker), folder.join(format!("{marker}.moved")));
    let mut file = File::create(&path).context("create")?;
    file.write_all(marker.as_bytes()).context("write")?;
    drop(file);
    fs::rename(&path, &moved).context("rename")?;
    fs::remove_file(&moved).context("delete")
}

fn connect(listener: &TcpListener) -> anyhow::Result<()> {
    drop(pair(listener)?);
    Ok(())
}

fn pair(listener: &TcpListener) -> anyhow::Result<(TcpStream, TcpStream)> {
    let address = listener.local_addr().context("ask for an address")?;
    let caller = TcpStream::connect(address).context("connect")?;
    let (target, _) = listener.accept().context("accept")?;
    Ok((caller, target))
}

/// Runs a shell on a socket to its end, for which nobody waits longer than [`PATIENCE`]; how it ended,
/// and how long it lived.
#[expect(clippy::disallowed_methods, reason = "tests start programs")]
fn socket_shell(listener: &TcpListener, script: &str) -> anyhow::Result<(ExitStatus, Duration)> {
    let (caller, target) = pair(listener)?;
    let end = |it: &TcpStream| anyhow::Ok(Stdio::from(OwnedFd::from(it.try_clone()?)));
    let begin = SystemClock.boottime();
    let mut shell = Command::new("/bin/sh")
        .args([OsString::from("-c"), OsString::from(script)])
        .stdin(end(&caller)?)
        .stdout(end(&caller)?)
        .stderr(end(&caller)?)
        .spawn()
        .context("launch a shell")?;
    drop(caller);
    // It reads from the socket: what is closed ends it.
    let (ended, patience) = mpsc::channel::<()>();
    let closer = thread::spawn(move || {
        let is_late = patience.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
        drop((is_late, target));
    });
    let status = shell.wait().context("wait for a shell")?;
    let lived = SystemClock.boottime().since(begin);
    drop(ended);
    closer.join().map_err(|_panic| anyhow!("the closing thread is gone"))?;
    Ok((status, lived))
}
