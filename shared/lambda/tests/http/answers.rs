//! Checks the response that the Runtime API gets.

use std::{convert::Infallible, future::ready};

use lambda::{http::response, http::service, problem::Problem};
use lambda_http::{Body, Context, LambdaEvent, Request, Response, Service, http::StatusCode, service_fn};
use serde_json::{Value, json};

/// Returns the body that the Runtime API gets if the handler answers AWS's sample payload with this response.
async fn sent(response: Response<Body>) -> Value {
    let mut response = Some(response);
    let handler = service_fn(|_: Request| ready(Ok::<_, Infallible>(response.take().unwrap())));
    let payload = serde_json::from_str(include_str!("../../fixtures/http-aws-sample.json")).unwrap();
    let answer = service(handler).call(LambdaEvent::new(payload, Context::default())).await;
    serde_json::to_value(answer.unwrap()).unwrap()
}

#[tokio::test]
async fn text_is_answered_as_text_with_only_our_headers() {
    let text = "{\"a\":\"\u{e9}\u{1f600}\\u0000\"}";
    for content_type in ["application/json", "application/problem+json", "text/plain; charset=utf-8"] {
        for text in [text, ""] {
            let headers = json!({
                "cache-control": "no-store", "content-type": content_type, "x-content-type-options": "nosniff",
            });
            let expected = json!({
                "statusCode": 409, "headers": headers, "body": text, "isBase64Encoded": false,
                "cookies": [], "multiValueHeaders": {},
            });
            assert_eq!(sent(response(StatusCode::CONFLICT, content_type, text.to_owned())).await, expected);
        }
    }
}

#[tokio::test]
async fn an_unavailable_service_says_when_to_try_again() {
    let sent = sent(Problem::unavailable().into_response()).await;
    assert_eq!((&sent["statusCode"], &sent["headers"]["retry-after"]), (&503.into(), &"5".into()));
    assert_eq!(sent["headers"]["content-type"], "application/problem+json");
}
