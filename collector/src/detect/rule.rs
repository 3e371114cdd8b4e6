//! A rule as a value: what a Sigma document says, checked, not yet compiled.

use cordon_shared::detection::RuleSummary;

/// Which events a rule looks at (Sigma 2.1, "Log sources").
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Source {
    /// `process_creation`, linux.
    ProcessCreation,
    /// `file_event`, linux.
    FileEvent,
    /// `network_connection`, linux.
    NetworkConnection,
}

/// How a field's value is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Operator {
    /// All of it.
    #[default]
    Equals,
    /// Somewhere in it.
    Contains,
    /// Its beginning.
    StartsWith,
    /// Its end.
    EndsWith,
    /// A regular expression.
    Regex,
    /// A network that holds it.
    Cidr,
}

/// What a field is compared with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// Text; numbers and booleans as Sigma writes them.
    Text(String),
    /// The field is not there.
    Null,
}

/// A comparison of one field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Comparison {
    /// The field, by Sigma's name.
    pub field: String,
    /// How.
    pub operator: Operator,
    /// Whether all values must match, not just one.
    pub is_all: bool,
    /// With what.
    pub values: Vec<Value>,
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
    /// A comparison.
    Compare(Comparison),
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
