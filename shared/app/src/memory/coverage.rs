//! Holds heartbeats in memory, and reads the tables from which lookups are derived.

use std::collections::BTreeMap;

use domain::{
    inbound::click::Click,
    jiff::Timestamp,
    lookup::{LookupEntry, Origin, Place, Subject},
    retention::{Expiring, Retention},
};

use super::{State, World};
use crate::ports::{
    Coverage, Heartbeat, OriginItem, OriginPage, PageToken, Rebuilds, Segment, SegmentPlace, Unavailable,
};

/// Says how long clicks are kept in memory.
pub(crate) const CLICKS: Retention = Expiring::Click.default_retention();

impl Coverage for World {
    async fn heartbeats(&self) -> Result<BTreeMap<Origin, Heartbeat>, Unavailable> {
        self.call("read heartbeats", |state| state.heartbeats.clone())
    }

    async fn has_items(&self, origin: Origin) -> Result<bool, Unavailable> {
        self.call("read one item", |state| !state.origin_items(origin).is_empty())
    }

    async fn mark_complete(&self, origin: Origin, now: Timestamp) -> Result<(), Unavailable> {
        self.call("mark complete", |state| {
            let new = || Heartbeat { since: Timestamp::UNIX_EPOCH, up_to: now, beaten_at: now };
            state.heartbeats.entry(origin).or_insert_with(new).since = Timestamp::UNIX_EPOCH;
        })
    }
}

impl Rebuilds for World {
    async fn page(
        &self,
        origin: Origin,
        segment: Segment,
        from: Option<PageToken>,
        most: usize,
    ) -> Result<OriginPage, Unavailable> {
        self.call("read page", |state| page(state.origin_items(origin), segment, from, most))
    }

    async fn written(&self, segment: Segment, from: Option<PageToken>, most: usize) -> Result<OriginPage, Unavailable> {
        self.call("read lookups", |state| {
            let item = |((subject, place), expires_at): (&(Subject, Place), &Option<i64>)| {
                let (subject, place, expires_at) = (subject.clone(), place.clone(), *expires_at);
                OriginItem { key: place.to_string(), entries: Ok(vec![LookupEntry { subject, place, expires_at }]) }
            };
            page(state.lookups.iter().map(item).collect(), segment, from, most)
        })
    }

    async fn places(&self, origin: Origin, _: Timestamp) -> Result<Option<Vec<SegmentPlace>>, Unavailable> {
        self.call("read places", |state| state.rebuild_places.get(&origin).cloned())
    }

    async fn keep_places(&self, origin: Origin, places: &[SegmentPlace], _: Timestamp) -> Result<(), Unavailable> {
        self.call("keep places", |state| drop(state.rebuild_places.insert(origin, places.to_vec())))
    }

    async fn forget_places(&self, origin: Origin) -> Result<(), Unavailable> {
        self.call("forget places", |state| drop(state.rebuild_places.remove(&origin)))
    }
}

fn page(all: Vec<OriginItem>, segment: Segment, from: Option<PageToken>, most: usize) -> OriginPage {
    let from: usize = from.and_then(|token| token.0.parse().ok()).unwrap_or_default();
    let of_segment = (0u32..).zip(all).filter(|(at, _)| at % segment.of == segment.number).map(|(_, item)| item);
    let mut items: Vec<OriginItem> = of_segment.skip(from).collect();
    let next = (items.len() > most).then(|| PageToken((from + most).to_string()));
    items.truncate(most);
    OriginPage { items, next }
}

impl State {
    /// Returns the items of a table, each with the entries that `lookup-writer` would write for the item.
    fn origin_items(&self, origin: Origin) -> Vec<OriginItem> {
        let item = |key: String, entries| {
            let broken = self.unreadable_items.contains(&key);
            OriginItem { key, entries: if broken { Err("told to be unreadable".to_owned()) } else { Ok(entries) } }
        };
        match origin {
            Origin::Postbacks => {
                let entries = |(key, revision): (String, _)| (key.clone(), LookupEntry::of_revision(&revision, key));
                self.revisions().map(entries).map(|(key, entries)| item(key, entries)).collect()
            }
            Origin::Refusals => {
                let mut keys: Vec<&String> = self.refusals.keys().chain(self.conflicts.keys()).collect();
                keys.sort();
                let stored = keys.into_iter().filter_map(|key| self.stored_refusal(key));
                stored.map(|stored| item(stored.provider_content.clone(), stored.lookups(None))).collect()
            }
            Origin::Clicks => {
                let entries = |click: &Click| LookupEntry::of_click(click, CLICKS.end(click.clicked_at));
                self.clicks.iter().map(|click| item(click.click_id.to_string(), entries(click))).collect()
            }
            Origin::Deliveries => {
                let all = self.deliveries.values();
                all.map(|delivery| item(delivery.id().to_string(), LookupEntry::of_delivery(delivery))).collect()
            }
            Origin::Participants => {
                let all = self.participants.iter();
                all.map(|(user, (now, _))| item(user.to_string(), LookupEntry::of_openings(user, None, now))).collect()
            }
        }
    }
}
