//! Rules → [`Program`]: tests are interned, literals gathered by field, and each rule given its
//! witness.
//!
//! A witness is a set of looked-up tests of which at least one holds whenever the rule matches: of
//! "all" the cheapest part's, of "any" every part's, of "not" none. Its cost is how often it is
//! likely to hold: the shorter a literal, and the more rules ask for it, the oftener.

use std::collections::HashMap;

use super::{Check, Lookup, Place, Program, Ready, Tree};
use crate::detect::{
    pattern::{Glob, Literal, Pattern},
    rule::{self, Node, Target, Test},
};

/// A literal longer than this is not rarer for it (chosen).
const LENGTH_MAX: usize = 16;

/// A witness and what it costs.
struct Witness {
    tests: Vec<u32>,
    cost: f64,
}

#[derive(Default)]
struct Compiler {
    program: Program,
    tests: HashMap<Test, u32>,
    places: HashMap<String, usize>,
    /// By test: what is looked up, and how many rules ask.
    literals: Vec<Option<Literal>>,
    uses: Vec<u32>,
}

impl Program {
    /// Compiles the conditions of rules; a rule's number is its place among them.
    #[must_use]
    pub fn compile<'a>(conditions: impl IntoIterator<Item = &'a Node>) -> Self {
        let mut compiler = Compiler::default();
        for condition in conditions {
            let tree = compiler.tree(condition);
            compiler.program.trees.push(tree);
        }
        compiler.finish()
    }
}

impl Compiler {
    fn tree(&mut self, node: &Node) -> Tree {
        match node {
            Node::All(nodes) => Tree::All(nodes.iter().map(|it| self.tree(it)).collect()),
            Node::Any(nodes) => Tree::Any(nodes.iter().map(|it| self.tree(it)).collect()),
            Node::Not(node) => Tree::Not(Box::new(self.tree(node))),
            Node::Test(test) => {
                let id = self.test(test);
                let needs = self.program.tests.get(id as usize).and_then(|it| it.needs);
                for it in [Some(id), needs].into_iter().flatten() {
                    if let Some(uses) = self.uses.get_mut(it as usize) {
                        *uses = uses.saturating_add(1);
                    }
                }
                Tree::Test(id)
            }
        }
    }

    /// The number of a test.
    fn test(&mut self, test: &Test) -> u32 {
        let test = &normal(test);
        if let Some(id) = self.tests.get(test) {
            return *id;
        }
        let place = match &test.target {
            Target::Field(name) => Some(self.place(name)),
            Target::AnyField => None,
        };
        let (check, literal, needs) = match &test.check {
            rule::Check::Text(pattern) => match pattern.literal() {
                Some(it) => (Check::Found(it.clone()), Some(it), None),
                None => {
                    let needs = pattern.longest_part().map(|it| self.part(&test.target, &it));
                    let (glob, is_cased) = (Glob::new(pattern), pattern.is_cased);
                    (Check::Glob { glob, is_cased }, None, needs)
                }
            },
            rule::Check::Regex(it) => (Check::Regex(it.0.clone()), None, None),
            rule::Check::Cidr(address, bits) => (Check::Cidr(*address, *bits), None, None),
            rule::Check::Number(order, number) => (Check::Number(*order, *number), None, None),
            rule::Check::Null => (Check::Null, None, None),
            rule::Check::Exists(is) => (Check::Exists(*is), None, None),
            rule::Check::Field { other, is_start_open, is_end_open, is_cased } => {
                let other = self.place(other);
                let (is_start_open, is_end_open) = (*is_start_open, *is_end_open);
                let check = Check::Field { other, is_start_open, is_end_open, is_cased: *is_cased };
                (check, None, None)
            }
        };
        let id = u32::try_from(self.program.tests.len()).unwrap_or(u32::MAX);
        self.program.tests.push(Ready { place, needs, check });
        self.literals.push(literal);
        self.uses.push(0);
        self.tests.insert(test.clone(), id);
        id
    }

    /// The test that a text holds this part.
    fn part(&mut self, target: &Target, literal: &Literal) -> u32 {
        let pattern = Pattern::holding(&literal.text);
        self.test(&Test { target: target.clone(), check: rule::Check::Text(pattern) })
    }

    fn place(&mut self, name: &str) -> usize {
        if let Some(at) = self.places.get(name) {
            return *at;
        }
        let at = self.program.places.len();
        self.program.places.push(Place { name: name.to_owned(), lookup: Lookup::default() });
        self.places.insert(name.to_owned(), at);
        at
    }

    fn finish(mut self) -> Program {
        let mut program = std::mem::take(&mut self.program);
        program.witnessed.resize_with(program.tests.len(), Vec::new);
        for (rule, tree) in (0_u32..).zip(&program.trees) {
            match self.witness(tree, &program.tests) {
                Some(witness) => {
                    for test in witness.tests {
                        if let Some(rules) = program.witnessed.get_mut(test as usize) {
                            rules.push(rule);
                        }
                    }
                }
                None => program.always.push(rule),
            }
        }
        // The last of them is of every field.
        let mut gathered: Vec<Vec<(Literal, u32)>> = Vec::new();
        gathered.resize_with(program.places.len() + 1, Vec::new);
        for ((test, literal), id) in program.tests.iter().zip(self.literals).zip(0..) {
            let place = test.place.unwrap_or(program.places.len());
            if let (Some(literal), Some(list)) = (literal, gathered.get_mut(place)) {
                list.push((literal, id));
            }
        }
        program.keywords = gathered.pop().map(Lookup::new).unwrap_or_default();
        for (place, literals) in program.places.iter_mut().zip(gathered) {
            place.lookup = Lookup::new(literals);
        }
        program
    }

    /// Of which tests one must hold; nothing when that cannot be said.
    fn witness(&self, tree: &Tree, tests: &[Ready]) -> Option<Witness> {
        match tree {
            Tree::All(parts) => {
                let witnesses = parts.iter().filter_map(|it| self.witness(it, tests));
                witnesses.min_by(|a, b| a.cost.total_cmp(&b.cost))
            }
            Tree::Any(parts) => {
                let mut all = Witness { tests: Vec::new(), cost: 0.0 };
                for part in parts {
                    let witness = self.witness(part, tests)?;
                    all.tests.extend(witness.tests);
                    all.cost += witness.cost;
                }
                Some(all)
            }
            Tree::Not(_) => None,
            Tree::Test(id) => {
                let ready = tests.get(*id as usize)?;
                let id = ready.needs.unwrap_or(*id);
                let literal = self.literals.get(id as usize)?.as_ref()?;
                let uses = self.uses.get(id as usize).copied().unwrap_or(1);
                Some(Witness { tests: vec![id], cost: cost(literal) * f64::from(uses) })
            }
        }
    }
}

/// A test as it is interned: what differs in case alone, where that does not count, is the same.
fn normal(test: &Test) -> Test {
    let mut test = test.clone();
    if let rule::Check::Text(pattern) = &mut test.check
        && !pattern.is_cased
    {
        pattern.fold();
    }
    test
}

/// How often a literal is likely to be there, beside others (chosen): equality is asked of fields
/// with few values, the end of a path is seldom by chance.
fn cost(literal: &Literal) -> f64 {
    let length = i32::try_from(literal.text.len().min(LENGTH_MAX)).unwrap_or_default();
    let factor = match (literal.is_start_open, literal.is_end_open) {
        (false, false) => 4.0,
        (true, true) => 2.0,
        (true, false) | (false, true) => 1.0,
    };
    factor * 0.5_f64.powi(length)
}
