//! A person isolates a host from the command line, and releases it; what is seen from its network.

use std::path::{Path, PathBuf};

use cordon_tests::{
    activity::Deed,
    binary::Program,
    child::{Launch, Output, degraded},
    network::Namespace,
    testbed::{Agent, SOON, Testbed},
    wait,
};
use serde_json::Value;

/// The port that nobody listens on: whoever is let through is refused, which is an answer.
const NOBODY: u16 = 9;

/// A responder with a key of her own.
struct Responder<'a> {
    testbed: &'a Testbed,
    folder: PathBuf,
}

impl<'a> Responder<'a> {
    /// Makes her key, and has root sign a keyring that she is in.
    fn new(testbed: &'a Testbed) -> Self {
        let it = Self { testbed, folder: testbed.folder().join("bob") };
        let folder = it.folder.display().to_string();
        it.run(&["key", "new", "--name", "bob", "--out", &folder]).expect_success().unwrap();
        let public = std::fs::read_to_string(it.folder.join("bob.pub")).unwrap();
        let public = public.lines().next().unwrap();
        let member = format!(
            "\n[[members.key]]\nkey = \"{public}\"\nholder = \"bob\"\nrole = \"responder\"\n\
             holder_kind = \"file\"\nexpires = \"2100-01-01T00:00:00Z\"\n"
        );
        let signed = testbed
            .collector()
            .sign_keyring(|draft| draft.replace("\nversion = 1\n", "\nversion = 2\n") + &member);
        signed.unwrap();
        it
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let data = |name: &str| self.testbed.collector().data().join(name);
        let token = std::fs::read_to_string(data("admin.token")).unwrap();
        Launch::new("cordon", Program::Cordon.path().unwrap())
            .env("CORDON_URL", self.testbed.api().url())
            .env("CORDON_CA", data("pki/authority.pem"))
            .env("CORDON_TOKEN", token.trim())
            .args(arguments)
            .run(SOON)
            .unwrap()
    }

    /// Orders something; the exit code, what was printed as JSON, what was said.
    fn order(&self, arguments: &[&str]) -> (Option<i32>, Vec<Value>, String) {
        let key = self.folder.join("bob.key").display().to_string();
        let done = self.run(&[arguments, &["--key", &key, "--output", "json"]].concat());
        let shown = serde_json::from_str(&done.stdout).unwrap_or_default();
        (done.status.code(), shown, done.stderr)
    }
}

/// Whether a host gets an answer from the centre, on a port where nobody listens.
fn is_let_through(testbed: &Testbed, agent: &Agent) -> bool {
    let address = testbed.collector().addresses().api.ip();
    let script = format!("echo > /dev/tcp/{address}/{NOBODY}");
    let ask = Launch::new("ask", "timeout").args(["1", "bash", "-c", &script]);
    let asked = ask.in_network(agent.host().unwrap().namespace()).run(SOON).unwrap();
    asked.stderr.contains("refused")
}

fn knows_the_keyring(agent: &Agent) {
    wait::until_so("the agent has the keyring that names the responder", SOON, || {
        agent.log().is_ok_and(|it| it.contains("took keyring (2, 2)"))
    })
    .unwrap();
}

#[test]
fn a_person_isolates_a_host_and_nothing_but_its_release_brings_it_back() {
    if let Some(why) = Namespace::unavailable().or(Testbed::degraded()) {
        return degraded("an isolated host", why);
    }
    let mut testbed = Testbed::networked().unwrap();
    let mut agent = testbed.agent("web-1").unwrap();
    let bob = Responder::new(&testbed);
    knows_the_keyring(&agent);
    assert!(is_let_through(&testbed, &agent));

    let web = agent.id().to_owned();
    let (code, shown, said) = bob.order(&["isolate", &web, "--reason", "beacon"]);
    assert_eq!((code, shown.len()), (Some(0), 1), "{said} {shown:?}");
    assert_eq!(shown[0]["verdict"], "complete", "{shown:?}");
    assert!(!is_let_through(&testbed, &agent));

    let command = shown[0]["command_id"].as_str().unwrap();
    let status = agent.status().unwrap().expect_success().unwrap();
    assert!(status.contains(&format!("isolated by command {command}, since ")), "{status}");

    agent.kill().unwrap();
    assert!(!is_let_through(&testbed, &agent), "it needs no agent to stay isolated");
    agent.start().unwrap();
    let done = agent.does(Deed::Launch, "isolated", 20, SOON).unwrap();
    assert!(!is_let_through(&testbed, &agent));

    let (code, shown, said) = bob.order(&["release", &web]);
    assert_eq!((code, shown.len()), (Some(0), 1), "{said} {shown:?}");
    assert!(is_let_through(&testbed, &agent));
    let status = agent.status().unwrap().expect_success().unwrap();
    assert!(status.contains("isolated no"), "{status}");
    let (code, _, said) = bob.order(&["release", &web]);
    assert_eq!(code, Some(5), "{said}");

    let generated = done.launches().unwrap();
    let rows = testbed.settle([&mut agent], &generated, SOON).unwrap();
    rows.must_conserve(&generated).unwrap();
}

#[test]
fn what_a_person_may_not_order_is_refused_before_it_leaves() {
    if let Some(why) = Testbed::degraded() {
        return degraded("orders that are refused", why);
    }
    let testbed = Testbed::start().unwrap();
    let agent = testbed.agent("web-1").unwrap();
    let bob = Responder::new(&testbed);
    knows_the_keyring(&agent);
    let (code, _, said) = bob.order(&["isolate", "db-1"]);
    assert_eq!(code, Some(5), "{said}");
    let web = agent.id();
    // One cgroup of a host is not isolated by closing the whole host's network.
    let (code, shown, said) = bob.order(&["isolate", web]);
    assert_eq!(code, Some(3), "{said} {shown:?}");
    assert!(said.contains("whose network is the whole host's"), "{said}");
    let (code, _, said) = bob.order(&["isolate", web, "--lease", "2h"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("two persons sign"), "{said}");
    let stranger = stranger(&bob.folder, &bob);
    let done = bob.run(&["isolate", web, "--key", &stranger]);
    assert_eq!(done.status.code(), Some(3), "{}", done.stderr);
    assert!(done.stderr.contains("the keyring that is installed"), "{}", done.stderr);
}

/// A key that no keyring names.
fn stranger(folder: &Path, bob: &Responder<'_>) -> String {
    let out = folder.display().to_string();
    bob.run(&["key", "new", "--name", "mallory", "--out", &out]).expect_success().unwrap();
    folder.join("mallory.key").display().to_string()
}
