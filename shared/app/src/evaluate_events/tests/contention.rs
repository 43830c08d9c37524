//! Somebody else writes the same participant.

use super::*;
use crate::ports::{Replaced, StoredParticipant};

/// The participants of a world in which somebody else writes between our read and our write, the first so many times.
struct Contended {
    world: World,
    times: std::sync::atomic::AtomicUsize,
}

impl Participants for Contended {
    async fn read(&self, users: &[&UserId]) -> Vec<Result<StoredParticipant, Unavailable>> {
        Participants::read(&self.world, users).await
    }

    async fn write(
        &self,
        user_id: &UserId,
        participant: &Participant,
        read: Option<u64>,
        next: u64,
    ) -> Result<Replaced, Unavailable> {
        use std::sync::atomic::Ordering::Relaxed;
        if user_id.as_str() == "u" && self.times.load(Relaxed) > 0 {
            self.times.fetch_sub(1, Relaxed);
            let mut state = self.world.state();
            let stored = state.participants.entry(user_id.clone()).or_default();
            stored.1 += 1;
        }
        self.world.write(user_id, participant, read, next).await
    }
}

async fn contend(times: usize) -> (World, Vec<Outcome>) {
    let rig = Rig::new();
    let UseCase { catalogue, deliveries, queue, dead_letters, surroundings, timing, .. } = rig.evaluate;
    let participants = Contended { world: rig.world.clone(), times: times.into() };
    let evaluate = EvaluateEvents { catalogue, participants, deliveries, queue, dead_letters, surroundings, timing };
    let batch = [opened("u", "acme", 1), opened("v", "acme", 1), completed("u", 2, "q1"), completed("v", 2, "q1")];
    let outcomes = evaluate.handle(&messages(&batch)).await;
    (rig.world, outcomes)
}

#[tokio::test]
async fn a_lost_write_starts_over_from_what_the_other_wrote_and_puts_and_sends_nothing_twice() {
    for times in 0..TRIES {
        let (world, outcomes) = contend(times).await;
        assert_eq!(outcomes, vec![Outcome::Applied { owed: 1 }; 4], "{times}");
        let state = world.state();
        let count = |name: &str| state.calls.iter().filter(|call| **call == name).count();
        let counts = ["read participant", "put delivery", "send webhook", "write participant"].map(count);
        assert_eq!(counts, [2 + times, 2, 2, 2 + times]);
        assert_eq!(state.participants.values().filter(|stored| stored.0.reached().count() == 1).count(), 2);
    }
}

#[tokio::test]
async fn contention_without_end_ends_with_the_events_coming_again_and_harms_no_other_user() {
    let (world, outcomes) = contend(1000).await;
    let failed = Outcome::Failed(Failure::Contended);
    let applied = Outcome::Applied { owed: 1 };
    assert_eq!(outcomes, [failed.clone(), applied.clone(), failed, applied]);
    assert_eq!(world.state().webhooks.len(), 2, "what is owed is sent all the same");
}
