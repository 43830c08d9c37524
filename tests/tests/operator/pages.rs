//! Tests lists of deliveries that are read a page at a time.

use std::collections::BTreeSet;

use adapters::dynamodb::deliveries::DynamoNewDeliveries;
use app::ports::{NewDeliveries, Put};
use domain::{
    outbound::{
        agreed_ids::PartnerIds,
        attempt::{AnswerExcerpt, AttemptOutcome, FinishedAttempt},
        delivery::{AttemptDecision, Claim, Delivery},
        participant::Owed,
        retry::RetryPolicy,
    },
    values::{
        ids::{CampaignName, ChainTicket, ClaimMark, ClickId, Provider, UserId},
        time::UnixMillis,
    },
};
use serde_json::Value;

use crate::{
    command::{eventually, postbackctl},
    fixture::{Fixture, fresh},
    partner::Partner,
};

/// Makes a delivery that the partner answered with 410 at this instant.
fn gone(provider: &str, at: UnixMillis) -> Delivery {
    let owed = Owed {
        provider: Provider::new(provider).unwrap(),
        campaign: CampaignName::new("welcome").unwrap(),
        ids: PartnerIds { click_id: ClickId::new("c-1").ok(), user_id: None },
        occurred_at: at,
    };
    let made = Delivery::new(UserId::new(fresh("u")).unwrap(), owed, at, ChainTicket::from_random([1; 8]));
    let next = made.next().unwrap().clone();
    let mark = ClaimMark::new("m").unwrap();
    let claim = Claim { round: 1, n: 1, ticket: next.ticket, mark, due_at: next.due_at, until: at };
    let (outcome, answer) = (AttemptOutcome::Status(410), AnswerExcerpt::default());
    let finished = FinishedAttempt { sent_at: at, ended_at: at, outcome, answer, retry_after: None };
    let ticket = ChainTicket::from_random([2; 8]);
    match made.with_claim(claim.clone()).record(&claim, &finished, RetryPolicy::default(), ticket) {
        AttemptDecision::Stored { delivery, .. } => delivery,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn deliveries_of_one_instant_are_each_on_one_page() {
    let fixture = Fixture::new();
    let stack = &fixture.stack;
    let partner = Partner::with_token(stack, "");
    let (deliveries, now) =
        (DynamoNewDeliveries::new(stack.dynamodb(), stack.table("deliveries").to_owned()), tests::now());
    let made: Vec<Delivery> = (0..7).map(|_| gone(&partner.name, now.into())).collect();
    for delivery in &made {
        assert_eq!(deliveries.put_if_absent(delivery).await, Ok(Put::Fresh));
    }
    let made: BTreeSet<&str> = made.iter().map(|delivery| delivery.id().as_str()).collect();
    for status in [&[][..], &["--status", "gone"]] {
        let list = [&["deliveries", "--provider", &partner.name, "--json"], status].concat();
        let is_complete = |found: &Value| found["deliveries"].as_array().is_some_and(|all| all.len() == made.len());
        eventually(stack, &list, is_complete).await;
        let (mut listed, mut after) = (Vec::new(), Vec::<String>::new());
        loop {
            let more: Vec<&str> = after.iter().map(String::as_str).collect();
            let page = postbackctl(stack, &[&list[..], &["--limit", "2"], &more].concat()).json();
            let ids =
                page["deliveries"].as_array().unwrap().iter().map(|it| it["delivery_id"].as_str().unwrap().to_owned());
            listed.extend(ids);
            let Some(place) = page["next"][&partner.name].as_str() else { break };
            after = vec!["--after".to_owned(), place.to_owned()];
        }
        assert_eq!(listed.len(), made.len(), "{status:?}");
        assert_eq!(listed.iter().map(String::as_str).collect::<BTreeSet<_>>(), made, "{status:?}");
    }
}
