//! The tables of columns against the standard: a name without `cordon_` is one that the standard
//! has at that place, with that type; nothing of ours pretends to be.

use std::collections::HashMap;

use super::super::{VERSION, class, column};

/// What the standard calls things: see the head of the file.
const STANDARD: &str = include_str!("../standard.txt");

type Names<'a> = HashMap<&'a str, HashMap<&'a str, &'a str>>;

/// `class 1007` or `object process` → attribute → type.
fn standard() -> Names<'static> {
    let mut names = HashMap::new();
    for line in STANDARD.lines().filter(|it| !it.starts_with('#')) {
        let (of, attributes) = line.split_once(':').unwrap();
        let attributes = attributes.split_whitespace().map(|it| it.split_once('=').unwrap());
        names.insert(of, attributes.collect());
    }
    names
}

/// What of `fields` the standard does not have like that.
fn strange(fields: &[column::Field], of: &str, names: &Names<'_>, at: &str, out: &mut Vec<String>) {
    let Some(attributes) = names.get(of) else {
        out.push(format!("{at}: standard.txt has no `{of}`"));
        return;
    };
    for field in fields {
        let at = format!("{at}.{}", field.name);
        if field.name.starts_with("cordon_") {
            continue;
        }
        let Some(found) = attributes.get(field.name) else {
            out.push(format!("{at}: `{of}` has no such attribute"));
            continue;
        };
        match field.kind {
            column::Kind::Text if *found == "text" => (),
            column::Kind::Long if *found == "long" => (),
            column::Kind::Flag if *found == "flag" => (),
            column::Kind::Object(inner) => {
                strange(inner, &format!("object {found}"), names, &at, out);
            }
            column::Kind::List(inner) => match found.strip_prefix("list:") {
                Some(item) => strange(inner, &format!("object {item}"), names, &at, out),
                None => out.push(format!("{at}: is `{found}` in the standard, no list")),
            },
            column::Kind::Text | column::Kind::Long | column::Kind::Flag => {
                out.push(format!("{at}: is `{found}` in the standard"));
            }
        }
    }
}

#[test]
fn a_name_without_our_mark_is_the_standards() {
    let names = standard();
    let mut out = Vec::new();
    for uid in class::UIDS {
        let fields: Vec<_> = column::all(uid).copied().collect();
        strange(&fields, &format!("class {uid}"), &names, &uid.to_string(), &mut out);
    }
    assert_eq!(out, Vec::<String>::new());
}

#[test]
fn the_extract_is_of_the_release_that_rows_name() {
    assert!(STANDARD.starts_with(&format!("# What OCSF {VERSION} ")));
}
