//! Decides when a function's instance stores a table's heartbeat, so that heartbeats cost next to nothing.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use domain::{
    jiff::{SignedDuration, Timestamp},
    lookup::Origin,
};

use crate::ports::{Lookups, Unavailable};

/// Sets how often one instance stores the heartbeat of one table at most.
const EVERY: SignedDuration = SignedDuration::from_mins(1);

/// Sets how far entries may lag behind their changes before lists warn of it.
pub const LATE: SignedDuration = SignedDuration::from_mins(5);

/// Returns true if entries written at this instant, of changes up to this time, are late.
pub fn is_late(up_to: Timestamp, at: Timestamp) -> bool {
    at.duration_since(up_to) > LATE
}

/// The heartbeats that an instance has stored last.
#[derive(Debug, Default)]
pub struct Beats(Mutex<BTreeMap<Origin, Beat>>);

#[derive(Debug, Clone, Copy)]
struct Beat {
    at: Timestamp,
    was_late: bool,
}

impl Beats {
    /// Stores the heartbeat of a table unless it was stored within the last minute. After a late one, the first that is not
    /// late is stored at once, because the table may have no further change for long.
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

    /// Beats at these seconds, each for changes up to another second, and returns how many heartbeats were stored.
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
