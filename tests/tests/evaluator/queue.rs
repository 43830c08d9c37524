//! Tests the deployed function through its real queue.

use tests::{eventually, fresh};

use crate::{
    events::{completed, opened},
    fixture::Fixture,
};

#[tokio::test]
async fn events_on_the_queue_become_a_delivery() {
    let fixture = Fixture::shared().await;
    fixture.until_older_are_stale().await;
    let user = fresh("u");
    let (sqs, queue) = (fixture.stack.sqs(), fixture.stack.queue("gg3-events"));
    for event in [completed(&user, 1, "q1"), opened(&user, "evaluator-a", 2, 0)] {
        sqs.send_message().queue_url(queue).message_body(event).send().await.unwrap();
    }
    eventually("there is a delivery", async || fixture.delivery("evaluator-a", "quest", &user).await).await;
}
