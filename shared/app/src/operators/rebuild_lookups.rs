//! Writes the lookups of stored items again for an operator, after lookups were lost or while they are incomplete.
//!
//! Each table is read in segments, and each item gets the same entries as from `lookup-writer`. After the entries of a
//! page are written, the place that was reached is stored in the table of the lookups. An interrupted rebuild therefore
//! continues from there, and starts over if the lookups are lost again. Changes that are made during a rebuild are
//! written by `lookup-writer`.

use std::collections::BTreeMap;

use domain::{
    audit::{Action, Operation, Subject as Audited},
    jiff::Timestamp,
    lookup::{LookupEntry, Origin, Place, Subject},
};
use futures_util::future::try_join_all;

use super::Pace;
use crate::ports::{AuditTrail, Clock, Lookups, OriginItem, PageToken, Rebuilds, Segment, SegmentPlace, Unavailable};

/// Sets the number of segments into which a table is divided, which are read at the same time.
const SEGMENTS: usize = 8;
/// Limits the number of items of a page.
const PAGE: usize = 250;

/// The use case, over its ports.
pub struct RebuildLookups<R, L, A, C> {
    /// The tables to read.
    pub rebuilds: R,
    /// Writes the lookups.
    pub lookups: L,
    /// The audit records.
    pub trail: A,
    /// The clock.
    pub clock: C,
}

/// The result of a rebuild.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// The tables that were begun, in order. All but the last table are certainly finished.
    pub tables: Vec<RebuiltTable>,
    /// The reason why the last table is not finished, if it is not.
    pub stopped: Option<Stopped>,
}

/// The counts of one table in this run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebuiltTable {
    /// The table.
    pub origin: Origin,
    /// Is true if an earlier run has read a part of the table. That part is not counted here.
    pub resumed: bool,
    /// How many items were read.
    pub items: usize,
    /// How many entries were written.
    pub entries: usize,
    /// How many entries have expired and were not written.
    pub expired: usize,
    /// The keys of items that cannot be read. The entries of all other items are still written.
    pub unreadable: Vec<String>,
}

/// The reason why a rebuild ended early. Another run continues at the same place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// The operator interrupted the rebuild.
    Interrupted,
    /// A service failed.
    Unavailable(Unavailable),
}

impl From<Unavailable> for Stopped {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}

impl<R: Rebuilds, L: Lookups, A: AuditTrail, C: Clock> RebuildLookups<R, L, A, C> {
    /// Stores the audit record, then writes the entries of these tables. With `restart`, also reads again what an
    /// unfinished earlier run has read. Fails only if nothing was written.
    pub async fn run(
        &self,
        origins: &[Origin],
        restart: bool,
        operation: &Operation,
        pace: &mut impl Pace,
    ) -> Result<Rebuilt, Unavailable> {
        let names: Vec<&str> = origins.iter().map(|origin| origin.as_str()).collect();
        let record = operation.record(self.now(), Action::RebuildLookups, Audited::Lookups);
        self.trail.append(&record.with("tables", names.join(", "))).await?;
        let mut rebuilt = Rebuilt::default();
        for origin in origins {
            let mut table = RebuiltTable::new(*origin);
            let done = self.table(&mut table, restart, pace).await;
            rebuilt.tables.push(table);
            if let Err(stopped) = done {
                rebuilt.stopped = Some(stopped);
                break;
            }
        }
        Ok(rebuilt)
    }

    fn now(&self) -> Timestamp {
        self.clock.now().timestamp()
    }

    async fn table(&self, table: &mut RebuiltTable, restart: bool, pace: &mut impl Pace) -> Result<(), Stopped> {
        let origin = table.origin;
        let kept = if restart { None } else { self.rebuilds.places(origin, self.now()).await? };
        table.resumed = kept.is_some();
        let mut places = kept.unwrap_or_else(|| vec![SegmentPlace::Begin; SEGMENTS]);
        while places.iter().any(|place| *place != SegmentPlace::End) {
            if pace.turn().await.is_break() {
                return Err(Stopped::Interrupted);
            }
            let before = table.items;
            self.round(table, &mut places, pace.most_at_once().max(1)).await?;
            self.rebuilds.keep_places(origin, &places, self.now()).await?;
            pace.taken(table.items - before);
        }
        self.rebuilds.mark_complete(origin, self.now()).await?;
        Ok(self.rebuilds.forget_places(origin).await?)
    }

    /// Reads a page of each unfinished segment, at most this many items in all. Writes the entries of the items, then
    /// moves the places on.
    async fn round(
        &self,
        table: &mut RebuiltTable,
        places: &mut [SegmentPlace],
        most: usize,
    ) -> Result<(), Unavailable> {
        let of = u32::try_from(places.len()).unwrap_or(u32::MAX);
        let open = places.iter_mut().zip(0..).filter_map(|(place, number)| {
            let from: Option<PageToken> = match &*place {
                SegmentPlace::Begin => None,
                SegmentPlace::At(token) => Some(token.clone()),
                SegmentPlace::End => return None,
            };
            Some((place, Segment { number, of }, from))
        });
        let open: Vec<_> = open.take(most).collect();
        let limit = (most / open.len().max(1)).clamp(1, PAGE);
        let read = open.into_iter().map(async |(place, segment, from)| {
            let page = self.rebuilds.page(table.origin, segment, from, limit).await?;
            Ok::<_, Unavailable>((place, page))
        });
        let (mut items, mut moves) = (Vec::new(), Vec::new());
        for (place, page) in try_join_all(read).await? {
            items.extend(page.items);
            moves.push((place, page.next.map_or(SegmentPlace::End, SegmentPlace::At)));
        }
        self.write(table, items).await?;
        for (place, next) in moves {
            *place = next;
        }
        Ok(())
    }

    async fn write(&self, table: &mut RebuiltTable, items: Vec<OriginItem>) -> Result<(), Unavailable> {
        let now = self.now().as_second();
        table.items += items.len();
        // Two openings of one user may have the same place.
        let mut entries: BTreeMap<(Subject, Place), LookupEntry> = BTreeMap::new();
        for OriginItem { key, entries: made } in items {
            let Ok(made) = made else {
                table.unreadable.push(key);
                continue;
            };
            entries.extend(made.into_iter().map(|entry| ((entry.subject.clone(), entry.place.clone()), entry)));
        }
        let all = entries.len();
        let entries: Vec<LookupEntry> =
            entries.into_values().filter(|entry| entry.expires_at.is_none_or(|at| at > now)).collect();
        for written in self.lookups.put(&entries).await {
            written?;
        }
        table.entries += entries.len();
        table.expired += all - entries.len();
        Ok(())
    }
}

impl RebuiltTable {
    fn new(origin: Origin) -> Self {
        Self { origin, resumed: false, items: 0, entries: 0, expired: 0, unreadable: Vec::new() }
    }
}

#[cfg(test)]
mod tests;
