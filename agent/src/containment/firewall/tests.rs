use expect_test::{Expect, expect};

use super::{
    rule::{Expression, Way, rules},
    *,
};

/// A rule as one line.
fn line(rule: &[Expression]) -> String {
    let word = |it: &Expression| match it {
        Expression::Meta(key) => format!("meta {key}"),
        Expression::Payload { base, offset, bytes } => format!("header {base}[{offset}+{bytes}]"),
        Expression::Cgroup { level } => format!("cgroup at {level}"),
        Expression::Mask(mask) => format!("& {}", hex(mask)),
        Expression::Is(value) => format!("== {}", hex(value)),
        Expression::Count => "count".to_owned(),
        Expression::Accept => "accept".to_owned(),
    };
    rule.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}

#[track_caller]
fn check(opening: &Opening, want: &Expect) {
    let mut said = format!("{opening}\n");
    for (name, way) in [("in ", Way::In), ("out", Way::Out)] {
        for rule in rules(opening, way) {
            said += &format!("{name} {}\n", line(&rule));
        }
    }
    want.assert_eq(&said);
}

#[test]
fn the_host_talks_to_itself() {
    check(
        &Opening::Loopback,
        &expect![[r#"
            loopback
            in  meta 6 == 6c6f0000000000000000000000000000 count accept
            out meta 7 == 6c6f0000000000000000000000000000 count accept
        "#]],
    );
}

#[test]
fn the_collector_is_one_port_of_one_address_for_the_agent_alone() {
    let at = "192.0.2.7:7443".parse().expect("an address");
    let only = Some(Cgroup { id: 0x1122, level: 2 });
    check(
        &Opening::Collector { at, only },
        &expect![[r#"
            192.0.2.7:7443 over TCP, the agent alone
            in  meta 15 == 02 header 1[12+4] & ffffffff == c0000207 meta 16 == 06 header 2[0+2] == 1d13 cgroup at 2 == 2211000000000000 count accept
            out meta 15 == 02 header 1[16+4] & ffffffff == c0000207 meta 16 == 06 header 2[2+2] == 1d13 cgroup at 2 == 2211000000000000 count accept
        "#]],
    );
    let at = "[2001:db8::7]:7444".parse().expect("an address");
    check(
        &Opening::Collector { at, only: None },
        &expect![[r#"
            [2001:db8::7]:7444 over TCP
            in  meta 15 == 0a header 1[8+16] & ffffffffffffffffffffffffffffffff == 20010db8000000000000000000000007 meta 16 == 06 header 2[0+2] == 1d14 count accept
            out meta 15 == 0a header 1[24+16] & ffffffffffffffffffffffffffffffff == 20010db8000000000000000000000007 meta 16 == 06 header 2[2+2] == 1d14 count accept
        "#]],
    );
}

#[test]
fn a_network_is_what_its_prefix_holds() {
    let network = |address: &str, prefix_bits| {
        let address = address.parse().expect("an address");
        Opening::Network(Network { address, prefix_bits })
    };
    check(
        &network("10.1.2.3", 12),
        &expect![[r#"
        10.1.2.3/12
        in  meta 15 == 02 header 1[12+4] & fff00000 == 0a000000 count accept
        out meta 15 == 02 header 1[16+4] & fff00000 == 0a000000 count accept
    "#]],
    );
    check(
        &network("0.0.0.0", 0),
        &expect![[r#"
        0.0.0.0/0
        in  meta 15 == 02 header 1[12+4] & 00000000 == 00000000 count accept
        out meta 15 == 02 header 1[16+4] & 00000000 == 00000000 count accept
    "#]],
    );
    check(
        &network("2001:db8:ffff::", 33),
        &expect![[r#"
        2001:db8:ffff::/33
        in  meta 15 == 0a header 1[8+16] & ffffffff800000000000000000000000 == 20010db8800000000000000000000000 count accept
        out meta 15 == 0a header 1[24+16] & ffffffff800000000000000000000000 == 20010db8800000000000000000000000 count accept
    "#]],
    );
}

#[test]
fn a_link_keeps_its_neighbours_and_its_lease() {
    check(
        &Opening::Neighbours,
        &expect![[r#"
        neighbour discovery
        in  meta 15 == 0a header 1[7+1] == ff meta 16 == 3a header 2[0+1] == 87 count accept
        in  meta 15 == 0a header 1[7+1] == ff meta 16 == 3a header 2[0+1] == 88 count accept
        in  meta 15 == 0a header 1[7+1] == ff meta 16 == 3a header 2[0+1] == 86 count accept
        out meta 15 == 0a header 1[7+1] == ff meta 16 == 3a header 2[0+1] == 87 count accept
        out meta 15 == 0a header 1[7+1] == ff meta 16 == 3a header 2[0+1] == 88 count accept
        out meta 15 == 0a header 1[7+1] == ff meta 16 == 3a header 2[0+1] == 85 count accept
    "#]],
    );
    let server = "192.0.2.1".parse().expect("an address");
    check(
        &Opening::Dhcp(server),
        &expect![[r#"
        DHCP with 192.0.2.1
        in  meta 15 == 02 header 1[12+4] & ffffffff == c0000201 meta 16 == 11 header 2[0+2] == 0043 header 2[2+2] == 0044 count accept
        out meta 15 == 02 header 1[16+4] & ffffffff == c0000201 meta 16 == 11 header 2[0+2] == 0044 header 2[2+2] == 0043 count accept
        out meta 15 == 02 header 1[16+4] & ffffffff == ffffffff meta 16 == 11 header 2[0+2] == 0044 header 2[2+2] == 0043 count accept
    "#]],
    );
}

#[test]
fn more_openings_than_can_be_said_are_refused() {
    let openings = vec![Opening::Loopback; OPENINGS_MAX + 1];
    let error = Ruleset::new(openings).expect_err("too many");
    expect!["257 openings: at most 256 can stay open, name wider networks"]
        .assert_eq(&error.to_string());
}

#[test]
fn a_transaction_is_messages_of_the_length_that_they_say() {
    let openings = vec![Opening::Loopback, Opening::Neighbours];
    for bytes in [make(&Ruleset::new(openings).expect("few")), remove(), is_there()] {
        let mut rest = bytes.as_slice();
        while let Some(length) = rest.get(..4) {
            let length = u32::from_ne_bytes(length.try_into().expect("four"));
            assert!(length >= 20 && length.is_multiple_of(4));
            rest = rest.get(usize::try_from(length).expect("small")..).expect("all of it is there");
        }
        assert!(rest.is_empty());
    }
}
