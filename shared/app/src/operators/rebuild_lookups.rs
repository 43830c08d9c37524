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

use super::{Pace, segments};
use crate::ports::{AuditTrail, Clock, Lookups, OriginItem, Rebuilds, Unavailable};

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
        let mut places = kept.unwrap_or_else(segments::begin);
        while !segments::is_done(&places) {
            turn(pace).await?;
            let reader = async |segment, from, most| self.rebuilds.page(origin, segment, from, most).await;
            let (items, next) = segments::read(reader, &places, pace.most_at_once()).await?;
            let read = items.len();
            self.write(table, items).await?;
            places = next;
            self.rebuilds.keep_places(origin, &places, self.now()).await?;
            pace.taken(read);
        }
        self.rebuilds.mark_complete(origin, self.now()).await?;
        Ok(self.rebuilds.forget_places(origin).await?)
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

/// Waits for the next turn.
pub(super) async fn turn(pace: &mut impl Pace) -> Result<(), Stopped> {
    if pace.turn().await.is_break() { Err(Stopped::Interrupted) } else { Ok(()) }
}

impl RebuiltTable {
    fn new(origin: Origin) -> Self {
        Self { origin, resumed: false, items: 0, entries: 0, expired: 0, unreadable: Vec::new() }
    }
}

#[cfg(test)]
mod tests;
