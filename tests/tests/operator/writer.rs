//! Tests `lookup-writer` as a separate process, with a proxy in front of the stack's AWS.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use adapters::dynamodb::lookups::DynamoLookups;
use app::ports::Lookups;
use domain::{
    jiff::Timestamp,
    lookup::{Kind, LookupEntry, Place, Subject},
    values::ids::UserId,
};
use serde_json::{Value, json};
use tests::{
    payload::{Change, Message, queue_event, stream_event},
    proxy::{Action, Call, Proxy},
    runtime_api::{Function, Settings},
};

use crate::fixture::{Fixture, fresh};

async fn writer(fixture: &Fixture) -> (Proxy, Function) {
    let proxy = Proxy::start(&fixture.stack.aws_endpoint_url).await;
    let queue = fixture.stack.queue("lookup-dead-letters");
    let function = Settings::built("lookup-writer")
        .variables(fixture.stack.aws_environment(&proxy.endpoint_url()))
        .variable("LOOKUPS_TABLE", fixture.stack.table("lookups"))
        .variable("SECRETS_TABLE", fixture.stack.table("secrets"))
        .variable("ARCHIVE_STREAMS", format!("{}-archive", fixture.stack.stack_name))
        .variable(
            "LOOKUP_DEAD_LETTERS_QUEUE_URL",
            queue.replace(&fixture.stack.aws_endpoint_url, &proxy.endpoint_url()),
        )
        .variable("FUNCTION_TIMEOUT_SECONDS", "60")
        .timeout(Duration::from_mins(1))
        .spawn()
        .await;
    (proxy, function)
}

/// Returns the stream's record of a click that is not stored.
fn clicked(user: &str, click: &str, sequence: usize) -> Change {
    let text = |value: &str| json!({"S": value});
    let keys = json!({"click_id": text(click)});
    let image = json!({
        "click_id": text(click), "provider": text("acme"), "landing": text("welcome"), "user_id": text(user),
        "clicked_at": text("2026-11-23T12:00:00Z"), "expires_at": {"N": "4000000000"},
    });
    // With an earlier time, the writer would look late, and other tests on this stack would get warnings.
    Change::insert(keys, image).sequence_number(&sequence.to_string()).at(tests::now())
}

fn broken(name: &str, sequence: usize) -> Change {
    let keys = json!({"click_id": {"S": name}});
    Change::insert(keys.clone(), keys).sequence_number(&sequence.to_string()).at(tests::now())
}

fn failures(response: &Value) -> Vec<&str> {
    let failures = response["batchItemFailures"].as_array().unwrap();
    failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap()).collect()
}

/// Counts the entries of a user in all shards.
async fn entries(fixture: &Fixture, user: &str) -> usize {
    let mut found = 0;
    for shard in 0..domain::lookup::SHARDS {
        let query = fixture.stack.dynamodb().query().table_name(fixture.stack.table("lookups"));
        let query = query.key_condition_expression("#s = :s").expression_attribute_names("#s", "subject");
        let subject = format!("user/{user}#{shard:02}");
        let query = query.expression_attribute_values(":s", aws_sdk_dynamodb::types::AttributeValue::S(subject));
        found += query.send().await.unwrap().items().len();
    }
    found
}

#[tokio::test]
async fn an_unreadable_record_is_set_aside_and_a_repeat_is_harmless() {
    let fixture = Fixture::new();
    let (_proxy, writer) = writer(&fixture).await;
    let (user, bad) = (fresh("u"), fresh("bad"));
    let event = stream_event("clicks", [clicked(&user, "c-1", 1), broken(&bad, 2), clicked(&user, "c-2", 3)]);
    for _ in 0..2 {
        assert_eq!(failures(&writer.invoke(&event).await.response()), [""; 0]);
        assert_eq!(entries(&fixture, &user).await, 2);
    }
    let dead = dead_letter(&fixture, &bad).await;
    assert_eq!(serde_json::from_str::<Value>(&dead).unwrap()["dynamodb"]["SequenceNumber"], "2");
    // A repaired record that is put back is read as usual.
    let record = stream_event("clicks", [clicked(&user, "c-3", 2)])["Records"][0].to_string();
    let event = queue_event("lookup-retries", [Message::new(record).id("m1")]);
    assert_eq!(failures(&writer.invoke(&event).await.response()), [""; 0]);
    assert_eq!(entries(&fixture, &user).await, 3);
}

#[tokio::test]
async fn a_failing_table_holds_the_stream_at_its_lowest_record() {
    let fixture = Fixture::new();
    let (proxy, writer) = writer(&fixture).await;
    let user = fresh("u");
    let event = stream_event("clicks", (0..60).map(|n| clicked(&user, &format!("c-{n}"), 100 + n)));
    proxy.on(|_| Action::Throttle);
    assert_eq!(failures(&writer.invoke(&event).await.response()), ["100"]);
    assert_eq!(entries(&fixture, &user).await, 0);
    proxy.on(|_| Action::Forward);
    proxy.take_calls();
    assert_eq!(failures(&writer.invoke(&event).await.response()), [""; 0]);
    let operations: Vec<String> = proxy.take_calls().into_iter().map(|call| call.operation).collect();
    let batches = ["BatchWriteItem"; 3];
    let expected = [&["GetItem"], &batches[..], &["PutRecord", "UpdateItem"]].concat();
    assert_eq!(operations, expected, "twenty-five entries a request, and one for all rows");
    writer.invoke(&event).await.response();
    assert_eq!(proxy.take_calls().len(), 4, "the key is read once, and one heartbeat a minute");
    assert_eq!(entries(&fixture, &user).await, 60);
}

#[tokio::test]
async fn a_failing_archive_holds_the_stream_but_not_the_lookups() {
    let fixture = Fixture::new();
    let (proxy, writer) = writer(&fixture).await;
    let user = fresh("u");
    let event = stream_event("clicks", (0..2).map(|n| clicked(&user, &fresh("c"), 100 + n)));
    proxy.on(|call: &Call| if call.operation == "PutRecord" { Action::Throttle } else { Action::Forward });
    assert_eq!(failures(&writer.invoke(&event).await.response()), ["100"]);
    assert_eq!(entries(&fixture, &user).await, 2);
    proxy.on(|_| Action::Forward);
    assert_eq!(failures(&writer.invoke(&event).await.response()), [""; 0]);
}

/// Starts a DynamoDB that leaves this user's writes unprocessed. Returns its URL and the count of its requests.
async fn half_full(stubborn: &str) -> (String, Arc<AtomicUsize>) {
    let (stubborn, requests) = (stubborn.to_owned(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&requests);
    let answer = move |body: axum::body::Bytes| {
        counted.fetch_add(1, Ordering::Relaxed);
        let request: Value = serde_json::from_slice(&body).unwrap();
        let mut left = serde_json::Map::new();
        for (table, writes) in request["RequestItems"].as_object().unwrap() {
            let writes = writes.as_array().unwrap().iter().filter(|write| write.to_string().contains(&stubborn));
            left.insert(table.clone(), writes.cloned().collect());
        }
        left.retain(|_, writes| writes.as_array().is_some_and(|writes| !writes.is_empty()));
        let body = json!({ "UnprocessedItems": left }).to_string();
        std::future::ready(([("content-type", "application/x-amz-json-1.0")], body))
    };
    let listener = tokio::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    (url, requests)
}

#[tokio::test]
async fn unprocessed_items_are_sent_again_and_fail_alone() {
    let (url, requests) = half_full("stubborn").await;
    let lookups = DynamoLookups::new(tests::stack::dynamodb(&url, "us-east-1"), "lookups".into());
    let entry = |user: &str| {
        let place = Place::new(Timestamp::UNIX_EPOCH, Kind::Click, user);
        LookupEntry { subject: Subject::User(UserId::new(user).unwrap()), place, expires_at: None }
    };
    let results = lookups.put(&["a", "stubborn", "b"].map(entry)).await;
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(requests.load(Ordering::Relaxed), 3);
    assert!(lookups.put(&["a", "b"].map(entry)).await.iter().all(Result::is_ok));
    assert_eq!(requests.load(Ordering::Relaxed), 4);
}

/// Waits for the dead letter that contains this text, removes it, and returns its body.
async fn dead_letter(fixture: &Fixture, name: &str) -> String {
    let (sqs, queue) = (fixture.stack.sqs(), fixture.stack.queue("lookup-dead-letters"));
    for _ in 0..20 {
        let receive = sqs.receive_message().queue_url(queue).wait_time_seconds(1).message_attribute_names("All");
        for message in receive.send().await.unwrap().messages.unwrap_or_default() {
            let body = message.body.unwrap();
            if body.contains(name) {
                assert!(!message.message_attributes.unwrap()["reason"].string_value().unwrap().is_empty());
                let handle = message.receipt_handle.unwrap();
                sqs.delete_message().queue_url(queue).receipt_handle(handle).send().await.unwrap();
                return body;
            }
        }
    }
    panic!("no dead letter of {name}")
}
