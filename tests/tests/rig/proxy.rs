//! Tests that the proxy changes nothing, repeats nothing, and fails calls as planned.

use std::time::{Duration, Instant, SystemTime};

use aws_sdk_dynamodb::{
    config::retry::RetryConfig,
    error::{ProvideErrorMetadata as _, SdkError},
    operation::put_item::{PutItemError, PutItemOutput},
    types::AttributeValue,
};
use serde_json::{Value, json};
use tests::{
    proxy::{Action, AwsError, Call, CallEnding, Gate, Proxy, Service},
    stack,
};

use crate::fake_aws::FakeAws;

async fn in_front_of_a_fake() -> (FakeAws, Proxy) {
    let aws = FakeAws::start().await;
    let proxy = Proxy::start(&aws.endpoint_url()).await;
    (aws, proxy)
}

/// Puts an item with at most this many attempts.
async fn put(proxy: &Proxy, attempts: u32) -> Result<PutItemOutput, SdkError<PutItemError>> {
    let retry = RetryConfig::standard().with_max_attempts(attempts).with_initial_backoff(Duration::from_millis(1));
    let client = stack::dynamodb(&proxy.endpoint_url(), "us-east-1");
    let key = AttributeValue::S("acme".into());
    let put = client.put_item().table_name("postbacks").item("pk", key).customize();
    put.config_override(aws_sdk_dynamodb::config::Builder::new().retry_config(retry)).send().await
}

fn outcomes(proxy: &Proxy) -> Vec<CallEnding> {
    proxy.calls().iter().map(|call| call.outcome).collect()
}

#[tokio::test]
async fn a_call_has_its_service_operation_and_table_or_queue() {
    let (_aws, proxy) = in_front_of_a_fake().await;
    put(&proxy, 1).await.unwrap();
    let sqs = stack::sqs(&proxy.endpoint_url(), "us-east-1");
    let queue = "http://localhost:4570/000000000000/gg3-conversions";
    sqs.send_message().queue_url(queue).message_body("hello").send().await.unwrap();
    let client = stack::http_client();
    client.get(format!("{}/health?x=1", proxy.endpoint_url())).send().await.unwrap();
    for (target, body) in [
        ("TransactWriteItems", json!({"TransactItems": [{"Put": {"TableName": "b"}}, {"Delete": {"TableName": "a"}}]})),
        ("BatchGetItem", json!({"RequestItems": {"arn:aws:dynamodb:us-east-1:000000000000:table/c": {}}})),
    ] {
        let request = client.post(proxy.endpoint_url()).header("x-amz-target", format!("DynamoDB_20120810.{target}"));
        request.body(body.to_string()).send().await.unwrap();
    }

    let calls = proxy.calls();
    let known: Vec<_> =
        calls.iter().map(|call| (call.service, &*call.operation, call.table_or_queue.as_deref())).collect();
    let expected = [
        (Service::DynamoDb, "PutItem", Some("postbacks")),
        (Service::Sqs, "SendMessage", Some("gg3-conversions")),
        (Service::Other, "GET /health", None),
        (Service::DynamoDb, "TransactWriteItems", Some("a,b")),
        (Service::DynamoDb, "BatchGetItem", Some("c")),
    ];
    assert_eq!(known, expected);
    assert_eq!(calls[0].body["Item"]["pk"]["S"], "acme");
    assert!(calls.iter().all(|call| call.reached_service && call.outcome == CallEnding::Answered(200)));
    assert_eq!(proxy.count("PutItem"), 1);
    assert_eq!(proxy.take_calls().len(), 5);
    assert_eq!(proxy.calls(), []);
}

#[tokio::test]
async fn each_repeat_by_an_sdk_is_a_call_of_its_own() {
    let (aws, proxy) = in_front_of_a_fake().await;
    proxy.on(|call| if call.nth <= 2 { Action::Throttle } else { Action::Forward });
    put(&proxy, 3).await.unwrap();
    assert_eq!(outcomes(&proxy), [CallEnding::Answered(400), CallEnding::Answered(400), CallEnding::Answered(200)]);
    assert_eq!(aws.asked(), ["PutItem"]);
}

#[tokio::test]
async fn a_planned_error_parses_as_the_services_own() {
    let (aws, proxy) = in_front_of_a_fake().await;
    proxy.on(|_| Action::Throttle);
    let error = put(&proxy, 1).await.unwrap_err().into_service_error();
    let PutItemError::ProvisionedThroughputExceededException(error) = error else { panic!("{error:?}") };
    assert_eq!(
        error.throttling_reasons()[0].resource(),
        Some("arn:aws:dynamodb:us-east-1:000000000000:table/postbacks")
    );

    proxy.on(|_| Action::FailBefore(AwsError::throttling()));
    let error = put(&proxy, 1).await.unwrap_err().into_service_error();
    assert!(matches!(error, PutItemError::ThrottlingException(_)), "{error:?}");

    proxy.on(|_| Action::FailBefore(AwsError::internal_server_error()));
    let error = put(&proxy, 1).await.unwrap_err().into_service_error();
    assert!(error.is_internal_server_error(), "{error:?}");

    let sqs = stack::sqs(&proxy.endpoint_url(), "us-east-1");
    proxy.on(|_| Action::Throttle);
    let error = sqs.list_queues().customize();
    let retry = aws_sdk_sqs::config::retry::RetryConfig::disabled();
    let error = error.config_override(aws_sdk_sqs::config::Builder::new().retry_config(retry)).send().await;
    assert_eq!(error.unwrap_err().code(), Some("RequestThrottled"));
    assert!(aws.asked().is_empty());
}

#[tokio::test]
async fn a_planned_error_is_dated_now_and_an_answer_keeps_its_date() {
    let (_aws, proxy) = in_front_of_a_fake().await;
    let date = async || {
        let answer = stack::http_client().get(proxy.endpoint_url()).send().await.unwrap();
        let date = answer.headers()["date"].to_str().unwrap().to_owned();
        jiff::fmt::rfc2822::parse(&date).unwrap().timestamp()
    };
    assert_eq!(date().await, "2026-11-23T12:00:00Z".parse().unwrap());
    proxy.on(|_| Action::Throttle);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let age = now.abs_diff(date().await.as_second().try_into().unwrap());
    assert!(age <= 2, "{age} s");
}

#[tokio::test]
async fn only_a_call_that_fails_after_the_service_is_processed() {
    let (aws, proxy) = in_front_of_a_fake().await;
    let before = [Action::CutBefore, Action::FailBefore(AwsError::service_unavailable()), Action::Throttle];
    for action in before {
        proxy.on(move |_| action.clone());
        put(&proxy, 1).await.unwrap_err();
    }
    assert!(aws.asked().is_empty());
    for action in [Action::CutAfter, Action::ForwardThenFail(AwsError::internal_server_error())] {
        proxy.on(move |_| action.clone());
        put(&proxy, 1).await.unwrap_err();
    }
    assert_eq!(aws.asked().len(), 2);
    let expected = [
        CallEnding::Cut,
        CallEnding::Answered(503),
        CallEnding::Answered(400),
        CallEnding::Cut,
        CallEnding::Answered(500),
    ];
    assert_eq!(outcomes(&proxy), expected);
    let reached: Vec<_> = proxy.calls().iter().map(|call| call.reached_service).collect();
    assert_eq!(reached, [false, false, false, true, true]);
}

#[tokio::test]
async fn silence_lasts_until_the_client_gives_up() {
    let (aws, proxy) = in_front_of_a_fake().await;
    for (action, done) in [(Action::SilenceBefore, 0), (Action::SilenceAfter, 1)] {
        proxy.on(move |_| action.clone());
        let waiting = tokio::spawn(stack::http_client().get(proxy.endpoint_url()).send());
        proxy.until(|calls| calls.last().is_some_and(|call| call.outcome == CallEnding::Silence)).await;
        assert_eq!(aws.asked().len(), done);
        assert!(!waiting.is_finished());
        waiting.abort();
        assert_eq!(proxy.take_calls().len(), 1);
    }
    proxy.settled().await;
}

#[tokio::test]
async fn a_delay_lasts_as_long_as_planned() {
    let (_aws, proxy) = in_front_of_a_fake().await;
    for action in [Action::Delay, Action::DelayAnswer] {
        proxy.on(move |_| action(Duration::from_millis(60)));
        let start = Instant::now();
        put(&proxy, 1).await.unwrap();
        assert!(start.elapsed() >= Duration::from_millis(60));
    }
}

#[tokio::test]
async fn a_missing_service_cuts_the_connection() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let proxy = Proxy::start(&format!("http://{gone}/")).await;
    put(&proxy, 1).await.unwrap_err();
    assert_eq!(outcomes(&proxy), [CallEnding::Cut]);
}

#[tokio::test]
async fn a_gate_holds_every_call_until_it_is_opened() {
    let (aws, proxy) = in_front_of_a_fake().await;
    let gate = Gate::new();
    let held = gate.clone();
    proxy.on(move |_| Action::Hold(held.clone()));
    let client = stack::http_client();
    let calls: Vec<_> = (0..50).map(|_| tokio::spawn(client.get(proxy.endpoint_url()).send())).collect();
    assert_eq!(gate.hits(50).await.len(), 50);
    assert!(aws.asked().is_empty());
    gate.open();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(aws.asked().len(), 50);
}

#[tokio::test]
async fn a_pause_holds_one_call_and_lets_the_others_pass() {
    let (_aws, proxy) = in_front_of_a_fake().await;
    let first = proxy.pause_before("PutItem");
    let second = proxy.pause_before(|call: &Call| call.table_or_queue.as_deref() == Some("postbacks"));
    let elsewhere = proxy.pause_before("GetItem");
    let (one, two, ()) = tokio::join!(put(&proxy, 1), put(&proxy, 1), async {
        assert_ne!(first.hit().await.number, second.hit().await.number);
        put(&proxy, 1).await.unwrap();
        first.open();
        second.cut();
    });
    assert_eq!([one, two].iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(!elsewhere.is_hit());
}

/// Returns an event that orders the echo function to call AWS.
fn order(proxy: &Proxy) -> Value {
    let body = json!({"TableName": "postbacks"});
    json!({"do": "call", "endpoint_url": proxy.endpoint_url(), "target": "DynamoDB_20120810.PutItem", "body": body})
}

#[tokio::test]
async fn a_function_can_be_killed_between_a_write_and_its_answer() {
    let (aws, proxy) = in_front_of_a_fake().await;
    let function = crate::echo().spawn().await;
    let (written, order) = (proxy.pause_after("PutItem"), order(&proxy));
    let (invocation, status) = tokio::join!(function.invoke(&order), async {
        written.hit().await;
        assert_eq!(aws.asked(), ["PutItem"]);
        let status = function.kill().await;
        written.open();
        status
    });
    assert_eq!(invocation.outcome, tests::runtime_api::InvocationEnding::Died(status));
    proxy.settled().await;
    assert_eq!(aws.asked(), ["PutItem"]);
}

#[tokio::test]
async fn a_test_decides_the_fate_of_a_killed_functions_call() {
    for (open, done) in [(true, 1), (false, 0)] {
        let (aws, proxy) = in_front_of_a_fake().await;
        let function = crate::echo().spawn().await;
        let (sent, order) = (proxy.pause_before("PutItem"), order(&proxy));
        tokio::join!(function.invoke(&order), async {
            sent.hit().await;
            assert!(aws.asked().is_empty());
            function.kill().await;
            if open { sent.open() } else { sent.cut() }
        });
        proxy.settled().await;
        assert_eq!(aws.asked().len(), done);
    }
}
