//! Events over REST: typed searches of the lake, one event, and how many there are.
//!
//! A search blocks, so it runs beside the runtime's threads; at most [`SEARCHES_MAX`] at once, the
//! others wait. Filters are named once, here; a value that cannot be one is refused by name.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State},
};
use cordon_shared::{
    digest::Sha256,
    error::Kind,
    id::{AgentId, EventId, ProcessUid},
    ocsf::class,
    time::Timestamp,
};
use tokio::sync::Semaphore;

use super::{Api, ApiError, view};
use crate::lake::{
    Lake, LakeError,
    search::{self, Cursor, Filter, Order},
};

/// Searches at once (chosen: one core's worth, since ingest and detection must not wait for people).
const SEARCHES_MAX: usize = 2;

/// The places of searches that run.
static SEARCHES: Semaphore = Semaphore::const_new(SEARCHES_MAX);

/// Characters of a filter's value (chosen: the longest path).
const VALUE_CHARS_MAX: usize = 4_096;

/// What is looked for: all of it must hold.
#[derive(Debug, Default, serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    /// Not before this time; RFC 3339.
    since: Option<String>,
    /// Before this time; RFC 3339.
    until: Option<String>,
    /// OCSF class uids, with commas between them.
    class: Option<String>,
    /// A machine, by name or id.
    host: Option<String>,
    /// An agent, by id.
    agent: Option<String>,
    /// A process, by its uid: what it did, and what it began.
    process_uid: Option<String>,
    /// The digest of an executable or of a file.
    sha256: Option<String>,
    /// An address at either end.
    ip: Option<String>,
    /// The port that was connected to or listened at.
    port: Option<u16>,
    /// The path of an executable or of a file; `*` at its end stands for anything.
    path: Option<String>,
    /// A name that was looked up, or that of a file or a process.
    name: Option<String>,
    /// An account, by name.
    user: Option<String>,
    /// A text within a command line, a path, a looked-up name or a message.
    text: Option<String>,
    /// Rows at most, 1 to 1000; 100 unless said.
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// `newest` first, unless `oldest`.
    order: Option<String>,
}

impl Search {
    fn query(&self) -> Result<search::Query, ApiError> {
        let order = match self.order.as_deref() {
            None | Some("newest") => Order::Newest,
            Some("oldest") => Order::Oldest,
            Some(_) => return Err(ApiError::field("order", "`newest` or `oldest`")),
        };
        Ok(search::Query {
            since: parsed("since", "a time in RFC 3339", &self.since, Timestamp::parse)?,
            until: parsed("until", "a time in RFC 3339", &self.until, Timestamp::parse)?,
            classes: self.classes()?,
            filters: self.filters()?,
            order,
            after: parsed("cursor", "a `next_cursor`", &self.cursor, Cursor::parse)?,
            limit: self.limit.unwrap_or(100),
        })
    }

    fn classes(&self) -> Result<Vec<u32>, ApiError> {
        let Some(text) = &self.class else { return Ok(Vec::new()) };
        let parse = |it: &str| it.trim().parse::<u32>().ok().filter(|it| is_class(*it));
        let classes: Option<Vec<_>> = text.split(',').map(parse).collect();
        classes.ok_or(ApiError::field("class", "uids of OCSF classes that events have"))
    }

    fn filters(&self) -> Result<Vec<Filter>, ApiError> {
        let texts = [
            ("host", &self.host),
            ("path", &self.path),
            ("name", &self.name),
            ("user", &self.user),
            ("text", &self.text),
        ];
        for (field, value) in texts {
            let is_good = |it: &String| (1..=VALUE_CHARS_MAX).contains(&it.len());
            if !value.as_ref().is_none_or(is_good) {
                return Err(ApiError::field(field, "1 to 4096 characters"));
            }
        }
        let agent = parsed("agent", "an agent's id", &self.agent, AgentId::parse)?;
        let uid = ProcessUid::parse;
        let process = parsed("process_uid", "32 hexadecimal digits", &self.process_uid, uid)?;
        let sha256 = parsed("sha256", "64 hexadecimal digits", &self.sha256, Sha256::parse)?;
        let ip = parsed("ip", "an address", &self.ip, |it| it.parse().ok())?;
        let filters = [
            agent.map(Filter::Agent),
            process.map(Filter::Process),
            sha256.map(Filter::Sha256),
            ip.map(Filter::Ip),
            self.port.map(Filter::Port),
            self.host.clone().map(Filter::Host),
            self.path.clone().map(Filter::Path),
            self.name.clone().map(Filter::Name),
            self.user.clone().map(Filter::User),
            self.text.clone().map(Filter::Text),
        ];
        Ok(filters.into_iter().flatten().collect())
    }
}

fn parsed<T>(
    field: &str,
    rule: &str,
    value: &Option<String>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, ApiError> {
    let Some(text) = value else { return Ok(None) };
    parse(text).map(Some).ok_or(ApiError::field(field, rule))
}

fn is_class(uid: u32) -> bool {
    class::UIDS.contains(&i64::from(uid))
}

/// Runs a search beside the runtime's threads.
pub(super) async fn beside<T: Send + 'static>(
    lake: &Lake,
    run: impl FnOnce(&Lake) -> Result<T, LakeError> + Send + 'static,
) -> Result<T, ApiError> {
    let lake = lake.clone();
    // The semaphore is never closed, so there always comes a place.
    let _place = SEARCHES.acquire().await;
    let done = tokio::task::spawn_blocking(move || run(&lake)).await;
    let done = done.or(Err(ApiError::new(Kind::Internal, "the search ended badly")))?;
    Ok(done?)
}

/// Events.
#[utoipa::path(get, path = "/api/v1/events", operation_id = "event_list", tag = "events",
    params(Search), responses((status = 200, body = view::Events)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Query(search): Query<Search>,
) -> Result<Json<view::Events>, ApiError> {
    let query = search.query()?;
    let found = beside(&api.lake, move |lake| lake.search(&query)).await?;
    let next_cursor = found.next.map(|it| it.to_string());
    Ok(Json(view::Events { items: found.rows, next_cursor, is_partial: found.is_partial }))
}

/// How many events there are of each class.
#[utoipa::path(get, path = "/api/v1/events/count", operation_id = "event_count", tag = "events",
    params(Search), responses((status = 200, body = view::EventCounts)))]
pub(super) async fn count(
    State(api): State<Arc<Api>>,
    Query(search): Query<Search>,
) -> Result<Json<view::EventCounts>, ApiError> {
    let query = search.query()?;
    let counted = beside(&api.lake, move |lake| lake.count_by_class(&query)).await?;
    let items = counted.classes.into_iter().map(|(class_uid, count)| {
        let class_name = class::name(i64::from(class_uid)).to_owned();
        view::EventCount { class_uid, class_name, count }
    });
    Ok(Json(view::EventCounts { items: items.collect(), is_partial: counted.is_partial }))
}

/// One event.
#[utoipa::path(get, path = "/api/v1/events/{event}", operation_id = "event_show", tag = "events",
    params(("event" = String, Path, description = "its name: `metadata.uid`")),
    responses((status = 200, body = serde_json::Value)))]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
) -> Result<Json<serde_json::Value>, ApiError> {
    let id = EventId::parse(&id).ok_or(ApiError::field("event", "an event's name"))?;
    let row = beside(&api.lake, move |lake| lake.get(id)).await?;
    row.map(Json).ok_or(ApiError::new(Kind::NotFound, "there is no such event in the lake"))
}
