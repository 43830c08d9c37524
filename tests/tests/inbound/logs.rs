//! Tests the log lines: their content, and the secrets that they must never hold.

use serde_json::Value;
use tests::{
    payload::HttpRequest,
    proxy::{Action, Proxy},
    runtime_api::Settings,
};

use crate::fixture::{Fixture, fresh};

const MARK: &str = "unmistakable";

#[tokio::test]
async fn no_log_line_holds_a_secret_or_a_query_string() {
    let fixture = Fixture::new();
    let proxy = Proxy::start(&fixture.stack.aws_endpoint_url).await;
    let token = fixture.stack.partner("acme").token.clone().unwrap();
    let settings = |name: &str| {
        let mut settings = Settings::built(name)
            .variables(fixture.stack.aws_environment(&proxy.endpoint_url()))
            .variable("FUNCTION_TIMEOUT_SECONDS", "10")
            .variable("RUST_LOG", "trace");
        for noun in ["partners", "secrets", "postbacks", "refusals", "clicks"] {
            settings = settings.variable(format!("{}_TABLE", noun.to_uppercase()), fixture.stack.table(noun));
        }
        settings
    };
    let (postback, click) = (settings("postback").spawn().await, settings("click").spawn().await);
    let link = fixture.stack.partner("acme").landings["welcome"].clone();
    let link_query = link.split_once('?').unwrap().1;
    let transaction = fresh("t");
    let good = format!("user_id={MARK}&click_id={MARK}&transaction_id={transaction}&currency=USD&amount_decimal=1");
    for plan in [Action::Forward, Action::Throttle, Action::CutAfter] {
        proxy.on(move |_| plan.clone());
        for query in [good.clone(), good.replace("=1", "=2"), format!("user_id={{{MARK}}}&x={MARK}%ff"), MARK.into()] {
            for path in [format!("acme/{token}"), format!("acme/{MARK}"), format!("initech?signature={MARK}&")] {
                let target = if path.contains('?') {
                    format!("/postback/{path}{query}")
                } else {
                    format!("/postback/{path}?{query}")
                };
                let route =
                    if path.contains('?') { "GET /postback/{provider}" } else { "GET /postback/{provider}/{token}" };
                postback.invoke(&HttpRequest::get(&target).route(route).event()).await.response();
            }
        }
        for query in [link_query, &link_query.replace("12345", MARK), MARK] {
            let request =
                HttpRequest::get(&format!("/click/acme/welcome?{query}")).route("GET /click/{provider}/{landing}");
            click.invoke(&request.event()).await.response();
        }
    }
    // If the payload is no event, the invocation fails. The error must not quote the payload.
    postback.invoke(&Value::String(MARK.into())).await;
    for function in [&postback, &click] {
        function.kill().await;
        let logs = function.logs();
        assert!(!logs.is_empty());
        for line in logs {
            for secret in [MARK, &token, link_query, "user_id=", "signature="] {
                assert!(!line.contains(secret), "{secret} is in {line}");
            }
        }
    }
}

#[tokio::test]
async fn a_call_logs_one_line_with_its_outcome() {
    let fixture = Fixture::new();
    let mut settings = Settings::built("postback")
        .variables(fixture.stack.aws_environment(&fixture.stack.aws_endpoint_url))
        .variable("FUNCTION_TIMEOUT_SECONDS", "10");
    for noun in ["partners", "secrets", "postbacks", "refusals"] {
        settings = settings.variable(format!("{}_TABLE", noun.to_uppercase()), fixture.stack.table(noun));
    }
    let postback = settings.spawn().await;
    let token = fixture.stack.partner("acme").token.clone().unwrap();
    let transaction = fresh("t");
    let good = format!("user_id=1&click_id=2&transaction_id={transaction}&currency=USD&amount_decimal=1");
    let dry_run = format!("{good}&dry_run=true");
    let mut expected = Vec::new();
    let (other, bad) = (good.replace("=1", "=2"), good.replace("USD", "usd"));
    for (query, outcome, counted) in [
        // The metric filters count the lines with a field `postbacks`. The line of a dry run lacks this field.
        (&dry_run, "accepted", None),
        (&good, "accepted", Some(1)),
        (&good, "duplicate", Some(1)),
        (&other, "conflict", Some(1)),
        (&bad, "malformed", Some(1)),
    ] {
        let request =
            HttpRequest::get(&format!("/postback/acme/{token}?{query}")).route("GET /postback/{provider}/{token}");
        postback.invoke(&request.event()).await.response();
        expected.push((outcome, counted));
    }
    postback.kill().await;
    let lines = postback.logs();
    assert_eq!(lines.len(), expected.len(), "each call logs one line: {lines:?}");
    for (line, (outcome, counted)) in lines.iter().zip(expected) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!((line["outcome"].as_str(), line["provider"].as_str()), (Some(outcome), Some("acme")));
        assert_eq!(line.get("postbacks").map(|number| number.as_u64().unwrap()), counted, "{line}");
    }
}
