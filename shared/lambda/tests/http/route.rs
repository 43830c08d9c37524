//! Checks paths that only the catch-all route `{proxy+}` takes, and headers of browsers.

use lambda::http::{self, HttpEvent};
use lambda_http::Request;
use serde_json::{Value, json};

fn request(path: &Value, headers: &Value) -> Request {
    let payload = json!({
        "rawQueryString": "", "headers": headers, "pathParameters": path,
        "requestContext": { "requestId": "r", "http": { "method": "GET", "sourceIp": "192.0.2.1" } },
    });
    serde_json::from_str::<HttpEvent>(&payload.to_string()).unwrap().0.into()
}

#[test]
fn a_trailing_slash_means_nothing() {
    for (path, provider, token) in [
        (json!({"proxy": "acme/abc2/"}), "acme", Some("abc2")),
        (json!({"proxy": "acme/abc2"}), "acme", Some("abc2")),
        (json!({"proxy": "acme/abc2//"}), "acme", Some("abc2")),
        (json!({"proxy": "acme/"}), "acme", None),
        (json!({"proxy": "acme/abc2/more"}), "acme", Some("abc2/more")),
        (json!({"proxy": ""}), "", None),
        (json!({"provider": "acme", "token": "abc2"}), "acme", Some("abc2")),
    ] {
        let request = request(&path, &json!({}));
        assert_eq!(
            (http::segment(&request, "provider"), http::segment(&request, "token")),
            (Some(provider), token),
            "{path}"
        );
    }
}

#[test]
fn a_browser_is_known_by_the_part_that_it_loads() {
    let path = json!({"provider": "acme", "token": "abc2"});
    for (headers, part) in [
        (json!({"sec-fetch-dest": "image"}), Some("image")),
        (json!({"Sec-Fetch-Dest": "empty", "accept": "*/*"}), Some("empty")),
        (json!({"sec-fetch-dest": "document"}), None),
        (json!({"accept": "text/html"}), None),
        (json!(null), None),
    ] {
        assert_eq!(http::page_part(&request(&path, &headers)), part, "{headers}");
    }
}

#[test]
fn a_page_is_for_whom_prefers_html_to_json() {
    let path = json!({"provider": "acme", "landing": "welcome"});
    for (accept, prefers) in [
        (json!("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), true),
        (json!("text/html;q=0.2"), true),
        (json!("Text/HTML"), true),
        (json!("application/json"), false),
        (json!("application/json, text/html;q=0.5"), false),
        (json!("application/json;q=0.1, text/html;q=0.5"), true),
        (json!("text/html;q=0"), false),
        (json!("text/html;q=x"), false),
        (json!("*/*"), false),
        (json!(""), false),
        (json!(null), false),
    ] {
        assert_eq!(http::prefers_html(&request(&path, &json!({"accept": accept}))), prefers, "{accept}");
    }
}
