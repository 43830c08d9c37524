use std::collections::BTreeMap;

use super::*;
use crate::memory::{Trouble, World};

pub(crate) const QUEUE: DeadLetterQueue = DeadLetterQueue::Webhooks;

pub(crate) fn letter(id: &str) -> DeadLetter {
    DeadLetter {
        message_id: id.to_owned(),
        sent_at: None,
        received: Some(1),
        group: Some("acme".to_owned()),
        attributes: BTreeMap::new(),
        body: "{}".to_owned(),
    }
}

/// Returns a world with these letters in the queue.
pub(crate) fn world(ids: &[&str]) -> World {
    let world = World::default();
    let letters = ids.iter().map(|id| (letter(id), false)).collect();
    world.state().dead_letter_queues.insert(QUEUE, letters);
    world
}

pub(crate) fn hidden(world: &World) -> usize {
    world.state().dead_letter_queues[&QUEUE].iter().filter(|(_, hidden)| *hidden).count()
}

#[tokio::test]
async fn looking_shows_the_first_letters_and_takes_none_away() {
    let world = world(&["a", "b", "c", "d"]);
    for _ in 0..2 {
        let look = look(&world, &[QUEUE, DeadLetterQueue::Lookup], 3).await.unwrap();
        let [contents] = &look.queues[..] else { panic!("{look:?}") };
        assert_eq!((contents.messages, &contents.letters[..]), (4, &[letter("a"), letter("b"), letter("c")][..]));
        assert_eq!(look.missing, [DeadLetterQueue::Lookup]);
        assert_eq!(world.state().dead_letter_queues[&QUEUE].len(), 4);
        assert_eq!(hidden(&world), 0);
    }
}

#[tokio::test]
async fn a_look_that_fails_puts_back_what_it_has_received() {
    // The calls are: count, receive, receive, put back.
    for (call, expected) in [(0, 0), (2, 0), (3, 3)] {
        let world = world(&["a", "b", "c"]);
        world.state().trouble = BTreeMap::from([(call, Trouble::Before)]);
        let fault = look(&world, &[QUEUE], 3).await.unwrap_err();
        assert_eq!(matches!(fault, LookFault::Hidden(_)), call == 3, "{fault:?}");
        assert_eq!(hidden(&world), expected, "call {call}");
    }
}
