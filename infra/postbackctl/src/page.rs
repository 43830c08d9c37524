//! Lists by partner and time, from the lookups: newest first, a page at a time.

use adapters::dynamodb::{
    history::History,
    item::{RefusalItem, RefusalKind},
    lookups::{DynamoLookups, Range},
};
use anyhow::{Context, Result, anyhow};
use app::ports::Partners as _;
use clap::Args;
use domain::{
    jiff::{SignedDuration, Timestamp},
    lookup::{Place, Subject},
    values::ids::Provider,
};

use crate::{Connection, ask};

/// What every list takes.
#[derive(Debug, Args)]
pub(crate) struct Page {
    /// One partner's only.
    #[arg(long)]
    provider: Option<String>,
    /// Since when: an instant, as in 2026-11-23T12:00:00Z, or how long ago, as in 7d or 12h.
    #[arg(long, value_parser = ask::instant)]
    since: Option<Timestamp>,
    /// How many of each partner, at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Only what comes after this one: a list that is not at its end says it. Goes with --provider.
    #[arg(long, requires = "provider")]
    after: Option<String>,
    /// Answers in JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a list has found.
#[derive(Debug)]
pub(crate) struct Found {
    /// The newest first.
    pub(crate) items: Vec<RefusalItem>,
    /// The partners whose list goes on, and after which place.
    pub(crate) more: Vec<(Provider, Place)>,
}

impl Page {
    /// The next page of what these subjects hold and is wanted, of one partner or of each.
    pub(crate) async fn read(
        &self,
        connection: &Connection,
        subject: impl Fn(Provider) -> Subject,
        wanted: impl Fn(&RefusalItem) -> bool,
    ) -> Result<Found> {
        let after = self.after.as_deref().map(|text| Place::parse(text).ok_or_else(|| anyhow!("--after is no place")));
        let after = after.transpose()?;
        let (lookups, history) = (connection.lookups(), connection.history());
        let mut found = Found { items: Vec::new(), more: Vec::new() };
        for provider in providers(connection, self.provider.as_deref()).await? {
            let range = Range {
                // An entry stands up to an hour before what it leads to was last seen.
                from: self.since.map(|since| since - SignedDuration::from_hours(1)),
                newest_first: true,
                after: after.clone(),
                wanted: self.limit.into(),
                ..Range::default()
            };
            let (items, next) =
                self.of_partner((&lookups, &history), subject(provider.clone()), range, &wanted).await?;
            found.items.extend(items);
            found.more.extend(next.map(|place| (provider, place)));
        }
        found.items.sort_by_key(|item| std::cmp::Reverse(seen_at(item)));
        Ok(found)
    }

    /// One partner's, and where its list goes on, if it does.
    async fn of_partner(
        &self,
        (lookups, history): (&DynamoLookups, &History),
        subject: Subject,
        range: Range,
        wanted: &impl Fn(&RefusalItem) -> bool,
    ) -> Result<(Vec<RefusalItem>, Option<Place>)> {
        let (limit, now) = (usize::from(self.limit), Timestamp::now());
        let mut listing = lookups.list(subject, range, now);
        let mut items: Vec<RefusalItem> = Vec::new();
        loop {
            let places = listing.take(limit).await?;
            let mut kept = history.refusals(places.iter().map(Place::key)).await?;
            for place in &places {
                // A content that was seen in several hours has an entry in each: the newest is the one to show. What has
                // expired or is not wanted is passed over.
                let Some(item) = kept.remove(place.key()).filter(|item| !item.has_expired(now)) else { continue };
                let shown = items.iter().any(|other| other.provider_content == item.provider_content);
                if shown || self.since.is_some_and(|since| seen_at(&item) < since) || !wanted(&item) {
                    continue;
                }
                items.push(item);
                if items.len() == limit {
                    return Ok((items, Some(place.clone())));
                }
            }
            if places.len() < limit {
                return Ok((items, None));
            }
        }
    }
}

/// When it is listed: a refusal when it was last seen, a conflict when it first was.
fn seen_at(item: &RefusalItem) -> Timestamp {
    match item.kind {
        RefusalKind::Refusal => item.last_received_at,
        RefusalKind::Conflict => item.first_received_at,
    }
}

/// The partner that was named, or all of them.
pub(crate) async fn providers(connection: &Connection, named: Option<&str>) -> Result<Vec<Provider>> {
    if let Some(named) = named {
        let provider = ask::provider(named)?;
        let found = connection.configuration().partner(&provider).await?;
        return Ok(vec![found.with_context(|| format!("there is no partner {provider}"))?.provider]);
    }
    let all = connection.configuration().partners().await.context("the partners cannot be read")?;
    Ok(all.into_iter().map(|item| item.provider).collect())
}

impl Found {
    /// What goes on, for a person: the command that shows it.
    pub(crate) fn hint(&self, command: &str) -> Vec<String> {
        let hint = |(provider, place): &(Provider, Place)| {
            format!("there is more of {provider}: postbackctl {command} --provider {provider} --after '{place}'")
        };
        self.more.iter().map(hint).collect()
    }

    /// What goes on, for a program.
    pub(crate) fn next(&self) -> serde_json::Value {
        self.more
            .iter()
            .map(|(provider, place)| (provider.to_string(), place.to_string().into()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}
