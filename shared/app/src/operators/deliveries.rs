//! Lists deliveries for an operator: the webhooks that are owed to partners, their states, and the overdue ones.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    time::Duration,
};

use domain::{
    jiff::Timestamp,
    lookup::{Origin, Place, Subject},
    outbound::delivery::{Delivery, Status},
    partner::Partner,
    values::{
        ids::{ChainTicket, DeliveryId, Provider},
        time::UnixMillis,
    },
};
use futures_util::{TryFutureExt, TryStreamExt};

use super::{
    More, Page,
    lookup_coverage::{Gap, LookupFault, check},
    waiting::Waiting,
};
use crate::{
    pages,
    ports::{
        DeliveryRecords, Ended, Endpoints, Listings, Range, Source, StoredDelivery, Unavailable, UnderWay, UnderWayPage,
    },
};

/// The longest grace for which overdue deliveries can be listed: a week.
pub const MAX_GRACE: Duration = Duration::from_hours(7 * 24);

/// Selects the deliveries to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Selects deliveries in this state.
    pub status: Option<Status>,
    /// The first instant after the range.
    pub before: Option<Timestamp>,
    /// The page. Failed deliveries are listed by the instant at which they failed, all others by the instant at which
    /// they were made.
    pub page: Page,
}

impl Wanted {
    /// Returns the wanted state if it is a failed state, so that deliveries are listed by the instant at which they
    /// failed.
    fn failed(&self) -> Option<Status> {
        self.status.filter(|status| is_failed(*status))
    }

    fn is_status_of(&self, stored: &StoredDelivery) -> bool {
        self.status.is_none_or(|status| stored.delivery.status() == status)
    }
}

/// Returns true for exhausted, gone and unsendable. Deliveries in these states are listed by the instant at which they
/// failed, all others by the instant at which they were made.
pub fn is_failed(status: Status) -> bool {
    matches!(status, Status::Exhausted | Status::Gone | Status::Unsendable)
}

/// A list of deliveries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// The deliveries, the newest first.
    pub deliveries: Vec<StoredDelivery>,
    /// The partners that may have more.
    pub more: More,
    /// The gaps in the lookups, because of which deliveries may be missing from the list.
    pub gaps: Vec<Gap>,
}

/// Lists deliveries of these partners. Deliveries of the last few seconds may be missing.
pub async fn list(
    listings: &impl Listings,
    records: &impl DeliveryRecords,
    providers: &[Provider],
    wanted: &Wanted,
    now: Timestamp,
) -> Result<Listed, LookupFault> {
    let mut listed = Listed::default();
    // Failed deliveries are found without lookups.
    if wanted.failed().is_none() {
        listed.gaps = check(listings, &[Origin::Deliveries], wanted.page.since).await?;
    }
    for provider in providers {
        let (deliveries, last) = match wanted.failed() {
            Some(_) => failed(records, provider, wanted).await?,
            None => owed(listings, records, provider, wanted, now).await?,
        };
        listed.deliveries.extend(deliveries);
        listed.more.extend(last.map(|last| (provider.clone(), last)));
    }
    let at = |delivery: &Delivery| Ended::ever().failed_at(delivery).unwrap_or(delivery.created_at());
    listed.deliveries.sort_by_key(|stored| Reverse(at(&stored.delivery)));
    Ok(listed)
}

/// Returns failed deliveries in the order of their failures. Also returns the place of the last one if there may be
/// more.
async fn failed(
    records: &impl DeliveryRecords,
    provider: &Provider,
    wanted: &Wanted,
) -> Result<(Vec<StoredDelivery>, Option<Place>), Unavailable> {
    let Page { since, after, most } = &wanted.page;
    let ended = ended(*since, wanted.before);
    let mut found = records.newest_failures(provider, ended, after.as_ref(), *most).await?;
    let last = found.last().filter(|_| found.len() == *most);
    let last = last.and_then(|stored| ended.place_of(&stored.delivery));
    found.retain(|stored| wanted.is_status_of(stored));
    Ok((found, last))
}

/// Returns the time in which a delivery must have ended. A missing bound leaves that side open.
pub fn ended(since: Option<Timestamp>, before: Option<Timestamp>) -> Ended {
    let Ended { from, before: latest } = Ended::ever();
    Ended { from: since.map_or(from, UnixMillis::from), before: before.map_or(latest, UnixMillis::from) }
}

/// Returns deliveries in the order in which they were made. Also returns the place of the last one if there may be
/// more.
async fn owed(
    listings: &impl Listings,
    records: &impl DeliveryRecords,
    provider: &Provider,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<(Vec<StoredDelivery>, Option<Place>), Unavailable> {
    let Page { since: from, after, most } = wanted.page.clone();
    let most = most.max(1);
    let range = Range { from, to: wanted.before, newest_first: true, after, wanted: most };
    let places = listings.list(Subject::Deliveries(provider.clone()), range, now);
    let mut chunks = pin!(places.try_chunks(most).map_err(|broken| broken.1));
    let mut found = Vec::new();
    while let Some(places) = chunks.try_next().await? {
        let ids: BTreeSet<DeliveryId> = places.iter().filter_map(|place| DeliveryId::new(place.key()).ok()).collect();
        let read = records.find(&ids).await?.into_iter().filter(|stored| wanted.is_status_of(stored));
        let mut read: BTreeMap<String, StoredDelivery> =
            read.map(|stored| (stored.delivery.id().to_string(), stored)).collect();
        for place in places {
            found.extend(read.remove(place.key()));
            if found.len() == most {
                return Ok((found, Some(place)));
            }
        }
    }
    Ok((found, None))
}

/// Deliveries that should have been attempted a while ago.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overdue {
    /// The deliveries, in the order in which their attempts are due.
    pub deliveries: Vec<Delivery>,
    /// The number of deliveries under way that cannot be read.
    pub unreadable: u64,
    /// The partners that cannot be read. Their deliveries are listed even if they wait for something.
    pub unread_partners: BTreeMap<Provider, Unavailable>,
}

/// Reads all deliveries under way, of one partner or of all partners. Returns those with an attempt that has been due
/// for longer than `grace`, except those that wait because their campaign is paused or for their endpoint. Changes nothing and sends nothing.
pub async fn overdue(
    (under_way, partners, endpoints): (&impl UnderWay, &impl Source<Key = Provider, Value = Partner>, &impl Endpoints),
    provider: Option<&Provider>,
    grace: Duration,
    now: UnixMillis,
) -> Result<Overdue, Unavailable> {
    // `overdue` makes the message that a sweep would send, so it needs a ticket. The message is never sent.
    let is_overdue = |delivery: &Delivery| delivery.overdue(now, grace, ChainTicket::from_random([0; 8])).is_some();
    let mut pages = pin!(pages::of_parts(under_way.shards(), |shard, from| {
        let page = under_way.page(shard, now.minus(grace), from);
        page.map_ok(|UnderWayPage { deliveries, unreadable, next }| ((deliveries, unreadable), next))
    }));
    let mut overdue = Overdue::default();
    while let Some((deliveries, unreadable)) = pages.try_next().await? {
        let deliveries = deliveries.into_iter().map(|(delivery, _)| delivery);
        let theirs = deliveries.filter(|delivery| provider.is_none_or(|provider| provider == delivery.provider()));
        overdue.deliveries.extend(theirs.filter(is_overdue));
        overdue.unreadable += unreadable;
    }
    let waiting = Waiting::of((partners, endpoints), &overdue.deliveries, now).await;
    overdue.deliveries.retain(|delivery| !waiting.what(delivery).holds());
    overdue.unread_partners = waiting.unread;
    overdue.deliveries.sort_by_key(|delivery| delivery.next().map(|next| next.due_at));
    Ok(overdue)
}

#[cfg(test)]
mod tests;
