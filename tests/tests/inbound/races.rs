//! Sends simultaneous calls. One transaction becomes one conversion, whichever call wins.

use std::collections::BTreeSet;

use crate::fixture::{Conversions, Fixture, Reply, fresh, sample};

/// Sends all of these queries at once.
async fn at_once(fixture: &Fixture, queries: Vec<String>) -> Vec<Reply> {
    let url = fixture.stack.partner("acme").postback_url.clone();
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

/// Counts the conversions of a transaction after a later postback of the same shard has arrived. By then everything
/// recorded earlier has been relayed. GG3 counts a repeated conversion once, and so does this function.
async fn conversions(fixture: &Fixture, transaction: &str) -> usize {
    let later = fresh("later");
    assert_eq!(fixture.postback("acme", &sample(&later)).await.status, 200);
    Conversions::shared().of("acme", &later).await;
    let arrived = Conversions::shared().of("acme", transaction).await;
    let receipts: BTreeSet<&str> = arrived.iter().filter_map(|body| body["receipt_id"].as_str()).collect();
    receipts.len()
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
