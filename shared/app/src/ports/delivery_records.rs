//! The deliveries, to look at.

use std::collections::BTreeSet;

use domain::{
    lookup::{Kind, Place},
    outbound::{
        attempt::Attempt,
        delivery::{Delivery, Ending},
    },
    values::{
        ids::{ClaimMark, DeliveryId, Provider},
        time::UnixMillis,
    },
};

use super::{PageToken, Unavailable};

/// A delivery as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDelivery {
    /// The delivery with its current round.
    pub delivery: Delivery,
    /// When the sweep last sent for it, if that was since it last changed.
    pub swept_at: Option<UnixMillis>,
}

/// An attempt that is kept beside its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAttempt {
    /// The round that it was made in.
    pub round: u32,
    /// The worker's mark, if the attempt lost its claim before it could be recorded; none for an attempt of an older round.
    pub late: Option<ClaimMark>,
    /// The attempt.
    pub attempt: Attempt,
}

/// When a delivery must have ended to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The first instant that counts.
    pub from: UnixMillis,
    /// The first instant that no longer counts.
    pub before: UnixMillis,
}

impl Ended {
    /// Returns the bounds of all time since 1970.
    pub fn ever() -> Self {
        Self { from: UnixMillis::from_millisecond(0), before: UnixMillis::from_millisecond(i64::MAX) }
    }

    /// Returns when this delivery failed, if it ended exhausted or gone, and within these bounds.
    pub fn failed_at(&self, delivery: &Delivery) -> Option<UnixMillis> {
        let failed = matches!(delivery.ending(), Some(Ending::Exhausted | Ending::Gone));
        delivery.ended_at().filter(|at| failed && (self.from..self.before).contains(at))
    }

    /// Returns the place of this delivery among failures, which orders them by when they failed and then by id.
    pub fn place_of(&self, delivery: &Delivery) -> Option<Place> {
        let failed_at = self.failed_at(delivery)?;
        Some(Place::new(failed_at.timestamp(), Kind::Delivery, delivery.id().as_str()))
    }
}

/// A page of deliveries that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FailuresPage {
    /// The deliveries.
    pub deliveries: Vec<StoredDelivery>,
    /// Where the next page begins; none after the last.
    pub next: Option<PageToken>,
}

/// The deliveries, to look at. Failed means exhausted or gone.
pub trait DeliveryRecords: Send + Sync {
    /// Reads the deliveries of these ids, in any order, and leaves out ids that have none. MUST see every write that was
    /// answered before, and MUST fail if one of them cannot be read.
    fn find(&self, ids: &BTreeSet<DeliveryId>)
    -> impl Future<Output = Result<Vec<StoredDelivery>, Unavailable>> + Send;

    /// Reads a delivery's attempts of older rounds and those that were recorded too late, in the order of their rounds.
    fn older_attempts(&self, id: &DeliveryId) -> impl Future<Output = Result<Vec<KeptAttempt>, Unavailable>> + Send;

    /// Reads the newest of a partner's failed deliveries, at most this many, in descending order of [`Ended::place_of`], and
    /// only those below the place `before` if it is given. May be a moment behind.
    fn newest_failures(
        &self,
        provider: &Provider,
        ended: Ended,
        before: Option<&Place>,
        most: usize,
    ) -> impl Future<Output = Result<Vec<StoredDelivery>, Unavailable>> + Send;

    /// Returns into how many parts a partner's failures are divided. The parts are numbered from 0 and read independently.
    fn failure_shards(&self) -> u32;

    /// Reads a page of one part of a partner's failures. May be a moment behind. MUST NOT skip a failure because another
    /// one ceases to be one between two pages.
    fn failures_page(
        &self,
        provider: &Provider,
        shard: u32,
        ended: Ended,
        from: Option<PageToken>,
    ) -> impl Future<Output = Result<FailuresPage, Unavailable>> + Send;
}
