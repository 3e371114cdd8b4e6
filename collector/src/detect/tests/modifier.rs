//! Values, lists, wildcards and modifiers, one table each.

use expect_test::expect;

use super::table;

#[test]
fn values_compare_without_case_and_lists_are_alternatives() {
    table(
        "{Image|endswith: [/SH, /bash]}",
        &["{Image: /bin/sh}", "{Image: /bin/shx}", "{Other: /bin/sh}"],
        &expect![[r#"
            {Image: /bin/sh}: matches
            {Image: /bin/shx}: does not
            {Other: /bin/sh}: does not"#]],
    );
    table(
        "{Image: STRASSE}",
        &["{Image: strasse}", "{Image: straße}"],
        &expect![[r#"
        {Image: strasse}: matches
        {Image: straße}: does not"#]],
    );
    table("{Image: ÄÖ}", &["{Image: äö}"], &expect!["matches"]);
}

#[test]
fn all_of_a_list_and_all_fields_must_match() {
    table(
        "{CommandLine|contains|all: [curl, '-o'], User: root}",
        &[
            "{CommandLine: curl -o x, User: root}",
            "{CommandLine: curl x, User: root}",
            "{CommandLine: curl -o x, User: ada}",
        ],
        &expect![[r#"
            {CommandLine: curl -o x, User: root}: matches
            {CommandLine: curl x, User: root}: does not
            {CommandLine: curl -o x, User: ada}: does not"#]],
    );
    table(
        "[{A: 1, B: 1}, {C: 1}]",
        &["{A: 1, B: 1}", "{A: 1}", "{C: 1}"],
        &expect![[r#"
        {A: 1, B: 1}: matches
        {A: 1}: does not
        {C: 1}: matches"#]],
    );
}

#[test]
fn a_number_is_the_text_that_it_is_written_as() {
    table(
        "{Port: 22}",
        &["{Port: 22}", "{Port: '22'}", "{Port: 220}", "{Port: 22.0}"],
        &expect![[r#"
            {Port: 22}: matches
            {Port: '22'}: matches
            {Port: 220}: does not
            {Port: 22.0}: does not"#]],
    );
    table("{Port: '22'}", &["{Port: 22}"], &expect!["matches"]);
    table(
        "{Flag: true}",
        &["{Flag: true}", "{Flag: 'True'}", "{Flag: 1}"],
        &expect![[r#"
        {Flag: true}: matches
        {Flag: 'True'}: matches
        {Flag: 1}: does not"#]],
    );
    table("{Port|startswith: 44}", &["{Port: 4444}"], &expect!["matches"]);
}

#[test]
fn wildcards_stand_for_any_text_and_for_one_character() {
    table(
        "{A: '/tmp/*/?.sh'}",
        &["{A: /tmp/a/b/c.SH}", "{A: /tmp/a/.sh}", "{A: /tmp/a.sh}"],
        &expect![[r#"
            {A: /tmp/a/b/c.SH}: matches
            {A: /tmp/a/.sh}: does not
            {A: /tmp/a.sh}: does not"#]],
    );
    table(
        "{A: 'a*'}",
        &["{A: a}", "{A: ab}", "{A: ba}"],
        &expect![[r#"
        {A: a}: matches
        {A: ab}: matches
        {A: ba}: does not"#]],
    );
    table(
        "{A: '*'}",
        &["{A: x}", "{A: ''}", "{A: null}", "{}"],
        &expect![[r#"
        {A: x}: matches
        {A: ''}: matches
        {A: null}: does not
        {}: does not"#]],
    );
    table(
        "{A: 'a?'}",
        &["{A: aé}", "{A: a}", "{A: abc}"],
        &expect![[r#"
        {A: aé}: matches
        {A: a}: does not
        {A: abc}: does not"#]],
    );
    table(
        "{A: 'ab*ba'}",
        &["{A: abba}", "{A: aba}"],
        &expect![[r#"
        {A: abba}: matches
        {A: aba}: does not"#]],
    );
}

/// Sigma 2.1, "Escape Character", line by line.
#[test]
fn a_backslash_takes_the_meaning_of_a_wildcard_or_a_backslash_and_else_is_itself() {
    table(
        r"{A: 'a\b'}",
        &[r"{A: 'a\b'}", r"{A: 'a\\b'}", "{A: ab}"],
        &expect![[r#"
        {A: 'a\b'}: matches
        {A: 'a\\b'}: does not
        {A: ab}: does not"#]],
    );
    table(
        r"{A: 'a\\b'}",
        &[r"{A: 'a\b'}", r"{A: 'a\\b'}"],
        &expect![[r#"
        {A: 'a\b'}: matches
        {A: 'a\\b'}: does not"#]],
    );
    table(
        r"{A: 'a\*'}",
        &["{A: 'a*'}", "{A: ab}", r"{A: 'a\b'}"],
        &expect![[r#"
        {A: 'a*'}: matches
        {A: ab}: does not
        {A: 'a\b'}: does not"#]],
    );
    table(
        r"{A: 'a\?'}",
        &["{A: 'a?'}", "{A: ab}"],
        &expect![[r#"
        {A: 'a?'}: matches
        {A: ab}: does not"#]],
    );
    table(
        r"{A: 'a\\*'}",
        &[r"{A: 'a\bc'}", r"{A: 'a\'}", "{A: 'a*'}"],
        &expect![[r#"
        {A: 'a\bc'}: matches
        {A: 'a\'}: matches
        {A: 'a*'}: does not"#]],
    );
    table(
        r"{A: 'a\\\*'}",
        &[r"{A: 'a\*'}", r"{A: 'a\b'}"],
        &expect![[r#"
        {A: 'a\*'}: matches
        {A: 'a\b'}: does not"#]],
    );
    table(
        r"{A: 'a\\\\b'}",
        &[r"{A: 'a\\b'}", r"{A: 'a\b'}"],
        &expect![[r#"
        {A: 'a\\b'}: matches
        {A: 'a\b'}: does not"#]],
    );
    table(
        r"{A: 'a\\\b'}",
        &[r"{A: 'a\\b'}", r"{A: 'a\b'}"],
        &expect![[r#"
        {A: 'a\\b'}: matches
        {A: 'a\b'}: does not"#]],
    );
    table(
        r"{A|endswith: '\x'}",
        &[r"{A: 'c:\x'}", "{A: x}"],
        &expect![[r#"
        {A: 'c:\x'}: matches
        {A: x}: does not"#]],
    );
}

#[test]
fn null_is_not_there_and_empty_is_there() {
    table(
        "{A: null}",
        &["{}", "{A: null}", "{A: ''}", "{A: x}"],
        &expect![[r#"
        {}: matches
        {A: null}: matches
        {A: ''}: does not
        {A: x}: does not"#]],
    );
    table(
        "{A: ''}",
        &["{}", "{A: null}", "{A: ''}", "{A: x}"],
        &expect![[r#"
        {}: does not
        {A: null}: does not
        {A: ''}: matches
        {A: x}: does not"#]],
    );
    table(
        "{A|exists: true}",
        &["{}", "{A: null}", "{A: ''}"],
        &expect![[r#"
        {}: does not
        {A: null}: matches
        {A: ''}: matches"#]],
    );
    table(
        "{A|exists: false}",
        &["{}", "{A: null}", "{A: ''}"],
        &expect![[r#"
        {}: matches
        {A: null}: does not
        {A: ''}: does not"#]],
    );
}

#[test]
fn regular_expressions_keep_their_case_and_take_three_flags() {
    table(
        "{A|re: '^/[a-c]+$'}",
        &["{A: /abc}", "{A: /ABC}", "{A: /abd}"],
        &expect![[r#"
        {A: /abc}: matches
        {A: /ABC}: does not
        {A: /abd}: does not"#]],
    );
    table("{A|re|i: '^/[a-c]+$'}", &["{A: /ABC}"], &expect!["matches"]);
    table("{A|re: '^b$'}", &[r#"{A: "a\nb"}"#], &expect!["does not"]);
    table("{A|re|m: '^b$'}", &[r#"{A: "a\nb"}"#], &expect!["matches"]);
    table("{A|re: 'a.b'}", &[r#"{A: "a\nb"}"#], &expect!["does not"]);
    table("{A|re|s|i: 'A.b'}", &[r#"{A: "a\nb"}"#], &expect!["matches"]);
    table(
        "{A|re|all: [a, b]}",
        &["{A: ba}", "{A: a}"],
        &expect![[r#"
        {A: ba}: matches
        {A: a}: does not"#]],
    );
}

#[test]
fn a_network_holds_addresses_of_its_own_family() {
    table(
        "{A|cidr: 10.0.0.0/8}",
        &["{A: 10.9.8.7}", "{A: 11.9.8.7}", "{A: '::ffff:10.1.2.3'}", "{A: '::1'}", "{A: x}"],
        &expect![[r#"
            {A: 10.9.8.7}: matches
            {A: 11.9.8.7}: does not
            {A: '::ffff:10.1.2.3'}: matches
            {A: '::1'}: does not
            {A: x}: does not"#]],
    );
    table(
        "{A|cidr: ['fe80::/10', '::1']}",
        &["{A: 'fe80::1'}", "{A: '::1'}", "{A: '::2'}"],
        &expect![[r#"
            {A: 'fe80::1'}: matches
            {A: '::1'}: matches
            {A: '::2'}: does not"#]],
    );
    table(
        "{A|cidr: 0.0.0.0/0}",
        &["{A: 1.2.3.4}", "{A: '::1'}"],
        &expect![[r#"
        {A: 1.2.3.4}: matches
        {A: '::1'}: does not"#]],
    );
}

#[test]
fn numbers_are_compared_as_numbers() {
    table(
        "{A|lt: 10}",
        &["{A: 9}", "{A: 10}", "{A: '9'}", "{A: x}", "{}"],
        &expect![[r#"
        {A: 9}: matches
        {A: 10}: does not
        {A: '9'}: matches
        {A: x}: does not
        {}: does not"#]],
    );
    table(
        "{A|lte: 10}",
        &["{A: 10}", "{A: 10.5}"],
        &expect![[r#"
        {A: 10}: matches
        {A: 10.5}: does not"#]],
    );
    table(
        "{A|gt: 9.5}",
        &["{A: 10}", "{A: 9}"],
        &expect![[r#"
        {A: 10}: matches
        {A: 9}: does not"#]],
    );
    table(
        "{A|gte: -1}",
        &["{A: -1}", "{A: -2}"],
        &expect![[r#"
        {A: -1}: matches
        {A: -2}: does not"#]],
    );
    table(
        "{A|gt: 9007199254740992}",
        &["{A: 9007199254740993}", "{A: 9007199254740992}"],
        &expect![[r#"
            {A: 9007199254740993}: matches
            {A: 9007199254740992}: does not"#]],
    );
}

#[test]
fn neq_is_different_from_every_value() {
    table(
        "{A|neq: x}",
        &["{A: x}", "{A: y}", "{}"],
        &expect![[r#"
        {A: x}: does not
        {A: y}: matches
        {}: matches"#]],
    );
    table(
        "{A|neq: [x, y]}",
        &["{A: y}", "{A: z}"],
        &expect![[r#"
        {A: y}: does not
        {A: z}: matches"#]],
    );
    table(
        "{A|fieldref|neq: B}",
        &["{A: x, B: x}", "{A: x, B: y}"],
        &expect![[r#"
        {A: x, B: x}: does not
        {A: x, B: y}: matches"#]],
    );
}

#[test]
fn cased_texts_keep_their_case() {
    table(
        "{A|cased: Ab}",
        &["{A: Ab}", "{A: AB}"],
        &expect![[r#"
        {A: Ab}: matches
        {A: AB}: does not"#]],
    );
    table(
        "{A|contains|cased: 'b?D'}",
        &["{A: abcD}", "{A: abcd}"],
        &expect![[r#"
        {A: abcD}: matches
        {A: abcd}: does not"#]],
    );
}

#[test]
fn a_field_can_be_compared_with_another() {
    table(
        "{A|fieldref: B}",
        &["{A: x, B: X}", "{A: x, B: y}", "{A: x}", "{B: x}", "{}"],
        &expect![[r#"
            {A: x, B: X}: matches
            {A: x, B: y}: does not
            {A: x}: does not
            {B: x}: does not
            {}: does not"#]],
    );
    table(
        "{A|fieldref|startswith: B}",
        &["{A: xyz, B: xy}", "{A: xy, B: xyz}"],
        &expect![[r#"
        {A: xyz, B: xy}: matches
        {A: xy, B: xyz}: does not"#]],
    );
    table("{A|fieldref|cased: B}", &["{A: x, B: X}"], &expect!["does not"]);
}
