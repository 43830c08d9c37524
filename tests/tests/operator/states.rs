//! Tests how operators see a transaction that rises through states, and its reversal.

use std::fs;

use serde_json::{Value, json};

use crate::{
    command::{eventually, postbackctl},
    fixture::{Fixture, fresh, sample},
    partner::Partner,
    traces::kinds,
};

const AGREED: &str = "postback:
  status: {parameter: state, pending: [wait], approved: [ok], rejected: ['no']}
  negative_amounts: reverse
  reference: original_id
  keep: [sub1]
";

#[tokio::test]
async fn operators_see_the_steps_and_the_reversal_of_a_transaction() {
    let fixture = Fixture::new();
    let stack = &fixture.stack;
    let partner = Partner::with_token(stack, AGREED);
    let [rising, reversed, reversal] = ["t", "t", "r"].map(fresh);
    let said = |transaction: &str, word: &str| format!("{}&state={word}&sub1=banner", sample(transaction));
    for word in ["wait", "ok", "no"] {
        let reply = partner.postback(&fixture, &said(&rising, word)).await;
        assert_eq!((reply.status, reply.text("status")), (200, "accepted"), "{word}");
    }
    assert_eq!(partner.postback(&fixture, &said(&reversed, "ok")).await.text("status"), "accepted");
    let negative = sample(&reversal).replace("100.00", "-40.5");
    let reply = partner.postback(&fixture, &format!("{negative}&original_id={reversed}")).await;
    assert_eq!(reply.text("status"), "accepted");
    let other = said(&rising, "no").replace("100.00", "99");
    assert_eq!(partner.postback(&fixture, &other).await.status, 409);

    trace(&fixture, &partner, &rising, &reversed).await;
    let list = ["conflicts", "--provider", &partner.name, "--json"];
    let open = eventually(stack, &list, |found| found["conflicts"][0].is_object()).await;
    let conflict = &open["conflicts"][0];
    assert_eq!((&conflict["state"], &conflict["stands"]["state"]), (&"rejected".into(), &"rejected".into()));
    assert_eq!(conflict["stands"]["kind"], "step");
    let shown = postbackctl(stack, &list[..3]).out;
    for line in [
        &format!("{rising} as rejected")[..],
        "the step (rejected) has been current since",
        "100.00 is current, 99 came",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    reconcile(&fixture, &partner, [&rising, &reversed, &reversal]).await;
    // The lookups lead to three postbacks and two steps. The adjustment of the reversed transaction is no conversion.
    let range = ["conversions", "replay", "--provider", &partner.name, "--from", "1h", "--to", "2100-01-01T00:00:00Z"];
    let again = [&range[..], &["--yes", "--json"]].concat();
    let sent = eventually(stack, &again, |found| found["of"] == 5).await;
    assert_eq!((&sent["sent"], &sent["unreadable"]), (&5.into(), &json!([])));
}

#[tokio::test]
async fn lists_totals_and_reports_count_a_rejected_reversal_alike() {
    let fixture = Fixture::new();
    let (stack, partner) = (&fixture.stack, Partner::with_token(&fixture.stack, AGREED));
    let [rejected, kept] = ["t", "t"].map(fresh);
    let call = |transaction: &str, amount: &str, more: &str| {
        format!("{}&{more}", sample(transaction).replace("100.00", amount))
    };
    for query in [
        call(&rejected, "100", "state=ok"),
        call(&fresh("r"), "-40", &format!("original_id={rejected}")),
        call(&rejected, "100", "state=no"),
        call(&kept, "10", "state=ok"),
        call(&fresh("r"), "-3", &format!("original_id={kept}")),
        call(&fresh("t"), "5", "state=wait"),
    ] {
        assert_eq!(partner.postback(&fixture, &query).await.status, 200, "{query}");
    }
    let list = ["postbacks", "--provider", &partner.name, "--json"];
    let listed =
        eventually(stack, &list, |found| found["postbacks"].as_array().is_some_and(|all| all.len() == 5)).await;
    let mut sums = [0, 0, 0];
    for one in listed["postbacks"].as_array().unwrap().iter().filter(|one| one["rejected_with"].is_null()) {
        let amount: i64 = one["amount_decimal"].as_str().unwrap().parse().unwrap();
        let state = ["pending", "approved", "rejected"].iter().position(|state| one["state"] == *state);
        sums[state.unwrap_or(1)] += amount;
    }
    assert_eq!(sums, [5, 7, 100], "{listed}");
    let rejected = [&list[..], &["--state", "rejected"]].concat();
    assert_eq!(postbackctl(stack, &rejected).json()["postbacks"].as_array().unwrap().len(), 2);

    let file = std::env::temp_dir().join(format!("{}.csv", fresh("alike")));
    fs::write(&file, "transaction_id,amount_decimal\n").unwrap();
    let compare = ["reconcile", &partner.name, file.to_str().unwrap(), "--from", "1h", "--to", "now", "--json"];
    let compared: Value = serde_json::from_str(&postbackctl(stack, &compare).out).unwrap();
    let sum = |transactions: u32, amount: &str| json!({"transactions": transactions, "amount": amount});
    let totals = json!({"USD": {
        "pending": sum(1, "5"), "approved": sum(1, "10"), "rejected": sum(2, "100"), "adjusted": sum(1, "-3"),
    }});
    assert_eq!(compared["totals"], totals);
    fs::remove_file(file).unwrap();

    let report = ["report", "conversions", "--from", "1d", "--by", "currency", "--partner", &partner.name, "--json"];
    let wanted = json!([{"currency": "USD", "transactions": 5, "pending": "5", "earned": "7", "rejected": "100"}]);
    eventually(stack, &report, |found| found["rows"] == wanted).await;
}

/// Traces the transaction with steps, and the transaction that another one partly reversed.
async fn trace(fixture: &Fixture, partner: &Partner, rising: &str, reversed: &str) {
    let stack = &fixture.stack;
    let of = |transaction: &str| {
        ["trace", "--provider", &partner.name, "--transaction", transaction, "--json"].map(str::to_owned)
    };
    let told = |found: &Value| -> Vec<String> {
        let all = found.as_array().unwrap().iter().filter(|entry| entry["kind"] == "conversion");
        all.map(|entry| entry["record"]["type"].as_str().unwrap().to_owned()).collect()
    };
    let query = of(rising);
    let query: Vec<&str> = query.iter().map(String::as_str).collect();
    let found = eventually(stack, &query, |found| kinds(found).len() == 7).await;
    assert_eq!(told(&found), ["conversion.pending", "conversion.accepted", "conversion.rejected"]);
    assert_eq!(kinds(&found).last(), Some(&"conflict"));
    let shown = postbackctl(stack, &query[..5]).out;
    assert!(shown.contains("state rejected") && shown.contains("a step of the postback with receipt"), "{shown}");
    assert_eq!((shown.matches("in force").count(), shown.matches("kept sub1: banner").count()), (1, 4), "{shown}");
    let records = found.as_array().unwrap().iter().filter(|entry| entry["kind"] == "postback");
    let in_force: Vec<&Value> = records.map(|entry| &entry["in_force"]).collect();
    assert_eq!(in_force, [false, false, true]);

    let query = of(reversed);
    let query: Vec<&str> = query.iter().map(String::as_str).collect();
    let found = postbackctl(stack, &query).json();
    assert_eq!(told(&found), ["conversion.accepted", "conversion.adjusted"]);
    let shown = postbackctl(stack, &query[..5]).out;
    assert!(shown.contains(&format!("takes its amount from transaction {reversed}")), "{shown}");
}

/// Compares a list with the current states, and reads the totals of the period.
async fn reconcile(fixture: &Fixture, partner: &Partner, [rising, reversed, reversal]: [&str; 3]) {
    let list = std::env::temp_dir().join(format!("{}.csv", fresh("states")));
    let lines = format!("{rising},100.00,ok,\n{reversed},100,OK,\n{reversal},-40.50,,{reversed}\n");
    fs::write(&list, format!("transaction_id,amount_decimal,state,original_id\n{lines}")).unwrap();
    let range = ["--from", "1h", "--to", "2100-01-01T00:00:00Z"];
    let compare = [&["reconcile", &partner.name, list.to_str().unwrap()], &range[..]].concat();
    let as_json = [&compare[..], &["--json"]].concat();
    let is_counted = |found: &Value| found["totals"]["USD"]["adjusted"]["transactions"] == 1;
    let report = eventually(&fixture.stack, &as_json, is_counted).await;
    let sum = |transactions: u32, amount: &str| json!({"transactions": transactions, "amount": amount});
    let totals = json!({
        "pending": sum(0, "0"), "approved": sum(1, "100.00"), "rejected": sum(1, "100.00"), "adjusted": sum(1, "-40.5"),
    });
    assert_eq!((&report["totals"], &report["same"]), (&json!({"USD": totals}), &2.into()));
    let difference = json!([{"field": "status", "ours": "rejected", "theirs": "ok", "reason": "it means approved"}]);
    assert_eq!(report["differing"][0]["differences"], difference);
    let shown = postbackctl(&fixture.stack, &compare).out;
    let summary = "USD: 0 pending (0), 100.00 approved (1), 100.00 rejected (1), -40.5 adjusted (1); 59.50 owed\n";
    assert!(shown.contains(summary), "{shown}");
    fs::remove_file(list).unwrap();
}
