//! How long a file may be. How long a function may be is clippy's business (`too_many_lines`).

use crate::tree::{Finding, Tree};

/// Lines of any source, its tests in a file of their own.
const FILE_LINES_MAX: usize = 400;
/// Lines of a `main.rs` of a program: a table of contents.
const MAIN_LINES_MAX: usize = 60;
/// Lines of an `app.rs`: the composition root is split by stage when it grows.
const APP_LINES_MAX: usize = 250;
/// Lines of tests that may stay in the file they test.
const INLINE_TEST_LINES_MAX: usize = 60;

/// What people read and write line by line.
const SOURCES: &[&str] = &[".rs", ".proto", ".c", ".h", ".sh", ".js", ".css", ".sql"];

/// Kernel structs as the compiler printed them are not read line by line.
const EXCEPT: &[&str] = &["agent/bpf/vmlinux.h"];

/// No file is longer than a reader's patience.
fn files(tree: &Tree) -> Vec<Finding> {
    tree.texts()
        .filter(|(path, _)| is_source(path) && !EXCEPT.contains(path))
        .filter_map(|(path, text)| {
            let lines = text.lines().count();
            let lines_max = lines_max(path);
            let said = format!("{lines} lines, at most {lines_max}");
            (lines > lines_max).then(|| Finding::new(path, said))
        })
        .collect()
}

fn is_source(path: &str) -> bool {
    SOURCES.iter().any(|end| path.ends_with(end)) || path == ".ci/run" || path == "tests/run"
}

fn lines_max(path: &str) -> usize {
    if path.ends_with("src/main.rs") || path.ends_with("src/bin/cordon/main.rs") {
        MAIN_LINES_MAX
    } else if path.ends_with("src/app.rs") {
        APP_LINES_MAX
    } else {
        FILE_LINES_MAX
    }
}

/// Tests of more than a screen have a file of their own; the files of this crate are tests whole.
fn inline_tests(tree: &Tree) -> Vec<Finding> {
    tree.sources()
        .filter(|(path, _)| !path.starts_with("tests/tests/"))
        .filter_map(|(path, text)| {
            let (_, tests) = text.split_once("#[cfg(test)]\nmod tests {\n")?;
            let lines = tests.lines().count();
            let said =
                format!("{lines} lines of tests, at most {INLINE_TEST_LINES_MAX} in the file");
            (lines > INLINE_TEST_LINES_MAX).then(|| Finding::new(path, said))
        })
        .collect()
}

#[test]
fn no_file_is_too_long() {
    crate::tree::holds(files);
}

#[test]
fn long_tests_have_a_file_of_their_own() {
    crate::tree::holds(inline_tests);
}

#[cfg(test)]
mod planted {
    use expect_test::{Expect, expect};

    use super::{files, inline_tests};
    use crate::tree::finds;

    #[track_caller]
    fn check(path: &str, lines: usize, want: &Expect) {
        finds(files, &[(path, &"//\n".repeat(lines))], want);
    }

    #[test]
    fn a_file_of_401_lines_is_found() {
        check("agent/src/spool.rs", 401, &expect!["agent/src/spool.rs: 401 lines, at most 400"]);
    }

    #[test]
    fn a_file_of_400_lines_is_taken() {
        check("agent/src/spool.rs", 400, &expect![[""]]);
    }

    #[test]
    fn a_main_of_61_lines_is_found() {
        check(
            "collector/src/bin/cordon/main.rs",
            61,
            &expect!["collector/src/bin/cordon/main.rs: 61 lines, at most 60"],
        );
    }

    #[test]
    fn an_app_of_251_lines_is_found() {
        check("agent/src/app.rs", 251, &expect!["agent/src/app.rs: 251 lines, at most 250"]);
    }

    #[test]
    fn a_kernel_program_is_measured_too() {
        check(
            "agent/bpf/process.bpf.c",
            401,
            &expect!["agent/bpf/process.bpf.c: 401 lines, at most 400"],
        );
    }

    #[test]
    fn tests_of_61_lines_in_the_file_are_found() {
        let source = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "//\n".repeat(60));
        finds(
            inline_tests,
            &[("agent/src/spool.rs", &source)],
            &expect!["agent/src/spool.rs: 61 lines of tests, at most 60 in the file"],
        );
    }
}
