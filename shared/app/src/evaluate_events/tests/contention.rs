//! Tests evaluators that write the same participant at the same time.

use super::*;

/// Evaluates events of the users `u` and `v` while a rival writes `u` before each of our first writes.
async fn contend(times: usize) -> (World, Vec<EventOutcome>) {
    let rig = Rig::new();
    rig.world.state().rival_writes.insert(UserId::new("u").unwrap(), times);
    let batch = [opened("u", "acme", 1), opened("v", "acme", 1), completed("u", 2, "q1"), completed("v", 2, "q1")];
    let outcomes = rig.handle(&batch).await;
    (rig.world, outcomes)
}

#[tokio::test]
async fn a_lost_write_starts_over_and_sends_nothing_twice() {
    for times in 0..TRIES {
        let (world, outcomes) = contend(times).await;
        assert_eq!(outcomes, vec![EventOutcome::Applied { owed: 1 }; 4], "{times}");
        let state = world.state();
        let count = |name: &str| state.calls.iter().filter(|call| **call == name).count();
        let counts = ["read participant", "put delivery", "send webhook", "write participant"].map(count);
        assert_eq!(counts, [2 + times, 2, 2, 2 + times]);
        assert_eq!(state.participants.values().filter(|stored| stored.0.reached().count() == 1).count(), 2);
    }
}

#[tokio::test]
async fn endless_contention_fails_one_users_events_only() {
    let (world, outcomes) = contend(1000).await;
    let failed = EventOutcome::Failed(EventFailure::Contended);
    let applied = EventOutcome::Applied { owed: 1 };
    assert_eq!(outcomes, [failed.clone(), applied.clone(), failed, applied]);
    assert_eq!(world.state().webhooks.len(), 2, "the deliveries owed are sent nevertheless");
}
