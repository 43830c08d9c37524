//! Decides when an instance of a function stores a table's heartbeat, so that heartbeats cost very little.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use domain::{
    jiff::{SignedDuration, Timestamp},
    lookup::Origin,
};

use crate::ports::{Lookups, Unavailable};

/// Sets the shortest time between two heartbeats of a table that one instance stores.
const EVERY: SignedDuration = SignedDuration::from_mins(1);

/// Sets how late entries may be before lists warn that entries are late.
pub const LATE: SignedDuration = SignedDuration::from_mins(5);

/// Returns true if entries that are written at the instant `at` are late, for changes up to the time `up_to`.
pub fn is_late(up_to: Timestamp, at: Timestamp) -> bool {
    at.duration_since(up_to) > LATE
}

/// The last heartbeat that an instance has stored for each table.
#[derive(Debug, Default)]
pub struct Beats(Mutex<BTreeMap<Origin, Beat>>);

#[derive(Debug, Clone, Copy)]
struct Beat {
    at: Timestamp,
    was_late: bool,
}

impl Beats {
    /// Stores the heartbeat of a table unless this instance stored one within the last minute. If that one was late,
    /// the first heartbeat that is not late is stored at once, because the table may not change again for a long time.
    pub(super) async fn beat(
        &self,
        lookups: &impl Lookups,
        origin: Origin,
        up_to: Timestamp,
        now: Timestamp,
    ) -> Result<(), Unavailable> {
        let was_late = is_late(up_to, now);
        if !self.is_due(origin, was_late, now) {
            return Ok(());
        }
        lookups.beat(origin, up_to, now).await?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(origin, Beat { at: now, was_late });
        Ok(())
    }

    fn is_due(&self, origin: Origin, is_late: bool, now: Timestamp) -> bool {
        let beats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        beats.get(&origin).is_none_or(|last| now.duration_since(last.at) >= EVERY || (last.was_late && !is_late))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Trouble, World};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Beats once for each pair of seconds: the second in which the beat is made, and the second up to which changes
    /// are written. Returns the number of stored heartbeats.
    async fn stored(world: &World, beats: &[(i64, i64)]) -> usize {
        let instance = Beats::default();
        for (now, up_to) in beats {
            let _ = instance.beat(world, Origin::Clicks, at(*up_to), at(*now)).await;
        }
        world.state().calls.len()
    }

    #[tokio::test]
    async fn a_heartbeat_is_stored_once_a_minute() {
        let beats: Vec<(i64, i64)> = (1_000..1_180).map(|second| (second, second)).collect();
        assert_eq!(stored(&World::default(), &beats).await, 3);
    }

    #[tokio::test]
    async fn the_first_heartbeat_that_is_not_late_is_stored_at_once() {
        assert_eq!(stored(&World::default(), &[(1_000, 1), (1_001, 2), (1_002, 990), (1_003, 1_003)]).await, 2);
    }

    #[tokio::test]
    async fn a_heartbeat_that_failed_is_stored_by_the_next_batch() {
        let world = World::default();
        world.state().trouble = [(0, Trouble::Before)].into();
        assert_eq!(stored(&world, &[(1_000, 1_000), (1_001, 1_001), (1_002, 1_002)]).await, 2);
        assert_eq!(world.state().heartbeats[&Origin::Clicks].up_to, at(1_001));
    }

    #[tokio::test]
    async fn entries_are_complete_from_the_first_heartbeat_on() {
        let world = World::default();
        world.state().heartbeats.clear();
        stored(&world, &[(1_000, 900), (2_000, 1_990)]).await;
        let heartbeat = world.state().heartbeats[&Origin::Clicks].clone();
        assert_eq!((heartbeat.since, heartbeat.up_to, heartbeat.beaten_at), (at(1_000), at(1_990), at(2_000)));
    }
}
