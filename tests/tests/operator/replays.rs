//! Tests replays of conversions, and the comparison of a partner's list with the recorded transactions.

use std::{collections::BTreeMap, fs};

use domain::values::ids::{Provider, TransactionId, TransactionKey};
use serde_json::{Value, json};
use tests::proxy::{Action, AwsError, Proxy};

use crate::{
    command::{begin, eventually, interrupt, postbackctl, postbackctl_through},
    fixture::{Conversions, Fixture, fresh, sample},
    partner::Partner,
};

/// Sends postbacks of this number of new transactions, waits until all are listed, and returns the transactions.
async fn recorded(fixture: &Fixture, partner: &Partner, count: usize) -> Vec<String> {
    let transactions: Vec<String> = (0..count).map(|_| fresh("t")).collect();
    for transaction in &transactions {
        assert_eq!(partner.postback(fixture, &sample(transaction)).await.status, 200);
    }
    // Compared with an empty list, all of our transactions are reported.
    let list = List::of("empty", "transaction_id\n");
    let reconcile = ["reconcile", &partner.name, list.path(), "--from", "1h", "--to", "2100-01-01T00:00:00Z", "--json"];
    eventually(&fixture.stack, &reconcile, |found| found["only_ours"].as_array().map_or(0, Vec::len) == count).await;
    transactions
}

/// Holds the file of a partner's list. Dropping this value removes the file.
struct List(std::path::PathBuf);

impl List {
    fn of(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("{}.csv", fresh(name)));
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for List {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Waits until each transaction's conversion has arrived this number of times, and returns the counts.
async fn arrived(partner: &Partner, transactions: &[String], times: usize) -> BTreeMap<String, usize> {
    for _ in 0..600 {
        let mut found = BTreeMap::new();
        for transaction in transactions {
            found.insert(transaction.clone(), Conversions::shared().of(&partner.name, transaction).await.len());
        }
        if found.values().all(|count| *count >= times) {
            return found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("not every conversion arrived {times} times")
}

#[tokio::test]
async fn a_replay_sends_the_original_conversions_once_more() {
    let fixture = Fixture::new();
    let partner = Partner::with_token(&fixture.stack, "");
    let transactions = recorded(&fixture, &partner, 25).await;
    arrived(&partner, &transactions, 1).await;
    let replay = |from: &str, to: &str, more: &[&str]| {
        let range = ["conversions", "replay", "--provider", &partner.name, "--from", from, "--to", to];
        postbackctl(&fixture.stack, &[&range, more].concat())
    };
    let unasked = replay("1h", "2100-01-01T00:00:00Z", &[]);
    assert_eq!((unasked.code, unasked.err.contains("--yes")), (Some(1), true), "{}", unasked.err);
    assert_eq!(replay("2d", "1d", &["--json"]).json()["sent"], 0);
    let sent = replay("1h", "2100-01-01T00:00:00Z", &["--yes", "--json", "--rate", "10000"]).json();
    assert_eq!((&sent["sent"], &sent["of"], &sent["stopped"]), (&25.into(), &25.into(), &Value::Null));
    let counts = arrived(&partner, &transactions, 2).await;
    assert!(counts.values().all(|count| *count == 2), "{counts:?}");
    let both = Conversions::shared().of(&partner.name, &transactions[0]).await;
    assert_eq!(both[0], both[1]);
}

#[tokio::test]
async fn an_interrupted_replay_says_where_to_continue() {
    let fixture = Fixture::new();
    let partner = Partner::with_token(&fixture.stack, "");
    let transactions = recorded(&fixture, &partner, 12).await;
    arrived(&partner, &transactions, 1).await;
    let replay =
        ["conversions", "replay", "--provider", &partner.name, "--to", "2100-01-01T00:00:00Z", "--yes", "--json"];
    // The replay sends one conversion a second. It therefore still runs when the first conversion has arrived.
    let child = begin(&fixture.stack, &[&replay[..], &["--from", "1h", "--rate", "1"]].concat());
    arrived(&partner, &transactions[..1], 2).await;
    let output = interrupt(child);
    let stopped: Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!((output.code, &stopped["stopped"]["why"]), (Some(1), &"interrupted".into()), "{}", output.err);
    assert!((1..12).contains(&stopped["sent"].as_u64().unwrap()), "{}", output.out);
    let rest = [&replay[..], &["--from", stopped["stopped"]["at"].as_str().unwrap()]].concat();
    let rest = postbackctl(&fixture.stack, &rest).json();
    assert!(stopped["sent"].as_u64().unwrap() + rest["sent"].as_u64().unwrap() >= 12);
    arrived(&partner, &transactions, 2).await;
}

#[tokio::test]
async fn a_replay_stops_at_a_failing_queue_and_says_where() {
    let fixture = Fixture::new();
    let partner = Partner::with_token(&fixture.stack, "");
    recorded(&fixture, &partner, 3).await;
    let proxy = Proxy::start(&fixture.stack.aws_endpoint_url).await;
    let refused = || Action::FailBefore(AwsError::new(403, "AccessDenied", "not you"));
    proxy.on(move |call| if call.operation == "SendMessageBatch" { refused() } else { Action::Forward });
    let replay = ["conversions", "replay", "--provider", &partner.name, "--from", "1h", "--to", "2100-01-01T00:00:00Z"];
    let output = postbackctl_through(&proxy, &fixture.stack, &[&replay[..], &["--yes"]].concat()).await;
    assert_eq!((output.code, output.out.as_str()), (Some(1), "0 of 3 conversions sent again\n"), "{}", output.err);
    for part in ["gg3-conversions is unavailable: AccessDenied", "continue with: postbackctl conversions replay"] {
        assert!(output.err.contains(part), "{part} in {}", output.err);
    }
}

#[tokio::test]
async fn a_partners_list_is_compared_with_the_corrected_postbacks() {
    let fixture = Fixture::new();
    let stack = &fixture.stack;
    let partner = Partner::with_token(stack, "");
    let transactions = recorded(&fixture, &partner, 4).await;
    let [same, corrected, differing, ours] = [0, 1, 2, 3].map(|at: usize| transactions[at].as_str());
    // For a corrected transaction, the correction is compared with the list instead of the original.
    partner.postback(&fixture, &sample(corrected).replace("100.00", "90")).await;
    let open = ["conflicts", "--provider", &partner.name, "--json"];
    let open = eventually(stack, &open, |found| found["conflicts"].as_array().is_some_and(|all| all.len() == 1)).await;
    let id = open["conflicts"][0]["provider_content"].as_str().unwrap();
    let resolve = ["conflicts", "resolve", &partner.name, corrected, id, "--accept", "--yes"];
    assert_eq!(postbackctl(stack, &resolve).code, Some(0));

    let header = "transaction_id,amount_decimal,currency";
    let all = format!("{header}\n{same},100.0,USD\n{corrected},90,USD\n{differing},100,EUR\nunheard-of,1,USD\n");
    let reconcile = |list: &List, from: &str, json: &[&str]| {
        let range = ["reconcile", &partner.name, list.path(), "--from", from, "--to", "2100-01-01T00:00:00Z"];
        postbackctl(stack, &[&range, json].concat())
    };
    let list = List::of("list", &all);
    let output = reconcile(&list, "1h", &["--json"]);
    assert_eq!(output.code, Some(1), "{}", output.err);
    let report: Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!(report["same"], 2);
    let unheard_of = json!({"transaction_id": "unheard-of", "line": 5, "why": "never_came"});
    assert_eq!(report["only_theirs"], json!([unheard_of]));
    assert_eq!(report["only_ours"][0]["transaction_id"], ours);
    let differences = json!([{"field": "currency", "ours": "USD", "theirs": "EUR"}]);
    assert_eq!((&report["differing"][0]["line"], &report["differing"][0]["differences"]), (&4.into(), &differences));
    let shown = reconcile(&list, "1h", &[]);
    assert!(shown.out.contains("only theirs  unheard-of, line 5: never came\n"), "{}", shown.out);
    assert!(shown.out.ends_with("2 the same, 1 only theirs, 1 only ours, 1 differing\n"), "{}", shown.out);

    // A transaction on the list is found even outside the range. A recorded transaction that is missing from the list
    // is reported only if it is in the range.
    let clean = List::of("clean", &format!("{header}\n{same},,\n{corrected},90.00,USD\n"));
    let output = postbackctl(stack, &["reconcile", &partner.name, clean.path(), "--from", "2d", "--to", "1d"]);
    assert_eq!((output.code, output.out.as_str()), (Some(0), "2 the same, 0 only theirs, 0 only ours, 0 differing\n"));
    for broken in ["id\n1\n", "transaction_id,amount\nt-1,9999\n"] {
        let list = List::of("broken", broken);
        assert_eq!(reconcile(&list, "1h", &[]).code, Some(2), "{broken}");
    }
    for arguments in [["reconcile", "nobody", list.path()], ["reconcile", &partner.name, list.path()]] {
        let backwards = postbackctl(stack, &[&arguments[..], &["--from", "1m", "--to", "1h"]].concat());
        assert_eq!(backwards.code, Some(2), "{}", backwards.err);
    }
}

#[tokio::test]
async fn a_missing_transaction_is_explained_by_its_refusal_or_its_partner() {
    let fixture = Fixture::new();
    let stack = &fixture.stack;
    let [partner, other] = ["", ""].map(|rest| Partner::with_token(stack, rest));
    let [refused, elsewhere] = ["t", "t"].map(fresh);
    assert_eq!(partner.postback(&fixture, &sample(&refused).replace("USD", "usd")).await.status, 400);
    assert_eq!(other.postback(&fixture, &sample(&elsewhere)).await.status, 200);
    let text = format!("Order ID;Payout\n{refused};100.00\n{elsewhere};100.00\n");
    let list = List::of("missing", &text);
    let columns = ["--column", "transaction_id=Order ID", "--column", "amount_decimal=Payout"];
    let range = ["reconcile", &partner.name, list.path(), "--from", "2d", "--to", "now"];
    let compare = [&range[..], &columns].concat();
    let as_json = [&compare[..], &["--json"]].concat();
    // They are in the order of their transactions, which says nothing about their lines.
    let at_line = |report: &Value, line: u64| {
        let all = report["only_theirs"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|found| found["line"] == line).unwrap_or_default()
    };
    let report = eventually(stack, &as_json, |report| at_line(report, 2)["why"] == "refused").await;
    let found = at_line(&report, 2);
    assert_eq!((&found["transaction_id"], &found["codes"]), (&refused.clone().into(), &json!(["unknown_currency"])));
    let theirs = json!({"transaction_id": elsewhere, "line": 3, "why": "other_partner", "providers": [other.name]});
    assert_eq!(at_line(&report, 3), theirs);
    let shown = postbackctl(stack, &compare).out;
    for line in ["refused (unknown_currency), last at ", &format!("under another partner: {}\n", other.name)] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
}

#[tokio::test]
async fn a_replay_names_an_unreadable_postback_and_sends_the_rest() {
    let fixture = Fixture::new();
    let stack = &fixture.stack;
    let partner = Partner::with_token(stack, "");
    let transactions = recorded(&fixture, &partner, 3).await;
    let (name, id) = (Provider::new(&*partner.name).unwrap(), TransactionId::new(&*transactions[1]).unwrap());
    let broken = TransactionKey::of(&name, &id).as_str().to_owned();
    let spoil = stack.dynamodb().update_item().table_name(stack.table("postbacks"));
    let key = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    let spoil = spoil.key("provider_transaction", key(&broken)).key("revision", key("original"));
    let spoil = spoil.update_expression("SET amount_decimal = :x").expression_attribute_values(":x", key("x"));
    spoil.send().await.unwrap();
    let range = ["--from", "1h", "--to", "2100-01-01T00:00:00Z", "--yes", "--json"];
    let output = postbackctl(stack, &[&["conversions", "replay", "--provider", &partner.name], &range[..]].concat());
    assert_eq!(output.code, Some(1), "{}", output.err);
    let report: Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!((&report["sent"], &report["of"], &report["stopped"]), (&2.into(), &3.into(), &Value::Null));
    assert!(report["unreadable"][0].as_str().unwrap().ends_with(&broken) && output.err.contains(&broken), "{report}");
}
