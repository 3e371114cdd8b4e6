//! What is taken and what is refused.

use expect_test::{Expect, expect};

use super::Config;

#[track_caller]
fn check(text: &str, want: &Expect) {
    let shown = match Config::parse(text, |_| None) {
        Ok(it) => format!(
            "{} {:?} {:?} {} {:?} {:?} {:?}",
            it.data_dir.display(),
            it.collector,
            it.scope,
            it.spool_bytes_max,
            it.policy,
            it.process,
            it.file
        ),
        Err(error) => error.to_string(),
    };
    want.assert_eq(&shown);
}

#[test]
fn an_empty_file_is_a_configuration() {
    check("", &expect![[r#"/var/lib/cordon-agent [] Host 1073741824 Enforce Auto Auto"#]]);
}

#[test]
fn everything_can_be_said() {
    check(
        "data_dir = '/d'\ncollector = ['ir.example:7443', '10.0.0.1:7443']\n\
         scope = 'cgroup:/demo'\nspool_bytes_max = 33554432\npolicy = 'observe'\n\
         [sensors]\nprocess = 'ebpf'\nfile = 'kernel'",
        &expect![[
            r#"/d ["ir.example:7443", "10.0.0.1:7443"] Cgroup("/demo") 33554432 Observe Only(Ebpf) Only(KernelInterface)"#
        ]],
    );
}

#[test]
fn a_mistyped_key_is_refused_with_what_was_meant() {
    check(
        "data_dir = '/d'\ncolector = []",
        &expect!["line 2: `colector` is not a key; did you mean `collector`?"],
    );
}

#[test]
fn a_relative_folder_is_refused() {
    check("data_dir = 'd'", &expect!["`data_dir` must be an absolute path"]);
    check("file_paths = ['etc']", &expect!["`file_paths` must be absolute paths"]);
}

#[test]
fn an_address_without_a_port_is_refused() {
    check("collector = ['ir']", &expect!["`collector` must be at most 16 texts `host:port`"]);
    check("proxy = 'p'", &expect!["`proxy` must be `host:port`"]);
}

#[test]
fn words_that_mean_nothing_are_refused() {
    check("scope = 'cgroup:'", &expect!["`scope` must be `host` or `cgroup:PATH`"]);
    check("policy = 'maybe'", &expect!["`policy` must be `enforce` or `observe`"]);
    check(
        "sensors.network = 'best'",
        &expect!["`sensors.network` must be `auto`, `ebpf`, `kernel`, `portable` or `none`"],
    );
}

#[test]
fn protected_executables_are_absolute_paths_of_files() {
    let protected = |text: &str| match Config::parse(text, |_| None) {
        Ok(it) => format!("{:?}", it.protected),
        Err(error) => error.to_string(),
    };
    let refused = "`protected` must be at most 64 absolute paths of executables, without `..`";
    assert_eq!(protected("protected = ['/usr/sbin/sshd']"), r#"["/usr/sbin/sshd"]"#);
    assert_eq!(protected("protected = ['sshd']"), refused);
    assert_eq!(protected("protected = ['/']"), refused);
    assert_eq!(protected("protected = ['/usr/sbin/../bin/x']"), refused);
    assert_eq!(
        protected("protect = ['/usr/sbin/sshd']"),
        "line 1: `protect` is not a key; did you mean `protected`?"
    );
}

#[test]
fn a_spool_too_small_for_its_lanes_is_refused() {
    check(
        "spool_bytes_max = 1048575",
        &expect!["`spool_bytes_max` must be at least 1048576 bytes"],
    );
}

#[test]
fn agents_with_other_folders_have_other_pins() {
    let name = |dir: &str| {
        Config::parse(&format!("data_dir = '{dir}'"), |_| None).expect("good").pin_name()
    };
    assert_ne!(name("/a"), name("/b"));
    assert_eq!(name("/a").len(), "cordon-12345678".len());
}
