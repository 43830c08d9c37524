//! Tests the postback URL as a partner's engineer uses it.

use domain::{
    inbound::parameters::Parameters,
    values::signature::{self, Secret},
};

use crate::fixture::{Fixture, fresh, sample};

const MULTI_EVENT: &str = "currency=USD&amount_decimal=100.00&event_id=001&event_name=purchase";

#[tokio::test]
async fn the_documents_samples_work_as_printed() {
    let fixture = Fixture::new();
    let single = "user_id=12345&click_id=67890&transaction_id=123123123&currency=USD&amount_decimal=100.00";
    let reply = fixture.postback("acme", single).await;
    assert_eq!((reply.status, reply.text("transaction_id")), (200, "123123123"));
    let multi = "user_id=12345&click_id=67890&currency=USD&amount_decimal=100.00&event_id=001&event_name=purchase";
    let reply = fixture.postback("globex", multi).await;
    assert_eq!(reply.status, 200);
    assert!(reply.text("transaction_id").starts_with("derived:"));
}

#[tokio::test]
async fn a_resend_gets_the_receipt_and_a_conflict_changes_nothing() {
    let fixture = Fixture::new();
    let query = sample(&fresh("t"));
    let first = fixture.postback("acme", &format!("{query}&sub1=x")).await;
    assert_eq!(
        (first.status, first.text("status"), first.content_type.as_str()),
        (200, "accepted", "application/json")
    );
    assert_eq!(first.body["ignored"][0], "sub1");

    let mut expected = first.body.clone();
    expected["status"] = "duplicate".into();
    // The answer lists the ignored parameters of this call instead of those of the first call.
    expected["ignored"] = serde_json::json!([]);
    for again in [query.clone(), query.replace("100.00", "100.0"), format!("{query}&event_id=")] {
        let reply = fixture.postback("acme", &again).await;
        assert_eq!((reply.status, &reply.body), (200, &expected), "{again}");
    }

    let conflict = fixture.postback("acme", &query.replace("100.00", "999.00")).await;
    assert_eq!((conflict.status, conflict.content_type.as_str()), (409, "application/problem+json"));
    let difference = &conflict.body["conflict"]["differences"][0];
    assert_eq!(difference["parameter"], "amount_decimal");
    assert_eq!((difference["original"].as_str(), difference["sent"].as_str()), (Some("100.00"), Some("999.00")));
    assert_eq!(conflict.body["conflict"]["original"]["receipt_id"], first.body["receipt_id"]);
    assert_eq!(fixture.postback("acme", &query).await.body, expected);
}

#[tokio::test]
async fn a_malformed_call_gets_every_fault_at_once() {
    let fixture = Fixture::new();
    let reply =
        fixture.postback("acme", "user_id={user_id}&click_id=a&click_id=a&currency=usd&amount_decimal=-1").await;
    assert_eq!((reply.status, reply.content_type.as_str()), (400, "application/problem+json"));
    let mut faults = reply.faults();
    faults.sort();
    let expected = [
        ("amount_decimal", "negative_amount"),
        ("click_id", "repeated"),
        ("currency", "unknown_currency"),
        ("transaction_id", "missing"),
        ("user_id", "macro_not_replaced"),
    ];
    assert_eq!(faults, expected.map(|(parameter, code)| (parameter.to_owned(), code.to_owned())));
    for fault in reply.body["faults"].as_array().unwrap() {
        assert!(!fault["expected"].as_str().unwrap().is_empty() && !fault["fix"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_post_takes_parameters_from_its_query_and_its_form_body() {
    let fixture = Fixture::new();
    let url = &fixture.stack.partner("acme").postback_url;
    let query = sample(&fresh("t"));
    let (first, rest) = query.split_once('&').unwrap();
    let form = |body: String| {
        fixture
            .http
            .post(format!("{url}?{first}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
    };
    assert_eq!(fixture.send(form(rest.to_owned())).await.text("status"), "accepted");
    assert_eq!(fixture.postback("acme", &query).await.text("status"), "duplicate");

    let twice = fixture.send(form(query.clone())).await;
    assert_eq!((twice.status, twice.faults()), (400, vec![("user_id".to_owned(), "repeated".to_owned())]));
    let many = fixture.send(form("a=1&".repeat(10_000))).await;
    assert_eq!((many.status, many.faults()[0].1.as_str()), (400, "too_large"));
    let text = fixture.http.post(url).header("content-type", "text/plain").body(query);
    let text = fixture.send(text).await;
    assert_eq!((text.status, text.faults()[0].1.as_str()), (400, "unsupported_body"));
}

#[tokio::test]
async fn a_post_takes_parameters_from_a_json_body() {
    let fixture = Fixture::new();
    let url = &fixture.stack.partner("acme").postback_url;
    let transaction = fresh("t");
    let object = |amount: &str| {
        format!(
            r#"{{"user_id": 12345, "click_id": "67890", "transaction_id": "{transaction}", "currency": "USD",
                "amount_decimal": {amount}, "is_new": true}}"#
        )
    };
    let post = |url: &str, body: String| fixture.http.post(url).header("content-type", "application/json").body(body);
    let first = fixture.send(post(url, object("100.00"))).await;
    assert_eq!((first.status, first.text("status"), &first.body["ignored"][0]), (200, "accepted", &"is_new".into()));
    assert_eq!(fixture.postback("acme", &sample(&transaction)).await.text("status"), "duplicate");
    for (body, parameter, code) in [
        (object("1e2"), "amount_decimal", "not_an_amount"),
        (object("null"), "amount_decimal", "null_value"),
        (object("{}"), "amount_decimal", "nested_value"),
        (object("1, \"user_id\": 12345"), "user_id", "repeated"),
        (format!("[{}]", object("1")), "", "unsupported_body"),
        (format!("\u{feff}{}", object("1")), "", "unsupported_body"),
    ] {
        let reply = fixture.send(post(url, body.clone())).await;
        assert_eq!(reply.faults()[0], (parameter.to_owned(), code.to_owned()), "{body}");
        assert_eq!(reply.status, 400);
    }
    let stranger = fixture.send(post(&format!("{}/postback/acme/wrong", fixture.stack.api_url), "[]".to_owned())).await;
    assert_eq!(stranger.status, 401);

    // The signature covers the members' values, as decoded.
    let secret = Secret::new(fixture.stack.partner("initech").signature_secret.clone().unwrap());
    let query = sample(&transaction);
    let canonical = Parameters::split(query.as_bytes(), b"").canonical(&[("provider", "initech"), ("is_new", "true")]);
    let signed = object(&format!("100.00, \"signature\": \"{}\"", signature::sign(&secret, &canonical)));
    let url = &fixture.stack.partner("initech").postback_url;
    assert_eq!(fixture.send(post(url, signed.clone())).await.text("status"), "accepted");
    assert_eq!(fixture.send(post(url, signed.replace("100.00", "100.0"))).await.status, 401);
}

#[tokio::test]
async fn an_agreed_word_answers_a_call_as_plain_text() {
    let fixture = Fixture::new();
    let query = sample(&fresh("t"));
    for (query, word) in [(query.clone(), "OK"), (query.clone(), "DUP"), (format!("{query}&state=test"), "OK")] {
        let reply = fixture.postback("soylent", &query).await;
        let content_type = reply.content_type.split(';').next().unwrap();
        assert_eq!((reply.status, content_type, &reply.body), (200, "text/plain", &word.into()), "{query}");
    }
    let conflict = fixture.postback("soylent", &query.replace("100.00", "999.00")).await;
    assert_eq!((conflict.status, conflict.content_type.as_str()), (409, "application/problem+json"));
    let dry_run = fixture.postback("soylent", &format!("{query}&dry_run=true")).await;
    assert_eq!((dry_run.status, dry_run.text("would_be")), (200, "duplicate"));
}

#[tokio::test]
async fn bad_bytes_are_answered_with_400_and_a_reason() {
    let fixture = Fixture::new();
    for (bad, code) in [
        ("user_id=%ff%fe", "not_utf8"),
        ("user_id=%00", "control_character"),
        ("user_id=100%", "bad_percent_encoding"),
        ("user_id=%25user%25", "macro_not_replaced"),
        (&format!("user_id={}", "x".repeat(256)), "too_long"),
        ("amount_decimal=1e9", "not_an_amount"),
        ("amount_decimal=9999999999999999", "amount_out_of_range"),
        ("amount_decimal=0.000000001", "amount_out_of_range"),
        ("currency=DOGE", "unknown_currency"),
        ("transaction_id=derived:x", "reserved_transaction_id"),
        ("dry_run=perhaps", "not_a_boolean"),
    ] {
        let (name, value) = bad.split_once('=').unwrap();
        let mut pairs: Vec<String> = sample(&fresh("t")).split('&').map(str::to_owned).collect();
        pairs.retain(|pair| !pair.starts_with(&format!("{name}=")));
        pairs.push(format!("{name}={value}"));
        let reply = fixture.postback("acme", &pairs.join("&")).await;
        assert_eq!((reply.status, reply.faults()), (400, vec![(name.to_owned(), code.to_owned())]), "{bad}");
    }
}

#[tokio::test]
async fn an_unknown_partner_looks_like_a_wrong_credential() {
    let fixture = Fixture::new();
    let base = format!("{}/postback", fixture.stack.api_url);
    let query = sample("t");
    let mut bodies = Vec::new();
    let plain = ["acme/wrong", "nobody/wrong", "acme", "initech", "initech/wrong", "nobody"];
    // A malformed path is refused in other words than a wrong credential. The words never depend on which partners
    // exist.
    for paths in [&plain[..], &["ACME/wrong", "NOBODY/wrong"], &["acme/wrong%20", "nobody/%20x"]] {
        for path in paths {
            let reply = fixture.send(fixture.http.get(format!("{base}/{path}?{query}"))).await;
            assert_eq!(reply.status, 401, "{path}");
            bodies.push(reply.body);
        }
        bodies.dedup();
    }
    assert_eq!(bodies.len(), 3, "refusals of paths that look alike have the same body");
}

#[tokio::test]
async fn a_signed_postback_is_accepted_and_a_tampered_one_is_not() {
    let fixture = Fixture::new();
    let secret = Secret::new(fixture.stack.partner("initech").signature_secret.clone().unwrap());
    let sign = |query: &str| {
        let canonical = Parameters::split(query.as_bytes(), b"").canonical(&[("provider", "initech")]);
        format!("{query}&signature={}", signature::sign(&secret, &canonical))
    };
    let signed = sign(&sample(&fresh("t")));
    assert_eq!(fixture.postback("initech", &signed).await.text("status"), "accepted");
    assert_eq!(fixture.postback("initech", &signed).await.text("status"), "duplicate");
    assert_eq!(fixture.postback("initech", &signed.replace("100.00", "900.00")).await.status, 401);
    assert_eq!(fixture.postback("initech", &format!("{signed}&user_id=12345")).await.status, 401);
    let twice = fixture.postback("initech", &sign(&format!("{}&user_id=12345", sample(&fresh("t"))))).await;
    assert_eq!((twice.status, twice.faults()[0].1.as_str()), (400, "repeated"));
}

#[tokio::test]
async fn only_a_get_or_a_post_of_a_server_is_a_call() {
    let fixture = Fixture::new();
    let url = &fixture.stack.partner("acme").postback_url;
    let transaction = fresh("t");
    let query = sample(&transaction);
    // The emulator answers OPTIONS itself, so `wire.rs` tests that method at the function.
    for method in [reqwest::Method::HEAD, reqwest::Method::PUT] {
        for url in [format!("{url}?{query}"), format!("{url}/?{query}")] {
            let reply = fixture.http.request(method.clone(), url).send().await.unwrap();
            assert_eq!(reply.status(), 405, "{method}");
            assert_eq!(reply.headers()["allow"], "GET, POST");
            let text = reply.text().await.unwrap();
            assert!(method == reqwest::Method::HEAD || text.contains("from server to server"), "{method}: {text}");
        }
    }
    let pixel = fixture.http.get(format!("{url}?{query}")).header("sec-fetch-dest", "image");
    let pixel = fixture.send(pixel).await;
    assert_eq!((pixel.status, pixel.faults()[0].1.as_str()), (400, "sent_by_browser"));
    // Nothing was recorded so far. A slash at the end of the path makes no difference.
    let reply = fixture.send(fixture.http.get(format!("{url}/?{query}"))).await;
    assert_eq!((reply.status, reply.text("status")), (200, "accepted"));
    assert_eq!(fixture.postback("acme", &query).await.text("status"), "duplicate");
    let secret = Secret::new(fixture.stack.partner("initech").signature_secret.clone().unwrap());
    let canonical = Parameters::split(query.as_bytes(), b"").canonical(&[("provider", "initech")]);
    let signed = format!("{query}&signature={}", signature::sign(&secret, &canonical));
    let url = &fixture.stack.partner("initech").postback_url;
    let reply = fixture.send(fixture.http.get(format!("{url}/?{signed}"))).await;
    assert_eq!((reply.status, reply.text("status")), (200, "accepted"));
}

#[tokio::test]
async fn what_came_astray_is_told_and_what_means_nothing_is_ignored() {
    let fixture = Fixture::new();
    let query = sample(&fresh("t"));
    for (sent, code, told) in [
        (query.replace("67890", "__CLICKID__"), "macro_not_replaced", "__CLICKID__"),
        (query.replace("67890", "undefined"), "placeholder_value", "JavaScript"),
        (query.replace("&currency", "%C2%A4cy"), "html_entity", "&curren"),
        (query.replace("&click_id", ";click_id"), "swallowed_parameter", "click_id came inside it"),
        (query.replace("click_id", "Click_ID"), "missing", "`Click_ID` came; it must be `click_id`"),
        (format!("{query}&DRY_RUN=true"), "near_dry_run", "DRY_RUN came"),
        (query.replace("12345", "12345%E2%80%8B"), "white_space_around", "U+200B"),
        (query.replace("USD", "HRK"), "unknown_currency", "EUR"),
        (query.replace("100.00", ".5"), "not_an_amount", "0.5"),
    ] {
        let reply = fixture.postback("acme", &sent).await;
        assert_eq!(reply.status, 400, "{sent}");
        assert!(reply.faults().iter().any(|(_, came)| came == code), "{sent}: {}", reply.body);
        assert!(reply.body.to_string().contains(told), "{sent}: {}", reply.body);
    }
    let reply = fixture.postback("acme", &format!("{query}&tags[]=1&tags[]=2&=x&{}=1", "n".repeat(70))).await;
    assert_eq!((reply.status, reply.text("status")), (200, "accepted"), "{}", reply.body);
}

#[tokio::test]
async fn a_derived_transaction_is_one_per_user_click_and_event() {
    let fixture = Fixture::new();
    let ids = format!("user_id={}&click_id=c", fresh("u"));
    let first = fixture.postback("globex", &format!("{ids}&{MULTI_EVENT}")).await;
    assert_eq!(first.text("status"), "accepted");
    assert_eq!(fixture.postback("globex", &format!("{ids}&{MULTI_EVENT}")).await.text("status"), "duplicate");
    let other = fixture.postback("globex", &format!("{ids}&{}", MULTI_EVENT.replace("001", "002"))).await;
    assert_eq!(other.text("status"), "accepted");
    let none = fixture.postback("globex", &format!("{ids}&currency=USD&amount_decimal=1")).await;
    assert_eq!(none.faults(), [("event_id".to_owned(), "missing".to_owned())]);
    let foreign = fixture.postback("globex", &format!("{ids}&{}", MULTI_EVENT.replace("001", "003"))).await;
    assert_eq!(foreign.faults(), [("event_id".to_owned(), "event_not_agreed".to_owned())]);
}

#[tokio::test]
async fn a_dry_run_says_what_would_happen_and_records_nothing() {
    let fixture = Fixture::new();
    let query = sample(&fresh("t"));
    let dry = format!("{query}&dry_run=true");
    for _ in 0..2 {
        let reply = fixture.postback("acme", &dry).await;
        assert_eq!((reply.status, reply.text("status"), reply.text("would_be")), (200, "dry_run", "accepted"));
        assert!(reply.body.get("receipt_id").is_none());
    }
    let receipt = fixture.postback("acme", &query).await.body["receipt_id"].clone();
    let reply = fixture.postback("acme", &dry).await;
    assert_eq!((reply.text("would_be"), &reply.body["receipt_id"]), ("duplicate", &receipt));
    let reply = fixture.postback("acme", &dry.replace("USD", "EUR")).await;
    assert_eq!((reply.status, &reply.body["dry_run"]), (409, &true.into()));
}
