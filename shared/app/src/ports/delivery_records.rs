//! Reads the deliveries.

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
    /// The instant at which the sweep last sent a message for the delivery, if the delivery has not changed since that
    /// instant.
    pub swept_at: Option<UnixMillis>,
}

/// An attempt that is kept beside its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAttempt {
    /// The round of the attempt.
    pub round: u32,
    /// The worker's mark, if the worker lost the claim before it could record the attempt. `None` for any other attempt
    /// of an older round.
    pub late: Option<ClaimMark>,
    /// The attempt.
    pub attempt: Attempt,
    /// When the attempt expires, in Unix seconds. `None` for an attempt of the current round, and for attempts that older
    /// versions stored.
    pub expires_at: Option<i64>,
}

/// A range of time in which deliveries ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The first instant of the range.
    pub from: UnixMillis,
    /// The first instant after the range.
    pub before: UnixMillis,
}

impl Ended {
    /// Returns the range of all time since 1970.
    pub fn ever() -> Self {
        Self { from: UnixMillis::from_millisecond(0), before: UnixMillis::from_millisecond(i64::MAX) }
    }

    /// Returns the instant at which this delivery failed. Returns `None` if the delivery did not fail in this range.
    pub fn failed_at(&self, delivery: &Delivery) -> Option<UnixMillis> {
        let failed = delivery.ending().is_some_and(Ending::is_failure);
        delivery.ended_at().filter(|at| failed && (self.from..self.before).contains(at))
    }

    /// Returns the place of this delivery in a list of failures, which are ordered by the instant of the failure and
    /// then by id. Returns `None` if the delivery did not fail in this range.
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

/// Reads the deliveries. A failed delivery is one that ended as exhausted, gone or unsendable.
pub trait DeliveryRecords: Send + Sync {
    /// Reads the deliveries with these ids, in any order. Leaves out unknown ids. MUST see every write that returned
    /// before, and MUST fail if any of the deliveries cannot be read.
    fn find(&self, ids: &BTreeSet<DeliveryId>)
    -> impl Future<Output = Result<Vec<StoredDelivery>, Unavailable>> + Send;

    /// Reads a delivery's attempts of older rounds and its late attempts, in the order of their rounds.
    fn older_attempts(&self, id: &DeliveryId) -> impl Future<Output = Result<Vec<KeptAttempt>, Unavailable>> + Send;

    /// Reads a partner's newest failed deliveries, at most this many, in descending order of [`Ended::place_of`]. If
    /// `before` is given, reads only those below that place. MAY be a moment behind the latest writes.
    fn newest_failures(
        &self,
        provider: &Provider,
        ended: Ended,
        before: Option<&Place>,
        most: usize,
    ) -> impl Future<Output = Result<Vec<StoredDelivery>, Unavailable>> + Send;

    /// Returns the number of shards into which a partner's failed deliveries are divided. Shards are numbered from 0
    /// and read independently.
    fn failure_shards(&self) -> u32;

    /// Reads a page of one shard of a partner's failed deliveries. MAY be a moment behind the latest writes. If a
    /// delivery is resent between two pages, MUST still return all others.
    fn failures_page(
        &self,
        provider: &Provider,
        shard: u32,
        ended: Ended,
        from: Option<PageToken>,
    ) -> impl Future<Output = Result<FailuresPage, Unavailable>> + Send;
}
