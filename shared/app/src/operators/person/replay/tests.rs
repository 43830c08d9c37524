use std::collections::BTreeMap;

use domain::audit::{Author, Channel};

use super::*;
use crate::{
    memory::{Trouble, World},
    operators::{
        person::tests::{erase_at, eraser, finder, indexed, marked, rig, stored},
        replay_conversions::tests::Turns,
    },
};

/// Returns a world in which the person was erased after this many milliseconds, and then all tables but the lookups and
/// the audit records were restored. `lookup-writer` has read the streams. Returns the instant of the erasure too.
async fn restored_after(after: i64) -> (World, Timestamp) {
    let (erased, restored) = (rig().await.world, rig().await.world);
    let at = erased.state().millisecond + after;
    erase_at(&erased, at).await.unwrap();
    {
        let (mut from, mut to) = (erased.state(), restored.state());
        (to.lookups, to.audit) = (std::mem::take(&mut from.lookups), std::mem::take(&mut from.audit));
        to.millisecond += after + 1_000;
    }
    indexed(&restored).await;
    (restored, Timestamp::from_millisecond(at).unwrap())
}

async fn restored() -> (World, Timestamp) {
    restored_after(1_000).await
}

async fn replay(world: &World, since: Timestamp, turns: usize) -> Result<Replayed, LookupFault> {
    let replay = ReplayErasures { find: finder(world), erase: eraser(world) };
    let operation = Operation::new(Author::new("jo").unwrap(), Channel::Postbackctl, None, [9; 8]);
    replay.run((since, Timestamp::MAX), &operation, world, &mut Turns::of_three(turns)).await
}

#[tokio::test]
async fn a_restored_person_is_erased_again_and_nobody_else() {
    let (world, at) = restored().await;
    assert!(marked(&stored(&world)).len() > 20);
    let replayed = replay(&world, at, usize::MAX).await.unwrap();
    assert_eq!((replayed.persons, replayed.found, replayed.erased), (1, 1, 1));
    assert_eq!((replayed.unreadable, replayed.stopped), (Vec::new(), None));
    let left = stored(&world);
    assert_eq!(marked(&left), [""; 0]);
    assert!(left.contains("UserId(\"other\")") && left.contains("TransactionId(\"other\")"));
    assert_eq!(world.state().audit.len(), 2);
    assert!(!format!("{:?}", world.state().audit).contains("PERSON"));
    let again = replay(&world, at, usize::MAX).await.unwrap();
    assert_eq!((again.found, again.items, stored(&world)), (0, again.items, left));
}

#[tokio::test]
async fn a_replay_that_failed_anywhere_can_be_repeated() {
    let (whole, at) = restored().await;
    let begun = whole.state().calls.len();
    replay(&whole, at, usize::MAX).await.unwrap();
    let calls = whole.state().calls.len();
    for call in begun..calls {
        for trouble in [Trouble::Before, Trouble::After] {
            let (world, _) = restored().await;
            world.state().trouble = BTreeMap::from([(call, trouble)]);
            let failed = replay(&world, at, usize::MAX).await;
            stored(&world);
            world.state().trouble.clear();
            if !failed.is_ok_and(|failed| failed.stopped.is_none()) {
                assert_eq!(replay(&world, at, usize::MAX).await.unwrap().stopped, None);
            }
            assert_eq!(marked(&stored(&world)), [""; 0], "call {call}, {trouble:?}");
        }
    }
}

#[tokio::test]
async fn an_interrupted_replay_says_so_and_begins_again() {
    let (world, at) = restored().await;
    let first = replay(&world, at, 2).await.unwrap();
    assert_eq!((first.erased, first.stopped), (0, Some(Stopped::Interrupted)));
    assert_eq!(replay(&world, at, usize::MAX).await.unwrap().erased, 1);
    assert_eq!(marked(&stored(&world)), [""; 0]);
}

#[tokio::test]
async fn what_came_after_the_erasure_is_left_alone() {
    let (world, at) = restored().await;
    let long_ago = Timestamp::from_second(-1).unwrap();
    world.state().audit.iter_mut().for_each(|record| record.at = long_ago);
    let before = stored(&world);
    let replayed = replay(&world, long_ago, usize::MAX).await.unwrap();
    assert_eq!((replayed.persons, replayed.found), (1, 0));
    assert!(stored(&world) == before && at > long_ago);
}

#[tokio::test]
async fn an_erasure_outside_the_period_is_not_replayed() {
    let (world, at) = restored().await;
    let later = Timestamp::from_millisecond(at.as_millisecond() + 1).unwrap();
    assert_eq!(replay(&world, later, usize::MAX).await.unwrap(), Replayed::default());
}

#[tokio::test]
async fn an_item_that_cannot_be_read_is_named() {
    let (world, at) = restored().await;
    world.state().unreadable_items.insert("PERSON-k".to_owned());
    let replayed = replay(&world, at, usize::MAX).await.unwrap();
    assert_eq!(replayed.unreadable, [("clicks", "PERSON-k".to_owned())]);
    assert_eq!(replayed.erased, 1);
}

#[tokio::test]
async fn answers_beside_an_erased_delivery_are_removed_again() {
    let (world, at) = restored().await;
    let attempts = world.state().attempts.clone();
    replay(&world, at, usize::MAX).await.unwrap();
    world.state().attempts = attempts;
    assert_eq!(marked(&stored(&world)).len(), 1);
    let replayed = replay(&world, at, usize::MAX).await.unwrap();
    assert_eq!((replayed.found, marked(&stored(&world)).len()), (0, 0));
}
