//! Runs four evaluators at once over shuffled and repeated events.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Mutex,
};

use domain::outbound::{
    event::{Event, Parsed},
    participant::Participant,
    timing::Timing,
};
use fastrand::Rng;
use tests::{fresh, runtime_api::Function};

use crate::{
    events::{clicked, completed, now, opened, registered},
    fixture::{Fixture, delivery_id, evaluate},
};

const USERS: usize = 100;

/// Returns ten events of a user in the order of their time.
fn story(user: &str, dice: &mut Rng) -> Vec<String> {
    let mut total = 0;
    let provider = |dice: &mut Rng| ["evaluator-a", "evaluator-b"][dice.usize(..2)];
    (0..10u64)
        .map(|at| {
            let minutes_ago = 60 - 5 * at;
            match dice.usize(..10) {
                0 | 1 => opened(user, provider(dice), minutes_ago, total),
                2 => registered(user, provider(dice), minutes_ago),
                3..=5 => {
                    total += 1 + dice.u64(..4);
                    clicked(user, minutes_ago, total)
                }
                _ => completed(user, minutes_ago, ["q1", "q2", "q3", "q4", "q5"][dice.usize(..5)]),
            }
        })
        .collect()
}

/// Applies the events of one user in order. Returns the participant and the owed deliveries.
fn in_order(fixture: &Fixture, events: &[String]) -> (Participant, BTreeSet<(String, String)>) {
    let (mut participant, mut owed) = (Participant::default(), BTreeSet::new());
    for body in events {
        let (now, timing) = (now(), Timing::default());
        let fresh = fixture.catalogue.fresh(now, now, &timing).unwrap();
        let Ok(Parsed::Event(event)) = Event::parse(body.as_bytes(), now, &timing) else { panic!("{body}") };
        let applied = participant.apply([&fresh.admit(event).unwrap()], &fresh);
        participant = applied.participant;
        owed.extend(applied.owed.into_iter().map(|owed| (owed.provider.to_string(), owed.campaign.to_string())));
    }
    (participant, owed)
}

/// Takes batches until none are left. Failed events are put back at the end.
async fn work(function: &Function, waiting: &Mutex<VecDeque<Vec<String>>>) {
    let mut batches = 0;
    loop {
        let Some(batch) = waiting.lock().unwrap().pop_front() else { return };
        let failed = evaluate(function, &batch).await;
        batches += 1;
        assert!(batches < 2000, "the worker has not finished after {batches} batches");
        if !failed.is_empty() {
            waiting.lock().unwrap().push_back(failed.into_iter().map(|place| batch[place].clone()).collect());
        }
    }
}

#[tokio::test]
async fn shuffled_and_repeated_events_owe_what_ordered_events_do() {
    let fixture = Fixture::shared().await;
    let (run, mut dice) = (fresh("race"), Rng::with_seed(42));
    let users: Vec<String> = (0..USERS).map(|n| format!("{run}-{n}")).collect();
    let stories: BTreeMap<&String, Vec<String>> = users.iter().map(|user| (user, story(user, &mut dice))).collect();
    let mut messages: Vec<String> = Vec::new();
    for event in stories.values().flatten() {
        messages.extend(std::iter::repeat_n(event.clone(), 1 + dice.usize(..3)));
    }
    dice.shuffle(&mut messages);
    let waiting = Mutex::new(messages.chunks(10).map(<[String]>::to_vec).collect());
    let settings = fixture.settings(&fixture.stack.aws_endpoint_url);
    let functions = [settings.spawn().await, settings.spawn().await, settings.spawn().await, settings.spawn().await];
    let [a, b, c, d] = &functions;
    tokio::join!(work(a, &waiting), work(b, &waiting), work(c, &waiting), work(d, &waiting));

    let mut expected = BTreeSet::new();
    for (user, events) in stories {
        let (participant, owed) = in_order(fixture, &events);
        assert_eq!(fixture.participant(user).await.participant, participant, "{user}: {events:#?}");
        expected.extend(owed.into_iter().map(|(provider, campaign)| (user.clone(), provider, campaign)));
    }
    assert!(expected.len() > USERS, "{} deliveries", expected.len());
    assert_eq!(fixture.deliveries_of(&run).await, expected);
    for (user, provider, campaign) in expected {
        assert!(!fixture.messages(&delivery_id(&provider, &campaign, &user)).await.is_empty());
    }
}
