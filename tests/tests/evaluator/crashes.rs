//! Kills the evaluator before and after each of its calls. The outcome must be the same.

use std::collections::BTreeSet;

use tests::{fresh, proxy::Call, runtime_api::InvocationEnding};

use crate::{
    events::{completed, opened},
    fixture::{Fixture, batch, delivery_id, evaluate},
};

/// Lists every call that this batch costs.
const CALLS: [&str; 5] = [
    "GetItem participants",
    "PutItem deliveries",
    "SendMessageBatch webhooks",
    "PutItem participants",
    "SendMessage gg3-events-dead-letters",
];

#[tokio::test]
async fn a_kill_at_any_call_does_not_change_the_outcome() {
    let fixture = Fixture::shared().await;
    for step in CALLS {
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
            let meant = move |call: &Call| fixture.stack.words(call) == step;
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
            assert!(meant(&hit) && matches!(invocation.outcome, InvocationEnding::Died(_)), "{invocation:?}");
            proxy.settled().await;
            let (_proxy, function) = fixture.behind_a_proxy().await;
            assert_eq!(evaluate(&function, &events).await, [0; 0]);

            let case = format!("{step}, after: {after}");
            let owed = ["evaluator-a", "evaluator-b"].map(|name| (user.clone(), name.to_owned(), "quest".to_owned()));
            assert_eq!(fixture.deliveries_of(&user).await, BTreeSet::from(owed), "{case}");
            for provider in ["evaluator-a", "evaluator-b"] {
                let sent = fixture.messages(&delivery_id(provider, "quest", &user)).await;
                assert!((1..=2).contains(&sent.len()), "{case}: {sent:?}");
            }
            let stored = fixture.participant(&user).await.participant;
            assert_eq!(stored.reached().count(), 2, "{case}");
            assert!(fixture.dead_letter("gg3-events-dead-letters", &broken).await.contains("quest_id: Missing"));
            // Repeating the events changes nothing.
            proxy.take_calls();
            assert_eq!(evaluate(&function, &events[..3]).await, [0; 0]);
            assert_eq!(fixture.participant(&user).await.participant, stored);
        }
    }
}
