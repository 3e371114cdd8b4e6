//! Rules → bytes: a netlink transaction of `nf_tables`.
//!
//! ```text
//! message   4 length, 2 kind, 2 flags, 4 sequence, 4 port; 1 family, 1 version, 2 resource; attributes
//! attribute 2 length with these 4, 2 kind; value; zeros up to a multiple of 4
//! ```
//!
//! Headers are in the machine's byte order, numbers in attributes big-endian, register contents as the
//! packet or the kernel has them.

use super::{
    Ruleset, TABLE,
    rule::{Expression, Way, rules},
};

/// `enum nf_tables_msg_types`, below the subsystem's number; `nfnetlink.h` for the brackets.
const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const NEW_TABLE: u16 = SUBSYSTEM << 8;
const GET_TABLE: u16 = SUBSYSTEM << 8 | 1;
const DELETE_TABLE: u16 = SUBSYSTEM << 8 | 2;
const NEW_CHAIN: u16 = SUBSYSTEM << 8 | 3;
const NEW_RULE: u16 = SUBSYSTEM << 8 | 6;

/// `netlink.h`.
const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;
const HEADER_BYTES: usize = 16;
const NESTED: u16 = 0x8000;

/// `NFPROTO_INET`: IPv4 and IPv6 together.
const INET: u8 = 1;

/// `NFT_REG_1`: 16 bytes; `NFT_REG_VERDICT`.
const REGISTER: u32 = 1;
const VERDICT: u32 = 0;

/// Before every filter that others have at their usual places, and behind what follows connections.
const PRIORITY: i32 = -150;

/// `enum nf_inet_hooks`, and the chains' names.
const CHAINS: [(&str, u32); 3] = [("cordon_in", 1), ("cordon_forward", 2), ("cordon_out", 3)];

/// `NF_DROP`, `NF_ACCEPT`.
const DROP: u32 = 0;
const ACCEPT: u32 = 1;

/// The transaction that makes this true, in place of what this program made before.
#[must_use]
pub fn make(ruleset: &Ruleset) -> Vec<u8> {
    let mut batch = Batch::begin();
    // Made, so that it can be deleted whether it was there or not; then made anew.
    batch.table(NEW_TABLE, CREATE);
    batch.table(DELETE_TABLE, 0);
    batch.table(NEW_TABLE, CREATE);
    for (name, hook) in CHAINS {
        batch.message(NEW_CHAIN, CREATE, |it| {
            it.text(1, TABLE);
            it.text(3, name);
            it.nest(4, |hooked| {
                hooked.number(1, hook);
                hooked.attribute(2, &PRIORITY.to_be_bytes());
            });
            it.number(5, DROP);
            it.text(7, "filter");
        });
    }
    for (chain, way) in [("cordon_in", Way::In), ("cordon_out", Way::Out)] {
        for rule in ruleset.openings().iter().flat_map(|it| rules(it, way)) {
            batch.rule(chain, &rule);
        }
    }
    batch.end()
}

/// The transaction that removes what [`make`] made. The kernel answers `ENOENT` when it is not there.
#[must_use]
pub fn remove() -> Vec<u8> {
    let mut batch = Batch::begin();
    batch.table(DELETE_TABLE, 0);
    batch.end()
}

/// The question whether the table is there: answered with it, or with `ENOENT`.
#[must_use]
pub fn is_there() -> Vec<u8> {
    let mut batch = Batch(Vec::new(), 0);
    batch.table(GET_TABLE, 0);
    batch.0
}

/// Messages, and the number of the last one.
struct Batch(Vec<u8>, u32);

impl Batch {
    fn begin() -> Self {
        let mut batch = Self(Vec::new(), 0);
        batch.bracket(BATCH_BEGIN);
        batch
    }

    fn end(mut self) -> Vec<u8> {
        self.bracket(BATCH_END);
        self.0
    }

    fn bracket(&mut self, kind: u16) {
        self.framed(kind, REQUEST, [0, 0, 0, SUBSYSTEM.to_be_bytes()[1]], |_| ());
    }

    fn table(&mut self, kind: u16, flags: u16) {
        self.message(kind, flags, |it| it.text(1, TABLE));
    }

    fn rule(&mut self, chain: &str, expressions: &[Expression]) {
        self.message(NEW_RULE, CREATE | APPEND, |it| {
            it.text(1, TABLE);
            it.text(2, chain);
            it.nest(4, |list| {
                for expression in expressions {
                    list.nest(1, |it| it.expression(expression));
                }
            });
        });
    }

    fn message(&mut self, kind: u16, flags: u16, fill: impl FnOnce(&mut Attributes)) {
        self.framed(kind, REQUEST | ACK | flags, [INET, 0, 0, 0], fill);
    }

    fn framed(&mut self, kind: u16, flags: u16, head: [u8; 4], fill: impl FnOnce(&mut Attributes)) {
        let mut attributes = Attributes(Vec::new());
        fill(&mut attributes);
        let bytes = HEADER_BYTES + head.len() + attributes.0.len();
        self.0.extend(u32::try_from(bytes).unwrap_or(u32::MAX).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(flags.to_ne_bytes());
        self.0.extend(self.1.to_ne_bytes());
        self.0.extend([0; 4]);
        self.0.extend(head);
        self.0.extend(attributes.0);
        self.1 += 1;
    }
}

struct Attributes(Vec<u8>);

impl Attributes {
    fn attribute(&mut self, kind: u16, value: &[u8]) {
        let bytes = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        self.0.extend(bytes.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn text(&mut self, kind: u16, value: &str) {
        self.attribute(kind, &[value.as_bytes(), &[0]].concat());
    }

    fn number(&mut self, kind: u16, value: u32) {
        self.attribute(kind, &value.to_be_bytes());
    }

    fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let mut inner = Self(Vec::new());
        fill(&mut inner);
        self.attribute(kind | NESTED, &inner.0);
    }

    /// `NFTA_EXPR_NAME` and `NFTA_EXPR_DATA`.
    fn expression(&mut self, expression: &Expression) {
        let (name, data) = named(expression);
        self.text(1, name);
        self.attribute(2 | NESTED, &data.0);
    }

    /// `NFTA_DATA_VALUE`.
    fn value(&mut self, kind: u16, value: &[u8]) {
        self.nest(kind, |it| it.attribute(1, value));
    }
}

/// An expression's name in the kernel, and its attributes.
fn named(expression: &Expression) -> (&'static str, Attributes) {
    let mut to = Attributes(Vec::new());
    let name = match expression {
        Expression::Meta(key) => {
            to.number(1, REGISTER);
            to.number(2, *key);
            "meta"
        }
        Expression::Payload { base, offset, bytes } => {
            to.number(1, REGISTER);
            to.number(2, *base);
            to.number(3, *offset);
            to.number(4, *bytes);
            "payload"
        }
        Expression::Cgroup { level } => {
            // `NFT_SOCKET_CGROUPV2`.
            to.number(1, 3);
            to.number(2, REGISTER);
            to.number(3, u32::from(*level));
            "socket"
        }
        Expression::Mask(mask) => {
            to.number(1, REGISTER);
            to.number(2, REGISTER);
            to.number(3, u32::try_from(mask.len()).unwrap_or(0));
            to.value(4, mask);
            to.value(5, &vec![0; mask.len()]);
            "bitwise"
        }
        Expression::Is(value) => {
            to.number(1, REGISTER);
            // `NFT_CMP_EQ`.
            to.number(2, 0);
            to.value(3, value);
            "cmp"
        }
        Expression::Count => "counter",
        Expression::Accept => {
            to.number(1, VERDICT);
            to.nest(2, |it| it.nest(2, |it| it.number(1, ACCEPT)));
            "immediate"
        }
    };
    (name, to)
}
