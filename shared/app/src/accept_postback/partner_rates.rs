//! Limits how often each partner may call this sandbox, so that no partner's load slows the calls of another.
//!
//! The buckets are in memory alone, so a call costs no read and no write. `docs/adr/0033-a-rate-for-each-partner.md` says
//! what this means for several sandboxes.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    sync::{Mutex, PoisonError},
};

use domain::{inbound::rate::Bucket, jiff::Timestamp, partner::Partner, values::ids::Provider};
use lru::LruCache;

use crate::cache::CachePolicy;

/// Holds the buckets of the partners that called last.
#[derive(Debug)]
pub struct PartnerRates {
    share: NonZeroU32,
    /// The buckets by partner. Calls from addresses that were not agreed have a bucket of their own, marked `false`, so
    /// that a thief of a token cannot use up the rate of a partner with an allow-list.
    buckets: Mutex<LruCache<(Provider, bool), Bucket>>,
}

impl Default for PartnerRates {
    fn default() -> Self {
        Self::new(CachePolicy::default().capacity, NonZeroU32::MIN)
    }
}

impl PartnerRates {
    /// Returns full buckets. At most `capacity` are held, the same as partners in memory. Each sandbox gives a partner the
    /// `share`-th part of its rate.
    pub fn new(capacity: NonZeroUsize, share: NonZeroU32) -> Self {
        Self { share, buckets: Mutex::new(LruCache::new(capacity)) }
    }

    /// Counts a call. If the partner has used up its rate, returns the seconds until it may call again.
    pub(super) fn take(&self, partner: &Partner, is_agreed_address: bool, now: Timestamp) -> Result<(), u32> {
        // Locks even after a panic, because the critical section leaves every bucket consistent.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (partner.provider().clone(), is_agreed_address);
        buckets.get_or_insert_mut(key, || Bucket::full(now)).take(partner.rules().rate, self.share, now)
    }
}
