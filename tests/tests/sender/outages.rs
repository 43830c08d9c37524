//! Lets AWS fail at the worst moments. No request may be sent without a claim, and no request may be sent twice.

use std::time::Duration;

use domain::outbound::delivery::{Message, Status};
use tests::{
    eventually,
    partner_simulator::Answer,
    proxy::{Action, AwsError},
};

use crate::{
    fixture::{Fixture, now, within},
    partner::Partner,
    wire::{CLAIM, CONFIGURATION, RECORD, SEND},
};

#[tokio::test]
async fn no_request_goes_out_while_writes_are_refused() {
    let fixture = Fixture::shared().await;
    let partner = Partner::new(fixture, []).await;
    let sender = fixture.sender().await;
    let known = partner.owe().await;
    // If a message was made for another revision, its claim is stored by a different operation.
    let stale = Message { revision: 7, ..partner.owe().await };
    let errors =
        [AwsError::internal_server_error(), AwsError::provisioned_throughput_exceeded(), AwsError::throttling()];
    for error in errors {
        let of_the_claim = error.clone();
        sender.proxy.on(move |call| match call.operation.as_str() {
            "PutItem" => Action::FailBefore(error.clone()),
            "UpdateItem" if call.body.to_string().contains(r#""N":"1""#) => Action::FailBefore(of_the_claim.clone()),
            _ => Action::Forward,
        });
        assert_eq!(sender.give(&[known.clone(), stale.clone()]).await, [0, 1]);
        for message in [&known, &stale] {
            assert_eq!(fixture.stored(&message.delivery_id).await.revision(), 1);
        }
    }
    assert_eq!(partner.received().await.len(), 0);
    sender.proxy.on(|_| Action::Forward);
    assert_eq!(sender.give(&[known.clone(), stale.clone()]).await, [0; 0]);
    for message in [&known, &stale] {
        assert_eq!(fixture.stored(&message.delivery_id).await.status(), Status::Delivered);
    }
    assert_eq!(partner.received().await.len(), 2);
}

#[tokio::test]
async fn an_answer_is_recorded_after_dynamodb_was_down_for_seconds() {
    let fixture = Fixture::shared().await;
    let partner = Partner::new(fixture, [Answer::status(200)]).await;
    let sender = fixture.sender().await;
    // Each try makes three calls, and the pauses between six tries add up to 3 seconds.
    sender.proxy.on(|call| {
        let down = call.operation == "PutItem" && call.nth <= 15;
        if down { Action::FailBefore(AwsError::internal_server_error()) } else { Action::Forward }
    });
    let message = partner.owe().await;
    assert_eq!(sender.give(std::slice::from_ref(&message)).await, [0; 0]);
    assert_eq!(sender.proxy.count("PutItem"), 16);
    assert_eq!(fixture.stored(&message.delivery_id).await.status(), Status::Delivered);
    assert_eq!(partner.received().await.len(), 1);
}

#[tokio::test]
async fn an_answer_that_is_never_recorded_costs_one_more_request() {
    let fixture = Fixture::shared().await;
    let partner = Partner::new(fixture, [Answer::status(200)]).await;
    let sender = fixture.sender_as(|settings| within(settings, 12, 2)).await;
    sender.proxy.on(|call| if call.operation == "PutItem" { Action::Throttle } else { Action::Forward });
    let message = partner.owe().await;
    assert_eq!(sender.give(std::slice::from_ref(&message)).await, [0], "the message is not acknowledged");
    assert_eq!(partner.received().await.len(), 1);
    sender.proxy.on(|_| Action::Forward);
    let claim = fixture.stored(&message.delivery_id).await.claim().cloned().unwrap();
    eventually("the claim expires", async || (!claim.lives(now())).then_some(())).await;
    let ended = fixture.to_the_end(&sender.function, &message).await;
    assert_eq!((ended.status(), ended.attempts().len()), (Status::Delivered, 1));
    assert_eq!(partner.received().await.len(), 2);
}

#[tokio::test]
async fn a_function_with_too_little_time_left_starts_nothing() {
    let fixture = Fixture::shared().await;
    let partner = Partner::new(fixture, []).await;
    // The function is killed after 20 seconds, although its environment states a timeout of a minute.
    let sender = fixture.sender_as(|settings| settings.timeout(Duration::from_secs(20))).await;
    let message = partner.owe().await;
    assert_eq!(sender.give(std::slice::from_ref(&message)).await, [0]);
    assert_eq!(sender.calls(fixture), [CONFIGURATION]);
    assert_eq!(fixture.stored(&message.delivery_id).await.revision(), message.revision);
    assert_eq!(partner.received().await.len(), 0);
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_costs_no_second_request() {
    let fixture = Fixture::shared().await;
    for step in [CLAIM, RECORD, SEND] {
        let partner = Partner::new(fixture, [Answer::status(500), Answer::status(200)]).await;
        let sender = fixture.sender().await;
        let message = partner.owe().await;
        let mut lost = false;
        sender.proxy.on(move |call| {
            let meant = !lost && fixture.stack.words(call) == step;
            lost |= meant;
            if meant { Action::CutAfter } else { Action::Forward }
        });
        assert_eq!(sender.give(std::slice::from_ref(&message)).await, [0; 0], "{step}");
        let stored = fixture.stored(&message.delivery_id).await;
        assert_eq!((stored.status(), stored.attempts().len()), (Status::Retrying, 1), "{step}");
        assert_eq!(partner.received().await.len(), 1, "{step}");
        let ended = fixture.to_the_end(&sender.function, &message).await;
        assert_eq!((ended.status(), ended.attempts().len()), (Status::Delivered, 2), "{step}");
        assert_eq!(partner.received().await.len(), 2, "{step}");
    }
}

#[tokio::test]
async fn an_unsent_next_message_is_sent_without_a_new_request() {
    let fixture = Fixture::shared().await;
    let partner = Partner::new(fixture, [Answer::status(500), Answer::status(200)]).await;
    let sender = fixture.sender().await;
    sender.proxy.on(|call| if call.operation == "SendMessage" { Action::Throttle } else { Action::Forward });
    let message = partner.owe().await;
    for _ in 0..2 {
        assert_eq!(sender.give(std::slice::from_ref(&message)).await, [0]);
        assert_eq!(
            fixture.stored(&message.delivery_id).await.attempts().len(),
            1,
            "the attempt is recorded nevertheless"
        );
    }
    sender.proxy.on(|_| Action::Forward);
    sender.proxy.take_calls();
    assert_eq!(sender.give(std::slice::from_ref(&message)).await, [0; 0]);
    assert_eq!(sender.calls(fixture), [CLAIM, SEND]);
    assert_eq!(partner.received().await.len(), 1);
    let sent = fixture.arrivals.some("the next message arrives", |sent| sent.delivery_id == message.delivery_id).await;
    let ended = fixture.to_the_end(&sender.function, &sent[0]).await;
    assert_eq!((ended.status(), partner.received().await.len()), (Status::Delivered, 2));
}
