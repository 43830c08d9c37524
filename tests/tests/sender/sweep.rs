//! Tests the function `delivery-sweep`, which sends messages for overdue deliveries.

use std::time::Duration;

use adapters::dynamodb::item::media_buying::DeliveryItem;
use app::ports::{EndpointKey, Endpoints as _, Replaced};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    outbound::{
        attempt::{self, AttemptOutcome, FinishedAttempt},
        campaign::CampaignState,
        delivery::{AttemptDecision, Delivery, DeliveryPace, Message, Status},
        endpoint::{Endpoint, Observation},
        retry::RetryPolicy,
        webhook::endpoint_of,
    },
    values::{
        ids::{ChainTicket, ClaimMark, DeliveryId},
        time::UnixMillis,
    },
};
use serde_json::json;
use tests::{
    eventually,
    partner_simulator::Answer,
    proxy::{Action, Call, Proxy},
    queue::Arrivals,
    runtime_api::Settings,
};

use crate::{
    fixture::{Fixture, now},
    partner::Partner,
};

/// Sets after how long a delivery is overdue in these tests.
const GRACE: Duration = Duration::from_hours(1);

struct Sweep {
    fixture: &'static Fixture,
    settings: Settings,
    /// Holds the messages of first attempts that the sweep has sent.
    first: Arrivals<Message>,
}

impl Sweep {
    /// Makes a sweep with queues of its own, behind a proxy.
    async fn new(fixture: &'static Fixture, proxy: &Proxy) -> Self {
        let (stack, endpoint_url) = (&fixture.stack, proxy.endpoint_url());
        let webhooks = stack.create_queue("webhooks").await;
        let through = |url: &str| url.replace(&stack.aws_endpoint_url, &endpoint_url);
        let settings = Settings::built("delivery-sweep")
            .variables(stack.aws_environment(&endpoint_url))
            .variable("PARTNERS_TABLE", stack.table("partners"))
            .variable("DELIVERIES_TABLE", stack.table("deliveries"))
            .variable("ENDPOINTS_TABLE", stack.table("endpoints"))
            .variable("WEBHOOKS_QUEUE_URL", through(&webhooks))
            .variable("WEBHOOK_RETRIES_QUEUE_URL", through(&fixture.resends))
            .variable("QUEUE_VISIBILITY_SECONDS", "360")
            .variable("SWEEP_GRACE_SECONDS", GRACE.as_secs().to_string())
            .timeout(Duration::from_mins(1));
        Self { fixture, settings, first: Arrivals::of(stack, &webhooks) }
    }

    /// Runs a sweep, and returns its log lines.
    async fn once(&self, change: impl FnOnce(Settings) -> Settings) -> Vec<String> {
        let function = change(self.settings.clone()).spawn().await;
        function.invoke(&json!({})).await.response();
        function.kill().await;
        function.logs()
    }

    fn of(&self, delivery: &Delivery) -> Vec<Message> {
        self.first.so_far(|message| message.delivery_id == *delivery.id())
    }

    /// Waits for a sweep's message of this delivery on either queue, and returns the first one.
    async fn message_of(&self, delivery: &Delivery) -> Message {
        eventually(&format!("a sweep sends a message for {}", delivery.id()), async || {
            self.of(delivery).into_iter().chain(self.fixture.resent(delivery.id())).next()
        })
        .await
    }
}

async fn proxy(fixture: &Fixture) -> Proxy {
    Proxy::start(&fixture.stack.aws_endpoint_url).await
}

fn long_ago() -> UnixMillis {
    now().minus(GRACE + GRACE)
}

/// Returns the delivery in the state in which a worker leaves it if the worker dies after claiming the first attempt.
fn claimed(delivery: &Delivery) -> Delivery {
    let message = delivery.first_message(ChainTicket::from_random([1; 8])).unwrap();
    let mark = ClaimMark::from_random([1; 8]);
    let claim = message.claim(delivery.created_at(), CampaignState::Open, &DeliveryPace::default(), &mark).unwrap();
    delivery.with_claim(claim)
}

/// Returns the delivery after its first attempt has failed.
fn failed(delivery: &Delivery) -> Delivery {
    let (claimed, at) = (claimed(delivery), delivery.created_at());
    let outcome = AttemptOutcome::Status(500);
    let answered = FinishedAttempt {
        sent_at: at,
        ended_at: at,
        outcome,
        answer: attempt::AnswerExcerpt::default(),
        retry_after: None,
    };
    let ticket = ChainTicket::from_random([2; 8]);
    match claimed.record(claimed.claim().unwrap(), &answered, RetryPolicy::default(), ticket) {
        AttemptDecision::Stored { delivery, .. } => delivery,
        other => panic!("{other:?}"),
    }
}

/// Stores that the partner's host is down, and that somebody has tried it just now.
async fn is_down(partner: &Partner, fixture: &Fixture) {
    let failed = |ago: u64| Observation {
        delivery_id: DeliveryId::new(format!("d-{ago}")).unwrap(),
        outcome: AttemptOutcome::Status(503),
        at: now().minus(Duration::from_secs(ago)),
    };
    let down = Endpoint::default().after_all(&[failed(90), failed(60), failed(0)]).unwrap();
    assert!(down.down_since().is_some());
    let host = endpoint_of(&partner.agreed.url).unwrap();
    let key = EndpointKey { provider: partner.provider(), host };
    assert_eq!(fixture.endpoints().replace(&key, &down, None).await, Ok(Replaced::Done));
}

#[tokio::test]
async fn only_overdue_deliveries_are_swept_at_most_once_an_hour() {
    let fixture = Fixture::of_one_test().await;
    let proxy = proxy(fixture).await;
    let sweep = Sweep::new(fixture, &proxy).await;
    let open = Partner::new(fixture, [Answer::status(200)]).await;
    let paused = Partner::agreeing(fixture, [], |agreed| agreed.paused = true).await;
    let sparing = Partner::agreeing(fixture, [], |agreed| agreed.hold_while_down = true).await;
    is_down(&sparing, fixture).await;
    let [late, waiting, held] = [&open, &paused, &sparing].map(|partner| partner.owed_since(long_ago()));
    let young = open.owed_since(now().minus(GRACE / 2));
    for delivery in [&late, &waiting, &held, &young] {
        fixture.put(delivery).await;
    }
    sweep.once(|settings| settings).await;
    let sent = sweep
        .first
        .some("a sweep sends a message for the late delivery", |message| message.delivery_id == *late.id())
        .await;
    assert_eq!((sent[0].round, sent[0].n, sent[0].revision), (1, 1, late.revision()));

    // Within the hour, no second message is sent for the late delivery. The witness is another overdue delivery; its
    // message shows that a sweep has run.
    sweep.once(|settings| settings).await;
    let witness = open.owed_since(long_ago());
    fixture.put(&witness).await;
    sweep.once(|settings| settings).await;
    sweep.first.some("a sweep sends a message for the witness", |message| message.delivery_id == *witness.id()).await;
    assert_eq!(sweep.of(&late).len(), 1);
    sweep.once(|settings| settings.variable("SWEEP_AGAIN_SECONDS", "0")).await;
    eventually("a sweep sends a second message after an hour", async || (sweep.of(&late).len() == 2).then_some(()))
        .await;
    assert_eq!([&waiting, &held, &young].map(|delivery| sweep.of(delivery).len()), [0; 3]);

    // The sweep's messages replace the lost ones. Although there are two chains of messages, one request is made.
    let sender = fixture.sender().await;
    let messages = sweep.of(&late);
    assert_eq!(sender.give(&messages[..1]).await, [0; 0]);
    assert_eq!(sender.give(&messages[1..]).await, [0; 0]);
    assert_eq!(fixture.stored(late.id()).await.status(), Status::Delivered);
    assert_eq!(open.received().await.len(), 1);
}

#[tokio::test]
async fn a_lost_resend_or_worker_is_replaced_by_the_sweep() {
    let fixture = Fixture::of_one_test().await;
    let proxy = proxy(fixture).await;
    let sweep = Sweep::new(fixture, &proxy).await;
    let partner = Partner::new(fixture, [Answer::status(200)]).await;
    let (retrying, dead) = (failed(&partner.owed_since(long_ago())), claimed(&partner.owed_since(long_ago())));
    for delivery in [&retrying, &dead] {
        fixture.store(delivery).await;
    }
    sweep.once(|settings| settings).await;
    let (second, first) = (sweep.message_of(&retrying).await, sweep.message_of(&dead).await);
    assert_eq!((second.n, sweep.of(&retrying).len()), (2, 0), "a resend is sent to its own queue");
    assert_eq!((first.n, sweep.of(&dead).len()), (1, 1));
    assert_eq!(fixture.sender().await.give(&[second, first]).await, [0; 0]);
    for (delivery, attempts) in [(&retrying, 2), (&dead, 1)] {
        let stored = fixture.stored(delivery.id()).await;
        assert_eq!((stored.status(), stored.attempts().len()), (Status::Delivered, attempts));
    }
    assert_eq!(partner.received().await.len(), 2);
}

#[tokio::test]
async fn the_next_sweep_sends_what_a_failed_one_left() {
    let fixture = Fixture::of_one_test().await;
    let proxy = proxy(fixture).await;
    let sweep = Sweep::new(fixture, &proxy).await;
    let partner = Partner::new(fixture, []).await;
    let late = partner.owed_since(long_ago());
    fixture.put(&late).await;
    proxy.on(|call| if call.operation.starts_with("SendMessage") { Action::Throttle } else { Action::Forward });
    let logs = sweep.once(|settings| settings).await;
    assert!(logs.iter().any(|line| line.contains("a sweep was not finished")), "{logs:?}");
    proxy.on(|_| Action::Forward);

    let id = late.id().to_string();
    let marks = move |call: &Call| call.operation == "UpdateItem" && call.body.to_string().contains(&id);
    let marking = proxy.pause_before(marks);
    let (function, event) = (sweep.settings.spawn().await, json!({}));
    tokio::join!(function.invoke(&event), async {
        marking.hit().await;
        function.kill().await;
        marking.cut();
    });
    proxy.settled().await;
    sweep.once(|settings| settings).await;
    eventually("two messages are sent for the delivery", async || (sweep.of(&late).len() == 2).then_some(())).await;
    let sender = fixture.sender().await;
    for message in sweep.of(&late) {
        assert_eq!(sender.give(&[message]).await, [0; 0]);
    }
    assert_eq!(fixture.stored(late.id()).await.status(), Status::Delivered);
    assert_eq!(partner.received().await.len(), 1);
}

#[tokio::test]
async fn an_unreadable_configuration_delays_no_other_partner() {
    let fixture = Fixture::of_one_test().await;
    let proxy = proxy(fixture).await;
    let sweep = Sweep::new(fixture, &proxy).await;
    let (mut broken, good) = (Partner::new(fixture, []).await, Partner::new(fixture, []).await);
    broken.save_file("{}".to_owned()).await;
    let shard = |delivery: &Delivery| DeliveryItem::from(delivery).under_way_shard;
    let late = good.owed_since(long_ago());
    // The delivery with the broken configuration is older and in the same partition of the index, so the sweep reads it
    // first.
    let older = || broken.owed_since(long_ago().minus(GRACE));
    let before = std::iter::repeat_with(older).find(|delivery| shard(delivery) == shard(&late)).unwrap();
    for delivery in [&before, &late] {
        fixture.put(delivery).await;
    }
    let logs = sweep.once(|settings| settings).await;
    sweep.message_of(&late).await;
    assert!(
        logs.iter().any(|line| line.contains("a sweep was not finished") && line.contains(&broken.name)),
        "{logs:?}"
    );
    assert!(sweep.of(&before).is_empty());
}

#[tokio::test]
async fn an_unreadable_delivery_does_not_stop_its_page() {
    let fixture = Fixture::of_one_test().await;
    let proxy = proxy(fixture).await;
    let sweep = Sweep::new(fixture, &proxy).await;
    let partner = Partner::new(fixture, []).await;
    let shard = |delivery: &Delivery| DeliveryItem::from(delivery).under_way_shard;
    let late = partner.owed_since(long_ago());
    let older = || partner.owed_since(long_ago().minus(GRACE));
    let unreadable = std::iter::repeat_with(older).find(|delivery| shard(delivery) == shard(&late)).unwrap();
    for delivery in [&unreadable, &late] {
        fixture.put(delivery).await;
    }
    let update = fixture.stack.dynamodb().update_item().table_name(fixture.stack.table("deliveries"));
    let update = update.key("delivery_id", AttributeValue::S(unreadable.id().to_string()));
    let update = update.update_expression("SET #status = :none").expression_attribute_names("#status", "status");
    update.expression_attribute_values(":none", AttributeValue::S("no such".to_owned())).send().await.unwrap();
    let logs = sweep.once(|settings| settings).await;
    sweep.message_of(&late).await;
    assert!(sweep.of(&unreadable).is_empty());
    let reported = |line: &String| line.contains("a sweep was not finished") && line.contains("cannot be read");
    assert!(logs.iter().any(reported), "{logs:?}");
    // The unreadable delivery is removed, because it would disturb other sweeps.
    let delete = fixture.stack.dynamodb().delete_item().table_name(fixture.stack.table("deliveries"));
    delete.key("delivery_id", AttributeValue::S(unreadable.id().to_string())).send().await.unwrap();
}
