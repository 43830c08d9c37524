//! Caches configuration in memory, with bounds on number and age. While the source is down, a stale value is used for a
//! limited time.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use domain::jiff::{SignedDuration, Timestamp};
use lru::LruCache;
use tracing::warn;

use crate::ports::{Source, Unavailable};

/// The limits of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachePolicy {
    /// How long a value is used before the source is read again.
    pub fresh: SignedDuration,
    /// How long the absence of a value is remembered. It is shorter than `fresh`, so that a new partner is soon
    /// admitted.
    pub unknown_fresh: SignedDuration,
    /// How long a stale value is used after a failed read before the source is read again.
    pub retry_after: SignedDuration,
    /// The greatest number of values, and also of absent keys, that are held.
    pub capacity: NonZeroUsize,
    /// The greatest age of a value that is used while the source is down. A stale value may still permit something that
    /// was forbidden meanwhile, such as a credential that an operator has dropped. Zero means that no stale value is
    /// used.
    pub stale_for: SignedDuration,
}

impl Default for CachePolicy {
    fn default() -> Self {
        Self {
            fresh: SignedDuration::from_secs(60),
            unknown_fresh: SignedDuration::from_secs(10),
            retry_after: SignedDuration::from_secs(5),
            capacity: NonZeroUsize::new(1024).unwrap_or(NonZeroUsize::MIN),
            stale_for: SignedDuration::from_mins(15),
        }
    }
}

/// A [`Source`] with its last answers in memory.
///
/// Keys without a value are held in a separate cache, so that a flood of invented names cannot push out real values.
pub struct Cache<S: Source> {
    source: S,
    policy: CachePolicy,
    known: Mutex<LruCache<S::Key, CachedValue<S::Value>>>,
    unknown: Mutex<LruCache<S::Key, Timestamp>>,
}

#[derive(Debug)]
struct CachedValue<V> {
    value: Arc<V>,
    /// The instant at which the value was read.
    read_at: Timestamp,
    /// The instant from which the source is read again.
    good_until: Timestamp,
}

impl<S: Source> Cache<S> {
    /// Returns an empty cache of this source.
    pub fn new(source: S, policy: CachePolicy) -> Self {
        let (known, unknown) = (LruCache::new(policy.capacity), LruCache::new(policy.capacity));
        Self { source, policy, known: Mutex::new(known), unknown: Mutex::new(unknown) }
    }

    /// Returns the value of this key, or `None` if the source has no value. Fails if the source fails and no value in
    /// memory may be used instead.
    pub async fn get(&self, key: &S::Key, now: Timestamp) -> Result<Option<Arc<S::Value>>, Unavailable> {
        let held = self.held(key);
        if let Some(entry) = &held
            && now < entry.good_until
        {
            return Ok(Some(Arc::clone(&entry.value)));
        }
        if held.is_none() && self.is_known_absent(key, now) {
            return Ok(None);
        }
        match (self.source.load(key).await, held) {
            (Ok(Some(value)), _) => {
                let entry = CachedValue { value: Arc::new(value), read_at: now, good_until: now + self.policy.fresh };
                Ok(Some(self.hold(key, entry)))
            }
            (Ok(None), _) => {
                lock(&self.known).pop(key);
                lock(&self.unknown).put(key.clone(), now + self.policy.unknown_fresh);
                Ok(None)
            }
            // The stale value is used for a while without a read, because trying to read at each call would make each
            // call slow.
            (Err(unavailable), Some(entry)) if now < entry.read_at + self.policy.stale_for => {
                let words = "configuration cannot be read; the value in memory is used for a limited time";
                warn!(configuration_stale = 1, reason = %unavailable, "{words}");
                let good_until = (now + self.policy.retry_after).min(entry.read_at + self.policy.stale_for);
                Ok(Some(self.hold(key, CachedValue { good_until, ..entry })))
            }
            (Err(unavailable), _) => Err(unavailable),
        }
    }

    /// Returns true if a value of this key is in memory, however old it is.
    pub fn holds(&self, key: &S::Key) -> bool {
        lock(&self.known).contains(key)
    }

    fn held(&self, key: &S::Key) -> Option<CachedValue<S::Value>> {
        lock(&self.known).get(key).map(|entry| CachedValue { value: Arc::clone(&entry.value), ..*entry })
    }

    fn is_known_absent(&self, key: &S::Key, now: Timestamp) -> bool {
        lock(&self.unknown).get(key).is_some_and(|good_until| now < *good_until)
    }

    fn hold(&self, key: &S::Key, entry: CachedValue<S::Value>) -> Arc<S::Value> {
        let value = Arc::clone(&entry.value);
        lock(&self.unknown).pop(key);
        lock(&self.known).put(key.clone(), entry);
        value
    }
}

/// Locks, even after a panic, because every critical section leaves the cache consistent.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A source that returns a fixed answer and counts its reads.
    struct Fake {
        answer: Mutex<Result<Option<u32>, Unavailable>>,
        asked: AtomicUsize,
    }

    impl Source for Arc<Fake> {
        type Key = u32;
        type Value = u32;
        async fn load(&self, _: &u32) -> Result<Option<u32>, Unavailable> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            lock(&self.answer).clone()
        }
    }

    fn down() -> Unavailable {
        Unavailable { service: "fake", reason: "down".into() }
    }

    struct Rig {
        fake: Arc<Fake>,
        cache: Cache<Arc<Fake>>,
    }

    impl Rig {
        fn new(answer: Result<Option<u32>, Unavailable>) -> Self {
            Self::with(answer, CachePolicy::default().stale_for)
        }

        fn with(answer: Result<Option<u32>, Unavailable>, stale_for: SignedDuration) -> Self {
            let fake = Arc::new(Fake { answer: Mutex::new(answer), asked: AtomicUsize::new(0) });
            let policy = CachePolicy { capacity: NonZeroUsize::new(2).unwrap(), stale_for, ..CachePolicy::default() };
            Self { cache: Cache::new(Arc::clone(&fake), policy), fake }
        }

        fn set(&self, answer: Result<Option<u32>, Unavailable>) {
            *lock(&self.fake.answer) = answer;
        }

        async fn get(&self, key: u32, second: i64) -> Result<Option<u32>, Unavailable> {
            let value = self.cache.get(&key, Timestamp::from_second(second).unwrap()).await;
            value.map(|value| value.map(|value| *value))
        }

        fn asked(&self) -> usize {
            self.fake.asked.swap(0, Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn a_value_is_asked_for_once_a_minute() {
        let rig = Rig::new(Ok(Some(1)));
        assert_eq!(rig.get(0, 0).await, Ok(Some(1)));
        rig.set(Ok(Some(2)));
        assert_eq!(rig.get(0, 59).await, Ok(Some(1)));
        assert_eq!(rig.asked(), 1);
        assert_eq!(rig.get(0, 60).await, Ok(Some(2)));
        assert_eq!(rig.asked(), 1);
    }

    #[tokio::test]
    async fn a_stale_value_is_used_while_the_source_is_down() {
        let rig = Rig::new(Ok(Some(1)));
        assert_eq!(rig.get(0, 0).await, Ok(Some(1)));
        rig.set(Err(down()));
        for second in 600..610 {
            assert_eq!(rig.get(0, second).await, Ok(Some(1)));
        }
        assert_eq!(rig.asked(), 1 + 2);
        assert_eq!(rig.get(9, 0).await, Err(down()));
    }

    #[tokio::test]
    async fn a_stale_value_is_refused_once_its_time_is_over() {
        let rig = Rig::with(Ok(Some(1)), SignedDuration::from_mins(2));
        assert_eq!(rig.get(0, 0).await, Ok(Some(1)));
        rig.set(Err(down()));
        for second in [59, 60, 118, 119] {
            assert_eq!(rig.get(0, second).await, Ok(Some(1)), "{second}");
        }
        // The age of a stale value counts from the successful read. Neither a use of the value nor a failed read resets
        // the age.
        for second in [120, 121, 3600] {
            assert_eq!(rig.get(0, second).await, Err(down()), "{second}");
        }
        rig.set(Ok(Some(2)));
        assert_eq!(rig.get(0, 3601).await, Ok(Some(2)));
    }

    #[tokio::test]
    async fn a_cache_that_refuses_stale_values_uses_none_after_a_minute() {
        let rig = Rig::with(Ok(Some(1)), SignedDuration::ZERO);
        assert_eq!(rig.get(0, 0).await, Ok(Some(1)));
        rig.set(Err(down()));
        assert_eq!(rig.get(0, 59).await, Ok(Some(1)));
        assert_eq!(rig.get(0, 60).await, Err(down()));
        rig.set(Ok(Some(2)));
        assert_eq!(rig.get(0, 61).await, Ok(Some(2)));
    }

    #[tokio::test]
    async fn a_removal_shows_after_a_minute_and_a_new_key_after_10_s() {
        let rig = Rig::new(Ok(None));
        assert_eq!(rig.get(0, 0).await, Ok(None));
        rig.set(Ok(Some(1)));
        assert_eq!(rig.get(0, 9).await, Ok(None));
        assert_eq!(rig.asked(), 1);
        assert_eq!(rig.get(0, 10).await, Ok(Some(1)));
        rig.set(Ok(None));
        assert_eq!(rig.get(0, 70).await, Ok(None));
    }

    #[tokio::test]
    async fn a_flood_of_invented_names_pushes_out_no_real_value() {
        let rig = Rig::new(Ok(Some(1)));
        assert_eq!(rig.get(0, 0).await, Ok(Some(1)));
        rig.set(Ok(None));
        for name in 1..100 {
            assert_eq!(rig.get(name, 1).await, Ok(None));
        }
        assert_eq!(rig.asked(), 100);
        assert_eq!(rig.get(0, 2).await, Ok(Some(1)));
        assert_eq!(rig.asked(), 0);
    }
}
