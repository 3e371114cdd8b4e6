//! The page that shows events as they come; `web/live.js` fills it.

use maud::html;

/// The page.
#[must_use]
pub fn page(who: &str) -> String {
    let main = html! {
        h1 { "Live events" }
        p.controls {
            span id="link" class="badge flat" role="status" { "connecting" }
            button id="pause" type="button" { "Pause" }
            label { input id="quiet" type="checkbox"; " only detections, incidents, commands, receipts" }
            span id="count" class="note" {}
        }
        noscript { p.wrong { "This page needs its script to follow the stream." } }
        div.scroll {
            table.live {
                thead { tr {
                    th scope="col" { "Time (UTC)" } th scope="col" { "Host" }
                    th scope="col" { "Kind" } th scope="col" { "What" }
                } }
                tbody id="rows" {}
            }
        }
        script type="module" src="/live.js" {}
    };
    super::page("Live events", who, &main)
}
