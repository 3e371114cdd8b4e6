//! The responders' tool against a real collector: what a script sees of it, exit codes first.

use std::path::{Path, PathBuf};

use cordon_shared::durable;
use cordon_tests::{
    binary::Program,
    child::{Launch, Output},
    testbed::{SOON, Testbed},
};
use serde_json::Value;

/// A person with a profile of their own.
struct Person<'a> {
    testbed: &'a Testbed,
    profile: PathBuf,
}

impl<'a> Person<'a> {
    fn new(testbed: &'a Testbed) -> Self {
        Self { testbed, profile: testbed.folder().join("person/profile.toml") }
    }

    fn url(&self) -> String {
        format!("https://{}", self.testbed.collector().addresses().api)
    }

    fn data(&self, name: &str) -> String {
        self.testbed.collector().data().join(name).display().to_string()
    }

    fn launch(&self) -> Launch {
        // Whoever runs the test may have these set.
        ["CORDON_URL", "CORDON_CA", "CORDON_TOKEN"]
            .into_iter()
            .fold(Launch::new("cordon", Program::Cordon.path().unwrap()), |launch, name| {
                launch.env(name, "")
            })
            .env("CORDON_PROFILE", &self.profile)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.launch().args(arguments).run(SOON).unwrap()
    }

    fn login(&self) {
        let (ca, token) = (self.data("pki/authority.pem"), self.data("admin.token"));
        let arguments = ["login", "--url", &self.url(), "--ca", &ca, "--token-file", &token];
        let said = self.run(&arguments).expect_success().unwrap();
        assert!(said.starts_with("logged in to https://"), "{said}");
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let arguments = [arguments, &["--output", "json"]].concat();
        let said = self.run(&arguments).expect_success().unwrap();
        serde_json::from_str(&said).unwrap()
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[track_caller]
fn refused(output: &Output, code: i32, because: &str) {
    assert_eq!(output.code(), code, "{}{}", output.stdout, output.stderr);
    assert!(output.stderr.contains(because), "`{because}` is not in: {}", output.stderr);
    assert!(output.stdout.is_empty(), "{}", output.stdout);
}

#[test]
fn a_person_logs_in_once_and_then_asks() {
    let testbed = Testbed::start().unwrap();
    let person = Person::new(&testbed);
    refused(&person.run(&["status"]), 2, "cordon login --url");
    let (ca, wrong) = (person.data("pki/authority.pem"), testbed.folder().join("wrong"));
    durable::write(&wrong, b"cordon_api_00\n", durable::MODE_SECRET).unwrap();
    for (file, code, because) in [(ca.as_str(), 2, "no token"), (text(&wrong), 3, "cordon login")] {
        let arguments = ["login", "--url", &person.url(), "--ca", &ca, "--token-file", file];
        refused(&person.run(&arguments), code, because);
    }
    refused(&person.run(&["status"]), 2, "cordon login --url");
    person.login();
    let status = person.json(&["status"]);
    assert_eq!(status[0]["keyring_number"], 1, "{status:?}");
    assert!(person.json(&["host", "list"]).is_empty());
    let table = person.run(&["host", "list"]).expect_success().unwrap();
    assert_eq!(table, "nothing to show\n");

    let token = person.run(&["token", "create", "--hosts", "2", "--label", "role=web"]);
    let token = token.expect_success().unwrap();
    testbed.prepare("web-1", |_| ()).unwrap().enroll(token.trim()).unwrap();
    let tokens = person.json(&["token", "list"]);
    let made = tokens.iter().find(|it| it["hosts_max"] == 2).unwrap();
    assert_eq!(made["hosts"], 1, "{made}");
    let hosts = person.json(&["host", "list"]);
    assert_eq!(hosts.len(), 1, "{hosts:?}");
    assert_eq!(hosts[0]["labels"][0], "role=web");
    let agent = hosts[0]["agent_id"].as_str().unwrap();
    let table = person.run(&["host", "list"]).expect_success().unwrap();
    assert!(table.lines().nth(1).unwrap().starts_with(agent), "{table}");
    assert_eq!(person.json(&["host", "show", agent])[0]["agent_id"], agent);

    let revoked = person.json(&["host", "revoke", agent, "--reason", "a test"]);
    assert_eq!(revoked[0]["standing"], "revoked");
    assert_eq!(person.json(&["audit", "verify"])[0]["is_whole"], true);
    let acts = person.json(&["audit", "list", "--limit", "1"]);
    assert_eq!(acts.len(), 1, "{acts:?}");
    assert_eq!(acts[0]["principal"], "admin");
}

#[test]
fn a_script_tells_failures_apart_by_their_code() {
    let mut testbed = Testbed::start().unwrap();
    let person = Person::new(&testbed);
    person.login();
    refused(&person.run(&["host", "show", "nobody"]), 5, "`nobody` is not known");
    refused(&person.run(&["host", "show", "../status"]), 2, "is no id");
    refused(&person.run(&["event", "search", "--since", "soon"]), 2, "is no time");
    refused(&person.run(&["host"]), 2, "list");

    let wrong = person.launch().env("CORDON_TOKEN", "cordon_api_wrong");
    refused(&wrong.args(["status"]).run(SOON).unwrap(), 3, "cordon login");

    let keys = testbed.folder().join("other");
    let other = another_authority(&keys);
    let other = other.display().to_string();
    let distrusted = person.run(&["status", "--ca", &other]);
    refused(&distrusted, 3, "is not from the pinned authority");
    refused(&distrusted, 3, &other);

    refused(&person.run(&["status", "--url", "http://127.0.0.1:1"]), 2, "https://HOST:PORT");

    let person = person.launch();
    testbed.collector_mut().kill().unwrap();
    let url = format!("https://{}", testbed.collector().addresses().api);
    refused(&person.args(["status"]).run(SOON).unwrap(), 6, &format!("{url} cannot be reached"));
}

/// The certificate of a collector that this one is not.
fn another_authority(folder: &Path) -> PathBuf {
    let run = |program: Program, arguments: &[&str]| {
        let launch = Launch::new("other", program.path().unwrap()).args(arguments);
        launch.run(SOON).unwrap().expect_success().unwrap();
    };
    let (keys, data) = (folder.join("keys"), folder.join("collector"));
    run(Program::Cordon, &["key", "root", "--out", text(&keys)]);
    let root = keys.join("root.pub");
    let (data_text, root) = (text(&data), text(&root));
    run(Program::Collector, &["init", "--data-dir", data_text, "--root-key", root]);
    data.join("pki/authority.pem")
}

#[test]
fn a_rule_is_armed_by_a_signature_and_by_nothing_else() {
    let testbed = Testbed::start().unwrap();
    let person = Person::new(&testbed);
    person.login();
    let draft = person.data("keyring/draft");
    let rule = "shell_with_socket_stdio.yaml";
    person.run(&["rule", "arm", rule, "--draft", &draft]).expect_success().unwrap();
    assert_eq!(person.json(&["keyring", "show"])[0]["number"], 1);

    let root = testbed.folder().join("keys/root.key").display().to_string();
    let signed = testbed.folder().join("signed").display().to_string();
    let sign = ["key", "sign", "--key", &root, "--draft", &draft, "--out", &signed];
    person.run(&sign).expect_success().unwrap();
    assert_eq!(person.json(&["keyring", "install", &signed])[0]["number"], 2);
    let acts = person.json(&["audit", "list"]);
    let armed = "policy 2, members 2, 1 rules armed";
    assert!(acts.iter().any(|it| it["detail"] == armed), "{acts:?}");
}

#[test]
fn rules_are_checked_without_a_collector() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.yaml");
    durable::write(&bad, b"title: [", durable::MODE_PUBLIC).unwrap();
    let run = |arguments: &[&str]| {
        let launch = Launch::new("cordon", Program::Cordon.path().unwrap());
        launch.args(arguments).run(SOON).unwrap()
    };
    let output = run(&["rule", "check", text(&bad)]);
    assert_eq!(output.code(), 1, "{}", output.stderr);
    assert!(output.stdout.contains("bad.yaml"), "{}", output.stdout);
    run(&["rule", "test"]).expect_success().unwrap();
}
