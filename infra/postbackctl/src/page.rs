//! Prints lists by partner and time: the newest first, a page at a time.

use std::{fmt::Display, process::ExitCode};

use anyhow::{Context, Result, bail};
use app::{
    operators::{self, More, lookup_coverage::Gap},
    ports::Partners as _,
};
use clap::Args;
use domain::{jiff::Timestamp, lookup::Place, values::ids::Provider};
use partner_files::suggestion;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    Connection, ask, coverage,
    output::{self, say},
};

/// The options of every list.
#[derive(Debug, Args)]
pub(crate) struct Page {
    /// Lists one partner instead of all.
    #[arg(long)]
    pub(crate) provider: Option<String>,
    /// Lists only what came since this instant, such as 2026-11-23T12:00:00Z, or this long ago, such as 7d or 12h.
    #[arg(long, value_name = "WHEN", value_parser = ask::instant)]
    pub(crate) since: Option<Timestamp>,
    /// Lists at most this many items of each partner.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Continues a list after this place, which is printed at the end of the previous page. Needs --provider.
    #[arg(long, value_name = "PLACE", requires = "provider", value_parser = place)]
    after: Option<Place>,
    /// Prints the result as JSON.
    #[arg(long)]
    json: bool,
}

fn place(text: &str) -> Result<Place, &'static str> {
    Place::parse(text).ok_or("copy it from the end of the previous page")
}

impl Page {
    /// Returns the page as use cases take it.
    pub(crate) fn wanted(&self) -> operators::Page {
        operators::Page { since: self.since, after: self.after.clone(), most: self.limit.into() }
    }

    /// Reads the names of the partners to list.
    pub(crate) async fn providers(&self, connection: &Connection) -> Result<Vec<Provider>> {
        providers(connection, self.provider.as_deref()).await
    }

    /// Prints a list as JSON under this name, or as this text. Also prints how to continue the list, and warns if the
    /// list may lack items.
    pub(crate) fn print(
        &self,
        name: &str,
        items: &[impl Serialize],
        (more, gaps): (&More, &[Gap]),
        text: impl Display,
    ) -> Result<ExitCode> {
        coverage::warn(gaps);
        if self.json {
            let next = more.iter().map(|(provider, place)| (provider.to_string(), place.to_string().into()));
            say!("{}", json!({name: items, "next": next.collect::<Map<String, Value>>(), "gaps": gaps}))?;
            return Ok(ExitCode::SUCCESS);
        }
        if items.is_empty() {
            eprintln!("No matching {name}. New ones are listed after a few seconds.");
        }
        output::print(text)?;
        for (provider, place) in more {
            eprintln!("{provider} may have more: add --provider {provider} --after '{place}' to the command");
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns the partner of this name, or all partners without one. Fails if there is no such partner.
pub(crate) async fn providers(connection: &Connection, named: Option<&str>) -> Result<Vec<Provider>> {
    if let Some(named) = named {
        let provider = ask::provider(named)?;
        let found = connection.configuration().partner(&provider).await?;
        if let Some(found) = found {
            return Ok(vec![found.provider]);
        }
        let known: Vec<String> = all(connection).await?.iter().map(ToString::to_string).collect();
        bail!("there is no partner {provider}{}", suggestion(named, &known).unwrap_or_default());
    }
    all(connection).await
}

async fn all(connection: &Connection) -> Result<Vec<Provider>> {
    let all = connection.configuration().partners().await.context("the partners cannot be read")?;
    Ok(all.into_iter().map(|item| item.provider).collect())
}
