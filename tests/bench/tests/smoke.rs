//! Checks that the stand-ins answer as AWS does where functions can tell the difference.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "clippy knows tests, but not what only tests call")]

use bench::{job::Job, probe::Probe, world::World};
use serde_json::{Value, json};

async fn world(name: &str) -> (World, Probe) {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let world = World::new(&folder).unwrap();
    let probe = Probe::connect(&world.aws.url(), &world.authority).await.unwrap();
    (world, probe)
}

async fn dynamodb(probe: &mut Probe, operation: &str, body: Value) -> (u16, Value) {
    let (status, date, answer) = probe.call(&format!("DynamoDB_20120810.{operation}"), &body).await.unwrap();
    assert!(date.ends_with(" GMT"), "a Date is what clients set their clocks by: {date}");
    (status, answer)
}

#[tokio::test]
async fn a_conditional_put_is_done_once_and_then_answers_the_item() {
    let (world, mut probe) = world("put").await;
    let put = |text: &str| {
        json!({
            "TableName": "records", "Item": {"pk": {"S": "a"}, "text": {"S": text}},
            "ConditionExpression": "attribute_not_exists(#key)", "ExpressionAttributeNames": {"#key": "pk"},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        })
    };
    world.aws.take_usage();
    assert_eq!(dynamodb(&mut probe, "PutItem", put("first")).await, (200, json!({})));
    let (status, answer) = dynamodb(&mut probe, "PutItem", put("second")).await;
    assert_eq!((status, &answer["Item"]["text"]["S"]), (400, &json!("first")));
    assert!(answer["__type"].as_str().unwrap().ends_with("#ConditionalCheckFailedException"));
    let (_, found) = dynamodb(&mut probe, "GetItem", json!({"TableName": "records", "Key": {"pk": {"S": "a"}}})).await;
    assert_eq!(found["Item"]["text"]["S"], "first");
    let usage = world.aws.take_usage();
    assert_eq!((usage.calls["PutItem records"], usage.write_units, usage.half_read_units), (2, 2, 1));
}

#[tokio::test]
async fn an_update_sets_counts_and_removes_under_its_condition() {
    let (_world, mut probe) = world("update").await;
    let item = json!({"id": {"S": "a"}, "n": {"N": "1"}, "gone": {"S": "x"}, "in": {"M": {"old": {"S": "y"}}}});
    dynamodb(&mut probe, "PutItem", json!({"TableName": "idempotency", "Item": item})).await;
    let update = json!({
        "TableName": "idempotency", "Key": {"id": {"S": "a"}}, "ReturnValues": "ALL_NEW",
        "UpdateExpression": "SET #in.#old = :new, first = if_not_exists(first, :new) ADD n :one REMOVE gone",
        "ConditionExpression": "attribute_not_exists(other) OR (n > :one AND attribute_exists(n))",
        "ExpressionAttributeNames": {"#in": "in", "#old": "old"},
        "ExpressionAttributeValues": {":new": {"S": "z"}, ":one": {"N": "1"}},
    });
    let (_, answer) = dynamodb(&mut probe, "UpdateItem", update.clone()).await;
    let expected = json!({"id": {"S": "a"}, "n": {"N": "2"}, "first": {"S": "z"}, "in": {"M": {"old": {"S": "z"}}}});
    assert_eq!(answer["Attributes"], expected);
    let mut refused = update;
    refused["ConditionExpression"] = "n < :one".into();
    assert_eq!(dynamodb(&mut probe, "UpdateItem", refused).await.0, 400);
}

#[tokio::test]
async fn a_batch_of_messages_is_taken_whole_and_is_one_request() {
    let (world, mut probe) = world("send").await;
    world.aws.take_usage();
    let entries: Vec<Value> = (0..10).map(|n| json!({"Id": n.to_string(), "MessageBody": "{}"})).collect();
    let body = json!({"QueueUrl": "https://127.0.0.1/000000000000/webhooks", "Entries": entries});
    let (status, _, answer) = probe.call("AmazonSQS.SendMessageBatch", &body).await.unwrap();
    assert_eq!((status, answer["Successful"].as_array().map(Vec::len)), (200, Some(10)));
    assert_eq!((world.aws.messages(), world.aws.take_usage().sqs_requests), (10, 1));
}

#[tokio::test]
async fn every_job_has_its_events() {
    let (world, _) = world("jobs").await;
    for contender in bench::contender::Contender::all() {
        let event = contender.job.event(&world).unwrap();
        assert!(event.is_object(), "{}", contender.name());
    }
    let sixth = Job::Deliveries { count: 1, way: "failing", attempt: 6 }.event(&world).unwrap();
    let message: Value = serde_json::from_str(sixth["Records"][0]["body"].as_str().unwrap()).unwrap();
    assert_eq!(message["n"], 6);
}
