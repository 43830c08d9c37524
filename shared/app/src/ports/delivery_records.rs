//! The deliveries, to read.

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
    /// The instant at which the sweep last sent for the delivery, if it has not changed since.
    pub swept_at: Option<UnixMillis>,
}

/// An attempt that is kept beside its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAttempt {
    /// The round of the attempt.
    pub round: u32,
    /// The worker's mark, if the attempt lost its claim before it was recorded. An attempt of an older round has none.
    pub late: Option<ClaimMark>,
    /// The attempt.
    pub attempt: Attempt,
}

/// The time in which a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The first instant.
    pub from: UnixMillis,
    /// The first instant after it.
    pub before: UnixMillis,
}

impl Ended {
    /// Returns the bounds of all time since 1970.
    pub fn ever() -> Self {
        Self { from: UnixMillis::from_millisecond(0), before: UnixMillis::from_millisecond(i64::MAX) }
    }

    /// Returns the instant at which this delivery failed, if it ended exhausted or gone within these bounds.
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

/// A page of failed deliveries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FailuresPage {
    /// The deliveries.
    pub deliveries: Vec<StoredDelivery>,
    /// The start of the next page, if there is one.
    pub next: Option<PageToken>,
}

/// The deliveries, to read. A failed delivery is exhausted or gone.
pub trait DeliveryRecords: Send + Sync {
    /// Reads the deliveries of these ids, in any order, and leaves out unknown ids. MUST see every write that returned
    /// before, and MUST fail if one delivery cannot be read.
    fn find(&self, ids: &BTreeSet<DeliveryId>)
    -> impl Future<Output = Result<Vec<StoredDelivery>, Unavailable>> + Send;

    /// Reads a delivery's attempts of older rounds and its late attempts, in the order of their rounds.
    fn older_attempts(&self, id: &DeliveryId) -> impl Future<Output = Result<Vec<KeptAttempt>, Unavailable>> + Send;

    /// Reads the newest of a partner's failed deliveries, at most this many, in descending order of [`Ended::place_of`], and
    /// only those below the place `before` if it is given. MAY be a moment behind.
    fn newest_failures(
        &self,
        provider: &Provider,
        ended: Ended,
        before: Option<&Place>,
        most: usize,
    ) -> impl Future<Output = Result<Vec<StoredDelivery>, Unavailable>> + Send;

    /// Returns into how many parts a partner's failures are divided. The parts are numbered from 0 and read independently.
    fn failure_shards(&self) -> u32;

    /// Reads a page of one part of a partner's failures. MAY be a moment behind. MUST NOT skip a failure because another
    /// delivery ceases to be failed between two pages.
    fn failures_page(
        &self,
        provider: &Provider,
        shard: u32,
        ended: Ended,
        from: Option<PageToken>,
    ) -> impl Future<Output = Result<FailuresPage, Unavailable>> + Send;
}
