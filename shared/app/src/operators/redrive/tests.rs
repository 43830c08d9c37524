use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicUsize, Ordering},
};

use domain::audit::{Author, Channel};

use super::*;
use crate::{
    memory::{Trouble, World},
    operators::dead_letters::tests::{QUEUE, hidden, letter, world},
};

async fn redriven(world: &World, most: usize) -> (Result<(), Stopped>, usize) {
    let moved = AtomicUsize::new(0);
    let operation = Operation::new(Author::new("jo").unwrap(), Channel::Postbackctl, None, [1; 8]);
    let redriven = redrive(world, world, (&operation, Timestamp::UNIX_EPOCH), (QUEUE, most), || {
        moved.fetch_add(1, Ordering::Relaxed);
    });
    (redriven.await, moved.load(Ordering::Relaxed))
}

fn left(world: &World) -> usize {
    world.state().dead_letter_queues[&QUEUE].len()
}

#[tokio::test]
async fn letters_are_moved_whole_and_no_more_than_was_asked() {
    let world = world(&["a", "b", "c", "d"]);
    assert_eq!(count(&world, QUEUE, None).await, Ok(Some(4)));
    assert_eq!(count(&world, QUEUE, Some(3)).await, Ok(Some(3)));
    assert_eq!(count(&world, DeadLetterQueue::Lookup, None).await, Ok(None));
    assert_eq!(redriven(&world, 3).await, (Ok(()), 3));
    assert_eq!(world.state().redriven, ["a", "b", "c"].map(|id| ("webhooks", letter(id))));
    assert_eq!(left(&world), 1);
    // A redrive of more letters than the queue has ends when no letter is left.
    assert_eq!(redriven(&world, 100).await, (Ok(()), 1));
}

#[tokio::test]
async fn whatever_call_fails_no_letter_is_lost_and_repeating_ends_it() {
    for call in 0..10 {
        for trouble in [Trouble::Before, Trouble::After] {
            let world = world(&["a", "b", "c"]);
            world.state().trouble = BTreeMap::from([(call, trouble)]);
            let _ = redriven(&world, 3).await;
            world.state().trouble.clear();
            // Hidden letters become visible again after their time.
            for (_, hidden) in world.state().dead_letter_queues.get_mut(&QUEUE).unwrap() {
                *hidden = false;
            }
            assert_eq!(redriven(&world, 3).await.0, Ok(()), "call {call}, {trouble:?}");
            let sent: BTreeSet<String> =
                world.state().redriven.iter().map(|(_, letter)| letter.message_id.clone()).collect();
            assert_eq!(sent, ["a", "b", "c"].map(str::to_owned).into(), "call {call}, {trouble:?}");
            assert_eq!(left(&world), 0, "call {call}, {trouble:?}");
        }
    }
}

#[tokio::test]
async fn no_letter_is_moved_before_the_audit_record_is_stored() {
    let world = world(&["a"]);
    world.state().trouble = BTreeMap::from([(0, Trouble::Before)]);
    assert!(redriven(&world, 1).await.0.is_err());
    assert_eq!(world.state().redriven, []);
    assert_eq!(redriven(&world, 1).await.0, Ok(()));
    let state = world.state();
    let [record] = &state.audit[..] else { panic!("{:?}", state.audit) };
    assert_eq!(record.subject, Subject::Queue { queue: QUEUE.name().to_owned() });
    assert_eq!((record.details["to"].as_str(), record.details["at_most"].as_str()), ("webhooks", "1"));
}

#[tokio::test]
async fn a_letter_that_was_not_sent_is_shown_again_at_once() {
    // The calls are: append, receive, send, delete, send, delete.
    for (call, moved, in_both) in [(2, 1, false), (3, 2, true)] {
        let world = world(&["a", "b"]);
        world.state().trouble = BTreeMap::from([(call, Trouble::Before)]);
        let (stopped, count) = redriven(&world, 2).await;
        assert_eq!(matches!(stopped, Err(Stopped::SentNotDeleted(_))), in_both, "{stopped:?}");
        assert_eq!(count, moved);
        assert_eq!(left(&world), 1);
        assert_eq!(hidden(&world), 0);
    }
}
