//! Sends simultaneous calls. One transaction becomes one conversion, whichever call wins.

use std::collections::{BTreeMap, BTreeSet};

use crate::fixture::{Conversions, Fixture, Reply, fresh, sample};

/// Sends all of these queries at once.
async fn at_once(fixture: &Fixture, queries: Vec<String>) -> Vec<Reply> {
    at_once_to(fixture, "acme", queries).await
}

async fn at_once_to(fixture: &Fixture, partner: &str, queries: Vec<String>) -> Vec<Reply> {
    let url = fixture.stack.partner(partner).postback_url.clone();
    let calls = queries.into_iter().map(|query| {
        let request = fixture.http.get(format!("{url}?{query}"));
        let fixture = Fixture::new();
        tokio::spawn(async move { fixture.send(request).await })
    });
    let calls: Vec<_> = calls.collect();
    let mut replies = Vec::new();
    for call in calls {
        replies.push(call.await.unwrap());
    }
    replies
}

/// Counts the distinct conversions of a transaction. First waits for the conversion of a later postback of the same
/// shard, because everything recorded earlier has then been relayed. A repeated conversion counts once, as it does for
/// GG3.
async fn conversions(fixture: &Fixture, transaction: &str) -> usize {
    kinds(fixture, "acme", transaction).await.len()
}

/// Returns the type of each conversion of a transaction, by receipt. Waits like [`conversions`].
async fn kinds(fixture: &Fixture, partner: &str, transaction: &str) -> BTreeMap<String, String> {
    let later = fresh("later");
    assert_eq!(fixture.postback(partner, &sample(&later)).await.status, 200);
    Conversions::shared().of(partner, &later).await;
    let text = |body: &serde_json::Value, name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let arrived = Conversions::shared().of(partner, transaction).await;
    arrived.iter().map(|body| (text(body, "receipt_id"), text(body, "type"))).collect()
}

#[tokio::test]
async fn a_hundred_approvals_and_rejections_leave_one_state() {
    let fixture = Fixture::new();
    let transaction = fresh("race");
    let states = ["approved", "rejected"];
    let query = |state: &str| format!("{}&state={state}", sample(&transaction));
    let queries: Vec<String> = states.iter().cycle().take(100).map(|state| query(state)).collect();
    let replies = at_once_to(&fixture, "hooli", queries.clone()).await;
    for (query, reply) in queries.iter().zip(&replies) {
        // If a rejection was recorded first, an approval conflicts with the rejection.
        let conflicts = reply.status == 409 && query.ends_with("approved");
        assert!(conflicts || reply.status == 200, "{query}: {reply:?}");
    }
    let accepted: Vec<&str> =
        replies.iter().filter(|reply| reply.text("status") == "accepted").map(|reply| reply.text("state")).collect();
    assert!(accepted.len() <= 2 && accepted.contains(&"rejected"), "{accepted:?}");
    let again = fixture.postback("hooli", &query("pending")).await;
    assert_eq!((again.text("status"), again.text("state")), ("duplicate", "rejected"));
    let kinds: Vec<String> = kinds(&fixture, "hooli", &transaction).await.into_values().collect();
    let count = |kind: &str| kinds.iter().filter(|one| *one == kind).count();
    assert_eq!(count("conversion.rejected"), 1, "{kinds:?}");
    assert_eq!((count("conversion.accepted"), kinds.len()), (accepted.len() - 1, accepted.len()), "{kinds:?}");
}

#[tokio::test]
async fn reversals_sent_at_once_never_take_more_than_stands() {
    let fixture = Fixture::new();
    let transaction = fresh("race");
    assert_eq!(fixture.postback("hooli", &sample(&transaction)).await.status, 200);
    let reversal = |n: usize| sample(&format!("{transaction}-r{n}")).replace("100.00", "-30");
    let queries = (0..20).map(|n| format!("{}&original_id={transaction}", reversal(n / 2))).collect();
    let replies = at_once_to(&fixture, "hooli", queries).await;
    let accepted: Vec<&Reply> = replies.iter().filter(|reply| reply.text("status") == "accepted").collect();
    assert_eq!(accepted.len(), 3, "{replies:?}");
    assert!(replies.iter().all(|reply| [200, 409, 503].contains(&reply.status)), "{replies:?}");
}

#[tokio::test]
async fn two_hundred_identical_postbacks_make_one_conversion() {
    let fixture = Fixture::new();
    let transaction = fresh("race");
    let replies = at_once(&fixture, vec![sample(&transaction); 200]).await;
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
    let receipts: BTreeSet<&str> = replies.iter().map(|reply| reply.text("receipt_id")).collect();
    assert_eq!(receipts.len(), 1);
    assert_eq!(replies.iter().filter(|reply| reply.text("status") == "accepted").count(), 1);
    assert_eq!(conversions(&fixture, &transaction).await, 1);
}

#[tokio::test]
async fn one_of_two_amounts_sent_at_once_wins_and_one_conflicts() {
    let fixture = Fixture::new();
    let transaction = fresh("race");
    let one = sample(&transaction);
    let other = one.replace("100.00", "200.00");
    let queries = (0..200).map(|n| if n % 2 == 0 { one.clone() } else { other.clone() }).collect();
    let replies = at_once(&fixture, queries).await;
    let count = |status: u16| replies.iter().filter(|reply| reply.status == status).count();
    assert_eq!((count(200), count(409)), (100, 100));
    let receipts: BTreeSet<&str> =
        replies.iter().filter(|reply| reply.status == 200).map(|reply| reply.text("receipt_id")).collect();
    assert_eq!(receipts.len(), 1);
    assert_eq!(conversions(&fixture, &transaction).await, 1);
}
