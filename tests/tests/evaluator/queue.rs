//! The deployed function, through its real queue.

use crate::{
    events::{completed, fresh, opened},
    fixture::{Fixture, Webhooks, delivery_id},
};

#[tokio::test]
async fn events_on_the_queue_become_a_delivery_and_its_first_message() {
    let fixture = Fixture::shared().await;
    fixture.until_older_are_stale().await;
    let user = fresh("u");
    let (sqs, queue) = (fixture.stack.sqs(), fixture.stack.queue("gg3-events"));
    for event in [completed(&user, 1, "q1"), opened(&user, "evaluator-a", 2, 0)] {
        sqs.send_message().queue_url(queue).message_body(event).send().await.unwrap();
    }
    assert!(!Webhooks::shared().of(&delivery_id("evaluator-a", "quest", &user)).await.is_empty());
    assert!(fixture.delivery("evaluator-a", "quest", &user).await.is_some());
}
