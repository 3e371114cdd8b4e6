//! Compares a text with a committed file; `UPDATE_EXPECT=1` writes the file instead.

use std::{env, fs, path::Path};

use anyhow::{Context, bail};

/// Compares `actual` with `tests/golden/NAME`.
///
/// # Errors
/// When they differ: names the file and the first line that does.
pub fn check(name: &str, actual: &str) -> anyhow::Result<()> {
    check_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("golden"), name, actual)
}

fn check_in(folder: &Path, name: &str, actual: &str) -> anyhow::Result<()> {
    let path = folder.join(name);
    if env::var_os("UPDATE_EXPECT").is_some() {
        return write(&path, actual);
    }
    let wanted = fs::read_to_string(&path)
        .with_context(|| format!("read `{}` (UPDATE_EXPECT=1 writes it)", path.display()))?;
    if wanted == actual {
        return Ok(());
    }
    let number = wanted.lines().zip(actual.lines()).take_while(|(a, b)| a == b).count();
    let line = |text: &str| text.lines().nth(number).unwrap_or("(nothing)").to_owned();
    bail!(
        "`{name}` differs from line {} on (UPDATE_EXPECT=1 writes it)\nwanted: {}\nactual: {}",
        number + 1,
        line(&wanted),
        line(actual)
    )
}

#[expect(clippy::disallowed_methods, reason = "a source file, written for a person at a keyboard")]
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).context("make a folder of golden files")?;
    }
    fs::write(path, text).with_context(|| format!("write `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{check_in, write};

    #[test]
    fn the_first_line_that_differs_is_named() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("a.txt"), "one\ntwo\nthree\n").unwrap();
        assert!(check_in(folder.path(), "a.txt", "one\ntwo\nthree\n").is_ok());
        let said = check_in(folder.path(), "a.txt", "one\n2\nthree\n").unwrap_err().to_string();
        assert_eq!(
            said,
            "`a.txt` differs from line 2 on (UPDATE_EXPECT=1 writes it)\nwanted: two\nactual: 2"
        );
    }
}
