//! A rule as a value: what a Sigma document says, checked, not yet compiled.

// `core::net` holds addresses alone; `std::net` would bring sockets into a pure module.
use core::net::IpAddr;
use std::hash::{Hash, Hasher};

use cordon_shared::detection::RuleSummary;

use super::pattern::Pattern;

/// Which events a rule looks at (Sigma 2.1, "Log sources" and the taxonomy's Linux folder).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Source {
    /// `category: process_creation`.
    ProcessCreation,
    /// `category: file_event`.
    FileEvent,
    /// `category: network_connection`.
    NetworkConnection,
    /// `service: auditd`.
    Auditd,
    /// `service: auth`.
    Auth,
    /// `service: clamav`.
    Clamav,
    /// `service: cron`.
    Cron,
    /// `service: guacamole`.
    Guacamole,
    /// `service: sshd`.
    Sshd,
    /// `service: sudo`.
    Sudo,
    /// `service: syslog`.
    Syslog,
    /// `service: vsftpd`.
    Vsftpd,
    /// `product: linux` alone: every event of a Linux host that rules can look at.
    Linux,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::ProcessCreation,
        Self::FileEvent,
        Self::NetworkConnection,
        Self::Auditd,
        Self::Auth,
        Self::Clamav,
        Self::Cron,
        Self::Guacamole,
        Self::Sshd,
        Self::Sudo,
        Self::Syslog,
        Self::Vsftpd,
        Self::Linux,
    ];

    /// Its `category`, else its `service`, else its `product`, as Sigma writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProcessCreation => "process_creation",
            Self::FileEvent => "file_event",
            Self::NetworkConnection => "network_connection",
            Self::Auditd => "auditd",
            Self::Auth => "auth",
            Self::Clamav => "clamav",
            Self::Cron => "cron",
            Self::Guacamole => "guacamole",
            Self::Sshd => "sshd",
            Self::Sudo => "sudo",
            Self::Syslog => "syslog",
            Self::Vsftpd => "vsftpd",
            Self::Linux => "linux",
        }
    }

    /// Whether the word stands under `category`.
    #[must_use]
    pub fn is_category(self) -> bool {
        matches!(self, Self::ProcessCreation | Self::FileEvent | Self::NetworkConnection)
    }
}

/// What a test looks at.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Target {
    /// A field, by Sigma's name.
    Field(String),
    /// Every field of the event, one after the other: keywords.
    AnyField,
}

/// How two numbers must stand to each other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Order {
    /// `lt`.
    Less,
    /// `lte`.
    LessOrEqual,
    /// `gt`.
    Greater,
    /// `gte`.
    GreaterOrEqual,
}

/// A number of a rule or of an event; whole ones are compared as such.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// A whole one.
    Whole(i128),
    /// Any other.
    Real(f64),
}

impl Number {
    /// Reads a decimal number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        match text.parse() {
            Ok(whole) => Some(Self::Whole(whole)),
            Err(_not_whole) => text.parse().ok().filter(|it: &f64| it.is_finite()).map(Self::Real),
        }
    }

    /// Whether it stands so to another.
    #[must_use]
    pub fn is(self, order: Order, other: Self) -> bool {
        let ordering = match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => Some(a.cmp(&b)),
            (a, b) => a.as_real().partial_cmp(&b.as_real()),
        };
        let Some(it) = ordering else { return false };
        match order {
            Order::Less => it.is_lt(),
            Order::LessOrEqual => it.is_le(),
            Order::Greater => it.is_gt(),
            Order::GreaterOrEqual => it.is_ge(),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "beside a fraction the nearest real is meant")]
    fn as_real(self) -> f64 {
        match self {
            Self::Whole(it) => it as f64,
            Self::Real(it) => it,
        }
    }

    fn identity(self) -> (u8, u128) {
        match self {
            Self::Whole(it) => (0, it.cast_unsigned()),
            Self::Real(it) => (1, it.to_bits().into()),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

/// A regular expression that was found good; two are the same when their texts are.
#[derive(Clone, Debug)]
pub struct Expression(pub regex::Regex);

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Expression {}

impl Hash for Expression {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_str().hash(state);
    }
}

/// What must be so.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Check {
    /// The text fits a pattern.
    Text(Pattern),
    /// A regular expression is found in the text.
    Regex(Expression),
    /// The text is an address of a network: its base and how many bits of it count.
    Cidr(IpAddr, u8),
    /// The text is a number that stands so to this one.
    Number(Order, Number),
    /// The field is not there, or null.
    Null,
    /// The field is there, or is not, whatever it holds.
    Exists(bool),
    /// The text is that of another field, which is there.
    Field {
        /// The other field.
        other: String,
        /// More may stand before it.
        is_start_open: bool,
        /// More may stand after it.
        is_end_open: bool,
        /// Upper and lower case differ.
        is_cased: bool,
    },
}

/// One check of one target. Interned: the same test of many rules is done once.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Test {
    /// Of what.
    pub target: Target,
    /// What must be so.
    pub check: Check,
}

/// A tree of conditions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Node {
    /// Every one of them.
    All(Vec<Node>),
    /// At least one of them.
    Any(Vec<Node>),
    /// Not this one.
    Not(Box<Node>),
    /// A test.
    Test(Test),
}

impl Node {
    /// Nodes in the tree, this one among them.
    #[must_use]
    pub fn size(&self) -> usize {
        1 + match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().map(Self::size).sum(),
            Self::Not(node) => node.size(),
            Self::Test(_) => 0,
        }
    }
}

/// A rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// What a detection says of it.
    pub summary: RuleSummary,
    /// Which events it looks at.
    pub source: Source,
    /// When it matches.
    pub condition: Node,
}
