//! Tests that events have the shapes that AWS documents and parse as AWS's own types.

use aws_lambda_events::event::{apigw::ApiGatewayV2httpRequest, dynamodb, sqs::SqsEvent};
use serde_json::{Value, json};
use tests::payload::{Change, HttpRequest, Message, queue_event, stream_event};

/// Returns the event that API Gateway's developer guide prints for format 2.0, without authorisers and certificates.
fn documented() -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/my/path",
        "rawQueryString": "parameter1=value1&parameter1=value2&parameter2=value",
        "cookies": ["cookie1", "cookie2"],
        "headers": {"header1": "value1", "header2": "value1,value2"},
        "queryStringParameters": {"parameter1": "value1,value2", "parameter2": "value"},
        "requestContext": {
            "accountId": "123456789012", "apiId": "api-id", "domainName": "id.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "id",
            "http": {"method": "POST", "path": "/my/path", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1",
                     "userAgent": "agent"},
            "requestId": "id", "routeKey": "$default", "stage": "$default",
            "time": "12/Mar/2020:19:03:58 +0000", "timeEpoch": 1_583_348_638_390_i64
        },
        "body": "Hello from Lambda", "isBase64Encoded": false
    })
}

#[test]
fn a_request_has_the_documented_fields_and_no_others() {
    let event = HttpRequest::post("/my/path?parameter1=value1&parameter1=value2&parameter2=value")
        .header("Header1", "value1")
        .header("Header2", "value1")
        .header("Header2", "value2")
        .header("User-Agent", "agent")
        .cookie("cookie1")
        .cookie("cookie2")
        .source_ip("192.0.2.1")
        .at("2020-03-12T19:03:58Z".parse().unwrap())
        .body("text/plain", "Hello from Lambda")
        .event();
    let documented = documented();
    for pointer in ["", "/requestContext", "/requestContext/http"] {
        let fields = |value: &Value| -> Vec<String> {
            value.pointer(pointer).unwrap().as_object().unwrap().keys().cloned().collect()
        };
        assert_eq!(fields(&event), fields(&documented), "{pointer}");
    }
    for same in [
        "/rawPath",
        "/rawQueryString",
        "/cookies",
        "/headers/header1",
        "/headers/header2",
        "/queryStringParameters",
        "/requestContext/http",
        "/requestContext/time",
        "/body",
        "/isBase64Encoded",
    ] {
        assert_eq!(event.pointer(same), documented.pointer(same), "{same}");
    }
    let parsed: ApiGatewayV2httpRequest = serde_json::from_value(event).unwrap();
    assert_eq!(parsed.request_context.http.source_ip.as_deref(), Some("192.0.2.1"));
}

#[test]
fn the_query_stays_raw_and_the_map_loses_repetition() {
    let query = "user_id=a%2Cb&user_id=c+d&note={click_id}&flag&amount_decimal=100.00";
    let event = HttpRequest::get("/postback/acme/t").query(query).event();
    assert_eq!(event["rawQueryString"], query);
    let map = json!({"user_id": "a,b,c d", "note": "{click_id}", "flag": "", "amount_decimal": "100.00"});
    assert_eq!(event["queryStringParameters"], map);
}

#[test]
fn a_request_without_query_cookies_or_body_has_no_such_fields() {
    let event = HttpRequest::get("/").event();
    for absent in ["queryStringParameters", "cookies", "body", "pathParameters"] {
        assert_eq!(event.get(absent), None, "{absent}");
    }
}

#[test]
fn a_form_arrives_as_base64_by_default() {
    let form = HttpRequest::post("/").form("user_id=1&click_id=%C3%BC");
    let (encoded, plain) = (form.event(), form.clone().as_base64(false).event());
    assert_eq!(
        (&encoded["body"], &encoded["isBase64Encoded"]),
        (&json!("dXNlcl9pZD0xJmNsaWNrX2lkPSVDMyVCQw=="), &json!(true))
    );
    assert_eq!((&plain["body"], &plain["isBase64Encoded"]), (&json!("user_id=1&click_id=%C3%BC"), &json!(false)));
    assert_eq!(encoded["headers"]["content-length"], "25");
    let json = HttpRequest::post("/").body("application/json; charset=utf-8", "{}").event();
    assert_eq!(json["isBase64Encoded"], false);
}

#[test]
fn a_path_arrives_decoded_except_for_the_percent_sign() {
    let event = HttpRequest::get("/click/acme/caf%C3%A9%2Fa%2520b").route("GET /click/{provider}/{landing}").event();
    assert_eq!(event["rawPath"], "/click/acme/café/a%2520b");
    assert_eq!(event["pathParameters"], json!({"provider": "acme", "landing": "café/a%2520b"}));
    let greedy = HttpRequest::get("/postback/acme/token").route("ANY /postback/{rest+}").event();
    assert_eq!(greedy["pathParameters"], json!({"rest": "acme/token"}));
}

#[test]
fn the_callers_address_follows_the_claimed_ones() {
    let event = HttpRequest::get("/").header("X-Forwarded-For", "198.51.100.1").source_ip("203.0.113.9").event();
    assert_eq!(event["headers"]["x-forwarded-for"], "198.51.100.1, 203.0.113.9");
    assert_eq!(event["requestContext"]["http"]["sourceIp"], "203.0.113.9");
}

#[test]
fn a_queue_batch_parses_as_an_sqs_event() {
    let messages = [Message::new("{}").receive_count(3), Message::new("not json").group("acme").attribute("k", "v")];
    let event: SqsEvent = serde_json::from_value(queue_event("gg3-events", messages)).unwrap();
    let [first, second] = &event.records[..] else { panic!("the batch has two records") };
    assert_ne!(first.message_id, second.message_id);
    assert_eq!(first.attributes["ApproximateReceiveCount"], "3");
    assert_eq!(second.attributes["MessageGroupId"], "acme");
    assert_eq!(second.message_attributes["k"].string_value.as_deref(), Some("v"));
    assert_eq!(second.body.as_deref(), Some("not json"));
}

#[test]
fn a_stream_batch_parses_as_a_dynamodb_event() {
    let keys = json!({"pk": {"S": "acme"}});
    let item = json!({"pk": {"S": "acme"}, "amount": {"N": "100.00"}});
    let changes = [
        Change::insert(keys.clone(), item.clone()),
        Change::modify(keys.clone(), item.clone(), item.clone()),
        Change::expire(keys, item).sequence_number("7"),
    ];
    let event: dynamodb::Event = serde_json::from_value(stream_event("postbacks", changes)).unwrap();
    let names: Vec<_> = event.records.iter().map(|record| record.event_name.as_str()).collect();
    assert_eq!(names, ["INSERT", "MODIFY", "REMOVE"]);
    let numbers: Vec<_> = event.records.iter().map(|record| record.change.sequence_number.clone().unwrap()).collect();
    assert!(numbers[0] < numbers[1]);
    assert_eq!(numbers[2], "7");
    assert!(event.records[0].change.old_image.is_empty() && !event.records[1].change.old_image.is_empty());
    assert!(event.records[1].user_identity.is_none() && event.records[2].user_identity.is_some());
}
