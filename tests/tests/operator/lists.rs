//! Tests lists by partner and time, which read the lookups.

use std::time::Instant;

use serde_json::Value;
use tests::proxy::Proxy;

use crate::{
    command::{PATIENCE, eventually, postbackctl, postbackctl_through},
    fixture::{Fixture, fresh, sample},
    partner::Partner,
};

fn count(found: &Value, name: &str) -> usize {
    found[name].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn the_doctor_tells_what_is_refused_and_what_is_paused() {
    let fixture = Fixture::new();
    let stack = &fixture.stack;
    let partner = Partner::with_token(stack, "");
    partner.postback(&fixture, &sample(&fresh("t"))).await;
    partner.postback(&fixture, "user_id=1").await;
    assert_eq!(postbackctl(stack, &["pause", &partner.name, "--inbound"]).code, Some(0));
    let doctor = ["doctor", &partner.name, "--json"];
    let of = |found: &Value, about: &str| {
        let findings = found["findings"].as_array().cloned().unwrap_or_default();
        findings.into_iter().find(|finding| finding["about"] == about).unwrap_or_default()
    };
    let is_complete =
        |found: &Value| of(found, "refusals")["level"] == "act" && of(found, "postbacks")["level"] == "good";
    let found = eventually(stack, &doctor, is_complete).await;
    assert!(of(&found, "refusals")["found"].as_str().unwrap().contains("missing 1"), "{found}");
    assert!(of(&found, "pause")["cure"].as_str().unwrap().contains("resume"), "{found}");
    assert_eq!(
        (&of(&found, "conflicts")["level"], &of(&found, "credential")["level"]),
        (&"good".into(), &"good".into())
    );
    let shown = postbackctl(stack, &doctor[..2]).out;
    assert!(shown.contains("ACT   pause: its postbacks are paused since"), "{shown}");
    let unknown = postbackctl(stack, &["doctor", &fresh("nobody")]);
    assert!(unknown.code == Some(1) && unknown.err.contains("there is no partner"), "{}", unknown.err);
}

#[tokio::test]
async fn refusals_are_listed_newest_first_page_by_page() {
    let fixture = Fixture::new();
    let partner = Partner::with_token(&fixture.stack, "");
    let queries: Vec<String> = (0..7).map(|n| format!("user_id=u-{n}&currency=usd")).collect();
    for query in queries.iter().chain(&queries[..1]) {
        assert_eq!(partner.postback(&fixture, query).await.status, 400);
    }
    let list = ["refusals", "--provider", &partner.name, "--json"];
    let whole = eventually(&fixture.stack, &list, |found| count(found, "refusals") == 7).await;
    let requests = |found: &Value| -> Vec<String> {
        let all = found["refusals"].as_array().unwrap();
        all.iter().map(|refusal| refusal["request"].as_str().unwrap().to_owned()).collect()
    };
    // The first query was sent again after all others.
    let newest_first: Vec<&String> = queries[..1].iter().chain(queries[1..].iter().rev()).collect();
    assert_eq!(requests(&whole).iter().collect::<Vec<_>>(), newest_first);
    assert_eq!((&whole["refusals"][0]["times"], &whole["refusals"][1]["times"]), (&2.into(), &1.into()));
    assert_eq!(whole["refusals"][0]["faults"].as_array().unwrap().len(), 4);

    let (mut paged, mut after) = (Vec::new(), None::<String>);
    loop {
        let mut page = vec!["refusals", "--provider", &partner.name, "--json", "--limit", "3"];
        page.extend(after.as_deref().map(|after| ["--after", after]).into_iter().flatten());
        let found = postbackctl(&fixture.stack, &page).json();
        paged.extend(requests(&found));
        let Some(next) = found["next"][&partner.name].as_str() else { break };
        after = Some(next.to_owned());
    }
    paged.sort();
    assert_eq!(paged, queries);
    let ago =
        postbackctl(&fixture.stack, &["refusals", "--provider", &partner.name, "--since", "1970-01-01T00:00:00Z"]);
    assert!(ago.out.contains("seen 2 times") && ago.out.contains("content id "), "{}", ago.out);
    let later = ["refusals", "--provider", &partner.name, "--since", "2100-01-01T00:00:00Z", "--json"];
    assert_eq!(count(&postbackctl(&fixture.stack, &later).json(), "refusals"), 0);
}

#[tokio::test]
async fn a_list_queries_each_partition_once_and_never_scans() {
    let fixture = Fixture::new();
    let partner = Partner::with_token(&fixture.stack, "");
    for n in 0..3 {
        partner.postback(&fixture, &format!("user_id=u-{n}")).await;
    }
    let list = ["refusals", "--provider", &partner.name, "--json"];
    eventually(&fixture.stack, &list, |found| count(found, "refusals") == 3).await;
    let proxy = Proxy::start(&fixture.stack.aws_endpoint_url).await;
    let found = postbackctl_through(&proxy, &fixture.stack, &list).await.json();
    assert_eq!(count(&found, "refusals"), 3);
    let mut operations: Vec<String> = proxy.take_calls().into_iter().map(|call| call.operation).collect();
    operations.sort();
    // The GetItem checks that the partner exists. One Query reads the heartbeats of the lookups.
    assert_eq!(operations[..2], ["BatchGetItem", "GetItem"]);
    assert_eq!(operations[2..], ["Query"; 33]);
}

#[tokio::test]
async fn unresolved_conflicts_are_listed_with_their_differences() {
    let fixture = Fixture::new();
    let (partner, transaction) = (Partner::with_token(&fixture.stack, ""), fresh("t"));
    partner.postback(&fixture, &sample(&transaction)).await;
    for amount in ["90", "80"] {
        let sent = sample(&transaction).replace("100.00", amount);
        assert_eq!(partner.postback(&fixture, &sent).await.status, 409);
    }
    let list = ["conflicts", "--provider", &partner.name, "--json"];
    let open = eventually(&fixture.stack, &list, |found| count(found, "conflicts") == 2).await;
    let newest = &open["conflicts"][0];
    let difference = serde_json::json!({"field": "amount_decimal", "original": "100.00", "sent": "80"});
    assert_eq!(newest["differences"], serde_json::json!([difference]));

    let id = newest["provider_content"].as_str().unwrap();
    let resolve = ["conflicts", "resolve", &partner.name, &transaction, id, "--keep-original", "--yes"];
    assert_eq!(postbackctl(&fixture.stack, &resolve).code, Some(0));
    let left = postbackctl(&fixture.stack, &list).json();
    assert_eq!((count(&left, "conflicts"), &left["conflicts"][0]["differences"][0]["sent"]), (1, &"90".into()));
    // A conflict that is sent again is open again.
    partner.postback(&fixture, &sample(&transaction).replace("100.00", "80")).await;
    assert_eq!(count(&postbackctl(&fixture.stack, &list).json(), "conflicts"), 2);
}

#[tokio::test]
async fn accepted_transactions_are_listed_as_they_count_now() {
    let fixture = Fixture::new();
    let statuses = "postback:\n  status: {parameter: state, pending: [wait], approved: [ok]}\n";
    let partner = Partner::with_token(&fixture.stack, statuses);
    let [rising, pending] = ["t", "t"].map(fresh);
    let said = |transaction: &str, word: &str| format!("{}&state={word}", sample(transaction));
    let first = partner.postback(&fixture, &said(&rising, "wait")).await;
    let step = partner.postback(&fixture, &said(&rising, "ok")).await;
    assert_eq!(partner.postback(&fixture, &said(&pending, "wait")).await.status, 200);
    let list = ["postbacks", "--provider", &partner.name, "--since", "1h", "--json"];
    let found = eventually(&fixture.stack, &list, |found| count(found, "postbacks") == 2).await;
    let expected = serde_json::json!({
        "first_received_at": first.text("received_at"), "provider": partner.name, "transaction_id": rising,
        "receipt_id": step.text("receipt_id"), "received_at": step.text("received_at"), "state": "approved",
        "user_id": "12345", "click_id": "67890", "currency": "USD", "amount_decimal": "100.00", "click": "foreign",
        "correction": 0, "original_receipt_id": first.text("receipt_id"),
    });
    assert_eq!(found["postbacks"][1], expected);
    let three_decimals = |at: &str| at.len() == "2026-11-23T21:33:22.275Z".len() && at.ends_with('Z');
    assert!(three_decimals(first.text("received_at")), "{}", first.text("received_at"));
    let waiting = postbackctl(&fixture.stack, &[&list[..5], &["--state", "pending"]].concat()).out;
    assert!(
        waiting.contains(&format!("transaction {pending}: 100.00 USD\n")) && !waiting.contains(&rising),
        "{waiting}"
    );
    let earlier = [&list[..3], &["--before", "1d", "--json"]].concat();
    assert_eq!(count(&postbackctl(&fixture.stack, &earlier).json(), "postbacks"), 0);
}

#[tokio::test]
async fn text_direction_characters_are_escaped_except_in_json() {
    let fixture = Fixture::new();
    let (partner, transaction) = (Partner::with_token(&fixture.stack, ""), fresh("t"));
    partner.postback(&fixture, &sample(&transaction)).await;
    let turned = sample(&transaction).replace("12345", "ab%E2%80%AEcd");
    assert_eq!(partner.postback(&fixture, &turned).await.status, 409);
    let list = ["conflicts", "--provider", &partner.name, "--json"];
    let found = eventually(&fixture.stack, &list, |found| count(found, "conflicts") == 1).await;
    assert_eq!(found["conflicts"][0]["content"]["user_id"], "ab\u{202e}cd");
    let shown = postbackctl(&fixture.stack, &list[..3]).out;
    assert!(shown.contains("ab\\u{202e}cd came") && !shown.contains('\u{202e}'), "{shown:?}");
}

#[tokio::test]
async fn a_resubmitted_refusal_is_checked_again_and_recorded_once() {
    let fixture = Fixture::new();
    let (partner, transaction) = (Partner::with_token(&fixture.stack, ""), fresh("t"));
    let query = sample(&transaction).replace("USD", "WOOF");
    assert_eq!(partner.postback(&fixture, &query).await.faults()[0].1, "unknown_currency");
    let list = ["refusals", "--provider", &partner.name, "--json"];
    let found = eventually(&fixture.stack, &list, |found| count(found, "refusals") == 1).await;
    let id = found["refusals"][0]["provider_content"].as_str().unwrap();
    let resubmit = || postbackctl(&fixture.stack, &["refusals", "resubmit", id, "--json"]);
    let still = resubmit();
    assert_eq!((still.code, still.out.contains("unknown_currency")), (Some(1), true), "{}{}", still.out, still.err);

    partner.apply(&fixture.stack, "postback:\n  currencies: [WOOF]\n");
    let refusal = || postbackctl(&fixture.stack, &list).json()["refusals"][0].take();
    assert_eq!((&refusal()["times"], &refusal()["accepted"]), (&1.into(), &Value::Null), "the partner called once");
    let accepted = resubmit().json();
    assert_eq!(accepted["outcome"], "accepted");
    let marked = refusal();
    assert_eq!((&marked["times"], &marked["accepted"]), (&1.into(), &accepted["details"]["receipt"]));
    assert!(marked["accepted_at"].is_string(), "{marked}");
    assert_eq!(resubmit().json()["outcome"], "duplicate");
    assert_eq!(refusal(), marked);
    let receipt = accepted["details"]["receipt"]["receipt_id"].as_str().unwrap();
    let shown = postbackctl(&fixture.stack, &list[..3]).out;
    assert!(shown.contains("sent again at ") && shown.contains(&format!("recorded: receipt {receipt}")), "{shown}");
    // On the local stack, the function reads a partner's configuration again after one second.
    let begun = Instant::now();
    let reply = loop {
        let reply = partner.postback(&fixture, &query).await;
        if reply.status == 200 || begun.elapsed() > PATIENCE {
            break reply;
        }
    };
    assert_eq!(reply.text("status"), "duplicate");
    let unknown = postbackctl(&fixture.stack, &["refusals", "resubmit", &format!("acme#{}", "0".repeat(64))]);
    assert_eq!((unknown.code, unknown.err.contains("nothing is kept")), (Some(1), true));
}
