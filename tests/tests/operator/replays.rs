//! What GG3 missed, sent again; and a partner's list against ours.

use std::{collections::BTreeMap, fs};

use serde_json::Value;
use tests::proxy::{Action, AwsError, Proxy};

use crate::{
    command::{begin, interrupt, postbackctl, postbackctl_through},
    fixture::{Conversions, Fixture, fresh, sample},
    lists::eventually,
    partner::Partner,
};

/// So many transactions, each sent by this partner, and listed by now.
async fn recorded(fixture: &Fixture, partner: &Partner, count: usize) -> Vec<String> {
    let transactions: Vec<String> = (0..count).map(|_| fresh("t")).collect();
    for transaction in &transactions {
        assert_eq!(partner.postback(fixture, &sample(transaction)).await.status, 200);
    }
    // An empty list of theirs names all of ours.
    let list = List::of("empty", "transaction_id\n");
    let reconcile = ["reconcile", &partner.name, list.path(), "--from", "1h", "--to", "2100-01-01T00:00:00Z", "--json"];
    eventually(&fixture.stack, &reconcile, |found| found["only_ours"].as_array().map_or(0, Vec::len) == count).await;
    transactions
}

/// A partner's list, removed when dropped.
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

/// How often each transaction has arrived, once all have so often.
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
async fn a_replay_sends_what_was_recorded_in_its_time_once_more_as_it_was_sent_first() {
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
async fn a_replay_that_is_interrupted_says_how_far_it_came_and_goes_on_from_there() {
    let fixture = Fixture::new();
    let partner = Partner::with_token(&fixture.stack, "");
    let transactions = recorded(&fixture, &partner, 12).await;
    arrived(&partner, &transactions, 1).await;
    let replay =
        ["conversions", "replay", "--provider", &partner.name, "--to", "2100-01-01T00:00:00Z", "--yes", "--json"];
    // One a second: it is still at it when the first has arrived.
    let child = begin(&fixture.stack, &[&replay[..], &["--from", "1h", "--rate", "1"]].concat());
    arrived(&partner, &transactions[..1], 2).await;
    let said = interrupt(child);
    let stopped: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, &stopped["stopped"]["why"]), (Some(1), &"interrupted".into()), "{}", said.err);
    assert!((1..12).contains(&stopped["sent"].as_u64().unwrap()), "{}", said.out);
    let rest = [&replay[..], &["--from", stopped["stopped"]["at"].as_str().unwrap()]].concat();
    let rest = postbackctl(&fixture.stack, &rest).json();
    assert!(stopped["sent"].as_u64().unwrap() + rest["sent"].as_u64().unwrap() >= 12);
    arrived(&partner, &transactions, 2).await;
}

#[tokio::test]
async fn a_replay_whose_queue_takes_nothing_stops_and_says_where_to_go_on() {
    let fixture = Fixture::new();
    let partner = Partner::with_token(&fixture.stack, "");
    recorded(&fixture, &partner, 3).await;
    let proxy = Proxy::start(&fixture.stack.aws_endpoint_url).await;
    let refused = || Action::FailBefore(AwsError::new(403, "AccessDenied", "not you"));
    proxy.on(move |call| if call.operation == "SendMessageBatch" { refused() } else { Action::Forward });
    let replay = ["conversions", "replay", "--provider", &partner.name, "--from", "1h", "--to", "2100-01-01T00:00:00Z"];
    let said = postbackctl_through(&proxy, &fixture.stack, &[&replay[..], &["--yes"]].concat()).await;
    assert_eq!((said.code, said.out.as_str()), (Some(1), "0 of 3 conversions sent again\n"), "{}", said.err);
    for part in ["gg3-conversions is unavailable: AccessDenied", "go on with: postbackctl conversions replay"] {
        assert!(said.err.contains(part), "{part} in {}", said.err);
    }
}

#[tokio::test]
async fn a_partners_list_is_compared_with_what_stands_now_and_the_code_says_whether_they_differ() {
    let fixture = Fixture::new();
    let stack = &fixture.stack;
    let partner = Partner::with_token(stack, "");
    let transactions = recorded(&fixture, &partner, 4).await;
    let [same, corrected, differing, ours] = [0, 1, 2, 3].map(|at: usize| transactions[at].as_str());
    // What was corrected is compared by its correction.
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
    let said = reconcile(&list, "1h", &["--json"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    let report: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(report["same"], 2);
    assert_eq!(report["only_theirs"], serde_json::json!([{"transaction_id": "unheard-of", "line": 5}]));
    assert_eq!(report["only_ours"][0]["transaction_id"], ours);
    let differences = serde_json::json!([{"field": "currency", "ours": "USD", "theirs": "EUR"}]);
    assert_eq!((&report["differing"][0]["line"], &report["differing"][0]["differences"]), (&4.into(), &differences));
    let shown = reconcile(&list, "1h", &[]);
    assert!(shown.out.ends_with("2 the same, 1 only theirs, 1 only ours, 1 differing\n"), "{}", shown.out);

    // A transaction of another time is found all the same, and what is not of theirs is not asked for.
    let clean = List::of("clean", &format!("{header}\n{same},,\n{corrected},90.00,USD\n"));
    let said = postbackctl(stack, &["reconcile", &partner.name, clean.path(), "--from", "2d", "--to", "1d"]);
    assert_eq!((said.code, said.out.as_str()), (Some(0), "2 the same, 0 only theirs, 0 only ours, 0 differing\n"));
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
async fn a_postback_that_cannot_be_read_is_named_and_holds_up_no_other_of_its_replay() {
    let fixture = Fixture::new();
    let stack = &fixture.stack;
    let partner = Partner::with_token(stack, "");
    let transactions = recorded(&fixture, &partner, 3).await;
    let broken = format!("{}#{}", partner.name, transactions[1]);
    let spoil = stack.dynamodb().update_item().table_name(stack.table("postbacks"));
    let key = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    let spoil = spoil.key("provider_transaction", key(&broken)).key("revision", key("original"));
    let spoil = spoil.update_expression("SET amount_decimal = :x").expression_attribute_values(":x", key("x"));
    spoil.send().await.unwrap();
    let range = ["--from", "1h", "--to", "2100-01-01T00:00:00Z", "--yes", "--json"];
    let said = postbackctl(stack, &[&["conversions", "replay", "--provider", &partner.name], &range[..]].concat());
    assert_eq!(said.code, Some(1), "{}", said.err);
    let told: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&told["sent"], &told["of"], &told["stopped"]), (&2.into(), &3.into(), &Value::Null));
    assert!(told["unreadable"][0].as_str().unwrap().ends_with(&broken) && said.err.contains(&broken), "{told}");
}
