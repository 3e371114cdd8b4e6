//! Figures as SVG: drawn here, read by the report and the console. Pure.
//!
//! A figure is one element that holds all it needs but the style sheet (`web/base.css`), which both
//! pages have. No script, no link, no style attribute: a strict content policy shows it.

pub mod timeline;

pub mod tree;

/// Width of a figure in its own units; the page scales it.
const WIDTH: f64 = 960.0;

/// A coordinate as SVG wants it: a tenth is finer than any screen.
fn at(it: f64) -> String {
    let text = format!("{it:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}
