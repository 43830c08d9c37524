//! Holds the lookups in memory.

use domain::{
    jiff::Timestamp,
    lookup::{LookupEntry, Origin, Place, Subject},
};
use futures_util::{Stream, TryStreamExt, stream};

use super::World;
use crate::ports::{Heartbeat, Listings, Lookups, Range, Unavailable};

impl Lookups for World {
    /// Counts each entry as one call, so that each can fail alone.
    async fn put(&self, entries: &[LookupEntry]) -> Vec<Result<(), Unavailable>> {
        let put = |entry: &LookupEntry| {
            self.call("put lookup", |state| {
                state.lookups.insert((entry.subject.clone(), entry.place.clone()), entry.expires_at);
            })
        };
        entries.iter().map(put).collect()
    }

    async fn beat(&self, origin: Origin, up_to: Timestamp, now: Timestamp) -> Result<(), Unavailable> {
        self.call("beat", |state| {
            let since = state.heartbeats.get(&origin).map_or(now, |stored| stored.since);
            state.heartbeats.insert(origin, Heartbeat { since, up_to, beaten_at: now });
        })
    }
}

impl Listings for World {
    fn list(
        &self,
        subject: Subject,
        range: Range,
        now: Timestamp,
    ) -> impl Stream<Item = Result<Place, Unavailable>> + Send {
        let listed = self.call("list lookups", |state| {
            let (least, greatest) = range.bounds();
            let is_listed = |place: &Place, expires_at: Option<i64>| {
                let text = place.to_string();
                least <= text
                    && text <= greatest
                    && range.after.as_ref() != Some(place)
                    && expires_at.is_none_or(|at| now.as_second() < at)
            };
            let of_subject = state.lookups.iter().filter(|((of, _), _)| *of == subject);
            let listed = of_subject.filter(|((_, place), expires_at)| is_listed(place, **expires_at));
            let mut places: Vec<Place> = listed.map(|((_, place), _)| place.clone()).collect();
            if range.newest_first {
                places.reverse();
            }
            places
        });
        stream::iter([listed.map(|places| stream::iter(places.into_iter().map(Ok)))]).try_flatten()
    }

    async fn count(&self, subject: Subject, range: Range) -> Result<usize, Unavailable> {
        self.list(subject, range, Timestamp::MIN).try_fold(0, async |count, _| Ok(count + 1)).await
    }
}
