//! Tests traces of clicks, users and transactions.

use serde_json::Value;

use crate::{
    command::{eventually, postbackctl},
    fixture::{Fixture, fresh, sample},
    partner::Partner,
};

pub(crate) fn kinds(found: &Value) -> Vec<&str> {
    let entries = found.as_array().map_or(&[][..], Vec::as_slice);
    entries.iter().map(|entry| entry["kind"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_trace_leads_from_the_click_to_the_correction() {
    let fixture = Fixture::new();
    let stack = &fixture.stack;
    let partner = Partner::with_token(stack, "landings:\n  welcome: https://a.example/\n");
    let user = fresh("u");
    let link = ["link", "click", &partner.name, "welcome", "--user", &user, "--api-url", &stack.api_url];
    let link = postbackctl(stack, &link).out.trim().to_owned();
    let location = fixture.send(fixture.http.get(&link)).await.location.unwrap();
    let click = location.split_once("click_id=").unwrap().1.to_owned();
    let postback = |transaction: &str, amount: &str| {
        format!("user_id={user}&click_id={click}&transaction_id={transaction}&currency=USD&amount_decimal={amount}")
    };
    let transaction = fresh("t");
    assert_eq!(partner.postback(&fixture, &postback("", "1")).await.status, 400);
    assert_eq!(partner.postback(&fixture, &postback(&transaction, "1")).await.status, 200);
    assert_eq!(partner.postback(&fixture, &postback(&transaction, "2")).await.status, 409);

    let expected = ["click", "refusal", "postback", "conversion", "conflict"];
    for by in [["--click", &click], ["--user", &user]] {
        let trace = ["trace", by[0], by[1], "--json"];
        let found = eventually(stack, &trace, |found| kinds(found).len() == expected.len()).await;
        assert_eq!(kinds(&found), expected, "{by:?}");
        assert_eq!(found[3]["record"]["type"], "conversion.accepted");
        assert_eq!(found[3]["record"]["receipt_id"], found[2]["record"]["receipt_id"]);
        let shown = postbackctl(stack, &trace[..3]);
        assert_eq!((shown.code, shown.out.matches("content id").count()), (Some(0), 2), "{}", shown.out);
    }
    let id = found_conflict(stack, &click);
    let resolve = ["conflicts", "resolve", &partner.name, &transaction, &id, "--accept", "--yes"];
    assert_eq!(postbackctl(stack, &resolve).code, Some(0));
    let corrected = |found: &Value| kinds(found).contains(&"correction");
    let found = eventually(stack, &["trace", "--user", &user, "--json"], corrected).await;
    assert_eq!(kinds(&found).iter().filter(|kind| **kind == "conversion").count(), 2);
    let few = postbackctl(stack, &["trace", "--user", &user, "--limit", "2"]);
    assert!(few.err.contains("--limit"), "{}", few.err);
}

fn found_conflict(stack: &tests::stack::Stack, click: &str) -> String {
    let found = postbackctl(stack, &["trace", "--click", click, "--json"]).json();
    let conflict = found.as_array().unwrap().iter().find(|entry| entry["kind"] == "conflict").unwrap();
    conflict["record"]["provider_content"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_trace_without_records_fails_and_says_so() {
    let fixture = Fixture::new();
    for by in [
        &["--click", "never-clicked"][..],
        &["--user", "never-seen"],
        &["--provider", "acme", "--transaction", "never-sent"],
    ] {
        let output = postbackctl(&fixture.stack, &[&["trace"], by].concat());
        assert_eq!((output.code, output.err.contains("nothing is recorded")), (Some(1), true), "{}", output.err);
    }
}

#[tokio::test]
async fn a_transactions_trace_has_its_refusal_and_its_conflict() {
    let fixture = Fixture::new();
    let (partner, transaction) = (Partner::with_token(&fixture.stack, ""), fresh("t"));
    let broken = sample(&transaction).replace("USD", "usd");
    assert_eq!(partner.postback(&fixture, &broken).await.status, 400);
    let trace = ["trace", "--provider", &partner.name, "--transaction", &transaction, "--json"];
    eventually(&fixture.stack, &trace, |found| kinds(found) == ["refusal"]).await;
    assert_eq!(partner.postback(&fixture, &sample(&transaction)).await.status, 200);
    assert_eq!(partner.postback(&fixture, &sample(&transaction).replace("100.00", "7")).await.status, 409);
    eventually(&fixture.stack, &trace, |found| {
        let found = kinds(found);
        ["refusal", "postback", "conversion", "conflict"].iter().all(|kind| found.contains(kind))
    })
    .await;
}
