//! Tests corrections: a partner says that a conflict is right, and an operator accepts it.

use std::{path::Path, time::Duration};

use adapters::dynamodb::{item::RefusalItem, resolutions::DynamoResolutions};
use app::ports::{Replaced, Resolutions};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    audit::{Author, Channel, Operation},
    inbound::{
        acceptance::Acceptance,
        click::ClickKeys,
        conversion::Receipt,
        correction::{Correction, Revision},
        postback::{Content, Extra},
        refusal::{Conflict, ContentKey},
        status::State,
    },
    jiff::Timestamp,
    retention::Expiring,
    values::{
        ids::{Provider, ReceiptId, TransactionId},
        signature::Secret,
    },
};
use serde_json::Value;
use tests::{
    operator::audit_record,
    proxy::{Action, Proxy},
    stack::Stack,
};

use crate::{
    command::{eventually, postbackctl, postbackctl_through},
    fixture::{Conversions, Fixture, fresh, sample},
    partner::Partner,
};

fn schema() -> jsonschema::Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/domain/schemas/conversion.json");
    jsonschema::validator_for(&serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()).unwrap()
}

/// Returns the content id of the document's sample with this transaction and amount.
fn content_key(transaction: &str, amount: &str) -> ContentKey {
    key_of("acme", transaction, amount, None)
}

fn key_of(provider: &str, transaction: &str, amount: &str, state: Option<State>) -> ContentKey {
    key_naming(provider, transaction, amount, (state, None))
}

/// Returns the content id of the sample with this state and with the transaction that it reverses.
fn key_naming(
    provider: &str,
    transaction: &str,
    amount: &str,
    (state, reference): (Option<State>, Option<&str>),
) -> ContentKey {
    let json = serde_json::json!({
        "user_id": "12345", "click_id": "67890", "currency": "USD", "amount_decimal": amount,
    });
    let content: Content = serde_json::from_value(json).unwrap();
    let conflict = Conflict {
        provider: Provider::new(provider).unwrap(),
        transaction_id: TransactionId::new(transaction).unwrap(),
        content,
        state,
        reference: reference.map(|id| TransactionId::new(id).unwrap()),
        extra: Extra::new(),
        differences: Vec::new(),
        received_at: Timestamp::UNIX_EPOCH,
    };
    conflict.key()
}

fn resolve(stack: &Stack, transaction: &str, key: &ContentKey, how: &str) -> Value {
    let resolve = ["conflicts", "resolve", "acme", transaction, key.as_str(), how, "--yes", "--json"];
    postbackctl(stack, &resolve).json()
}

/// Waits until this number of conversions of the transaction has arrived, and returns all of them.
async fn conversions(transaction: &str, count: usize) -> Vec<Value> {
    conversions_of("acme", transaction, count).await
}

async fn conversions_of(provider: &str, transaction: &str, count: usize) -> Vec<Value> {
    for _ in 0..600 {
        let arrived = Conversions::shared().of(provider, transaction).await;
        if arrived.len() >= count {
            return arrived;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{count} conversions of {transaction} did not arrive")
}

async fn stored(stack: &Stack, key: &ContentKey) -> RefusalItem {
    let get = stack.dynamodb().get_item().table_name(stack.table("refusals")).consistent_read(true);
    let got = get.key("provider_content", AttributeValue::S(key.as_str().to_owned())).send().await.unwrap();
    serde_dynamo::from_item(got.item.unwrap()).unwrap()
}

#[tokio::test]
async fn an_accepted_conflict_corrects_and_its_resend_is_a_duplicate() {
    let (fixture, transaction) = (Fixture::new(), fresh("t"));
    let original = fixture.postback("acme", &sample(&transaction)).await;
    let corrected = |amount: &str| sample(&transaction).replace("100.00", amount);
    assert_eq!(fixture.postback("acme", &corrected("90")).await.status, 409);
    let key = content_key(&transaction, "90");
    let report = resolve(&fixture.stack, &transaction, &key, "--accept");
    assert_eq!((report["outcome"].as_str(), report["correction"].as_u64()), (Some("accepted"), Some(1)));

    let resend = fixture.postback("acme", &corrected("90.0")).await;
    assert_eq!((resend.status, resend.text("status")), (200, "duplicate"));
    assert_eq!(resend.body["receipt_id"], report["receipt"]["receipt_id"]);
    let again = fixture.postback("acme", &sample(&transaction)).await;
    assert_eq!((again.text("status"), &again.body["receipt_id"]), ("duplicate", &original.body["receipt_id"]));

    // A repeated acceptance changes nothing. A second correction names the original too.
    assert_eq!(resolve(&fixture.stack, &transaction, &key, "--accept")["outcome"], "accepted_before");
    assert_eq!(fixture.postback("acme", &corrected("80")).await.status, 409);
    let second = resolve(&fixture.stack, &transaction, &content_key(&transaction, "80"), "--accept");
    assert_eq!(second["correction"], 2);

    let (arrived, schema) = (conversions(&transaction, 3).await, schema());
    for conversion in &arrived {
        let faults: Vec<String> = schema.iter_errors(conversion).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?}");
    }
    for (number, amount) in [(1, "90"), (2, "80")] {
        let correction = arrived.iter().find(|conversion| conversion["correction"] == number).unwrap();
        assert_eq!(correction["type"], "conversion.corrected");
        assert_eq!(correction["original_receipt_id"], original.body["receipt_id"]);
        assert_eq!(correction["amount_decimal"], amount);
    }
    let traced = postbackctl(&fixture.stack, &["trace", "--provider", "acme", "--transaction", &transaction]);
    assert_eq!(traced.out.matches("correction accepted of acme").count(), 2, "{}", traced.out);
}

#[tokio::test]
async fn an_approval_accepted_after_a_rejection_stands() {
    let (fixture, transaction) = (Fixture::new(), fresh("t"));
    let said = |state: &str| format!("{}&state={state}", sample(&transaction));
    let pending = fixture.postback("hooli", &said("pending")).await;
    assert_eq!(fixture.postback("hooli", &said("rejected")).await.text("status"), "accepted");
    let conflict = fixture.postback("hooli", &said("approved")).await;
    assert_eq!((conflict.status, &conflict.body["conflict"]["differences"][0]["parameter"]), (409, &"state".into()));

    let key = key_of("hooli", &transaction, "100.00", Some(State::Approved));
    let accept = ["conflicts", "resolve", "hooli", &transaction, key.as_str(), "--accept", "--yes", "--json"];
    let report = postbackctl(&fixture.stack, &accept).json();
    assert_eq!((report["outcome"].as_str(), report["correction"].as_u64()), (Some("accepted"), Some(1)));
    for state in ["approved", "pending"] {
        let again = fixture.postback("hooli", &said(state)).await;
        assert_eq!((again.text("status"), again.text("state")), ("duplicate", "approved"), "{state}");
        assert_eq!(again.body["receipt_id"], report["receipt"]["receipt_id"]);
    }
    // The same rejection may be a repeat or a new one, so an operator decides again.
    let rejected = fixture.postback("hooli", &said("rejected")).await;
    assert_eq!((rejected.status, &rejected.body["conflict"]["differences"][0]["parameter"]), (409, &"state".into()));
    // A rejection with another amount is new. It is a step above the correction.
    let later = fixture.postback("hooli", &said("chargeback").replace("100.00", "99")).await;
    assert_eq!((later.text("status"), later.text("state")), ("accepted", "rejected"), "{later:?}");
    assert_eq!(later.body["original_receipt_id"], pending.body["receipt_id"]);

    let (mut told, schema) = (Vec::new(), schema());
    for conversion in conversions_of("hooli", &transaction, 4).await {
        assert!(schema.is_valid(&conversion), "{conversion}");
        let number = conversion["correction"].as_u64().unwrap_or_default();
        told.push((number, conversion["state"].as_str().unwrap().to_owned()));
    }
    told.sort();
    told.dedup();
    let expected = [(0, "pending"), (0, "rejected"), (1, "approved"), (1, "rejected")];
    assert_eq!(told, expected.map(|(number, state)| (number, state.to_owned())));
}

/// Resolves a conflict of hooli, which agreed on negative amounts.
fn resolve_of_hooli(stack: &Stack, transaction: &str, (amount, reference): (&str, &str), how: &str) -> Value {
    let key = key_naming("hooli", transaction, amount, (Some(State::Approved), Some(reference)));
    let resolve = ["conflicts", "resolve", "hooli", transaction, key.as_str(), how, "--yes", "--json"];
    postbackctl(stack, &resolve).json()
}

#[tokio::test]
async fn a_negative_amount_that_takes_too_much_is_accepted_or_kept() {
    let fixture = Fixture::new();
    let (transaction, [first, second, third]) = (fresh("t"), ["r", "r", "r"].map(fresh));
    let negative =
        |id: &str, amount: &str| format!("{}&original_id={transaction}", sample(id).replace("100.00", amount));
    assert_eq!(fixture.postback("hooli", &sample(&transaction)).await.text("status"), "accepted");
    assert_eq!(fixture.postback("hooli", &negative(&first, "-60")).await.text("status"), "accepted");
    for reversal in [&second, &third] {
        assert_eq!(fixture.postback("hooli", &negative(reversal, "-60")).await.status, 409);
    }
    let kept = resolve_of_hooli(&fixture.stack, &third, ("-60", &transaction), "--keep-original");
    assert_eq!(kept["outcome"], "original_kept");
    assert_eq!(fixture.postback("hooli", &negative(&third, "-60")).await.status, 409);

    let accepted = resolve_of_hooli(&fixture.stack, &second, ("-60", &transaction), "--accept");
    assert_eq!((&accepted["outcome"], &accepted["original"]), (&"accepted".into(), &"unknown".into()));
    let again = resolve_of_hooli(&fixture.stack, &second, ("-60", &transaction), "--accept");
    assert_eq!(again["outcome"], "accepted_before");
    let resend = fixture.postback("hooli", &negative(&second, "-60.0")).await;
    assert_eq!((resend.text("status"), &resend.body["receipt_id"]), ("duplicate", &accepted["receipt"]["receipt_id"]));
    let arrived = conversions_of("hooli", &second, 1).await;
    assert_eq!((&arrived[0]["type"], &arrived[0]["original"]), (&"conversion.adjusted".into(), &"unknown".into()));
    assert!(schema().is_valid(&arrived[0]), "{}", arrived[0]);
    // 40 of the transaction's amount are still left.
    assert_eq!(fixture.postback("hooli", &negative(&fresh("r"), "-40")).await.text("status"), "accepted");
    assert_eq!(fixture.postback("hooli", &negative(&fresh("r"), "-0.01")).await.status, 409);
}

#[tokio::test]
async fn a_corrected_negative_amount_takes_what_it_says_now() {
    let fixture = Fixture::new();
    let (transaction, reversal) = (fresh("t"), fresh("r"));
    let negative =
        |id: &str, amount: &str| format!("{}&original_id={transaction}", sample(id).replace("100.00", amount));
    assert_eq!(fixture.postback("hooli", &sample(&transaction)).await.text("status"), "accepted");
    assert_eq!(fixture.postback("hooli", &negative(&reversal, "-60")).await.text("status"), "accepted");
    assert_eq!(fixture.postback("hooli", &negative(&reversal, "-90")).await.status, 409);
    let accepted = resolve_of_hooli(&fixture.stack, &reversal, ("-90", &transaction), "--accept");
    assert_eq!(
        (&accepted["correction"], &accepted["original"]["transaction_id"]),
        (&1.into(), &transaction[..].into())
    );
    let resend = fixture.postback("hooli", &negative(&reversal, "-90")).await;
    assert_eq!((resend.text("status"), &resend.body["receipt_id"]), ("duplicate", &accepted["receipt"]["receipt_id"]));
    for (amount, status) in [("-10.01", 409), ("-10", 200)] {
        assert_eq!(fixture.postback("hooli", &negative(&fresh("r"), amount)).await.status, status, "{amount}");
    }
    // An amount above what is left is refused, with the reason.
    assert_eq!(fixture.postback("hooli", &negative(&reversal, "-91")).await.status, 409);
    let key = key_naming("hooli", &reversal, "-91", (Some(State::Approved), Some(&transaction)));
    let accept = ["conflicts", "resolve", "hooli", &reversal, key.as_str(), "--accept", "--yes"];
    let refused = postbackctl(&fixture.stack, &accept);
    let reason = format!("transaction {transaction} would not bear it: amount_decimal: 90 is recorded, -91 came");
    assert_eq!((refused.code, refused.err.contains(&reason)), (Some(1), true), "{}", refused.err);
    let schema = schema();
    let arrived = conversions_of("hooli", &reversal, 2).await;
    let corrected = arrived.iter().find(|it| it["type"] == "conversion.corrected").unwrap();
    assert_eq!((&corrected["amount_decimal"], &corrected["original"]), (&"-90".into(), &accepted["original"]));
    assert!(arrived.iter().all(|it| schema.is_valid(it)), "{arrived:?}");
}

#[tokio::test]
async fn a_later_conflict_is_compared_with_the_correction() {
    let fixture = Fixture::new();
    let (partner, transaction) = (Partner::with_token(&fixture.stack, ""), fresh("t"));
    let command = |arguments: &[&str]| postbackctl(&fixture.stack, arguments);
    let corrected = |amount: &str| sample(&transaction).replace("100.00", amount);
    partner.postback(&fixture, &sample(&transaction)).await;
    let resolve = |found: &Value, how: &str, json: &[&str]| {
        let id = found["conflicts"][0]["provider_content"].as_str().unwrap();
        command(&[&["conflicts", "resolve", &partner.name, &transaction, id, how, "--yes"], json].concat())
    };
    let list = ["conflicts", "--provider", &partner.name, "--json"];
    let open = |wanted: usize| {
        eventually(&fixture.stack, &list, move |found| {
            found["conflicts"].as_array().is_some_and(|all| all.len() == wanted)
        })
    };
    assert_eq!(partner.postback(&fixture, &corrected("90")).await.status, 409);
    let first = open(1).await;
    assert_eq!(first["conflicts"][0]["stands"], Value::Null);
    let report = resolve(&first, "--accept", &["--json"]).json();
    let receipt = report["receipt"]["receipt_id"].as_str().unwrap();
    assert_eq!((&report["stands"]["correction"], &report["stands"]["receipt_id"]), (&1.into(), &receipt.into()));

    assert_eq!(partner.postback(&fixture, &corrected("80")).await.status, 409);
    let later = open(1).await;
    let standing = &later["conflicts"][0]["stands"];
    assert_eq!((&standing["correction"], &standing["receipt_id"]), (&1.into(), &receipt.into()));
    assert_eq!(standing["content"]["amount_decimal"], "90");
    let difference = serde_json::json!({"field": "amount_decimal", "stands": "90", "sent": "80"});
    assert_eq!(standing["differences"], serde_json::json!([difference]));

    let lines =
        ["correction 1 has been current since", receipt, "90 is current, 80 came", "the original said 100.00, 80 came"];
    let conflicts = command(&["conflicts", "--provider", &partner.name]).out;
    let traced = command(&["trace", "--provider", &partner.name, "--transaction", &transaction]).out;
    // A refused call that would also conflict is compared with the correction instead of the original.
    let refused = corrected("70").replace("USD", "WOOF");
    assert_eq!(partner.postback(&fixture, &refused).await.status, 400);
    partner.apply(&fixture.stack, "postback:\n  currencies: [WOOF]\n");
    let refusals = ["refusals", "--provider", &partner.name, "--json"];
    let found = eventually(&fixture.stack, &refusals, |found| found["refusals"][0].is_object()).await;
    let resubmitted =
        command(&["refusals", "resubmit", found["refusals"][0]["provider_content"].as_str().unwrap()]).out;
    for (output, sent) in [(&conflicts, "80"), (&traced, "80"), (&resubmitted, "70")] {
        for line in lines {
            assert!(output.contains(&line.replace("80", sent)), "{line}: {output}");
        }
        assert!(!output.contains("100.00 is recorded"), "{output}");
    }
    assert!(resubmitted.contains("currency: USD is current, WOOF came"), "{resubmitted}");

    let kept = resolve(&later, "--keep-original", &[]).out;
    assert!(kept.contains("correction 1 is current") && !kept.contains("original is current"), "{kept}");
}

#[tokio::test]
async fn only_a_conflict_whose_original_was_kept_expires() {
    let (fixture, transaction) = (Fixture::new(), fresh("t"));
    fixture.postback("acme", &sample(&transaction)).await;
    let sent = sample(&transaction).replace("100.00", "90");
    fixture.postback("acme", &sent).await;
    let key = content_key(&transaction, "90");
    assert_eq!(resolve(&fixture.stack, &transaction, &key, "--keep-original")["outcome"], "original_kept");
    let kept = stored(&fixture.stack, &key).await;
    let end = kept.original_kept_at.map(|at| at.as_second() + 31 * 24 * 60 * 60);
    assert_eq!((kept.expires_at, kept.is_open()), (end, false));

    assert_eq!(fixture.postback("acme", &sent).await.status, 409);
    let open = stored(&fixture.stack, &key).await;
    assert_eq!((open.is_open(), open.expires_at, open.times), (true, None, 2));

    resolve(&fixture.stack, &transaction, &key, "--keep-original");
    assert_eq!(resolve(&fixture.stack, &transaction, &key, "--accept")["outcome"], "accepted");
    let accepted = stored(&fixture.stack, &key).await;
    assert_eq!((accepted.is_open(), accepted.expires_at), (false, None));
    let keep = ["conflicts", "resolve", "acme", &transaction, key.as_str(), "--keep-original", "--yes"];
    let refused = postbackctl(&fixture.stack, &keep);
    assert_eq!((refused.code, refused.err.contains("was already accepted")), (Some(1), true), "{}", refused.err);
}

#[tokio::test]
async fn concurrent_acceptances_make_one_correction_a_conflict() {
    let (fixture, transaction) = (Fixture::new(), fresh("t"));
    fixture.postback("acme", &sample(&transaction)).await;
    let mut keys = Vec::new();
    for amount in ["90", "80"] {
        fixture.postback("acme", &sample(&transaction).replace("100.00", amount)).await;
        keys.push(content_key(&transaction, amount));
    }
    let stack = &fixture.stack;
    let table = |noun: &str| stack.table(noun).to_owned();
    let resolutions = DynamoResolutions::new(
        stack.dynamodb(),
        table("postbacks"),
        table("refusals"),
        table("audit"),
        Expiring::Refusal.default_retention(),
    );
    let (transaction, provider) = (TransactionId::new(transaction).unwrap(), Provider::new("acme").unwrap());
    let click_keys = ClickKeys::new(vec![Secret::new("k")]).unwrap();
    let operators = (0..10u8).map(|operator| {
        let (resolutions, click_keys, transaction) = (resolutions.clone(), click_keys.clone(), transaction.clone());
        let key = keys[usize::from(operator % 2)].clone();
        tokio::spawn(async move {
            let receipt_id = ReceiptId::from_random([operator; 16]);
            let which = (&transaction, &key);
            let now = Timestamp::UNIX_EPOCH;
            let operation = Operation::new(Author::new("jo").unwrap(), Channel::Postbackctl, None, [operator; 8]);
            app::resolve_conflict::accept(&resolutions, &click_keys, which, (&operation, now), receipt_id)
                .await
                .unwrap()
        })
    });
    for operator in operators.collect::<Vec<_>>() {
        operator.await.unwrap();
    }
    let history = resolutions.history(&provider, &transaction).await.unwrap().unwrap();
    assert_eq!((history.current().correction, history.next_place()), (2, 3));

    // If a revision's number is taken, no other revision can get that number, even if an operator read the transaction
    // before.
    let receipt = Receipt {
        transaction_id: transaction.clone(),
        receipt_id: ReceiptId::from_random([99; 16]),
        received_at: Timestamp::UNIX_EPOCH,
        ignored: Vec::new(),
        state: None,
        original_receipt_id: None,
    };
    let late = Correction {
        postback: history.current().postback.clone(),
        receipt,
        original_receipt_id: ReceiptId::from_random([0; 16]),
        number: 2,
        corrected_at: Timestamp::UNIX_EPOCH,
        place: 2,
        reversed: None,
    };
    let late = Acceptance { revision: Revision::Correction(late), adjustments: Vec::new() };
    assert_eq!(resolutions.accept(&keys[0], &late, &audit_record("acme")).await, Ok(Replaced::Changed));
    assert_eq!(resolutions.history(&provider, &transaction).await.unwrap(), Some(history));
}

#[tokio::test]
async fn a_failed_acceptance_can_be_repeated_and_corrects_once() {
    let fixture = Fixture::new();
    for action in [Action::CutAfter, Action::CutBefore, Action::Throttle] {
        let transaction = fresh("t");
        fixture.postback("acme", &sample(&transaction)).await;
        fixture.postback("acme", &sample(&transaction).replace("100.00", "90")).await;
        let (key, proxy) = (content_key(&transaction, "90"), Proxy::start(&fixture.stack.aws_endpoint_url).await);
        // The proxy does the same to each repetition by the client.
        proxy.on(move |call| if call.operation == "TransactWriteItems" { action.clone() } else { Action::Forward });
        let resolve = ["conflicts", "resolve", "acme", &transaction, key.as_str(), "--accept", "--yes", "--json"];
        postbackctl_through(&proxy, &fixture.stack, &resolve).await;
        let report = postbackctl(&fixture.stack, &resolve).json();
        let resend = fixture.postback("acme", &sample(&transaction).replace("100.00", "90")).await;
        assert_eq!(resend.body["receipt_id"], report["receipt"]["receipt_id"]);
        let traced = postbackctl(&fixture.stack, &["trace", "--provider", "acme", "--transaction", &transaction]);
        assert_eq!(traced.out.matches("correction accepted").count(), 1, "{}", traced.out);
    }
}

#[tokio::test]
async fn without_confirmation_no_conflict_is_resolved() {
    let (fixture, transaction) = (Fixture::new(), fresh("t"));
    fixture.postback("acme", &sample(&transaction)).await;
    fixture.postback("acme", &sample(&transaction).replace("100.00", "90")).await;
    let key = content_key(&transaction, "90");
    let resolve = |transaction: &str, key: &str, yes: &[&str]| {
        let arguments = [&["conflicts", "resolve", "acme", transaction, key, "--accept"], yes].concat();
        postbackctl(&fixture.stack, &arguments)
    };
    let unasked = resolve(&transaction, key.as_str(), &[]);
    assert_eq!((unasked.code, unasked.err.contains("--yes")), (Some(1), true), "{}", unasked.err);
    let another = resolve("another", key.as_str(), &["--yes"]);
    assert!(another.err.contains(&transaction), "{}", another.err);
    let unknown = resolve(&transaction, &"0".repeat(64), &["--yes"]);
    assert!(unknown.err.contains("no conflict is kept"), "{}", unknown.err);
    assert!(stored(&fixture.stack, &key).await.is_open());
}
