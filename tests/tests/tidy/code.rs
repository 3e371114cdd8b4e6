//! Rust sources as far as the rules need them: code without comments and strings, and the paths
//! that it names.
//!
//! Not a parser of Rust: a scanner that knows comments, literals and `use` trees. What a macro
//! hides from it, it does not see.

/// The code of a source: comments and the insides of literals are blanked, lines stay where they
/// are, and the tests at the end of the file are cut off.
pub(crate) fn without_prose(source: &str) -> String {
    let code = without_literals(source);
    match code.find("#[cfg(test)]\nmod ") {
        // Only an inline module is tests to the end; `mod tests;` has its own file.
        Some(at) if code.get(at..).is_some_and(opens_a_block) => {
            code.get(..at).unwrap_or_default().to_owned()
        }
        Some(_) | None => code,
    }
}

fn opens_a_block(from_attribute: &str) -> bool {
    let head = from_attribute.find([';', '{']).and_then(|at| from_attribute.get(at..=at));
    head == Some("{")
}

/// Every path that the code names, fully spelled where a `use` tree or a chain of `::` spells it,
/// with the line on which it begins (from 1).
pub(crate) fn paths(code: &str) -> Vec<(usize, String)> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at = match &token.kind {
            Kind::Word("use") => use_tree(&tokens, at + 1, "", &mut found),
            Kind::Word(_) => chain(&tokens, at, &mut found),
            Kind::Colons | Kind::Other(_) => at + 1,
        };
    }
    found
}

/// The code of a source, tests included: comments and literals are blanked.
pub(crate) fn without_literals(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(next) = rest.chars().next() {
        let skipped = prose(rest);
        let taken = rest.get(..skipped).unwrap_or(rest);
        if skipped == 0 {
            code.push(next);
            rest = rest.get(next.len_utf8()..).unwrap_or_default();
        } else {
            code.extend(taken.chars().map(|it| if it == '\n' { '\n' } else { ' ' }));
            rest = rest.get(skipped..).unwrap_or_default();
        }
    }
    code
}

/// How many bytes of `rest` are a comment or a literal that begins here; 0 when none does.
fn prose(rest: &str) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if rest.starts_with('"') {
        return quoted(rest, '"');
    }
    if rest.starts_with("r\"") || rest.starts_with("r#") {
        return raw_string(rest);
    }
    if rest.starts_with('\'') {
        return character(rest);
    }
    0
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(tail) = rest.get(at..).filter(|tail| !tail.is_empty()) {
        if tail.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += tail.chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, it) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if it == '\\' {
            escaped = true;
        } else if it == quote {
            return at + 1;
        }
    }
    rest.len()
}

fn raw_string(rest: &str) -> usize {
    let hashes = rest.chars().skip(1).take_while(|it| *it == '#').count();
    if rest.chars().nth(1 + hashes) != Some('"') {
        return 0; // a raw identifier
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let body = hashes + 2;
    rest.get(body..)
        .and_then(|tail| tail.find(&close))
        .map_or(rest.len(), |at| body + at + close.len())
}

/// A character literal, or 0 for a lifetime.
fn character(rest: &str) -> usize {
    let mut chars = rest.chars().skip(1);
    match (chars.next(), chars.next()) {
        (Some('\\'), _) => quoted(rest, '\''),
        (Some(it), Some('\'')) => it.len_utf8() + 2,
        (Some(_) | None, _) => 0,
    }
}

struct Token<'a> {
    line: usize,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Word(&'a str),
    Colons,
    Other(char),
}

fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    for (index, text) in code.lines().enumerate() {
        let line = index + 1;
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let is_word = |it: char| it.is_alphanumeric() || it == '_';
            let length = if is_word(next) {
                rest.find(|it| !is_word(it)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                next.len_utf8()
            };
            let (taken, tail) = rest.split_at(length);
            if is_word(next) {
                tokens.push(Token { line, kind: Kind::Word(taken) });
            } else if taken == "::" {
                tokens.push(Token { line, kind: Kind::Colons });
            } else if !next.is_whitespace() {
                tokens.push(Token { line, kind: Kind::Other(next) });
            }
            rest = tail;
        }
    }
    tokens
}

/// Reads one `use` tree that begins at `at` below `prefix`; returns where it ends.
fn use_tree(
    tokens: &[Token<'_>],
    mut at: usize,
    prefix: &str,
    found: &mut Vec<(usize, String)>,
) -> usize {
    let mut path = prefix.to_owned();
    let line = tokens.get(at).map_or(0, |it| it.line);
    while let Some(token) = tokens.get(at) {
        match &token.kind {
            // `as name`: the new name says nothing about where it comes from.
            Kind::Word("as") => at += 1,
            Kind::Word(word) => path = joined(&path, word),
            Kind::Other('*') => path = joined(&path, "*"),
            Kind::Colons => (),
            Kind::Other('{') => {
                at += 1;
                while let Some(token) = tokens.get(at) {
                    match token.kind {
                        Kind::Other('}') => break,
                        Kind::Other(',') => at += 1,
                        Kind::Word(_) | Kind::Colons | Kind::Other(_) => {
                            at = use_tree(tokens, at, &path, found);
                        }
                    }
                }
                return at + 1;
            }
            Kind::Other(_) => break,
        }
        at += 1;
    }
    if path != prefix {
        found.push((line, path));
    }
    at
}

/// Reads `a::b::c` at `at`; a single word names no path.
fn chain(tokens: &[Token<'_>], mut at: usize, found: &mut Vec<(usize, String)>) -> usize {
    let line = tokens.get(at).map_or(0, |it| it.line);
    let mut path = String::new();
    while let Some(Kind::Word(word)) = tokens.get(at).map(|it| &it.kind) {
        path = joined(&path, word);
        at += 1;
        let goes_on = matches!(tokens.get(at).map(|it| &it.kind), Some(Kind::Colons))
            && matches!(tokens.get(at + 1).map(|it| &it.kind), Some(Kind::Word(_)));
        if !goes_on {
            break;
        }
        at += 1;
    }
    if path.contains("::") {
        found.push((line, path));
    }
    at
}

fn joined(path: &str, word: &str) -> String {
    if path.is_empty() { word.to_owned() } else { format!("{path}::{word}") }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::{paths, without_prose};

    #[track_caller]
    fn check(source: &str, want: &Expect) {
        let found = paths(&without_prose(source));
        let lines: Vec<_> = found.iter().map(|(line, path)| format!("{line} {path}")).collect();
        want.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn a_use_tree_is_spelled_out() {
        check(
            "use crate::{\n    spool::{Lane, Reader as R},\n    *,\n};",
            &expect![[r"
                2 crate::spool::Lane
                2 crate::spool::Reader
                3 crate::*"]],
        );
    }

    #[test]
    fn a_chain_in_the_code_is_a_path() {
        check("fn f() { let x = std::fs::read(y)?; a < b; }", &expect!["1 std::fs::read"]);
    }

    #[test]
    fn comments_and_literals_name_nothing() {
        check(
            "// tokio::a\n/* b::c /* d::e */ f::g */ let s = \"h::i \\\" j::k\"; r#\"l::m\"#; '\"'; n::o",
            &expect!["2 n::o"],
        );
    }

    #[test]
    fn a_lifetime_is_not_a_literal() {
        check("fn f<'a>(x: &'a a::B) {}", &expect!["1 a::B"]);
    }

    #[test]
    fn tests_at_the_end_are_not_looked_at() {
        check("a::b;\n#[cfg(test)]\nmod tests {\n c::d;\n}", &expect!["1 a::b"]);
    }

    #[test]
    fn code_after_the_declaration_of_a_tests_file_is_looked_at() {
        check("#[cfg(test)]\nmod tests;\nc::d;", &expect!["3 c::d"]);
    }
}
