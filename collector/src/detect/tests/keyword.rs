//! Keywords: texts without a field, looked for in the whole event.

use expect_test::expect;

use super::table;

#[test]
fn keywords_are_looked_for_in_every_field() {
    table(
        "[evil, 'ba*d']",
        &["{A: an EVIL one, B: 1}", "{A: 1, B: bad}", "{A: ba, B: d}", "{evil: 1}"],
        &expect![[r#"
            {A: an EVIL one, B: 1}: matches
            {A: 1, B: bad}: matches
            {A: ba, B: d}: does not
            {evil: 1}: does not"#]],
    );
    table(
        "{'|all': [evil, bad]}",
        &["{A: evil, B: bad}", "{A: evil bad}", "{A: evil}"],
        &expect![[r#"
            {A: evil, B: bad}: matches
            {A: evil bad}: matches
            {A: evil}: does not"#]],
    );
    table("evil", &["{A: evil}"], &expect!["matches"]);
    table("[4444]", &["{A: 144445}"], &expect!["matches"]);
    table(
        "{'|re': '^e.il$'}",
        &["{A: 1, B: evil}", "{A: evils}"],
        &expect![[r#"
        {A: 1, B: evil}: matches
        {A: evils}: does not"#]],
    );
    table(
        "[evil, {A: 1}]",
        &["{A: 1}", "{B: evil}", "{A: 2}"],
        &expect![[r#"
        {A: 1}: matches
        {B: evil}: matches
        {A: 2}: does not"#]],
    );
}
