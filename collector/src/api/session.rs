//! A browser's session: a cookie that is the token itself, so that nothing new is stored and a token
//! that ends or is withdrawn ends every session with it. Pure.
//!
//! The cookie is for reading alone: [`token`] is asked for GET only, so that another site can have
//! nothing done in a person's name; what changes something needs the bearer header, which no page can
//! be tricked into. The two forms (log in, log out) must come from this very origin.

use axum::http::{HeaderMap, HeaderValue, header};

/// The cookie's name: a browser takes it only over TLS, for this host alone, for all paths (RFC
/// 6265bis, section 4.1.3.2).
const NAME: &str = "__Host-cordon";

/// Characters of a token that are looked at.
const TOKEN_CHARS_MAX: usize = 128;

/// The token that a browser shows.
pub(super) fn token(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|it| it.to_str().ok());
    let mut pairs = cookies.flat_map(|it| it.split(';')).filter_map(|it| it.trim().split_once('='));
    let (_, token) = pairs.find(|(name, _)| *name == NAME)?;
    is_plain(token).then(|| token.to_owned())
}

/// The cookie that keeps a token until the browser is closed; none for what cannot be one.
pub(super) fn begin(token: &str) -> Option<HeaderValue> {
    let cookie = format!("{NAME}={token}; Path=/; Secure; HttpOnly; SameSite=Strict");
    is_plain(token).then(|| HeaderValue::from_str(&cookie).ok()).flatten()
}

/// The cookie that ends the session.
pub(super) fn end() -> HeaderValue {
    HeaderValue::from_static("__Host-cordon=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0")
}

fn is_plain(token: &str) -> bool {
    let is_good = |it: u8| it.is_ascii_alphanumeric() || it == b'_';
    (1..=TOKEN_CHARS_MAX).contains(&token.len()) && token.bytes().all(is_good)
}

/// The field `token` of a form (`application/x-www-form-urlencoded`); what a token is made of needs
/// no escape, and spaces around it that a person pasted are dropped.
pub(super) fn field(body: &str) -> Option<String> {
    let mut pairs = body.split('&').filter_map(|it| it.split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == "token")?;
    let value = value.replace("%0D", "").replace("%0A", "").replace('+', " ");
    let value = value.trim();
    is_plain(value).then(|| value.to_owned())
}

/// Whether a form was sent from a page of this very origin.
pub(super) fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|it| it.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    // Browsers that say no site say an origin; HTTP/2 has the host in the request's own line.
    let origin = text("origin").and_then(|it| it.strip_prefix("https://"));
    origin.is_some() && origin == text("host")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_cookie_gives_back_the_token_and_nothing_else() {
        let cookie = begin("cordon_api_00ff").unwrap();
        let cookie = cookie.to_str().unwrap();
        for it in ["; Secure", "; HttpOnly", "; SameSite=Strict", "; Path=/"] {
            assert!(cookie.contains(it), "{it}");
        }
        let shown = [("cookie", "a=b; __Host-cordon=cordon_api_00ff; c=d")];
        assert_eq!(token(&headers(&shown)).as_deref(), Some("cordon_api_00ff"));
        for bad in ["a=b", "cordon=x", "__Host-cordon=", "__Host-cordon=\"x\"", "__Host-cordon"] {
            let mut map = HeaderMap::new();
            map.insert("cookie", HeaderValue::from_str(bad).unwrap());
            assert_eq!(token(&map), None, "{bad}");
        }
        assert_eq!(begin("x; Domain=evil"), None);
        assert_eq!(begin(""), None);
    }

    #[test]
    fn a_pasted_token_is_found_in_the_form() {
        assert_eq!(field("token=cordon_api_00ff").as_deref(), Some("cordon_api_00ff"));
        assert_eq!(field("x=1&token=+cordon_api_1%0D%0A").as_deref(), Some("cordon_api_1"));
        for bad in ["", "token=", "token=%3Cscript%3E", "tokens=x"] {
            assert_eq!(field(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_form_of_another_site_is_refused() {
        let same = |pairs: &[(&'static str, &'static str)]| is_same_origin(&headers(pairs));
        assert!(same(&[("sec-fetch-site", "same-origin")]));
        assert!(same(&[("origin", "https://c:7445"), ("host", "c:7445")]));
        assert!(!same(&[("sec-fetch-site", "same-site")]));
        assert!(!same(&[("sec-fetch-site", "cross-site"), ("origin", "https://c"), ("host", "c")]));
        assert!(!same(&[("origin", "https://evil"), ("host", "c:7445")]));
        assert!(!same(&[("host", "c:7445")]));
        assert!(!same(&[]));
    }
}
