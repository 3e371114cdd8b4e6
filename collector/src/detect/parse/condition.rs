//! The language of conditions: `and`, `or`, `not`, parentheses, `1 of x*`, `all of them`.
//!
//! ```text
//! or    = and { "or" and }
//! and   = unary { "and" unary }
//! unary = "not" unary | "(" or ")" | ("1" | "any" | "all") "of" ("them" | pattern) | name
//! ```

use super::modifier::one_or;
use crate::detect::{
    pattern::{Element, Glob, Pattern},
    rule::Node,
};

/// Parentheses and `not` inside each other (chosen): deeper is no rule but an attack on the stack.
const DEPTH_MAX: usize = 64;

/// Tests and connectives of one rule, each as often as the condition names it (chosen: fifty times
/// SigmaHQ's largest).
pub(super) const NODES_MAX: usize = 1 << 16;

/// A selection by its name, in the order of the document.
pub(super) type Selection = (String, Node);

/// Reads a condition over these selections; the error is the reason.
pub(super) fn parse(text: &str, selections: &[Selection]) -> Result<Node, String> {
    if let Some((_, rest)) = text.split_once('|') {
        let verb = rest.split_whitespace().next().unwrap_or_default();
        return Err(format!(
            "`| {verb}` is no part of a condition any more: Sigma counts in correlation rules"
        ));
    }
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, selections, depth: 0, nodes: 0 };
    let node = reader.any()?;
    match reader.words.first() {
        None => Ok(node),
        Some(word) => Err(format!("`{word}` in the condition is one word too many")),
    }
}

struct Reader<'a> {
    words: &'a [&'a str],
    selections: &'a [Selection],
    depth: usize,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, word: &str) -> bool {
        let is_next = self.words.first().is_some_and(|it| it.eq_ignore_ascii_case(word));
        if is_next {
            self.next();
        }
        is_next
    }

    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn any(&mut self) -> Result<Node, String> {
        let mut nodes = vec![self.all()?];
        while self.take("or") {
            nodes.push(self.all()?);
        }
        Ok(one_or(nodes, Node::Any))
    }

    fn all(&mut self) -> Result<Node, String> {
        let mut nodes = vec![self.unary()?];
        while self.take("and") {
            nodes.push(self.unary()?);
        }
        Ok(one_or(nodes, Node::All))
    }

    fn unary(&mut self) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("the condition is nested more than {DEPTH_MAX} deep"));
        }
        let node = self.term()?;
        self.depth -= 1;
        Ok(node)
    }

    fn term(&mut self) -> Result<Node, String> {
        let Some(word) = self.next() else {
            return Err("the condition ends too early".to_owned());
        };
        let is_of = self.words.first().is_some_and(|it| it.eq_ignore_ascii_case("of"));
        match word.to_ascii_lowercase().as_str() {
            "not" => Ok(Node::Not(Box::new(self.unary()?))),
            "(" => {
                let node = self.any()?;
                if self.take(")") { Ok(node) } else { Err("a `)` is missing".to_owned()) }
            }
            quantity if is_of => {
                self.next();
                match quantity {
                    "1" | "any" => self.of(Node::Any),
                    "all" => self.of(Node::All),
                    _ => Err(format!(
                        "`{word} of` is not in Sigma: only `1 of`, `any of` and `all of` are"
                    )),
                }
            }
            _ => match self.selections.iter().find(|(name, _)| name == word) {
                Some((_, node)) => self.copy(node),
                None => Err(format!("the condition names `{word}`, which is not there")),
            },
        }
    }

    fn of(&mut self, many: fn(Vec<Node>) -> Node) -> Result<Node, String> {
        let Some(pattern) = self.next() else {
            return Err("the condition ends too early".to_owned());
        };
        let is_them = pattern.eq_ignore_ascii_case("them");
        let glob = name_glob(pattern);
        let mut nodes = Vec::new();
        for (name, node) in self.selections {
            // Names that begin with `_` are left out of `them` (Sigma 2.1, "Condition").
            let is_chosen = if is_them { !name.starts_with('_') } else { glob.matches(name) };
            if is_chosen {
                nodes.push(self.copy(node)?);
            }
        }
        if nodes.is_empty() {
            return Err(format!("`{pattern}` in the condition stands for nothing"));
        }
        Ok(one_or(nodes, many))
    }

    /// A selection, as often as it is named.
    fn copy(&mut self, node: &Node) -> Result<Node, String> {
        self.nodes = self.nodes.saturating_add(node.size());
        if self.nodes > NODES_MAX {
            return Err(format!("the condition asks more than {NODES_MAX} things"));
        }
        Ok(node.clone())
    }
}

/// A pattern of names: `*` at any place, everything else as it is.
fn name_glob(pattern: &str) -> Glob {
    let element = |it| if it == '*' { Element::Many } else { Element::Char(it) };
    Glob::new(&Pattern { elements: pattern.chars().map(element).collect(), is_cased: true })
}
