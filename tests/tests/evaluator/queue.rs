//! The deployed function, through its real queue.

use std::time::{Duration, Instant};

use crate::{
    events::{completed, fresh, opened},
    fixture::{Fixture, PATIENCE},
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
    let begun = Instant::now();
    while fixture.delivery("evaluator-a", "quest", &user).await.is_none() {
        assert!(begun.elapsed() < PATIENCE, "no delivery within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
