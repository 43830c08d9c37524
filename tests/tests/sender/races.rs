//! Chains, copies and workers at the same time: one request an attempt.

use std::collections::BTreeSet;

use domain::{
    delivery::{Message, Status},
    ids::Ticket,
};
use futures_util::future::join_all;
use tests::{eventually, partner_simulator::Answer};

use crate::{
    fixture::{Fixture, give},
    partner::Partner,
};

/// As many deliveries as a batch has messages.
const DELIVERIES: usize = 10;

#[tokio::test]
async fn two_chains_in_two_copies_each_with_four_workers_make_one_request_for_an_attempt() {
    let fixture = Fixture::shared().await;
    let mut partners = Vec::new();
    let (mut chain, mut other_chain) = (Vec::new(), Vec::new());
    for _ in 0..DELIVERIES {
        let partner = Partner::new(fixture, [Answer::status(500).times(2), Answer::status(200)]).await;
        let delivery = partner.owed_since(crate::fixture::now());
        chain.push(fixture.put(&delivery).await);
        other_chain.push(delivery.first_message(Ticket::from_random([2; 8])).unwrap());
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
        // Each new message in four copies, one for each worker.
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
