//! Tests the deployed function through its real queues.

use app::ports::Replaced;
use domain::{
    outbound::{
        attempt::AttemptOutcome,
        delivery::{Delivery, Message, Status},
    },
    values::ids::ChainTicket,
};
use tests::partner_simulator::{Answer, Request};

use crate::{
    fixture::{Fixture, now},
    partner::Partner,
};

async fn send(fixture: &Fixture, queue: &str, message: &Message) {
    let body = serde_json::to_string(message).unwrap();
    let send = fixture.stack.sqs().send_message().queue_url(fixture.stack.queue(queue)).message_body(body);
    send.message_group_id(message.provider.as_str()).send().await.unwrap();
}

/// Sends a delivery through the stack's own queues until the delivery ends. Returns the delivery and the requests that
/// the partner received.
async fn through_the_stack(fixture: &Fixture, partner: &Partner) -> (Delivery, Vec<Request>) {
    let message = partner.owe().await;
    send(fixture, "webhooks", &message).await;
    let ended = fixture.ended(&message.delivery_id).await;
    (ended, partner.received().await)
}

/// Asserts that each request belongs to one attempt and arrived after the attempt was due. Attempt `n + 1` must be due
/// `n` seconds after attempt `n` ended, as agreed.
fn none_was_early(delivery: &Delivery, requests: &[Request]) {
    assert_eq!(delivery.attempts().len(), requests.len());
    let id = Some(delivery.id().as_str());
    for (attempt, request) in delivery.attempts().iter().zip(requests) {
        assert!(attempt.due_at <= attempt.sent_at, "{attempt:?}");
        assert!(attempt.due_at.as_millisecond() <= request.at_ms, "{attempt:?}, {request:?}");
        assert_eq!(request.header("webhook-id"), id);
    }
    for pair in delivery.attempts().windows(2) {
        let ended_ms = pair[0].sent_at.as_millisecond() + i64::from(pair[0].duration_ms);
        assert_eq!(pair[1].due_at.as_millisecond(), ended_ms + 1000 * i64::from(pair[0].n));
    }
}

#[tokio::test]
async fn four_attempts_are_made_when_due_and_keep_their_history() {
    let fixture = Fixture::shared().await;
    let failing = Answer { body: Some("not today".to_owned()), ..Answer::status(500).times(3) };
    let partner = Partner::new(fixture, [failing, Answer { body: Some("thanks".into()), ..Answer::default() }]).await;
    let (delivery, requests) = through_the_stack(fixture, &partner).await;
    assert_eq!(delivery.status(), Status::Delivered);
    none_was_early(&delivery, &requests);
    assert_eq!(delivery.attempts()[0].due_at, delivery.created_at());
    let history: Vec<_> = delivery.attempts().iter().map(|kept| (kept.n, kept.outcome.clone(), &kept.answer)).collect();
    for (at, (n, outcome, answer)) in history.iter().enumerate() {
        let (status, body) = if at < 3 { (500, "not today") } else { (200, "thanks") };
        assert_eq!((usize::from(*n), outcome), (at + 1, &AttemptOutcome::Status(status)));
        assert_eq!(answer.as_bytes(), body.as_bytes());
    }
}

#[tokio::test]
async fn a_round_opened_by_hand_keeps_the_id_and_old_attempts() {
    let fixture = Fixture::shared().await;
    let partner = Partner::agreeing(fixture, [Answer::status(500), Answer::status(200)], |agreed| {
        agreed.interval_seconds = 600;
    })
    .await;
    let message = partner.owe().await;
    let id = &message.delivery_id;
    send(fixture, "webhooks", &message).await;
    let failed = fixture.until(id, "an attempt is recorded", |stored| stored.attempts().len() == 1).await;
    let opened = failed.open_round(now(), ChainTicket::from_random([3; 8]));
    assert_eq!(fixture.open_round(&opened).await, Ok(Replaced::Done));
    send(fixture, "webhook-retries", &opened.message).await;

    let ended = fixture.ended(id).await;
    assert_eq!((ended.status(), ended.round(), ended.attempts().len()), (Status::Delivered, 2, 1));
    let kept = fixture.kept_beside(id).await;
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].round, &kept[0].made), (1, &failed.attempts()[0]));
    let requests = partner.received().await;
    assert_eq!(requests.len(), 2);
    assert!(requests.iter().all(|request| request.header("webhook-id") == Some(id.as_str())));

    // The message of the old round makes no request.
    let next = failed.next().unwrap();
    let old = Message { n: 2, ticket: next.ticket.clone(), due_at: message.due_at, ..message.clone() };
    assert_eq!(fixture.sender().await.give(&[old]).await, [0; 0]);
    assert_eq!(fixture.stored(id).await, ended);
    assert_eq!(partner.received().await.len(), 2);
}
