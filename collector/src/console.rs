//! The console's screens: values to HTML, one file a screen. Pure.
//!
//! Beside the road: the API's page handlers gather, these write, the browser shows. Every value goes
//! through maud, which escapes it, and hosts' words through [`Said`](crate::report::said::Said). The
//! one script is ours (`web/live.js`); no page has a script, a style or a handler in its text, and
//! [`POLICY`] forbids a browser to take any. It never reads the store and knows no token.

pub mod incident;

pub mod list;

pub mod live;

pub mod login;

use maud::{DOCTYPE, Markup, html};

/// What a browser may do with a page: show it with our style, run our script, ask this collector.
pub const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
     connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// How pages look.
pub const STYLE: &str =
    concat!(include_str!("../web/base.css"), include_str!("../web/console.css"));

/// The script of the live page.
pub const LIVE_SCRIPT: &str = include_str!("../web/live.js");

/// A page for somebody who is known.
#[must_use]
pub fn page(title: &str, who: &str, main: &Markup) -> String {
    let nav = html! {
        nav {
            a.mark href="/" { "Cordon" }
            a href="/" { "Incidents" }
            a href="/live" { "Live events" }
            form method="post" action="/logout" { span { (who) } button { "Log out" } }
        }
    };
    whole(title, &nav, main)
}

/// Why a page is not shown.
#[must_use]
pub fn refusal(title: &str, message: &str) -> String {
    let main = html! { h1 { (title) } p { (message) } p { a href="/" { "To the incidents" } } };
    whole(title, &html! { nav { a.mark href="/" { "Cordon" } } }, &main)
}

fn whole(title: &str, nav: &Markup, main: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Cordon" }
                link rel="stylesheet" href="/style.css";
            }
            body.console { (nav) main { (main) } }
        }
    };
    page.into_string()
}

#[cfg(test)]
mod tests;
