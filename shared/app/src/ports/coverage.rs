//! How far the lookups reach, and the tables from which they can be written again.

use std::collections::BTreeMap;

use domain::{
    jiff::Timestamp,
    lookup::{LookupEntry, Origin},
};
use serde::{Deserialize, Serialize};

use super::{PageToken, Unavailable};

/// The heartbeat of one table's lookups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// The instant from which the entries are complete: all changes since then have theirs. It is 1970 if none is missing.
    pub since: Timestamp,
    /// The time of the newest change whose entries were written when the heartbeat was stored.
    pub up_to: Timestamp,
    /// The instant at which the heartbeat was stored.
    pub beaten_at: Timestamp,
}

/// How far the lookups reach.
pub trait Coverage: Send + Sync {
    /// Reads the heartbeats of all tables that have one. MAY be a moment behind.
    fn heartbeats(&self) -> impl Future<Output = Result<BTreeMap<Origin, Heartbeat>, Unavailable>> + Send;

    /// Returns true if the table has items. MUST read at most one of them.
    fn has_items(&self, origin: Origin) -> impl Future<Output = Result<bool, Unavailable>> + Send;

    /// Stores that no entry of this table is missing. MUST keep what `lookup-writer` has stored of how far it is.
    fn mark_complete(&self, origin: Origin, now: Timestamp) -> impl Future<Output = Result<(), Unavailable>> + Send;
}

/// An item of a table, as far as lookups need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginItem {
    /// The item's key, for people.
    pub key: String,
    /// The entries by which the item is found, or why it cannot be read.
    pub entries: Result<Vec<LookupEntry>, String>,
}

/// A part of a table that is read by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// The number of the part, from 0.
    pub number: u32,
    /// How many parts the table is divided into.
    pub of: u32,
}

/// A page of a segment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OriginPage {
    /// The items.
    pub items: Vec<OriginItem>,
    /// The start of the next page, if there is one.
    pub next: Option<PageToken>,
}

/// The place at which a rebuild reads on in one segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentPlace {
    /// Nothing was read.
    Begin,
    /// The next page begins here.
    At(PageToken),
    /// Everything was read.
    End,
}

/// The tables from which lookups derive, to read whole, and how far that is.
pub trait Rebuilds: Coverage {
    /// Reads a page of at most this many items. The pages of all segments MUST have each item that is in the table from the
    /// first page to the last. An unreadable item MUST NOT hold up the others.
    fn page(
        &self,
        origin: Origin,
        segment: Segment,
        from: Option<PageToken>,
        most: usize,
    ) -> impl Future<Output = Result<OriginPage, Unavailable>> + Send;

    /// Reads where an unfinished rebuild of this table goes on, one place for each segment. MUST see every write that
    /// returned before, and MUST NOT return places that are older than a week.
    fn places(
        &self,
        origin: Origin,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Vec<SegmentPlace>>, Unavailable>> + Send;

    /// Stores where a rebuild of this table goes on. MUST be lost if the lookups are.
    fn keep_places(
        &self,
        origin: Origin,
        places: &[SegmentPlace],
        now: Timestamp,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Forgets where a rebuild of this table goes on.
    fn forget_places(&self, origin: Origin) -> impl Future<Output = Result<(), Unavailable>> + Send;
}
