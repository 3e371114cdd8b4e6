use super::*;

#[test]
fn a_root_is_remote_when_the_mount_that_is_seen_is() {
    assert!(!is_root_remote("/dev/vda / ext4 rw 0 0\nnas:/home /home nfs4 rw 0 0\n"));
    assert!(is_root_remote("rootfs / rootfs rw 0 0\nnas:/root / nfs4 rw 0 0\n"));
    assert!(!is_root_remote("nas:/root / nfs rw 0 0\noverlay / overlay rw 0 0\n"));
    assert!(!is_root_remote(""));
}

#[test]
fn name_servers_are_those_that_are_not_the_host_itself() {
    let text = "# made by hand\nnameserver 127.0.0.53\n nameserver 192.0.2.53\nnameserver ::1\n\
                nameserver 2001:db8::53\nsearch example.org\nnameserver nonsense\n";
    let found: Vec<_> = servers(text).iter().map(ToString::to_string).collect();
    assert_eq!(found, ["192.0.2.53", "2001:db8::53"]);
}

#[test]
fn leases_name_their_servers_once() {
    let folder = tempfile::tempdir().unwrap();
    let lease = b"# This is private data.\nADDRESS=192.0.2.9\nSERVER_ADDRESS=192.0.2.1\n";
    for name in ["2", "3"] {
        cordon_shared::durable::write(&folder.path().join(name), lease, 0o600).unwrap();
    }
    assert_eq!(leases(folder.path()), ["192.0.2.1".parse::<IpAddr>().unwrap()]);
    assert!(leases(&folder.path().join("nothing")).is_empty());
}

#[test]
fn the_own_cgroup_has_a_level_below_the_root() {
    let found = cgroup(Path::new("/proc")).unwrap();
    assert!(found.is_none_or(|it| it.level > 0 && it.id > 0), "{found:?}");
}

#[test]
fn addresses_are_resolved_once_each() {
    let names = ["127.0.0.1:7443", "127.0.0.1:7443", "[::1]:7444"].map(str::to_owned);
    assert_eq!(resolve(&names).unwrap().len(), 2);
    resolve(&["no port".to_owned()]).unwrap_err();
    resolve(&[]).unwrap_err();
}

#[test]
fn what_gets_out_is_named_and_nothing_gets_out_of_a_closed_network() {
    if let Some(what) = netfilter::tests::unavailable() {
        return println!("skipped: a network that leaks needs {what}");
    }
    netfilter::tests::apart(|| {
        let run = netfilter::tests::run;
        run("ip", "link set lo up");
        run("ip", "link add out0 type veth peer name out1");
        run("ip", "link set out1 up");
        run("ip", "addr add 198.51.100.1/24 dev out0");
        run("ip", "addr add fd98::1/64 dev out0 nodad");
        run("ip", "link set out0 up");
        run("ip", "route add default dev out0");
        run("ip", "-6 route add default dev out0");
        let scope = Some("/cordon-nobody".to_owned());
        let link = Linux { scope, ..Linux::default() };
        let none = Ruleset::new(Vec::new()).unwrap();
        let leaks = link.leaks(&none).unwrap();
        for it in ["UDP to 192.0.2.1", "ICMP to 192.0.2.1", "UDP to 2001:db8::1"] {
            assert!(leaks.iter().any(|leak| leak == it), "{it} in {leaks:?}");
        }
        link.close(&none).unwrap();
        assert_eq!(link.leaks(&none).unwrap(), Vec::<String>::new());
        assert!(link.is_closed().unwrap() && link.open().unwrap() && !link.is_closed().unwrap());
    });
}
