//! The function `delivery-sweep`: what is overdue is sent for.

use std::time::Duration;

use domain::delivery::{Delivery, Message, Status};
use serde_json::json;
use tests::{eventually, partner_simulator::Answer, queue::Arrivals, runtime_api::Settings};

use crate::{
    fixture::{Fixture, now},
    partner::Partner,
};

/// What is overdue for these tests: nothing else in the stack is as old.
const GRACE: Duration = Duration::from_hours(1);

struct Sweep {
    settings: Settings,
    /// First attempts that it has sent for.
    first: Arrivals<Message>,
}

impl Sweep {
    /// One with queues of its own.
    async fn new(fixture: &Fixture) -> Self {
        let stack = &fixture.stack;
        let webhooks = stack.create_queue("webhooks").await;
        let settings = Settings::built("delivery-sweep")
            .variables(stack.aws_environment(&stack.aws_endpoint_url))
            .variable("PARTNERS_TABLE", stack.table("partners"))
            .variable("DELIVERIES_TABLE", stack.table("deliveries"))
            .variable("WEBHOOKS_QUEUE_URL", &webhooks)
            .variable("WEBHOOK_RETRIES_QUEUE_URL", &fixture.resends)
            .variable("QUEUE_VISIBILITY_SECONDS", "360")
            .variable("SWEEP_GRACE_SECONDS", GRACE.as_secs().to_string())
            .timeout(Duration::from_mins(1));
        Self { settings, first: Arrivals::of(stack, &webhooks) }
    }

    async fn once(&self, change: impl FnOnce(Settings) -> Settings) {
        change(self.settings.clone()).spawn().await.invoke(&json!({})).await.response();
    }

    fn of(&self, delivery: &Delivery) -> Vec<Message> {
        self.first.so_far(|message| message.delivery_id == *delivery.id())
    }
}

#[tokio::test]
async fn what_is_overdue_is_sent_for_once_an_hour_and_what_is_paused_or_not_late_never() {
    let fixture = Fixture::shared().await;
    let sweep = Sweep::new(fixture).await;
    let open = Partner::new(fixture, [Answer::status(200)]).await;
    let paused = Partner::agreeing(fixture, [], |agreed| agreed.paused = true).await;
    let long_ago = now().minus(GRACE + GRACE);
    let [late, waiting, young] =
        [open.owed_since(long_ago), paused.owed_since(long_ago), open.owed_since(now().minus(GRACE / 2))];
    for delivery in [&late, &waiting, &young] {
        fixture.put(delivery).await;
    }
    sweep.once(|settings| settings).await;
    let sent = sweep.first.some("the late one is sent for", |message| message.delivery_id == *late.id()).await;
    assert_eq!((sent[0].round, sent[0].n, sent[0].revision), (1, 1, late.revision()));

    // Within the hour not again; and what may be sent for at any time is the witness that a sweep has come by.
    sweep.once(|settings| settings).await;
    let witness = open.owed_since(long_ago);
    fixture.put(&witness).await;
    sweep.once(|settings| settings).await;
    sweep.first.some("the witness is sent for", |message| message.delivery_id == *witness.id()).await;
    assert_eq!(sweep.of(&late).len(), 1);
    sweep.once(|settings| settings.variable("SWEEP_AGAIN_SECONDS", "0")).await;
    eventually("after its hour it is sent for again", async || (sweep.of(&late).len() == 2).then_some(())).await;
    assert_eq!((sweep.of(&waiting).len(), sweep.of(&young).len()), (0, 0));

    // The messages that it sends are as good as those that were lost: two chains, one request.
    let sender = fixture.sender().await;
    let messages = sweep.of(&late);
    assert_eq!(sender.give(&messages[..1]).await, [0; 0]);
    assert_eq!(sender.give(&messages[1..]).await, [0; 0]);
    assert_eq!(fixture.stored(late.id()).await.status(), Status::Delivered);
    assert_eq!(open.received().await.len(), 1);
}

#[tokio::test]
async fn a_sweep_starts_only_with_a_grace_beyond_what_a_queue_hides() {
    let fixture = Fixture::shared().await;
    let settings = Sweep::new(fixture).await.settings.variable("SWEEP_GRACE_SECONDS", "360");
    let failure = settings.spawn().await.wait_until_ready().await.unwrap_err().to_string();
    assert!(failure.contains("SWEEP_GRACE_SECONDS"), "{failure}");
}
