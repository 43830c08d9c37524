//! Limits how often calls without a good credential are looked at from one address, so that guesses of names and tokens
//! cost no read.
//!
//! The buckets are in memory alone, in a table of fixed size. A caller that has many addresses gets a bucket for each.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::{NonZeroU32, NonZeroUsize},
    sync::{Mutex, PoisonError},
};

use domain::{
    inbound::rate::{Bucket, CallRate},
    jiff::Timestamp,
};
use lru::LruCache;

/// Bounds the addresses that are held. A bucket takes about 100 bytes.
const ADDRESSES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

/// Holds the buckets of the addresses from which calls without a good credential came last.
#[derive(Debug)]
pub struct StrangerRates {
    rate: CallRate,
    buckets: Mutex<LruCache<IpAddr, Bucket>>,
}

impl Default for StrangerRates {
    fn default() -> Self {
        Self::new(NonZeroU32::MIN)
    }
}

impl StrangerRates {
    /// Returns full buckets. From each address, `per_second` calls a second without a good credential are answered for
    /// any length of time, and those of a minute at once.
    pub fn new(per_second: NonZeroU32) -> Self {
        Self { rate: CallRate::of_strangers(per_second), buckets: Mutex::new(LruCache::new(ADDRESSES)) }
    }

    /// Returns true if the address has used up its rate. Counts nothing.
    pub fn is_used_up(&self, source: IpAddr, now: Timestamp) -> bool {
        let bucket = self.buckets().get(&network(source)).copied();
        bucket.is_some_and(|mut bucket| bucket.take(self.rate, NonZeroU32::MIN, now).is_err())
    }

    /// Counts a call without a good credential. If the address has used up its rate, returns the seconds until another
    /// such call is answered.
    pub fn take(&self, source: IpAddr, now: Timestamp) -> Result<(), u32> {
        let mut buckets = self.buckets();
        let bucket = buckets.get_or_insert_mut(network(source), || Bucket::full(now));
        bucket.take(self.rate, NonZeroU32::MIN, now)
    }

    /// Locks even after a panic, because each critical section leaves every bucket consistent.
    fn buckets(&self) -> std::sync::MutexGuard<'_, LruCache<IpAddr, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the address whose bucket counts. A caller usually has a whole IPv6 network of 64 bits, which has one bucket.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_of_one_network_share_a_bucket() {
        for (one, other, shared) in [
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("2001:db8::1", "2001:db8::ffff:1:2:3", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
        ] {
            let rates = StrangerRates::default();
            while rates.take(address(one), at(0)).is_ok() {}
            assert_eq!(rates.is_used_up(address(other), at(0)), shared, "{one} {other}");
        }
    }

    #[test]
    fn the_table_never_grows_and_keeps_an_address_that_floods() {
        let (rates, loud) = (StrangerRates::default(), address("192.0.2.1"));
        while rates.take(loud, at(0)).is_ok() {}
        for bits in 0..u32::try_from(ADDRESSES.get()).unwrap() * 2 {
            rates.take(std::net::Ipv4Addr::from_bits(bits).into(), at(0)).unwrap();
            assert!(rates.is_used_up(loud, at(0)));
        }
        assert_eq!(rates.buckets().len(), ADDRESSES.get());
    }

    proptest! {
        /// Each address gets exactly the calls of its own bucket, whatever the others do, and a look counts nothing.
        #[test]
        fn an_address_is_limited_by_its_own_calls_alone(
            calls in prop::collection::vec((0_u8..4, 0_i64..3, any::<bool>()), 1..400),
        ) {
            let (rates, mut now) = (StrangerRates::default(), 0);
            let mut alone: BTreeMap<u8, StrangerRates> = BTreeMap::new();
            for (host, gap, only_look) in calls {
                now += gap / 2;
                let source = IpAddr::from([192, 0, 2, host]);
                let own = alone.entry(host).or_default();
                prop_assert_eq!(rates.is_used_up(source, at(now)), own.is_used_up(source, at(now)));
                if !only_look {
                    let is_used_up = rates.is_used_up(source, at(now));
                    let taken = rates.take(source, at(now));
                    prop_assert_eq!(taken.is_err(), is_used_up);
                    prop_assert_eq!(taken, own.take(source, at(now)));
                }
            }
        }
    }
}
