//! A person isolates a host from the command line, and releases it; what is seen from its network.

use cordon_tests::{
    activity::Deed,
    child::{Launch, degraded},
    network::Namespace,
    responder::{self, Ordered, Responder},
    testbed::{Agent, SOON, Testbed},
};

/// The port that nobody listens on: whoever is let through is refused, which is an answer.
const NOBODY: u16 = 9;

/// A responder whom the agent knows.
fn responder(testbed: &Testbed, agent: &Agent) -> Responder {
    let [bob] = responder::respond(testbed, ["bob"]).unwrap();
    agent.knows_the_second_keyring().unwrap();
    bob
}

/// Whether a host gets an answer from the centre, on a port where nobody listens.
fn is_let_through(testbed: &Testbed, agent: &Agent) -> bool {
    let address = testbed.collector().addresses().api.ip();
    let script = format!("echo > /dev/tcp/{address}/{NOBODY}");
    let ask = Launch::new("ask", "timeout").args(["1", "bash", "-c", &script]);
    let asked = ask.in_network(agent.host().unwrap().namespace()).run(SOON).unwrap();
    asked.stderr.contains("refused")
}

#[test]
fn a_person_isolates_a_host_and_nothing_but_its_release_brings_it_back() {
    if let Some(why) = Namespace::unavailable().or(Testbed::degraded()) {
        return degraded("an isolated host", why);
    }
    let mut testbed = Testbed::networked().unwrap();
    let mut agent = testbed.agent("web-1").unwrap();
    let bob = responder(&testbed, &agent);
    assert!(is_let_through(&testbed, &agent));

    let web = agent.id().to_owned();
    let Ordered { code, shown, said } =
        bob.order(&testbed, &["isolate", &web, "--reason", "beacon"]).unwrap();
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

    let Ordered { code, shown, said } = bob.order(&testbed, &["release", &web]).unwrap();
    assert_eq!((code, shown.len()), (Some(0), 1), "{said} {shown:?}");
    assert!(is_let_through(&testbed, &agent));
    let status = agent.status().unwrap().expect_success().unwrap();
    assert!(status.contains("isolated no"), "{status}");
    let Ordered { code, said, .. } = bob.order(&testbed, &["release", &web]).unwrap();
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
    let bob = responder(&testbed, &agent);
    let Ordered { code, said, .. } = bob.order(&testbed, &["isolate", "db-1"]).unwrap();
    assert_eq!(code, Some(5), "{said}");
    let web = agent.id();
    // One cgroup of a host is not isolated by closing the whole host's network.
    let Ordered { code, shown, said } = bob.order(&testbed, &["isolate", web]).unwrap();
    assert_eq!(code, Some(3), "{said} {shown:?}");
    assert!(said.contains("whose network is the whole host's"), "{said}");
    let Ordered { code, said, .. } =
        bob.order(&testbed, &["isolate", web, "--lease", "2h"]).unwrap();
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("two persons sign"), "{said}");
    let stranger = stranger(&testbed);
    let order = testbed.cordon().unwrap().args(["isolate", web, "--key", &stranger]);
    let done = order.run(SOON).unwrap();
    assert_eq!(done.status.code(), Some(3), "{}", done.stderr);
    assert!(done.stderr.contains("the keyring that is installed"), "{}", done.stderr);
}

/// A key that no keyring names.
fn stranger(testbed: &Testbed) -> String {
    let folder = testbed.folder().join("mallory");
    let out = folder.display().to_string();
    let made = testbed.cordon().unwrap().args(["key", "new", "--name", "mallory", "--out", &out]);
    made.run(SOON).unwrap().expect_success().unwrap();
    folder.join("mallory.key").display().to_string()
}
