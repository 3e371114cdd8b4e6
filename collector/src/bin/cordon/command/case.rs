//! `cordon detection`, `cordon command`: what was found, and what was ordered.

use cordon_collector::api::view;

use super::fleet::{listed, segment};
use crate::{
    args::{Output, Show},
    client::Client,
    render::{self, Row},
};

/// Detections.
///
/// # Errors
/// What failed.
pub(crate) fn detection(client: &Client, output: Output, show: &Show) -> anyhow::Result<()> {
    each::<view::Detection>(client, output, show, "/api/v1/detections")
}

fn each<T: Row + serde::de::DeserializeOwned>(
    client: &Client,
    output: Output,
    show: &Show,
    path: &str,
) -> anyhow::Result<()> {
    match show {
        Show::List(listing) => render::list(output, &listed::<T>(client, path, listing)?),
        Show::Show { id } => {
            let item: T = client.get(&format!("{path}/{}", segment(id)?), &Vec::new())?;
            render::one(output, &item)
        }
    }
}

pub(super) fn part<T: Row>(title: &str, items: &[T]) -> anyhow::Result<()> {
    render::say(&format!("\n{title}"))?;
    render::list(Output::Table, items)
}
