//! Runs chains, copies and workers at the same time. Each attempt makes one request.

use std::collections::BTreeSet;

use app::ports::Replaced;
use domain::{
    outbound::{
        attempt::AttemptOutcome,
        delivery::{Message, Status},
    },
    values::ids::ChainTicket,
};
use futures_util::future::join_all;
use tests::{eventually, partner_simulator::Answer, proxy::Proxy};

use crate::{
    fixture::{Fixture, batch, give, now},
    partner::Partner,
};

/// Equals the number of messages in a batch.
const DELIVERIES: usize = 10;

#[tokio::test]
async fn concurrent_copies_and_chains_make_one_request_an_attempt() {
    let fixture = Fixture::shared().await;
    let mut partners = Vec::new();
    let (mut chain, mut other_chain) = (Vec::new(), Vec::new());
    for _ in 0..DELIVERIES {
        let partner = Partner::new(fixture, [Answer::status(500).times(2), Answer::status(200)]).await;
        let delivery = partner.owed_since(now());
        chain.push(fixture.put(&delivery).await);
        other_chain.push(delivery.first_message(ChainTicket::from_random([2; 8])).unwrap());
        partners.push(partner);
    }
    let settings = fixture.settings(&fixture.stack.aws_endpoint_url);
    let functions = join_all((0..4).map(|_| settings.spawn())).await;
    let mut waiting = [chain.clone(), chain.clone(), other_chain.clone(), other_chain];
    let mut given: BTreeSet<(String, u8, String)> = BTreeSet::new();
    eventually("all deliveries have ended", async || {
        let batches = functions.iter().zip(&waiting);
        let failed = join_all(batches.map(|(function, batch)| give(function, batch))).await;
        for (failed, batch) in failed.into_iter().zip(&mut waiting) {
            *batch = failed.into_iter().map(|place| batch[place].clone()).collect();
        }
        let sent = chain.iter().flat_map(|message| fixture.resent(&message.delivery_id));
        let unseen = |message: &Message| {
            given.insert((message.delivery_id.to_string(), message.n, message.ticket.as_str().to_owned()))
        };
        // Each new message is copied four times, once for each worker.
        let fresh: Vec<Message> = sent.filter(unseen).collect();
        for batch in &mut waiting {
            batch.extend_from_slice(&fresh);
        }
        let stored = join_all(chain.iter().map(|message| fixture.stored(&message.delivery_id))).await;
        stored.iter().all(|delivery| delivery.ending().is_some()).then_some(())
    })
    .await;
    for (partner, message) in partners.iter().zip(&chain) {
        let stored = fixture.stored(&message.delivery_id).await;
        assert_eq!((stored.status(), stored.attempts().len()), (Status::Delivered, 3));
        assert_eq!(partner.received().await.len(), 3);
        assert!(fixture.kept_beside(&message.delivery_id).await.is_empty());
    }
}

#[tokio::test]
async fn copies_in_one_batch_are_one_request() {
    let fixture = Fixture::shared().await;
    let partner = Partner::new(fixture, []).await;
    let sender = fixture.sender().await;
    let message = partner.owe().await;
    let copies = vec![message.clone(); 3];
    // While the claim of the first copy is live, the other copies cannot know the outcome of the attempt, and fail.
    let left = sender.give(&copies).await;
    assert!(left.len() < copies.len(), "{left:?}");
    assert_eq!(sender.give(&copies).await, [0; 0]);
    assert_eq!(fixture.stored(&message.delivery_id).await.attempts().len(), 1);
    assert_eq!(partner.received().await.len(), 1);
}

#[tokio::test]
async fn an_answer_to_an_old_round_is_kept_and_a_2xx_delivers() {
    let fixture = Fixture::shared().await;
    for (late, status, requests) in [(204, Status::Delivered, 1), (500, Status::Pending, 2)] {
        let partners = Proxy::start(&fixture.stack.partner_simulator_url).await;
        let partner = Partner::agreeing(fixture, [Answer::status(late), Answer::status(200)], |agreed| {
            agreed.url = agreed.url.replace(&fixture.stack.partner_simulator_url, &partners.endpoint_url());
        })
        .await;
        let (sender, message) = (fixture.sender().await, partner.owe().await);
        let (id, in_the_air) = (&message.delivery_id, partners.pause_after(|_: &_| true));
        let event = batch(std::slice::from_ref(&message));
        let (invocation, opened) = tokio::join!(sender.function.invoke(&event), async {
            in_the_air.hit().await;
            let opened = fixture.stored(id).await.open_round(now(), ChainTicket::from_random([3; 8]));
            assert_eq!(fixture.open_round(&opened).await, Ok(Replaced::Done));
            in_the_air.open();
            opened
        });
        assert_eq!(invocation.response()["batchItemFailures"].as_array().unwrap().len(), 0);
        let stored = fixture.stored(id).await;
        assert_eq!((stored.status(), stored.round(), stored.attempts().len()), (status, 2, 0));
        let kept = fixture.kept_beside(id).await;
        assert_eq!(kept.len(), 1);
        assert_eq!((kept[0].late, kept[0].round, &kept[0].made.outcome), (true, 1, &AttemptOutcome::Status(late)));

        assert_eq!(sender.give(&[opened.message]).await, [0; 0]);
        assert_eq!(fixture.stored(id).await.status(), Status::Delivered);
        assert_eq!(partner.received().await.len(), requests);
    }
}
