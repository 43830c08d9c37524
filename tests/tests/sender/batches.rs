//! Sends batches to many partners. A slow server or a bad message of one partner affects no other partner.

use domain::outbound::delivery::{Message, Status};
use futures_util::future::join_all;
use tests::{eventually, fresh, partner_simulator::Answer, proxy::Proxy, queue::dead_letter};

use crate::{
    fixture::{Fixture, batch, batch_of, within},
    partner::Partner,
    wire::{CLAIM, CONFIGURATION, RECORD},
};

async fn owe_each(partners: &[Partner]) -> Vec<Message> {
    join_all(partners.iter().map(Partner::owe)).await
}

#[tokio::test]
async fn a_hanging_partner_does_not_delay_the_rest_of_a_batch() {
    let fixture = Fixture::shared().await;
    let server = Proxy::start(&fixture.stack.partner_simulator_url).await;
    let hanging = server.pause_before(|_: &_| true);
    let mut partners = join_all((0..9).map(|_| Partner::new(fixture, []))).await;
    let slow = Partner::agreeing(fixture, [], |agreed| {
        agreed.url = agreed.url.replace(&fixture.stack.partner_simulator_url, &server.endpoint_url());
    });
    partners.insert(4, slow.await);
    let messages = owe_each(&partners).await;
    let sender = fixture.sender_as(|settings| within(settings, 120, 60)).await;
    let event = batch(&messages);
    let others = || messages.iter().enumerate().filter(|(place, _)| *place != 4).map(|(_, message)| message);
    let (invocation, ()) = tokio::join!(sender.function.invoke(&event), async {
        hanging.hit().await;
        eventually("the other nine deliveries are delivered", async || {
            let stored = join_all(others().map(|message| fixture.stored(&message.delivery_id))).await;
            stored.iter().all(|delivery| delivery.status() == Status::Delivered).then_some(())
        })
        .await;
        let waiting = fixture.stored(&messages[4].delivery_id).await;
        assert!(waiting.claim().is_some() && waiting.attempts().is_empty(), "{waiting:?}");
        hanging.open();
    });
    assert_eq!(invocation.response()["batchItemFailures"].as_array().unwrap().len(), 0);
    assert_eq!(fixture.stored(&messages[4].delivery_id).await.status(), Status::Delivered);
}

#[tokio::test]
async fn an_unreadable_message_does_not_stop_its_neighbours() {
    let fixture = Fixture::shared().await;
    let partner = Partner::new(fixture, []).await;
    let (before, behind) = (partner.owe().await, partner.owe().await);
    let nobodys = Message { delivery_id: partner.owed_since(before.due_at).id().clone(), ..before.clone() };
    let unreadable = format!("{{\"delivery_id\":\"{}\"}}", fresh("no-message"));
    let sender = fixture.sender().await;
    let body = |message: &Message| serde_json::to_string(message).unwrap();
    let bodies = [body(&before), unreadable.clone(), body(&nobodys), body(&behind)];
    let answer = sender.function.invoke(&batch_of(bodies)).await.response();
    let failures = answer["batchItemFailures"].as_array().unwrap();
    assert_eq!(failures.len(), 1, "only the message of an unknown delivery fails: {failures:?}");
    assert_eq!(failures[0]["itemIdentifier"], "2");
    let reason = dead_letter(&fixture.stack, fixture.stack.queue("webhooks-dead-letters"), &unreadable).await;
    assert!(reason.contains("the body is not a delivery message"), "{reason}");
    for message in [before, behind] {
        assert_eq!(fixture.stored(&message.delivery_id).await.status(), Status::Delivered);
    }
}

#[tokio::test]
async fn an_attempt_costs_two_writes_in_a_batch_of_ten() {
    let fixture = Fixture::shared().await;
    let slow = Answer { delay_ms: Some(500), ..Answer::default() };
    let partner = Partner::new(fixture, [slow]).await;
    let messages = join_all((0..10).map(|_| partner.owe())).await;
    let sender = fixture.sender().await;
    assert_eq!(sender.give(&[partner.owe().await, partner.owe().await]).await, [0; 0]);
    let read = sender.calls(fixture).into_iter().filter(|call| call == CONFIGURATION).count();
    assert_eq!(read, 1, "a batch reads each partner once");
    let invocation = sender.function.invoke(&batch(&messages)).await;
    println!("10 messages to a partner that takes 500 ms: {:?}", invocation.took);
    assert_eq!(invocation.response()["batchItemFailures"].as_array().unwrap().len(), 0);
    let calls = sender.calls(fixture);
    let count = |words: &str| calls.iter().filter(|call| *call == words).count();
    assert_eq!((count(CLAIM), count(RECORD), calls.len()), (10, 10, 20));
    assert_eq!(partner.received().await.len(), 12);
}
