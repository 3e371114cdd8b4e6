//! Modifiers that turn a text into others: dashes, UTF-16, Base64.

use expect_test::expect;

use super::table;

#[test]
fn windash_takes_any_dash_for_any_other_before_a_word() {
    table(
        "{A|windash|contains: ' -enc /x'}",
        &["{A: a -enc /x}", "{A: a /enc -x}", "{A: a –enc —x}", "{A: a ―ENC /x}", "{A: a _enc /x}"],
        &expect![[r#"
            {A: a -enc /x}: matches
            {A: a /enc -x}: matches
            {A: a –enc —x}: matches
            {A: a ―ENC /x}: matches
            {A: a _enc /x}: does not"#]],
    );
    table(
        "{A|windash: 'a-b -c'}",
        &["{A: a-b /c}", "{A: a/b -c}"],
        &expect![[r#"
        {A: a-b /c}: matches
        {A: a/b -c}: does not"#]],
    );
}

#[test]
fn base64_is_found_wherever_it_begins() {
    table(
        "{A|base64: 'ls -l'}",
        &["{A: bHMgLWw=}", "{A: ls -l}"],
        &expect![[r#"
        {A: bHMgLWw=}: matches
        {A: ls -l}: does not"#]],
    );
    // `/bin/sh` behind none, one and two bytes.
    table(
        "{A|base64offset|contains: /bin/sh}",
        &[
            "{A: x L2Jpbi9zaCAtaQ== y}",
            "{A: IC9iaW4vc2ggLWk=}",
            "{A: ICAvYmluL3NoIC1p}",
            "{A: L3Vzci9iaW4vbHM=}",
        ],
        &expect![[r#"
            {A: x L2Jpbi9zaCAtaQ== y}: matches
            {A: IC9iaW4vc2ggLWk=}: matches
            {A: ICAvYmluL3NoIC1p}: matches
            {A: L3Vzci9iaW4vbHM=}: does not"#]],
    );
    table("{A|wide|base64: 'ls'}", &["{A: bABzAA==}"], &expect!["matches"]);
    table("{A|utf16be|base64: 'ls'}", &["{A: AGwAcw==}"], &expect!["matches"]);
    table("{A|utf16|base64: 'ls'}", &["{A: //5sAHMA}"], &expect!["matches"]);
    table(
        "{A|utf16le|base64offset|contains: 'pw'}",
        &["{A: aHAAdwA=}", "{A: cAB3AA==}"],
        &expect![[r#"
            {A: aHAAdwA=}: matches
            {A: cAB3AA==}: matches"#]],
    );
    table("{A|wide: 'ls'}", &[r#"{A: "l\0s\0"}"#], &expect!["matches"]);
}
