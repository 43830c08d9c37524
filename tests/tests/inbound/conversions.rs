//! Tests the conversions that GG3 receives.

use std::{path::Path, time::Duration};

use domain::values::ids::{Provider, TransactionId, TransactionKey};
use serde_json::{Value, json};
use tests::{
    eventually,
    payload::{Change, Message, queue_event, stream_event},
    proxy::{Action, Proxy},
    runtime_api::{Function, Settings},
};

use crate::fixture::{Conversions, Fixture, fresh, sample};

fn schema() -> jsonschema::Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/domain/schemas/conversion.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

#[tokio::test]
async fn every_accepted_postback_reaches_the_queue_as_its_schema_says() {
    let fixture = Fixture::new();
    let transaction = fresh("t");
    let query = format!("{}&event_id=001&event_name=za%C5%BC%C3%B3%C5%82%C4%87+%F0%9F%98%80", sample(&transaction));
    let receipt = fixture.postback("acme", &query).await;
    let arrived = Conversions::shared().of("acme", &transaction).await;
    assert_eq!(arrived.len(), 1);
    let conversion = &arrived[0];
    let faults: Vec<String> = schema().iter_errors(conversion).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{faults:?}");
    let expected = json!({
        "schema_version": 1, "type": "conversion.accepted", "provider": "acme", "transaction_id": transaction,
        "receipt_id": receipt.body["receipt_id"], "received_at": receipt.body["received_at"], "user_id": "12345",
        "click_id": "67890", "click": "foreign", "currency": "USD", "amount_decimal": "100.00", "event_id": "001",
        "event_name": "zażółć 😀",
    });
    assert_eq!(conversion, &expected);
}

#[tokio::test]
async fn kept_parameters_reach_the_queue_and_are_no_content() {
    let fixture = Fixture::new();
    let transaction = fresh("t");
    let query = sample(&transaction);
    for (more, word) in [("&sub1=a%2Fb+%C5%BC&goal=&other=1", "OK"), ("&sub1=other", "DUP"), ("", "DUP")] {
        assert_eq!(fixture.postback("soylent", &format!("{query}{more}")).await.body, word, "{more}");
    }
    let arrived = Conversions::shared().of("soylent", &transaction).await;
    assert_eq!((arrived.len(), &arrived[0]["extra"]), (1, &json!({"sub1": "a/b ż"})));
    let faults: Vec<String> = schema().iter_errors(&arrived[0]).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{faults:?}");
    let long = fixture.postback("soylent", &format!("{query}&goal={}", "x".repeat(256))).await;
    assert_eq!((long.status, long.faults()), (400, vec![("goal".to_owned(), "too_long".to_owned())]));
    let dry_run = fixture.postback("soylent", &format!("{query}&sub1=a&sub2=b&dry_run=true")).await;
    assert_eq!(dry_run.body["ignored"], json!(["sub2"]));
    let plain = fresh("t");
    assert_eq!(fixture.postback("soylent", &sample(&plain)).await.body, "OK");
    assert!(Conversions::shared().of("soylent", &plain).await[0].get("extra").is_none());
}

#[tokio::test]
async fn the_schema_refuses_malformed_conversions() {
    let good = json!({
        "schema_version": 1, "type": "conversion.accepted", "provider": "acme", "transaction_id": "t",
        "receipt_id": "r", "received_at": "2026-11-23T12:00:00.500Z", "user_id": "u", "click_id": "c",
        "click": "verified", "currency": "USD", "amount_decimal": "1.5",
    });
    let schema = schema();
    assert!(schema.is_valid(&good));
    for (name, bad) in [
        ("amount_decimal", json!(1.5)),
        ("amount_decimal", json!("-1")),
        ("click", json!("unknown")),
        ("provider", json!("ACME")),
        ("user_id", json!("")),
        ("schema_version", json!(2)),
    ] {
        let mut spoilt = good.clone();
        spoilt[name] = bad;
        assert!(!schema.is_valid(&spoilt), "{name}");
    }
    // A conversion with an original must be a whole correction or have a state.
    let mut corrected = good.clone();
    corrected["type"] = json!("conversion.corrected");
    assert!(!schema.is_valid(&corrected));
    let whole = json!({"original_receipt_id": "r0", "correction": 1, "corrected_at": "2026-11-24T12:00:00.000Z"});
    for (name, value) in whole.as_object().unwrap() {
        let mut mixed = good.clone();
        mixed[name] = value.clone();
        assert!(!schema.is_valid(&mixed), "{name}");
        corrected[name] = value.clone();
    }
    assert!(schema.is_valid(&corrected));
    corrected["correction"] = json!(0);
    assert!(!schema.is_valid(&corrected));
}

#[tokio::test]
async fn each_step_of_a_transaction_reaches_the_queue() {
    let fixture = Fixture::new();
    let (transaction, reversal) = (fresh("t"), fresh("r"));
    let mut receipts = Vec::new();
    for (state, amount) in [("pending", "100.00"), ("approved", "90.00"), ("chargeback", "90.00")] {
        let query = format!("{}&state={state}", sample(&transaction).replace("100.00", amount));
        let reply = fixture.postback("hooli", &query).await;
        assert_eq!((reply.status, reply.text("status")), (200, "accepted"), "{reply:?}");
        receipts.push(reply.body["receipt_id"].clone());
    }
    let query = format!("{}&original_id=nowhere", sample(&reversal).replace("100.00", "-5"));
    assert_eq!(fixture.postback("hooli", &query).await.text("status"), "accepted");
    let adjusted = Conversions::shared().of("hooli", &reversal).await;
    assert_eq!((&adjusted[0]["type"], &adjusted[0]["original"]), (&json!("conversion.adjusted"), &json!("unknown")));
    let mut arrived = Vec::new();
    for _ in 0..100 {
        arrived = Conversions::shared().of("hooli", &transaction).await;
        if arrived.len() >= 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let told: Vec<(&str, &Value, &str)> = arrived
        .iter()
        .map(|it| (it["type"].as_str().unwrap(), &it["original_receipt_id"], it["amount_decimal"].as_str().unwrap()))
        .collect();
    for expected in [
        ("conversion.pending", &Value::Null, "100.00"),
        ("conversion.accepted", &receipts[0], "90.00"),
        ("conversion.rejected", &receipts[0], "90.00"),
    ] {
        assert!(told.contains(&expected), "{expected:?} in {told:?}");
    }
    for conversion in arrived.iter().chain(&adjusted) {
        let faults: Vec<String> = schema().iter_errors(conversion).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?}: {conversion}");
    }
}

#[tokio::test]
async fn a_reversal_that_nobody_agreed_on_is_refused() {
    let fixture = Fixture::new();
    let query = sample(&fresh("t"));
    assert_eq!(fixture.postback("acme", &query).await.text("status"), "accepted");
    let refused = fixture.postback("acme", &format!("{query}&status=rejected")).await;
    assert_eq!((refused.status, refused.faults()), (400, vec![("status".into(), "status_not_agreed".into())]));
}

/// Starts the relay as a separate process, with a proxy in front of the stack's SQS.
async fn relay(fixture: &Fixture) -> (Proxy, Function) {
    let proxy = Proxy::start(&fixture.stack.aws_endpoint_url).await;
    let through =
        |queue: &str| fixture.stack.queue(queue).replace(&fixture.stack.aws_endpoint_url, &proxy.endpoint_url());
    let function = Settings::built("conversion-relay")
        .variables(fixture.stack.aws_environment(&proxy.endpoint_url()))
        .variable("POSTBACKS_TABLE", fixture.stack.table("postbacks"))
        .variable("CONVERSIONS_QUEUE_URL", through("gg3-conversions"))
        .variable("CONVERSION_DEAD_LETTERS_QUEUE_URL", through("conversion-dead-letters"))
        .timeout(Duration::from_secs(30))
        .spawn()
        .await;
    (proxy, function)
}

fn inserted(transaction: &str, sequence: usize) -> Change {
    let key = TransactionKey::of(&Provider::new("acme").unwrap(), &TransactionId::new(transaction).unwrap());
    let keys = json!({"provider_transaction": {"S": key.as_str()}, "revision": {"S": "original"}});
    let mut image = keys.clone();
    for (name, value) in [
        ("transaction_id", transaction),
        ("receipt_id", "r"),
        ("received_at", "2026-11-23T12:00:00Z"),
        ("click", "foreign"),
        ("user_id", "u"),
        ("click_id", "c"),
        ("currency", "USD"),
        ("amount_decimal", "1.50"),
    ] {
        image[name] = json!({"S": value});
    }
    Change::insert(keys, image).sequence_number(&sequence.to_string())
}

/// Returns a record that cannot be converted, because it has no amount.
fn broken(transaction: &str, sequence: usize) -> Change {
    let keys = json!({"provider_transaction": {"S": transaction}, "revision": {"S": "original"}});
    Change::insert(keys.clone(), keys).sequence_number(&sequence.to_string())
}

fn failures(response: &Value) -> Vec<&str> {
    let failures = response["batchItemFailures"].as_array().unwrap();
    failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_unconvertible_record_is_set_aside_and_can_be_redriven() {
    let fixture = Fixture::new();
    let (_proxy, relay) = relay(&fixture).await;
    let (good, bad) = (fresh("t"), fresh("bad"));
    let event = stream_event("postbacks", [inserted(&good, 1), broken(&bad, 2)]);
    assert_eq!(failures(&relay.invoke(&event).await.response()), [""; 0]);
    assert_eq!(Conversions::shared().of("acme", &good).await.len(), 1);

    let dead = dead_letter(&fixture, &bad).await;
    assert_eq!(serde_json::from_str::<Value>(&dead).unwrap()["dynamodb"]["SequenceNumber"], "2");
    // An unchanged record is set aside again.
    let event = queue_event("conversion-retries", [Message::new(dead).id("m1")]);
    assert_eq!(failures(&relay.invoke(&event).await.response()), [""; 0]);
    dead_letter(&fixture, &bad).await;
}

#[tokio::test]
async fn a_message_put_back_becomes_the_stored_postback_or_nothing() {
    let fixture = Fixture::new();
    let (proxy, relay) = relay(&fixture).await;
    let (stored, invented) = (fresh("t"), fresh("t"));
    fixture.postback("acme", &sample(&stored)).await;
    let first = Conversions::shared().of("acme", &stored).await;
    // Both messages claim 999,999 USD for another user. Only one of them names a recorded postback.
    let forged = |transaction: &str| {
        let record = stream_event("postbacks", [inserted(transaction, 1)])["Records"][0].to_string();
        let forged = record.replace("\"1.50\"", "\"999999.00\"");
        assert_ne!(forged, record);
        Message::new(forged)
    };
    let event = queue_event("conversion-retries", [forged(&stored), forged(&invented)]);
    assert_eq!(failures(&relay.invoke(&event).await.response()), [""; 0]);
    let calls: Vec<String> = proxy.take_calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(calls.iter().filter(|call| *call == "BatchGetItem").count(), 1, "{calls:?}");
    dead_letter(&fixture, &invented).await;
    let arrived = eventually("the recorded postback was sent again", async || {
        Some(Conversions::shared().so_far("acme", &stored)).filter(|arrived| arrived.len() == 2)
    });
    assert_eq!(arrived.await, [first.clone(), first].concat());
    assert!(Conversions::shared().so_far("acme", &invented).is_empty());
}

/// Waits for the dead letter that contains this transaction, removes it, and returns its body.
async fn dead_letter(fixture: &Fixture, transaction: &str) -> String {
    let (sqs, queue) = (fixture.stack.sqs(), fixture.stack.queue("conversion-dead-letters"));
    for _ in 0..20 {
        let receive = sqs.receive_message().queue_url(queue).wait_time_seconds(1).message_attribute_names("All");
        for message in receive.send().await.unwrap().messages.unwrap_or_default() {
            let body = message.body.unwrap();
            if body.contains(transaction) {
                let reason = &message.message_attributes.unwrap()["reason"];
                assert!(!reason.string_value().unwrap().is_empty());
                sqs.delete_message()
                    .queue_url(queue)
                    .receipt_handle(message.receipt_handle.unwrap())
                    .send()
                    .await
                    .unwrap();
                return body;
            }
        }
    }
    panic!("no dead letter contains {transaction}")
}

#[tokio::test]
async fn a_failing_queue_stops_the_stream_at_its_first_record() {
    let fixture = Fixture::new();
    let (proxy, relay) = relay(&fixture).await;
    let transaction = fresh("t");
    let event = stream_event("postbacks", [inserted(&transaction, 7), inserted(&fresh("t"), 8)]);
    proxy.on(|_| Action::Throttle);
    assert_eq!(failures(&relay.invoke(&event).await.response()), ["7"]);
    proxy.on(|_| Action::Forward);
    assert_eq!(failures(&relay.invoke(&event).await.response()), [""; 0]);
    assert_eq!(Conversions::shared().of("acme", &transaction).await.len(), 1);
}
