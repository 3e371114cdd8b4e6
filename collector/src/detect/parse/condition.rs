//! The language of conditions: `and`, `or`, `not`, parentheses, `1 of x*`, `all of them`.
//!
//! ```text
//! or    = and { "or" and }
//! and   = unary { "and" unary }
//! unary = "not" unary | "(" or ")" | ("1" | "any" | "all") "of" ("them" | pattern) | name
//! ```

use std::collections::BTreeMap;

use crate::detect::rule::Node;

/// Parentheses and `not` inside each other (chosen): deeper is no rule but an attack on the stack.
const DEPTH_MAX: usize = 64;

/// Reads a condition over these selections; the error is the reason.
pub(super) fn parse(text: &str, selections: &BTreeMap<String, Node>) -> Result<Node, String> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, selections, depth: 0 };
    let node = reader.any()?;
    match reader.words.first() {
        None => Ok(node),
        Some(word) => Err(format!("`{word}` in the condition is one word too many")),
    }
}

struct Reader<'a> {
    words: &'a [&'a str],
    selections: &'a BTreeMap<String, Node>,
    depth: usize,
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
            return Err("the condition is nested more than 64 deep".to_owned());
        }
        let node = self.term()?;
        self.depth -= 1;
        Ok(node)
    }

    fn term(&mut self) -> Result<Node, String> {
        let Some(word) = self.next() else {
            return Err("the condition ends too early".to_owned());
        };
        match word.to_ascii_lowercase().as_str() {
            "not" => Ok(Node::Not(Box::new(self.unary()?))),
            "(" => {
                let node = self.any()?;
                if self.take(")") { Ok(node) } else { Err("a `)` is missing".to_owned()) }
            }
            quantity @ ("1" | "any" | "all") if self.take("of") => self.of(quantity == "all"),
            _ => match self.selections.get(word) {
                Some(node) => Ok(node.clone()),
                None => Err(format!("the condition names `{word}`, which is not there")),
            },
        }
    }

    fn of(&mut self, is_all: bool) -> Result<Node, String> {
        let Some(pattern) = self.next() else {
            return Err("the condition ends too early".to_owned());
        };
        let chosen = |name: &str| match pattern.strip_suffix('*') {
            // Names that begin with `_` are left out of `them` (Sigma 2.1, "Condition").
            _ if pattern.eq_ignore_ascii_case("them") => !name.starts_with('_'),
            Some(prefix) => name.starts_with(prefix),
            None => name == pattern,
        };
        let nodes: Vec<_> = self
            .selections
            .iter()
            .filter(|(name, _)| chosen(name))
            .map(|(_, node)| node.clone())
            .collect();
        if nodes.is_empty() {
            return Err(format!("`{pattern}` in the condition stands for nothing"));
        }
        Ok(if is_all { Node::All(nodes) } else { Node::Any(nodes) })
    }
}

fn one_or(mut nodes: Vec<Node>, many: impl FnOnce(Vec<Node>) -> Node) -> Node {
    if nodes.len() == 1 { nodes.remove(0) } else { many(nodes) }
}
