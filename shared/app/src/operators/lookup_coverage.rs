//! Checks how complete the lookups are. Every list, trace and replay checks this first, so that missing entries are
//! reported and not taken for an empty result.

use domain::{jiff::Timestamp, lookup::Origin};
use serde::Serialize;
use thiserror::Error;

use crate::{
    ports::{Coverage, Unavailable},
    write_lookups::beats::is_late,
};

/// The reason why the lookups cannot be relied on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LookupFault {
    /// A service failed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The table has items, but its lookups were never written or are lost.
    #[error("the lookups of {0} are empty or incomplete; rebuild them")]
    Lost(Origin),
}

/// Entries that are missing from the lookups of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The table.
    pub table: Origin,
    /// The entries that are missing.
    #[serde(flatten)]
    pub missing: Missing,
}

/// The entries that are missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "missing", rename_all = "snake_case")]
pub enum Missing {
    /// Entries of changes before an instant. A rebuild writes them.
    Before {
        /// The instant from which the entries are complete.
        #[serde(serialize_with = "domain::values::time::three_decimals::serialize")]
        since: Timestamp,
    },
    /// Entries of the newest changes, because `lookup-writer` was late when it last wrote. It will write them without a
    /// rebuild.
    Newest {
        /// The time of the newest change that has its entries.
        #[serde(serialize_with = "domain::values::time::three_decimals::serialize")]
        up_to: Timestamp,
        /// The instant at which `lookup-writer` had written those entries.
        #[serde(serialize_with = "domain::values::time::three_decimals::serialize")]
        at: Timestamp,
    },
}

/// Returns the gaps in the lookups of these tables, from this instant on if it is given. Fails if a table has items but
/// no heartbeat, because nothing is known about its lookups then. A table without items needs no lookups.
pub async fn check(
    coverage: &impl Coverage,
    origins: &[Origin],
    from: Option<Timestamp>,
) -> Result<Vec<Gap>, LookupFault> {
    let heartbeats = coverage.heartbeats().await?;
    let mut gaps = Vec::new();
    for origin in origins {
        let Some(heartbeat) = heartbeats.get(origin) else {
            if coverage.has_items(*origin).await? {
                return Err(LookupFault::Lost(*origin));
            }
            continue;
        };
        let (since, up_to, at) = (heartbeat.since, heartbeat.up_to, heartbeat.beaten_at);
        let gap = |missing| Gap { table: *origin, missing };
        // Nothing was recorded before 1970.
        if from.unwrap_or(Timestamp::UNIX_EPOCH) < since {
            gaps.push(gap(Missing::Before { since }));
        }
        if is_late(up_to, at) {
            gaps.push(gap(Missing::Newest { up_to, at }));
        }
    }
    Ok(gaps)
}

/// Stores for each empty table without a heartbeat that its lookups are complete, because every later item will get its
/// entries. Must be called before the first partner is stored, because nothing is recorded before then.
pub async fn begin(coverage: &impl Coverage, now: Timestamp) -> Result<(), Unavailable> {
    let heartbeats = coverage.heartbeats().await?;
    for origin in Origin::ALL {
        if !heartbeats.contains_key(&origin) && !coverage.has_items(origin).await? {
            coverage.mark_complete(origin, now).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use domain::{
        inbound::refusal::{ContentKey, KeptRequest, Refusal},
        outbound::delivery::Status,
    };

    use super::*;
    use crate::{
        deliver_webhooks::tests as sender,
        memory::World,
        operators::{
            Page, deliveries, reconcile, refusals,
            replay_conversions::{
                ReplayConversions,
                tests::{acme, at, record},
            },
        },
        ports::{Heartbeat, Lookups as _, NewDeliveries as _, RefusalKind, Refusals as _},
    };

    /// A stack whose lookups were lost or never begun.
    fn lost() -> World {
        let world = World::default();
        world.state().heartbeats.clear();
        world
    }

    async fn gaps(world: &World, from: Option<i64>) -> Result<Vec<Gap>, LookupFault> {
        check(world, &[Origin::Postbacks, Origin::Clicks], from.map(at)).await
    }

    #[tokio::test]
    async fn lost_lookups_are_told_from_those_of_a_new_stack() {
        let world = lost();
        assert_eq!(gaps(&world, None).await, Ok(Vec::new()));
        record(&world, "t", 1).await;
        assert_eq!(gaps(&world, None).await, Err(LookupFault::Lost(Origin::Postbacks)));
    }

    #[tokio::test]
    async fn a_stack_that_was_begun_has_no_gap() {
        let world = lost();
        begin(&world, at(1)).await.unwrap();
        record(&world, "t", 2).await;
        world.beat(Origin::Postbacks, at(2), at(3)).await.unwrap();
        assert_eq!(gaps(&world, None).await, Ok(Vec::new()));
        // To begin again changes nothing.
        let heartbeats = world.state().heartbeats.clone();
        begin(&world, at(9)).await.unwrap();
        assert_eq!(world.state().heartbeats, heartbeats);
    }

    #[tokio::test]
    async fn lost_lookups_are_not_begun_as_complete() {
        let world = lost();
        record(&world, "t", 1).await;
        begin(&world, at(2)).await.unwrap();
        assert_eq!(gaps(&world, None).await, Err(LookupFault::Lost(Origin::Postbacks)));
    }

    #[tokio::test]
    async fn a_range_before_the_entries_begin_has_a_gap() {
        let world = lost();
        record(&world, "t", 1).await;
        world.beat(Origin::Postbacks, at(1_000), at(1_001)).await.unwrap();
        let gap = Gap { table: Origin::Postbacks, missing: Missing::Before { since: at(1_001) } };
        assert_eq!(gaps(&world, None).await, Ok(vec![gap.clone()]));
        assert_eq!(gaps(&world, Some(1_000)).await, Ok(vec![gap]));
        assert_eq!(gaps(&world, Some(1_001)).await, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn a_late_writer_is_told() {
        let world = World::default();
        let heartbeat = |up_to| Heartbeat { since: at(0), up_to, beaten_at: at(1_000) };
        world.state().heartbeats.insert(Origin::Clicks, heartbeat(at(700)));
        assert_eq!(gaps(&world, None).await, Ok(Vec::new()));
        world.state().heartbeats.insert(Origin::Clicks, heartbeat(at(699)));
        let missing = Missing::Newest { up_to: at(699), at: at(1_000) };
        assert_eq!(gaps(&world, None).await, Ok(vec![Gap { table: Origin::Clicks, missing }]));
    }

    #[tokio::test]
    async fn every_list_fails_that_needs_lost_lookups() {
        let world = lost();
        record(&world, "t", 1).await;
        sender_delivery(&world).await;
        keep_refusal(&world).await;
        let (now, providers, page) = (at(9), [acme()], Page { most: 9, ..Page::default() });
        for kind in [RefusalKind::Refusal, RefusalKind::Conflict] {
            let listed = refusals::list((&world, &world), kind, &providers, &page, now).await;
            assert_eq!(listed, Err(LookupFault::Lost(Origin::Refusals)));
        }
        let wanted = deliveries::Wanted { page, ..deliveries::Wanted::default() };
        let listed = deliveries::list(&world, &world, &providers, &wanted, now).await;
        assert_eq!(listed, Err(LookupFault::Lost(Origin::Deliveries)));
        // Failed deliveries have an index of their own.
        let wanted = deliveries::Wanted { status: Some(Status::Exhausted), ..wanted };
        assert!(deliveries::list(&world, &world, &providers, &wanted, now).await.is_ok());
        let recorded = reconcile::recorded((&world, &world), &acme(), (at(0), now), now).await;
        assert_eq!(recorded, Err(LookupFault::Lost(Origin::Postbacks)));
        let (listings, inbound, queue, trail) = (world.clone(), world.clone(), world.clone(), world.clone());
        let replay = ReplayConversions { listings, inbound, queue, trail };
        assert_eq!(replay.plan(vec![acme()], (at(0), now)).await, Err(LookupFault::Lost(Origin::Postbacks)));
    }

    async fn sender_delivery(world: &World) {
        let delivery = sender::delivery_at("u", "p-9", sender::start());
        world.put_if_absent(&delivery).await.unwrap();
    }

    async fn keep_refusal(world: &World) {
        let (user_id, click_id, source) = (None, None, [192, 0, 2, 1].into());
        let (key, faults, received_at) = (ContentKey::of_refusal(&acme(), "r"), Vec::new(), at(1));
        let request = KeptRequest { text: "r".to_owned(), sent_bytes: None };
        let refusal = Refusal { key, provider: acme(), request, source, user_id, click_id, faults, received_at };
        world.keep_refusal(&refusal, 99).await.unwrap();
    }
}
