//! Killed before and after each of its calls, seen by a proxy: the end is the same.

use std::collections::BTreeSet;

use tests::{proxy::Call, runtime_api::Outcome};

use crate::{
    events::{completed, fresh, opened},
    fixture::{Fixture, Webhooks, batch, delivery_id, evaluate},
};

/// Every call that this batch costs, by operation and where it goes.
const CALLS: [(&str, &str); 5] = [
    ("GetItem", "participants"),
    ("PutItem", "deliveries"),
    ("SendMessageBatch", "webhooks"),
    ("PutItem", "participants"),
    ("SendMessage", "gg3-events-dead-letters"),
];

#[tokio::test]
async fn killed_before_and_after_each_of_its_calls_the_batch_comes_back_and_ends_in_the_same_place() {
    let fixture = Fixture::shared().await;
    for (operation, place) in CALLS {
        for after in [false, true] {
            let user = fresh("u");
            let broken = completed(&user, 1, "");
            let events = [
                opened(&user, "evaluator-a", 9, 0),
                opened(&user, "evaluator-b", 8, 0),
                completed(&user, 5, "q1"),
                broken.clone(),
            ];
            let (proxy, function) = fixture.behind_a_proxy().await;
            let meant = move |call: &Call| {
                call.operation == operation && call.table_or_queue.as_ref().unwrap().ends_with(place)
            };
            let gate = if after { proxy.pause_after(meant) } else { proxy.pause_before(meant) };
            let event = batch(&events);
            let (invocation, hit) = tokio::join!(function.invoke(&event), async {
                let hit = gate.hit().await;
                function.kill().await;
                if after {
                    gate.open();
                } else {
                    gate.cut();
                }
                hit
            });
            assert!(meant(&hit) && matches!(invocation.outcome, Outcome::Died(_)), "{invocation:?}");
            proxy.settled().await;
            let (_proxy, function) = fixture.behind_a_proxy().await;
            assert_eq!(evaluate(&function, &events).await, [0; 0]);

            let told = format!("{operation} {place}, after: {after}");
            let owed = ["evaluator-a", "evaluator-b"].map(|name| (user.clone(), name.to_owned(), "quest".to_owned()));
            assert_eq!(fixture.deliveries_of(&user).await, BTreeSet::from(owed), "{told}");
            for provider in ["evaluator-a", "evaluator-b"] {
                let sent = Webhooks::shared().await.of(&delivery_id(provider, "quest", &user)).await;
                assert!((1..=2).contains(&sent.len()), "{told}: {sent:?}");
            }
            let stored = fixture.participant(&user).await.participant;
            assert_eq!(stored.reached().count(), 2, "{told}");
            assert!(fixture.dead_letter(&broken).await.contains("quest_id: Missing"));
            // And from here on nothing is new.
            proxy.take_calls();
            assert_eq!(evaluate(&function, &events[..3]).await, [0; 0]);
            assert_eq!(fixture.participant(&user).await.participant, stored);
        }
    }
}
