use serde_json::{Value, json};

use super::*;

fn item(transaction: &str, revision: &str, more: &Value) -> Value {
    let mut item = json!({"provider_transaction": format!("acme#{transaction}"), "revision": revision,
        "transaction_id": transaction,
        "received_at": "2026-11-23T12:00:00Z", "click": "foreign", "user_id": "u", "click_id": "c", "currency": "USD"});
    item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    item
}

/// Returns a transaction that rose from pending to approved, and from which 40 was taken.
fn items() -> Vec<Value> {
    let known = json!({"transaction_id": "t", "receipt_id": "1"});
    vec![
        item("t", "original", &json!({"receipt_id": "1", "state": "pending", "amount_decimal": "100"})),
        item(
            "t",
            "revision-000001",
            &json!({"receipt_id": "2", "state": "approved", "amount_decimal": "90",
            "kind": "step", "original_receipt_id": "1"}),
        ),
        item(
            "t",
            "revision-000002",
            &json!({"receipt_id": "3", "amount_decimal": "-40", "kind": "adjustment",
            "transaction_id": "r"}),
        ),
        item("r", "original", &json!({"receipt_id": "3", "amount_decimal": "-40", "reversed": known})),
    ]
}

fn call(status: u64, state: State, amount: &str, told: &Value) -> AnsweredCall {
    let content = Content { user_id: "u".into(), click_id: "c".into(), amount: amount.into() };
    let postback = Postback {
        provider: "acme".into(),
        transaction_id: "t".into(),
        content,
        state: Some(state),
        reverses: None,
        by_post: false,
    };
    AnsweredCall { postback, status, body: told.clone() }
}

fn answer(status: &str, receipt: &str, state: &str) -> Value {
    json!({"status": status, "receipt_id": receipt, "state": state})
}

fn answers() -> Vec<AnsweredCall> {
    let mut reversal = call(200, State::Approved, "-40", &answer("accepted", "3", "approved"));
    (reversal.postback.transaction_id, reversal.postback.state) = ("r".into(), None);
    let mut refused = reversal.clone();
    (refused.postback.transaction_id, refused.postback.reverses, refused.status) = ("q".into(), Some("t".into()), 409);
    refused.postback.content.amount = "-60".into();
    vec![
        call(200, State::Pending, "100", &answer("accepted", "1", "pending")),
        call(200, State::Approved, "90", &answer("accepted", "2", "approved")),
        call(200, State::Pending, "100", &answer("duplicate", "2", "approved")),
        call(409, State::Approved, "95", &Value::Null),
        call(409, State::Approved, "30", &Value::Null),
        reversal,
        refused,
    ]
}

fn told(items: &[Value]) -> Vec<Conversion> {
    let items: Vec<PostbackItem> = items.iter().map(|item| serde_json::from_value(item.clone()).unwrap()).collect();
    let told = items.into_iter().filter(|item| !item.is_adjustment());
    told.map(|item| Revision::try_from(item).unwrap().into()).collect()
}

fn differences(items: &[Value], told: Vec<Conversion>, answers: &[AnsweredCall]) -> Vec<String> {
    let items = items.iter().map(|item| serde_json::from_value(item.clone()).unwrap()).collect();
    let mut ledger = Ledger::default();
    Rising::new(items, told, Vec::new()).check(answers, &BTreeMap::from([("acme".into(), true)]), &mut ledger);
    ledger.differences().to_vec()
}

#[test]
fn a_correct_ledger_of_states_has_no_differences() {
    let twice = [told(&items()), told(&items())].concat();
    assert_eq!(differences(&items(), twice, &answers()), [""; 0]);
}

#[test]
fn each_fault_of_answers_is_a_difference() {
    let ok = |state, amount, status, receipt, stands| call(200, state, amount, &answer(status, receipt, stands));
    for (case, wrong) in [
        ("an unknown receipt", ok(State::Pending, "100", "duplicate", "9", "approved")),
        ("a lower state than was sent", ok(State::Approved, "90", "duplicate", "1", "pending")),
        ("another state than the receipt's", ok(State::Pending, "100", "duplicate", "2", "pending")),
        ("accepted twice", ok(State::Approved, "90", "accepted", "2", "approved")),
        ("accepted as something else", ok(State::Approved, "80", "accepted", "2", "approved")),
        ("a conflict with the same content", call(409, State::Approved, "90.00", &Value::Null)),
    ] {
        let answers = [answers(), vec![wrong]].concat();
        assert_eq!(differences(&items(), told(&items()), &answers).len(), 1, "{case}");
    }
    // A rejection contradicts nothing, because it takes what is left.
    let answers = [answers(), vec![call(409, State::Rejected, "90", &Value::Null)]].concat();
    assert_eq!(differences(&items(), told(&items()), &answers).len(), 1);
}

#[test]
fn each_fault_of_records_and_conversions_is_a_difference() {
    let changed = |at: usize, name: &str, value: Value| {
        let mut items = items();
        items[at][name] = value;
        items
    };
    for (case, items) in [
        ("a number is missing", changed(2, "revision", json!("revision-000003"))),
        ("a state comes twice", changed(0, "state", json!("approved"))),
        ("more was taken than stands", changed(2, "amount_decimal", json!("-91"))),
        ("a note names another transaction", changed(2, "transaction_id", json!("q"))),
        ("a note is missing", [&items()[..2], &items()[3..]].concat()),
    ] {
        assert!(!differences(&items, told(&items), &answers()).is_empty(), "{case}");
    }
    for (case, told) in [
        ("a step was never told", told(&[&items()[..1], &items()[3..]].concat())),
        ("another amount was told", told(&changed(1, "amount_decimal", json!("91")))),
        ("an unknown receipt was told", [told(&items()), told(&changed(1, "receipt_id", json!("9")))].concat()),
    ] {
        assert!(!differences(&items(), told, &answers()).is_empty(), "{case}");
    }
}
