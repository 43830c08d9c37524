//! Counts the calls that attempts cost.

use domain::outbound::{
    delivery::{Message, Status},
    retry::MAX_HOP_SECONDS,
};
use serde_json::Value;
use tests::{
    partner_simulator::{Answer, Signature},
    proxy::Call,
};

use crate::{
    fixture::{Fixture, now},
    partner::Partner,
};

pub(crate) const CONFIGURATION: &str = "BatchGetItem partners,secrets";
pub(crate) const CLAIM: &str = "UpdateItem deliveries";
pub(crate) const READ: &str = "GetItem deliveries";
/// Names the read of an endpoint, at most one each 15 seconds.
pub(crate) const LOOK: &str = "GetItem endpoints";
/// Names the write of an endpoint, when an attempt changes its health or a trial begins.
pub(crate) const TELL: &str = "UpdateItem endpoints";
/// Names the write that records an attempt or the end of a delivery.
pub(crate) const RECORD: &str = "PutItem deliveries";
pub(crate) const SEND: &str = "SendMessage webhook-retries";

/// Returns the sent message, its delay in seconds, and its group.
fn sent(call: &Call) -> (Message, u64, &Value) {
    let body = serde_json::from_str(call.body["MessageBody"].as_str().unwrap()).unwrap();
    (body, call.body["DelaySeconds"].as_u64().unwrap(), &call.body["MessageGroupId"])
}

#[tokio::test]
async fn an_attempt_costs_two_writes_and_a_failed_one_a_message() {
    let fixture = Fixture::shared().await;
    let answers = [Answer::status(204), Answer::status(500)];
    let partner = Partner::agreeing(fixture, answers, |agreed| agreed.interval_seconds = 600).await;
    let sender = fixture.sender().await;

    let first = partner.owe().await;
    assert_eq!(sender.give(std::slice::from_ref(&first)).await, [0; 0]);
    assert_eq!(sender.calls(fixture), [CONFIGURATION, CLAIM, RECORD, LOOK]);
    assert_eq!(fixture.stored(&first.delivery_id).await.status(), Status::Delivered);
    let requests = partner.received().await;
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].signature, Signature::Verified);
    assert_eq!(requests[0].header("webhook-id"), Some(first.delivery_id.as_str()));
    assert_eq!(requests[0].target, format!("/{}/hook?click=c-1&event=registration", partner.name));

    let failing = partner.owe().await;
    assert_eq!(sender.give(std::slice::from_ref(&failing)).await, [0; 0]);
    let calls = sender.proxy.take_calls();
    assert_eq!(calls.iter().map(|call| fixture.stack.words(call)).collect::<Vec<_>>(), [CLAIM, RECORD, SEND]);
    let stored = fixture.stored(&failing.delivery_id).await;
    let (next, delay_seconds, group) = sent(&calls[2]);
    assert_eq!((next.round, next.n, next.revision), (1, 2, stored.revision()));
    assert_eq!((next.due_at, &next.ticket), (stored.next().unwrap().due_at, &stored.next().unwrap().ticket));
    assert_eq!(group, &partner.name);
    assert!((1..=600).contains(&delay_seconds), "{delay_seconds}");
    let arrives_at = now().plus(std::time::Duration::from_secs(delay_seconds));
    assert!(next.due_at <= arrives_at, "the message, due at {}, arrives too early: {arrives_at}", next.due_at);
}

#[tokio::test]
async fn a_sender_reads_only_the_secrets_of_webhooks() {
    let fixture = Fixture::shared().await;
    let partner = Partner::agreeing(fixture, [Answer::status(200)], |_| ()).await;
    let sender = fixture.sender().await;
    assert_eq!(sender.give(std::slice::from_ref(&partner.owe().await)).await, [0; 0]);
    let secrets = fixture.stack.table("secrets");
    let calls = sender.proxy.take_calls();
    let asked: Vec<_> = calls.iter().filter(|call| call.body.to_string().contains(secrets)).collect();
    let [asked] = asked[..] else { panic!("the secrets are read once: {asked:?}") };
    let keys = serde_json::json!([{"owner": {"S": format!("webhook#{}", partner.name)}}]);
    assert_eq!(asked.body["RequestItems"][secrets]["Keys"], keys);
}

#[tokio::test]
async fn a_long_wait_costs_one_message_a_hop() {
    let fixture = Fixture::shared().await;
    let partner =
        Partner::agreeing(fixture, [Answer::status(503)], |agreed| agreed.interval_seconds = 6 * 60 * 60).await;
    let sender = fixture.sender().await;
    assert_eq!(sender.give(&[partner.owe().await]).await, [0; 0]);
    let calls = sender.proxy.take_calls();
    let words: Vec<_> = calls.iter().map(|call| fixture.stack.words(call)).collect();
    assert_eq!(words, [CONFIGURATION, CLAIM, RECORD, SEND, LOOK, TELL]);
    let (next, delay_seconds, _) = sent(&calls[3]);
    assert_eq!(delay_seconds, u64::from(MAX_HOP_SECONDS));
    // Neither sender has the partner in memory. A message that is not due costs no read.
    for sender in [&sender, &fixture.sender().await] {
        assert_eq!(sender.give(std::slice::from_ref(&next)).await, [0; 0]);
        let calls = sender.proxy.take_calls();
        assert_eq!(calls.iter().map(|call| fixture.stack.words(call)).collect::<Vec<_>>(), [SEND]);
        let (hopped, delay_seconds, group) = sent(&calls[0]);
        assert_eq!((&hopped, delay_seconds), (&next, u64::from(MAX_HOP_SECONDS)));
        assert_eq!(group, &partner.name);
    }
    assert_eq!(partner.received().await.len(), 1);
}

#[tokio::test]
async fn a_copy_of_a_message_costs_one_refused_write() {
    let fixture = Fixture::shared().await;
    let partner = Partner::new(fixture, [Answer::status(200), Answer::status(500)]).await;
    let sender = fixture.sender().await;
    let (delivered, failed) = (partner.owe().await, partner.owe().await);
    for message in [&delivered, &failed] {
        assert_eq!(sender.give(std::slice::from_ref(message)).await, [0; 0]);
    }
    sender.proxy.take_calls();
    // The process that recorded the failure may have died before sending the next message. A copy therefore sends the
    // next message.
    for (copy, expected) in [(&delivered, &[CLAIM][..]), (&failed, &[CLAIM, SEND])] {
        let before = fixture.stored(&copy.delivery_id).await;
        assert_eq!(sender.give(std::slice::from_ref(copy)).await, [0; 0]);
        assert_eq!(sender.calls(fixture), expected);
        assert_eq!(fixture.stored(&copy.delivery_id).await, before);
    }
    assert_eq!(partner.received().await.len(), 2);
}

#[tokio::test]
async fn a_partner_that_asks_for_more_time_than_was_agreed_gets_it() {
    let fixture = Fixture::shared().await;
    let seconds = Answer { retry_after_seconds: Some(7200), ..Answer::status(429) };
    let date = Answer { retry_after_date_seconds: Some(7200), ..Answer::status(503) };
    let partner = Partner::new(fixture, [seconds, date]).await;
    let sender = fixture.sender().await;
    for _ in 0..2 {
        let message = partner.owe().await;
        assert_eq!(sender.give(std::slice::from_ref(&message)).await, [0; 0]);
        let stored = fixture.stored(&message.delivery_id).await;
        let attempt = &stored.attempts()[0];
        let waits_ms = stored.next().unwrap().due_at.as_millisecond() - attempt.sent_at.as_millisecond();
        // An HTTP date holds whole seconds.
        assert!(waits_ms >= 7_199_000, "{waits_ms}");
        let calls = sender.proxy.take_calls();
        let next = calls.iter().find(|call| fixture.stack.words(call) == SEND);
        assert_eq!(sent(next.unwrap()).1, u64::from(MAX_HOP_SECONDS));
    }
}
