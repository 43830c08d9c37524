//! Tells how complete the lookups are, and reads the tables from which lookups can be written again.

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
    /// The instant from which the entries are complete: every later change has its entries. It is 1970 if no entry is
    /// missing.
    pub since: Timestamp,
    /// The time of the newest change whose entries were written when the heartbeat was stored.
    pub up_to: Timestamp,
    /// The instant at which the heartbeat was stored.
    pub beaten_at: Timestamp,
}

/// Tells how complete the lookups are.
pub trait Coverage: Send + Sync {
    /// Reads the heartbeats of all tables that have a heartbeat. MAY be a moment behind the latest writes.
    fn heartbeats(&self) -> impl Future<Output = Result<BTreeMap<Origin, Heartbeat>, Unavailable>> + Send;

    /// Returns true if the table has items. MUST read at most one item.
    fn has_items(&self, origin: Origin) -> impl Future<Output = Result<bool, Unavailable>> + Send;

    /// Marks the lookups of this table as complete. MUST keep the progress that `lookup-writer` has stored.
    fn mark_complete(&self, origin: Origin, now: Timestamp) -> impl Future<Output = Result<(), Unavailable>> + Send;
}

/// The parts of a table's item that lookups need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginItem {
    /// The item's key, for people.
    pub key: String,
    /// The entries by which the item is found, or why it cannot be read.
    pub entries: Result<Vec<LookupEntry>, String>,
}

/// A part of a table that can be read independently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// The number of the part, from 0.
    pub number: u32,
    /// The number of parts into which the table is divided.
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

/// The place in one segment at which a rebuild continues.
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

/// Reads the whole tables from which lookups are derived, and stores the progress.
pub trait Rebuilds: Coverage {
    /// Reads a page of at most this many items. The pages of all segments together MUST have every item that is in the
    /// table during the whole time of reading. If an item cannot be read, the others MUST still be returned.
    fn page(
        &self,
        origin: Origin,
        segment: Segment,
        from: Option<PageToken>,
        most: usize,
    ) -> impl Future<Output = Result<OriginPage, Unavailable>> + Send;

    /// Reads a page of the lookups, at most this many entries, as [`Rebuilds::page`] does. The entries of users MUST be
    /// returned. Of other entries, the items MAY be empty.
    fn written(
        &self,
        segment: Segment,
        from: Option<PageToken>,
        most: usize,
    ) -> impl Future<Output = Result<OriginPage, Unavailable>> + Send;

    /// Reads the places at which an unfinished rebuild of this table continues, one for each segment. MUST see every
    /// write that returned before, and MUST NOT return places that are older than a week.
    fn places(
        &self,
        origin: Origin,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Vec<SegmentPlace>>, Unavailable>> + Send;

    /// Stores the places at which a rebuild of this table continues. The places MUST be lost if the lookups are lost.
    fn keep_places(
        &self,
        origin: Origin,
        places: &[SegmentPlace],
        now: Timestamp,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Deletes the places at which a rebuild of this table continues.
    fn forget_places(&self, origin: Origin) -> impl Future<Output = Result<(), Unavailable>> + Send;
}
