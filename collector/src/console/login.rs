//! The page on which a responder shows a token.

use maud::html;

/// The page; with what was wrong at the last try.
#[must_use]
pub fn page(wrong: Option<&str>) -> String {
    let main = html! {
        div.login {
            h1 { "Cordon" }
            p { "Show a responder's token. It stays in this browser until you log out or close it." }
            @if let Some(wrong) = wrong { p.wrong role="alert" { (wrong) } }
            form method="post" action="/login" {
                label for="token" { "Token" }
                input id="token" name="token" type="password" autocomplete="off" spellcheck="false"
                    placeholder="cordon_api_…" required autofocus;
                button { "Log in" }
            }
        }
    };
    super::whole("Log in", &html! {}, &main)
}
