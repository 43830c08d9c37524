//! Counts the calls that an answer costs, and tests failures of AWS, slow calls and a kill at the worst instant. The
//! function is the real binary. A proxy stands between it and the stack.

use std::time::{Duration, Instant};

use adapters::dynamodb::item::PartnerItem;
use domain::values::ids::Provider;
use serde_json::Value;
use tests::{
    payload::HttpRequest,
    proxy::{Action, Call, Proxy},
    runtime_api::{Function, InvocationEnding, Settings},
};

use crate::{
    click_rules::Clicks,
    fixture::{Fixture, fresh, sample},
};

/// Equals the timeout of `postback` in template.yaml.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) struct Rig {
    pub(crate) fixture: Fixture,
    proxy: Proxy,
    settings: Settings,
    function: Function,
}

impl Rig {
    pub(crate) async fn new() -> Self {
        let fixture = Fixture::new();
        let proxy = Proxy::start(&fixture.stack.aws_endpoint_url).await;
        let settings = Settings::built("postback")
            .variables(fixture.stack.aws_environment(&proxy.endpoint_url()))
            .variable("PARTNERS_TABLE", fixture.stack.table("partners"))
            .variable("SECRETS_TABLE", fixture.stack.table("secrets"))
            .variable("POSTBACKS_TABLE", fixture.stack.table("postbacks"))
            .variable("REFUSALS_TABLE", fixture.stack.table("refusals"))
            .variable("PARTNER_FRESH_SECONDS", "60")
            .variable("FUNCTION_TIMEOUT_SECONDS", FUNCTION_TIMEOUT.as_secs().to_string())
            .timeout(FUNCTION_TIMEOUT);
        let function = settings.spawn().await;
        function.wait_until_ready().await.unwrap();
        Self { fixture, proxy, settings, function }
    }

    /// Starts a function that has acme in memory, and clears the journal.
    async fn warm() -> Self {
        let rig = Self::new().await;
        assert_eq!(rig.call(&sample(&fresh("t"))).await.0, 200);
        rig.proxy.take_calls();
        rig
    }

    async fn call(&self, query: &str) -> (u16, Value) {
        self.call_partner("acme", query).await
    }

    async fn call_partner(&self, partner: &str, query: &str) -> (u16, Value) {
        let token = self.fixture.stack.partner(partner).token.clone().unwrap_or_default();
        self.call_with((partner, &token), query).await
    }

    pub(crate) async fn call_with(&self, (partner, token): (&str, &str), query: &str) -> (u16, Value) {
        let request = HttpRequest::get(&format!("/postback/{partner}/{token}?{query}"));
        let request = request.route("GET /postback/{provider}/{token}");
        let response = self.function.invoke(&request.event()).await.response();
        let body = response["body"].as_str().unwrap_or_default();
        if response["statusCode"] == 503 {
            assert!(response["headers"]["retry-after"].is_string(), "{response}");
        }
        let status = u16::try_from(response["statusCode"].as_u64().unwrap()).unwrap();
        (status, serde_json::from_str(body).unwrap())
    }

    pub(crate) fn operations(&self) -> Vec<String> {
        self.proxy.take_calls().into_iter().map(|call| call.operation).collect()
    }
}

fn is_write(call: &Call) -> bool {
    matches!(call.operation.as_str(), "PutItem" | "UpdateItem")
}

#[tokio::test]
async fn init_reads_once_and_the_first_call_once_more() {
    let rig = Rig::new().await;
    assert_eq!(rig.operations(), ["GetItem"]);
    rig.call(&sample(&fresh("t"))).await;
    assert_eq!(rig.operations(), ["BatchGetItem", "PutItem"]);
}

/// Returns the keys that a call reads from the table `secrets`.
fn secrets_read(call: &Call, table: &str) -> Vec<String> {
    let batch = call.body["RequestItems"][table]["Keys"].as_array().cloned().unwrap_or_default();
    let single = Some(&call.body["Key"]).filter(|_| call.body["TableName"] == table).cloned();
    batch.into_iter().chain(single).map(|key| key["owner"]["S"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn postback_reads_only_the_secrets_that_postbacks_need() {
    let rig = Rig::new().await;
    for partner in ["acme", "initech"] {
        rig.call_partner(partner, "user_id=1").await;
    }
    let table = rig.fixture.stack.table("secrets");
    let read: Vec<String> = rig.proxy.take_calls().iter().flat_map(|call| secrets_read(call, table)).collect();
    assert_eq!(read, ["click", "postback#acme", "postback#initech"]);
}

#[tokio::test]
async fn click_reads_only_the_keys_of_click_ids_and_links() {
    let fixture = Fixture::new();
    let proxy = Proxy::start(&fixture.stack.aws_endpoint_url).await;
    let mut settings = Settings::built("click").variables(fixture.stack.aws_environment(&proxy.endpoint_url()));
    for noun in ["partners", "secrets", "clicks"] {
        settings = settings.variable(format!("{}_TABLE", noun.to_uppercase()), fixture.stack.table(noun));
    }
    let settings = settings.variable("FUNCTION_TIMEOUT_SECONDS", "5").timeout(FUNCTION_TIMEOUT);
    settings.spawn().await.wait_until_ready().await.unwrap();
    let table = fixture.stack.table("secrets");
    let read: Vec<String> = proxy.take_calls().iter().flat_map(|call| secrets_read(call, table)).collect();
    assert_eq!(read, ["click", "link"]);
}

#[tokio::test]
async fn a_signing_partner_without_secrets_is_asked_to_come_again() {
    let fixture = Fixture::new();
    let name = fresh("signs");
    let item = PartnerItem {
        pauses: domain::partner::Pauses::default(),
        provider: Provider::new(&name).unwrap(),
        version: 1,
        updated_at: tests::now(),
        file: format!(r#"{{"provider":"{name}","postback":{{"credential":"signature"}}}}"#),
        token_hashes: Vec::new(),
    };
    let put = fixture.stack.dynamodb().put_item().table_name(fixture.stack.table("partners"));
    put.set_item(Some(serde_dynamo::to_item(item).unwrap())).send().await.unwrap();
    let rig = Rig::new().await;
    // An answer of 401 would tell the partner that its secret is wrong.
    let request = HttpRequest::get(&format!("/postback/{name}?user_id=1")).route("GET /postback/{provider}");
    assert_eq!(rig.function.invoke(&request.event()).await.response()["statusCode"], 503);
}

#[tokio::test]
async fn a_postback_costs_one_call_and_a_new_conflict_four() {
    let rig = Rig::warm().await;
    let (query, refused) = (sample(&fresh("t")), format!("user_id={}", fresh("u")));
    for (query, status, calls) in [
        (query.clone(), 200, &["PutItem"][..]),
        (query.clone(), 200, &["PutItem"]),
        // New content is looked for, counted for the day, and stored.
        (query.replace("100.00", "7"), 409, &["PutItem", "UpdateItem", "UpdateItem", "UpdateItem"]),
        (query.replace("100.00", "7"), 409, &["PutItem", "UpdateItem"]),
        (refused.clone(), 400, &["UpdateItem"; 3]),
        (refused, 400, &["UpdateItem"]),
        (format!("{query}&dry_run=true"), 200, &["GetItem"]),
        (format!("{}&dry_run=true", query.replace("100.00", "7")), 409, &["GetItem", "GetItem"]),
    ] {
        assert_eq!(rig.call(&query).await.0, status);
        assert_eq!(rig.operations(), calls, "{status}");
    }
}

#[tokio::test]
async fn a_click_used_once_costs_one_transaction_and_no_read() {
    let rig = Rig::new().await;
    let (name, token) = rig.fixture.partner("postback: {click: {valid_days: 90, once_per_event: true}}\n");
    let clicks = Clicks::of(&rig.fixture, &name).await;
    let [query, expired, late] = [("1", 1), ("2", 91), ("3", 91)].map(|(id, days)| clicks.query(id, days, 1));
    rig.call_with((&name, &token), &query).await;
    rig.proxy.take_calls();
    let event = format!("{query}&event_id=7").replace("transaction_id=1&", "transaction_id=4&");
    let second = query.replace("transaction_id=1", "transaction_id=5");
    let foreign = sample(&fresh("t"));
    for (query, status, calls) in [
        (event, 200, &["TransactWriteItems"][..]),
        (query.clone(), 200, &["TransactWriteItems"]),
        (query.replace("=5", "=6"), 409, &["TransactWriteItems", "UpdateItem", "UpdateItem", "UpdateItem"]),
        (second, 409, &["TransactWriteItems", "GetItem", "UpdateItem", "UpdateItem", "UpdateItem"]),
        (format!("{query}&dry_run=true"), 200, &["GetItem"]),
        (expired, 400, &["GetItem", "UpdateItem", "UpdateItem", "UpdateItem"]),
        (format!("{late}&dry_run=true"), 400, &["GetItem"]),
        (foreign, 200, &["PutItem"]),
    ] {
        assert_eq!(rig.call_with((&name, &token), &query).await.0, status, "{query}");
        assert_eq!(rig.operations(), calls, "{query}");
    }
}

#[tokio::test]
async fn beyond_its_bound_a_partners_calls_are_answered_and_not_kept() {
    let rig = Rig::new().await;
    let (name, token) = rig.fixture.partner("postback: {max_kept_per_day: 2}\n");
    let call = async |query: &str| {
        let answered = rig.call_with((&name, &token), query).await;
        (answered, rig.operations())
    };
    let (query, refused) = (sample(&fresh("t")), "user_id=1");
    for query in [query.clone(), query.replace("100.00", "7"), refused.to_owned()] {
        call(&query).await;
    }
    let over = ["UpdateItem"; 2];
    for other in ["user_id=2", "user_id=3"] {
        let ((status, _), operations) = call(other).await;
        assert_eq!((status, &operations[..]), (400, &over.map(str::to_owned)[..]));
    }
    for (amount, kept, operations) in [("8", false, 3), ("7", true, 2)] {
        let ((status, body), made) = call(&query.replace("100.00", amount)).await;
        assert_eq!((status, &body["conflict"]["kept"], made.len()), (409, &kept.into(), operations), "{amount}");
    }
    // Another sandbox has the same count, and other partners have their own.
    let rig = Rig { function: rig.settings.spawn().await, ..rig };
    let (_, body) = rig.call_with((&name, &token), &query.replace("100.00", "9")).await;
    assert_eq!(body["conflict"]["kept"], false);
    assert_eq!(rig.call(&query).await.0, 200);
    let (_, body) = rig.call(&query.replace("100.00", "7")).await;
    assert_eq!(body["conflict"]["kept"], true);
}

#[tokio::test]
async fn a_first_step_costs_two_writes_and_other_calls_a_read() {
    let rig = Rig::warm().await;
    assert_eq!(rig.call_partner("hooli", &sample(&fresh("t"))).await.0, 200);
    rig.proxy.take_calls();
    let transaction = fresh("t");
    let query = sample(&transaction);
    let said = |state: &str| format!("{query}&state={state}");
    let taken_back = format!("{}&original_id={transaction}", sample(&fresh("r")).replace("100.00", "-40"));
    for (query, status, calls) in [
        (said("pending"), 200, &["PutItem"][..]),
        (said("pending"), 200, &["PutItem", "Query"]),
        (said("approved"), 200, &["PutItem", "PutItem"]),
        (said("pending"), 200, &["PutItem", "Query"]),
        (taken_back, 200, &["Query", "TransactWriteItems"]),
        (said("rejected"), 200, &["PutItem", "PutItem", "Query", "PutItem"]),
        (said("approved").replace("USD", "EUR"), 409, &["PutItem", "Query", "UpdateItem", "UpdateItem", "UpdateItem"]),
        (said("approved").replace("USD", "EUR"), 409, &["PutItem", "Query", "UpdateItem"]),
        (said("nonsense"), 400, &["UpdateItem"; 3]),
        (said("test"), 200, &["UpdateItem"; 3]),
        (format!("{}&dry_run=true", said("approved")), 200, &["GetItem", "Query"]),
    ] {
        assert_eq!(rig.call_partner("hooli", &query).await.0, status, "{query}");
        assert_eq!(rig.operations(), calls, "{query}");
    }
}

#[tokio::test]
async fn a_step_whose_answer_was_lost_is_repeated_and_accepted() {
    let rig = Rig::warm().await;
    let query = sample(&fresh("t"));
    let said = |state: &str| format!("{query}&state={state}");
    let (_, approved) = rig.call_partner("hooli", &said("approved")).await;
    rig.proxy.take_calls();
    rig.proxy.on(|call| if call.nth == 2 { Action::CutAfter } else { Action::Forward });
    let (status, rejected) = rig.call_partner("hooli", &said("rejected")).await;
    assert_eq!((status, rejected["status"].as_str()), (200, Some("accepted")), "{rejected}");
    assert_eq!((&rejected["state"], &rejected["original_receipt_id"]), (&"rejected".into(), &approved["receipt_id"]));
    assert_eq!(rig.operations(), ["PutItem", "PutItem", "PutItem"]);
    rig.proxy.on(|_| Action::Forward);
    let (_, again) = rig.call_partner("hooli", &said("rejected")).await;
    assert_eq!((&again["status"], &again["receipt_id"]), (&"duplicate".into(), &rejected["receipt_id"]));
}

#[tokio::test]
async fn calls_for_an_unknown_partner_cost_one_read() {
    let rig = Rig::new().await;
    rig.proxy.take_calls();
    for _ in 0..3 {
        let request = HttpRequest::get("/postback/nobody-here/x?user_id=1").route("GET /postback/{provider}/{token}");
        let response = rig.function.invoke(&request.event()).await.response();
        assert_eq!(response["statusCode"], 401);
    }
    assert_eq!(rig.operations(), ["BatchGetItem"]);
}

#[tokio::test]
async fn a_failing_store_is_a_503_in_time_and_a_resend_is_accepted() {
    let rig = Rig::warm().await;
    let fail = tests::proxy::AwsError::internal_server_error;
    for action in [Action::Throttle, Action::FailBefore(fail()), Action::CutBefore, Action::SilenceBefore] {
        let query = sample(&fresh("t"));
        let planned = action.clone();
        rig.proxy.on(move |call| if is_write(call) { planned.clone() } else { Action::Forward });
        let begun = Instant::now();
        // A refused call is answered as usual, even if the refusal cannot be stored.
        for (query, status) in [(query.as_str(), 503), ("user_id=1", 400)] {
            assert_eq!(rig.call(query).await.0, status, "{action:?}");
        }
        assert!(begun.elapsed() < 2 * FUNCTION_TIMEOUT);
        rig.proxy.on(|_| Action::Forward);
        let (status, body) = rig.call(&query).await;
        assert_eq!((status, body["status"].as_str()), (200, Some("accepted")), "{action:?}");
    }
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_repeated_and_accepted() {
    let rig = Rig::warm().await;
    for action in [Action::CutAfter, Action::ForwardThenFail(tests::proxy::AwsError::internal_server_error())] {
        let query = sample(&fresh("t"));
        let planned = action.clone();
        rig.proxy.on(move |call| if call.nth == 1 { planned.clone() } else { Action::Forward });
        let (status, accepted) = rig.call(&query).await;
        assert_eq!((status, accepted["status"].as_str()), (200, Some("accepted")), "{action:?}");
        assert_eq!(rig.operations(), ["PutItem", "PutItem"]);
        let (_, duplicate) = rig.call(&query).await;
        assert_eq!(
            (duplicate["status"].as_str(), &duplicate["receipt_id"]),
            (Some("duplicate"), &accepted["receipt_id"])
        );
        rig.proxy.take_calls();
    }
}

#[tokio::test]
async fn a_write_that_meets_a_transaction_is_repeated() {
    let rig = Rig::warm().await;
    let conflict = tests::proxy::AwsError::transaction_conflict;
    rig.proxy.on(move |call| if call.nth <= 2 { Action::FailBefore(conflict()) } else { Action::Forward });
    let (status, accepted) = rig.call(&sample(&fresh("t"))).await;
    assert_eq!((status, accepted["status"].as_str()), (200, Some("accepted")));
    assert_eq!(rig.operations(), ["PutItem", "PutItem", "PutItem"]);
    // A transaction that never ends is a store that cannot be used.
    rig.proxy.on(move |call| if is_write(call) { Action::FailBefore(conflict()) } else { Action::Forward });
    assert_eq!(rig.call(&sample(&fresh("t"))).await.0, 503);
}

#[tokio::test]
async fn a_resend_after_lost_answers_is_a_duplicate() {
    let rig = Rig::warm().await;
    let query = sample(&fresh("t"));
    rig.proxy.on(|_| Action::CutAfter);
    assert_eq!(rig.call(&query).await.0, 503);
    rig.proxy.on(|_| Action::Forward);
    let (status, body) = rig.call(&query).await;
    assert_eq!((status, body["status"].as_str()), (200, Some("duplicate")));
}

#[tokio::test]
async fn a_resend_after_a_kill_gets_the_originals_receipt() {
    let rig = Rig::warm().await;
    let query = sample(&fresh("t"));
    let written = rig.proxy.pause_after("PutItem");
    let token = rig.fixture.stack.partner("acme").token.clone().unwrap();
    let request =
        HttpRequest::get(&format!("/postback/acme/{token}?{query}")).route("GET /postback/{provider}/{token}");
    let event = request.event();
    let (invocation, ()) = tokio::join!(rig.function.invoke(&event), async {
        written.hit().await;
        rig.function.kill().await;
        written.open();
    });
    assert!(matches!(invocation.outcome, InvocationEnding::Died(_)), "{invocation:?}");
    let again = Rig { function: rig.settings.spawn().await, ..rig };
    let (status, body) = again.call(&query).await;
    assert_eq!((status, body["status"].as_str()), (200, Some("duplicate")));
    assert!(body["receipt_id"].is_string());
}

#[tokio::test]
async fn a_partner_in_memory_is_served_while_its_table_is_down() {
    let rig = Rig::new().await;
    let function = rig.settings.clone().variable("PARTNER_FRESH_SECONDS", "0").spawn().await;
    let rig = Rig { function, ..rig };
    assert_eq!(rig.call(&sample(&fresh("t"))).await.0, 200);
    rig.proxy.on(|call| if is_write(call) { Action::Forward } else { Action::Throttle });
    assert_eq!(rig.call(&sample(&fresh("t"))).await.0, 200);
    assert_eq!(rig.call_partner("globex", "user_id=1").await.0, 503);
}

/// Holds payloads that are not an HTTP API's of format 2.0.
const OTHER_PAYLOADS: [&str; 5] = [
    "{}",
    "null",
    r#"{"resource":"/","path":"/","httpMethod":"GET","requestContext":{"stage":"prod","httpMethod":"GET"}}"#,
    r#"{"path":"/","httpMethod":"GET","headers":{},"requestContext":{"elb":{"targetGroupArn":"arn:aws:x"}}}"#,
    r#"{"Records":[{"messageId":"1","body":"{}"}]}"#,
];

#[tokio::test]
async fn a_payload_of_another_kind_fails_its_invocation_alone() {
    let rig = Rig::warm().await;
    for payload in OTHER_PAYLOADS {
        let outcome = rig.function.invoke_raw(payload).await.outcome;
        let InvocationEnding::FunctionError(error) = outcome else { panic!("{payload} ended as {outcome:?}") };
        assert!(error["errorMessage"].as_str().unwrap().contains("PayloadFormatVersion"), "{error}");
    }
    assert_eq!(rig.call(&sample(&fresh("t"))).await.0, 200);
    assert_eq!(rig.operations(), ["PutItem"], "the same process continues with its memory");
}

#[tokio::test]
async fn a_query_that_is_not_a_valid_uri_is_read_as_sent() {
    let rig = Rig::warm().await;
    for odd in ["a=\"", "a=<b>", "a=b c", "a=\t\0\u{7f}", "a=#b", "?a=1", "a=%zz", "a=\u{e9}"] {
        let (status, body) = rig.call(&format!("{}&{odd}&last=1", sample(&fresh("t")))).await;
        assert_eq!((status, body["status"].as_str()), (200, Some("accepted")), "{odd}: {body}");
        let ignored = body["ignored"].as_array().unwrap();
        assert!(ignored.contains(&"last".into()), "{odd}: {body}");
    }
    assert_eq!(rig.call(&"a".repeat(65_536)).await.0, 400);
}

#[tokio::test]
async fn a_browsers_options_call_is_told_that_servers_call() {
    let rig = Rig::warm().await;
    let token = rig.fixture.stack.partner("acme").token.clone().unwrap();
    let request = HttpRequest::get(&format!("/postback/acme/{token}?{}", sample(&fresh("t"))));
    let request = request.route("GET /postback/{provider}/{token}");
    for method in ["OPTIONS", "HEAD", "DELETE"] {
        let mut event = request.event();
        event["requestContext"]["http"]["method"] = method.into();
        let response = rig.function.invoke(&event).await.response();
        assert_eq!((&response["statusCode"], &response["headers"]["allow"]), (&405.into(), &"GET, POST".into()));
        assert!(response["body"].as_str().unwrap().contains("from server to server"), "{response}");
        assert_eq!(rig.operations(), [""; 0], "{method} costs nothing");
    }
}

#[tokio::test]
async fn a_body_that_is_not_valid_base64_is_a_400() {
    let rig = Rig::warm().await;
    let request = HttpRequest::post("/postback/acme/x").route("POST /postback/{provider}/{token}").form("user_id=1");
    let mut event = request.event();
    event["body"] = "not base64!".into();
    let response = rig.function.invoke(&event).await.response();
    assert_eq!((&response["statusCode"], &response["isBase64Encoded"]), (&400.into(), &false.into()));
    assert_eq!(response["headers"]["content-type"], "application/problem+json");
    let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["faults"][0]["code"], "unsupported_body");
    assert_eq!(rig.call(&sample(&fresh("t"))).await.0, 200);
}
