use std::io::Read as _;

use expect_test::{Expect, expect};

use super::{EVENT_BYTES_MAX, all};

/// What is read of these bytes: a line for each event.
fn told(bytes: &[u8]) -> String {
    let mut said = Vec::new();
    let read = all(bytes, &mut |place, event| {
        let event = match event {
            Ok(event) => format!("{event:?}"),
            Err(reason) => reason,
        };
        said.push(format!("{} ({place}): {event}", place.index));
        Ok(())
    });
    said.extend(read.err().map(|it| it.to_string()));
    said.join("\n")
}

#[track_caller]
fn check(text: &str, want: &Expect) {
    want.assert_eq(&told(text.as_bytes()));
}

#[test]
fn lines_are_counted_from_0_the_empty_ones_too() {
    check(
        "{\"a\": 1}\n\n  \r\n{\"a\": null}\r\n{\"b\": [2]}",
        &expect![[r#"
            0 (line 1): {"a": Number(1)}
            3 (line 4): {"a": Null}
            4 (line 5): {"b": Array [Number(2)]}"#]],
    );
    check("", &expect![[""]]);
    check("\u{feff}{}\n", &expect!["0 (line 1): {}"]);
}

#[test]
fn what_is_wrong_with_a_line_is_told_and_the_next_is_read() {
    check(
        "{\"a\": \n7\nnull\n{} {}\n{\"a\": 1}\n",
        &expect![[r#"
        0 (line 1): is no JSON object: EOF while parsing a value at column 6
        1 (line 2): is no JSON object: invalid type: integer `7`, expected a map at column 1
        2 (line 3): is no JSON object: invalid type: null, expected a map at column 4
        3 (line 4): is no JSON object: trailing characters at column 4
        4 (line 5): {"a": Number(1)}"#]],
    );
}

#[test]
fn an_array_is_read_event_by_event() {
    check(
        " [\n {\"a\": 1},\n {\"a\": {\"b\": 2}}\n]\n",
        &expect![[r#"
            0 (event 1): {"a": Number(1)}
            1 (event 2): {"a": Object {"b": Number(2)}}"#]],
    );
    check("[]", &expect![[""]]);
    check(
        "[{\"a\": 1}, 7, {}]",
        &expect![[r#"
            0 (event 1): {"a": Number(1)}
            1 (event 2): is no JSON object
            2 (event 3): {}"#]],
    );
    check(
        "[{\"a\": 1}, {\"a\"",
        &expect![[r#"
            0 (event 1): {"a": Number(1)}
            1 (event 2): is no JSON object: EOF while parsing an object at line 1; nothing after it is read"#]],
    );
    check(
        "[{}] []",
        &expect![[r#"
            0 (event 1): {}
            1 (event 2): is no JSON object: trailing characters at line 1; nothing after it is read"#]],
    );
}

#[test]
fn what_is_too_large_is_named_and_not_kept() {
    let long = format!("{{\"a\": \"{}\"}}", "x".repeat(EVENT_BYTES_MAX));
    check(
        &format!("{long}\n{{\"a\": 1}}\n"),
        &expect![[r#"
        0 (line 1): is larger than 4194304 bytes
        1 (line 2): {"a": Number(1)}"#]],
    );
    check(
        &format!("[{{\"a\": 1}}, {long}, {{}}]"),
        &expect![[r#"
        0 (event 1): {"a": Number(1)}
        1 (event 2): is larger than 4194304 bytes; nothing after it is read"#]],
    );
}

#[test]
fn zstd_that_is_none_or_cut_is_an_error() {
    let packed = zstd::stream::encode_all(&b"{}\n{}\n"[..], 1).unwrap();
    let decoder = zstd::stream::read::Decoder::new(&packed[..]).unwrap();
    let mut lines = 0;
    all(decoder, &mut |_, event| {
        lines += u32::from(event.is_ok());
        Ok(())
    })
    .unwrap();
    assert_eq!(lines, 2);
    let cut = zstd::stream::read::Decoder::new(&packed[..packed.len() - 4]).unwrap();
    assert!(all(cut.take(1 << 20), &mut |_, _| Ok(())).is_err());
}

#[test]
fn nesting_without_end_is_refused() {
    let deep = format!("{{\"a\": {}", "[".repeat(100_000));
    check(&deep, &expect!["0 (line 1): is no JSON object: recursion limit exceeded at column 133"]);
}
