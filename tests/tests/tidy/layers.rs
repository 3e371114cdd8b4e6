//! What may not import what: the architecture as two tables.
//!
//! [`SIBLINGS`] is a list of what is allowed: a module of `agent` or `collector` names its own
//! siblings only where its row says so, and a module without a row is refused. [`NEVER`] is a list of
//! what is forbidden whatever the siblings: crates, threads, clocks, files, where a module is to stay
//! pure or to stay the only home of something.
//!
//! A path is judged in full: `crate::`, `super::` and `use` trees are spelled out first. Tests are
//! not judged, neither `tests.rs` files nor a `mod tests` at the end of a file.

use crate::{
    code,
    tree::{Finding, Tree},
};

/// One row of the architecture: `(module, siblings that it may name, what it is)`.
///
/// `*` is everything: the composition roots. A more particular row wins over its parent's.
type Sibling = (&'static str, &'static [&'static str], &'static str);

/// Allowed within `agent` and `collector`; everything else is forbidden.
const SIBLINGS: &[Sibling] = &[
    ("agent", &["*"], "`lib.rs` and `main.rs` see everything"),
    ("agent::app", &["*"], "the composition root"),
    ("agent::cli", &["*"], "the commands"),
    ("agent::check", &["config", "sensor"], "what this host offers"),
    ("agent::config", &["sensor", "spool"], "parses into the stages' own settings"),
    ("agent::sensor", &[], "a sensor only emits"),
    ("agent::enrich", &["sensor"], "takes observations, makes events"),
    ("agent::spool", &[], "the spool keeps bytes"),
    (
        "agent::seal",
        &["sensor", "spool", "containment"],
        "numbers events; remembers them for citations",
    ),
    (
        "agent::road",
        &["sensor", "enrich", "seal", "spool"],
        "one thread owns what lies between sensors and session",
    ),
    (
        "agent::session",
        &["spool", "enroll", "road", "containment"],
        "asks the road for leases, hands commands to containment's queue",
    ),
    (
        "agent::enroll",
        &["config", "containment"],
        "the identity of this host; pins the keyring's roots",
    ),
    ("agent::containment::linux", &["enroll", "sensor"], "finds cgroups as the sensors do"),
    (
        "agent::containment",
        &["enroll", "snapshot"],
        "verifies, plans and executes, a snapshot too; knows no network",
    ),
    ("agent::snapshot", &["sensor"], "collects and seals"),
    ("agent::snapshot::upload", &["enroll", "sensor"], "the only part that sends"),
    ("agent::health", &["sensor", "spool", "road"], "counts what the stages count"),
    ("agent::sandbox", &[], "gives up what is not needed"),
    ("collector", &["*"], "`lib.rs` and `main.rs` see everything"),
    ("collector::app", &["*"], "the composition root"),
    ("collector::cli", &["*"], "the commands"),
    ("collector::config", &[], "Raw to Config"),
    ("collector::init", &["*"], "makes everything that `serve` needs, once"),
    ("collector::guard", &["*"], "refuses to start beside a key that is not the collector's"),
    ("collector::reserve", &["metric"], "keeps room on the disk for the state"),
    ("collector::layout", &[], "names of files and folders"),
    ("collector::listen", &["metric"], "accepts TLS connections"),
    ("collector::metric", &[], "names of what is counted"),
    ("collector::pki", &["store", "metric"], "the authority's rules"),
    (
        "collector::gateway",
        &["ingest", "pki", "store", "metric", "listen", "notice", "evidence"],
        "the wire comes in here",
    ),
    ("collector::ingest", &["metric"], "makes batches durable and hands them on"),
    ("collector::lake", &[], "rows to Parquet and back"),
    (
        "collector::lake::filer",
        &["ingest", "metric", "notice"],
        "pulls from the journal, counts what it filed, tells what it cannot",
    ),
    ("collector::lake::error", &["ingest"], "why the journal could not keep what is set aside"),
    ("collector::detect", &[], "pure: events to detections"),
    ("collector::rulefile", &["detect"], "finds rule files and reads them, for watch and replay"),
    ("collector::incident", &["store"], "detections to incidents"),
    ("collector::incident::phase", &[], "pure"),
    ("collector::incident::gate", &[], "pure"),
    ("collector::incident::indicator", &[], "pure"),
    ("collector::incident::assemble", &[], "pure"),
    ("collector::suspicion", &["store", "incident"], "what people report, as detections"),
    (
        "collector::response",
        &["store", "incident", "notice", "metric"],
        "detections to commands, receipts to their end",
    ),
    (
        "collector::response::dispatch",
        &["store", "gateway", "metric"],
        "the outbox: hands signed commands to live sessions",
    ),
    ("collector::response::decide", &[], "pure"),
    ("collector::playbook", &["store", "response"], "guided response"),
    ("collector::playbook::run", &[], "pure"),
    ("collector::exercise", &["ingest", "store"], "drills"),
    ("collector::report", &["store", "lake"], "after-action report"),
    ("collector::report::model", &[], "values"),
    ("collector::store", &[], "small, transactional truth"),
    ("collector::evidence", &["reserve"], "containers on disk; knows no SQL and no wire"),
    ("collector::auth", &["store"], "principals and roles"),
    ("collector::notice", &[], "what is new, for those who watch now"),
    (
        "collector::watch",
        &["ingest", "detect", "rulefile", "incident", "response", "notice", "store", "metric"],
        "runs the rules over what arrives",
    ),
    ("collector::watch::suppress", &["store"], "pure: which detections are kept back"),
    (
        "collector::api",
        &[
            "store",
            "lake",
            "response",
            "auth",
            "pki",
            "incident",
            "notice",
            "report",
            "console",
            "evidence",
            "suspicion",
        ],
        "REST",
    ),
    ("collector::console", &["report"], "screens: the values of a report, written for a browser"),
];

/// One ban: `(module, what it may not name, except in these modules, why)`.
type Ban = (&'static str, &'static [&'static str], &'static [&'static str], &'static str);

/// Forbidden, whatever [`SIBLINGS`] allows.
const NEVER: &[Ban] = &[
    ("proto", &["shared", "agent", "collector"], &[], "the wire knows nothing of ours"),
    ("shared", &["agent", "collector"], &[], "the vocabulary knows no program"),
    (
        "shared",
        &["proto"],
        &["shared::wire", "shared::batch", "shared::crypto"],
        "proto meets domain in `wire`, in a batch's body and in what is signed",
    ),
    (
        "shared",
        &["std::net::TcpStream", "std::net::TcpListener", "tokio::net", "std::thread", "tonic"],
        &["shared::seglog::tests", "shared::test_support"],
        "values, no programs",
    ),
    ("agent", &["collector", "arrow_array", "parquet", "sqlx"], &[], "the agent stays small"),
    ("agent::sensor", &["tonic", "proto", "shared::wire"], &[], "a sensor only emits"),
    ("agent::enrich", &["tonic", "proto"], &[], "enrichment knows no wire"),
    (
        "agent::spool",
        &[
            "shared::event::Event",
            "shared::event::Body",
            "shared::event::process",
            "shared::event::file",
            "shared::event::network",
            "shared::wire",
            "proto",
            "tonic",
        ],
        &[],
        "the spool keeps bytes; of events it knows the cause of a loss",
    ),
    ("agent::containment", &["tonic"], &[], "containment knows no network"),
    (
        "agent::snapshot",
        &["tonic", "proto", "enroll"],
        &["agent::snapshot::upload"],
        "one part of it sends",
    ),
    (
        "agent::containment",
        &["std::process", "rustix", "libc", "nix"],
        &["agent::containment::linux"],
        "`linux.rs` is the only door to effects",
    ),
    ("collector", &["agent"], &[], "the two programs meet on the wire only"),
    ("collector", &["tonic"], &["collector::gateway"], "tonic lives in the gateway"),
    (
        "collector",
        &["axum", "utoipa", "utoipa_axum"],
        &["collector::api", "collector::console"],
        "HTTP lives in the API",
    ),
    ("collector", &["sqlx"], &["collector::store"], "SQL lives in the store"),
    (
        "collector",
        &["parquet", "arrow_array", "arrow_schema", "arrow_buffer", "arrow_select"],
        &["collector::lake"],
        "Parquet lives in the lake",
    ),
    ("collector::detect", PURE, &[], "detection is pure"),
    ("collector::incident::phase", PURE, &[], "the lifecycle is a table"),
    ("collector::incident::evidence", PURE, &[], "what rows prove is a function of them"),
    ("collector::incident::gate", PURE, &[], "what a phase waits for is a function of facts"),
    ("collector::incident::assemble", PURE, &[], "the core is pure"),
    ("collector::response::decide", PURE, &[], "policy is a function"),
    ("collector::watch::suppress", PURE, &[], "what is kept back is a function"),
    ("collector::playbook::run", PURE, &[], "the next step is a function"),
    (
        "cordon",
        &["collector"],
        &[],
        "the responder's tool is a client of the REST API and nothing more",
    ),
    ("tests", &["agent", "collector"], &["tests::sim"], "from outside means from outside"),
];

/// What a pure module never names.
const PURE: &[&str] = &[
    "tokio",
    "std::fs",
    "std::net",
    "std::thread",
    "std::time::SystemTime",
    "std::time::Instant",
    "shared::time::SystemClock",
];

/// What the responder's tool may name of the collector all the same.
const CORDON_MAY: &[&str] = &["collector::detect", "collector::rulefile", "collector::api::view"];

/// Judges every path that the sources name.
fn layers(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, source) in tree.sources() {
        let Some(module) = module_of(file) else { continue };
        for (line, path) in code::paths(&code::without_prose(source)) {
            let Some(path) = absolute(&module, &path) else { continue };
            let place = format!("{file}:{line}");
            findings.extend(refused(&module, &path).map(|why| {
                Finding::new(&place, format!("`{module}` may not name `{path}`: {why}"))
            }));
        }
        if row_of(&module).is_none() && has_siblings(&module) {
            findings.push(Finding::new(file, format!("`{module}` has no row in the table")));
        }
    }
    findings
}

/// Why `module` may not name `path`, if it may not.
fn refused(module: &str, path: &str) -> Option<String> {
    let banned = NEVER.iter().find(|(of, what, except, _)| {
        is_below(module, of)
            && what.iter().any(|it| is_below(path, it))
            && !except.iter().any(|it| is_below(module, it))
            && !(*of == "cordon" && CORDON_MAY.iter().any(|it| is_below(path, it)))
    });
    if let Some((_, _, _, why)) = banned {
        return Some((*why).to_owned());
    }
    let (home, own) = split(module);
    let (there, sibling) = split(path);
    if home != there || !has_siblings(module) || own == sibling || !is_module(sibling) {
        return None;
    }
    let (_, may, what) = row_of(module)?;
    let allowed = may.iter().any(|it| *it == "*" || *it == sibling);
    (!allowed).then(|| format!("{what}; it may name {may:?}"))
}

/// The most particular row that covers a module.
fn row_of(module: &str) -> Option<&'static Sibling> {
    let covers = |row: &&Sibling| {
        // The row of the crate itself is for its two root files, not for every module below it.
        if row.0.contains("::") { is_below(module, row.0) } else { module == row.0 }
    };
    SIBLINGS.iter().filter(covers).max_by_key(|row| row.0.len())
}

fn has_siblings(module: &str) -> bool {
    module == "agent"
        || module == "collector"
        || is_below(module, "agent")
        || is_below(module, "collector")
}

/// `a::b::c` → (`a`, `b`).
fn split(path: &str) -> (&str, &str) {
    let mut parts = path.splitn(3, "::");
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// Modules are written in small letters; what is not is a type at the root of the crate.
fn is_module(name: &str) -> bool {
    name.chars().next().is_some_and(char::is_lowercase)
}

fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The module that a source file is, or none for files that are not judged.
fn module_of(file: &str) -> Option<String> {
    let (home, below) = [
        ("collector/src/bin/cordon/", "cordon"),
        ("agent/src/", "agent"),
        ("collector/src/", "collector"),
        ("shared/src/", "shared"),
        ("proto/src/", "proto"),
        ("tests/src/", "tests"),
        ("tests/tests/", "tests"),
    ]
    .into_iter()
    .find_map(|(folder, home)| Some((home, file.strip_prefix(folder)?)))?;
    let path = below.strip_suffix(".rs")?;
    let parts: Vec<_> = path.split('/').filter(|it| *it != "main" && *it != "lib").collect();
    // A unit test may name what it likes; the crate `tests` is judged whole.
    if home != "tests" && parts.contains(&"tests") {
        return None;
    }
    Some(std::iter::once(home).chain(parts).collect::<Vec<_>>().join("::"))
}

/// Spells `crate`, `self`, `super` and our crates' names out; `None` for a path that leads nowhere.
fn absolute(module: &str, path: &str) -> Option<String> {
    let (home, _) = split(module);
    let mut base: Vec<&str> = module.split("::").collect();
    let mut parts = path.split("::").peekable();
    let first = *parts.peek()?;
    match first {
        "crate" => {
            base = vec![home];
            parts.next();
        }
        "self" => drop(parts.next()),
        "super" => {
            while parts.next_if_eq(&"super").is_some() {
                base.pop()?;
            }
        }
        other => {
            base = vec![other.strip_prefix("cordon_").unwrap_or(other)];
            parts.next();
        }
    }
    base.extend(parts);
    Some(base.join("::"))
}

#[test]
fn every_module_names_only_what_its_row_allows() {
    crate::tree::holds(layers);
}

#[cfg(test)]
mod planted;
