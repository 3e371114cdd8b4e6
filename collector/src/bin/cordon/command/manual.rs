//! `cordon completions` and `cordon man`: what the parser knows, for shells and for `man`.

use std::{io, path::Path};

use anyhow::Context as _;
use clap::CommandFactory as _;
use cordon_shared::durable;

use crate::{args::Args, render};

/// Prints what a shell needs to complete `cordon`.
///
/// # Errors
/// When nobody reads.
pub(crate) fn completions(shell: clap_complete::Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "cordon", &mut script);
    render::raw(&script)
}

/// Prints the page of `cordon`, or writes one page for each verb to a folder.
///
/// # Errors
/// The disk's, or when nobody reads.
pub(crate) fn pages(out: Option<&Path>) -> anyhow::Result<()> {
    let mut command = Args::command();
    command.build();
    let Some(out) = out else {
        return render::raw(&page(&command)?);
    };
    durable::create_dir(out, durable::MODE_DIR).context("make the folder of the pages")?;
    write(out, "cordon", &command)
}

fn write(out: &Path, name: &str, command: &clap::Command) -> anyhow::Result<()> {
    let path = out.join(format!("{name}.1"));
    durable::write(&path, &page(command)?, durable::MODE_PUBLIC)
        .with_context(|| format!("write `{}`", path.display()))?;
    for it in command.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help") {
        write(out, &format!("{name}-{}", it.get_name()), it)?;
    }
    Ok(())
}

fn page(command: &clap::Command) -> Result<Vec<u8>, io::Error> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    Ok(page)
}
