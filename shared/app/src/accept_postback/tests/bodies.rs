//! Tests bodies: parameters in JSON, and bodies that cannot be read.

use super::*;

const OBJECT: &str = r#"{"user_id": 12345, "click_id": "67890", "transaction_id": 123123123, "currency": "USD", "amount_decimal": 100.00}"#;

fn post<'a>(query: &'a str, body: &'a str, content_type: &'a str) -> Call<'a> {
    Call { body: body.as_bytes(), content_type: Some(content_type), is_post: true, ..acme(query) }
}

fn object<'a>(query: &'a str, body: &'a str) -> Call<'a> {
    post(query, body, "application/json")
}

fn signed_call(body: &str) -> Call<'_> {
    Call { provider: "initech", token: None, ..object("", body) }
}

fn codes(answer: PostbackAnswer) -> Vec<(Option<String>, FaultCode)> {
    let PostbackAnswer::Malformed(faults) = answer else { panic!("{answer:?}") };
    faults.into_iter().map(|fault| (fault.parameter, fault.code)).collect()
}

#[tokio::test]
async fn a_json_object_says_the_same_as_the_query() {
    let rig = Rig::new();
    let receipt = accepted(rig.call(&object("", OBJECT)).await);
    assert_eq!(rig.get(SAMPLE).await, PostbackAnswer::Duplicate(receipt.clone()));
    let (first, rest) = OBJECT.split_once(", ").unwrap();
    let rest = format!("{{{}", rest.replace("100.00", r#"100.0, "dry_run": true, "extra": false"#));
    assert_eq!(first, r#"{"user_id": 12345"#);
    let again = rig.call(&object("user_id=12345", &rest)).await;
    assert_eq!(again, PostbackAnswer::Duplicate(Receipt { ignored: vec!["extra".to_owned()], ..receipt }));
    assert!(rig.world.state().refusals.is_empty());
}

#[tokio::test]
async fn an_amount_in_json_is_judged_by_its_digits() {
    let rig = Rig::new();
    let with = |amount: &str| OBJECT.replace("100.00", amount);
    for (amount, code) in [
        ("1e3", FaultCode::NotAnAmount),
        ("1E2", FaultCode::NotAnAmount),
        ("-1", FaultCode::NegativeAmount),
        ("0.1234567891", FaultCode::AmountOutOfRange),
        ("12345678901234567890", FaultCode::AmountOutOfRange),
        ("true", FaultCode::NotAnAmount),
        ("null", FaultCode::NullValue),
        ("[100]", FaultCode::NestedValue),
        (r#""{payout}""#, FaultCode::MacroNotReplaced),
        (r#""""#, FaultCode::Missing),
    ] {
        let faults = codes(rig.call(&object("", &with(amount))).await);
        assert_eq!(faults, [(Some("amount_decimal".to_owned()), code)], "{amount}");
    }
    accepted(rig.call(&object("", &with("0.30000000"))).await);
}

#[tokio::test]
async fn what_a_partner_sent_is_kept_whatever_its_type() {
    for (call, kept) in [
        (post("a=1", "b=2", "text/plain"), "a=1&\u{fffd}=\u{fffd}b=2"),
        (object("a=1", r#"{"b": 2,}"#), "a=1&\u{fffd}=\u{fffd}{\"b\": 2,}"),
        (Call { is_post: false, ..post("", "b=2", "text/plain") }, "\u{fffd}=\u{fffd}b=2"),
        (object("a=1", r#"{"b": [2, 3], "c": "ü", "signature": "x"}"#), "a=1&b=\u{fffd}%5B2%2C%203%5D&c=%C3%BC"),
        (object("a=1", r#"{"b": 2.50, "c": false}"#), "a=1&b=2.50&c=false"),
    ] {
        let rig = Rig::new();
        assert!(!codes(rig.call(&call).await).is_empty());
        let requests: Vec<KeptRequest> =
            rig.world.state().refusals.values().map(|(refusal, _)| refusal.request.clone()).collect();
        assert_eq!(requests, [KeptRequest { text: kept.to_owned(), sent_bytes: None }]);
        // Only a request that was read completely may be sent again in the partner's name.
        let provider = Provider::new("acme").unwrap();
        let kept = Resubmission { provider: &provider, request: &requests[0], source: call.source };
        let resubmitted = rig.accept.resubmit(&kept, Timestamp::UNIX_EPOCH, ReceiptId::from_random([9; 16])).await;
        assert_eq!(resubmitted.is_some(), !kept.request.text.contains(char::REPLACEMENT_CHARACTER));
    }
}

#[tokio::test]
async fn a_body_is_judged_after_the_credential() {
    let rig = Rig::new();
    for token in ["bad", ""] {
        let call = Call { token: Some(token), ..object(SAMPLE, "[]") };
        assert_eq!(rig.call(&call).await, PostbackAnswer::Unauthorized);
    }
    let elsewhere = Call { source: [8, 8, 8, 8].into(), ..object(SAMPLE, "[]") };
    assert!(matches!(rig.call(&elsewhere).await, PostbackAnswer::Forbidden(_)));
    assert_eq!(codes(rig.call(&object(SAMPLE, "[]")).await), [(None, FaultCode::UnsupportedBody)]);
}

#[tokio::test]
async fn what_is_too_large_is_kept_under_the_partners_name() {
    let large = format!("{{\"a\": \"{}\"}}", "x".repeat(16 * 1024));
    let many: Vec<String> = (0..65).map(|at| format!("\"{at}\": 1")).collect();
    let many = format!("{{{}}}", many.join(","));
    let long = format!("a={}", "x".repeat(9000));
    for (call, code) in [
        (object("", &large), FaultCode::TooLarge),
        (object(&long, "{}"), FaultCode::TooLarge),
        (object("", &many), FaultCode::TooManyParameters),
    ] {
        let rig = Rig::new();
        let stranger = Call { token: Some("bad"), ..call };
        assert_eq!(rig.call(&stranger).await, PostbackAnswer::Unauthorized);
        assert!(rig.world.state().refusals.is_empty());
        let answered = rig.accept.handle(&call, Timestamp::UNIX_EPOCH, ReceiptId::from_random([9; 16])).await;
        assert_eq!(answered.provider.as_ref().map(Provider::as_str), Some("acme"));
        assert_eq!(codes(answered.answer), [(None, code)]);
        let state = rig.world.state();
        let (kept, _) = state.refusals.values().next().unwrap();
        assert!(
            kept.request.text.len() <= 3 * 4096 && (code == FaultCode::TooManyParameters || !kept.request.is_whole())
        );
    }
}

#[tokio::test]
async fn a_refused_call_with_a_good_signature_is_kept() {
    let text =
        |more: &str| format!("amount_decimal=100.00&click_id=67890&currency=USD&{more}transaction_id=1&user_id=1");
    let sign = |canonical: &str| signature::sign(&Secret::new("s"), canonical);
    // These calls have a parameter twice, a form as plain text, JSON as plain text, a form as JSON, and the partner's
    // name in the query.
    let twice = format!("{}&user_id=2", text(""));
    let twice_signed = format!("{twice}&signature={}", sign(&format!("{}&user_id=2", text("provider=initech&"))));
    let form = format!("{}&signature={}", text(""), sign(&text("provider=initech&")));
    let members: Vec<String> = form.split('&').map(|pair| format!("\"{}\"", pair.replace('=', "\":\""))).collect();
    let json = format!("{{{}}}", members.join(","));
    let named = format!("{}&signature={}", text("provider=initech&"), sign(&text("provider=initech&")));
    let call = |query, body, content_type| Call { provider: "initech", token: None, ..post(query, body, content_type) };
    for (call, code) in [
        (call(&twice_signed, "", ""), FaultCode::Repeated),
        (call("", &form, "text/plain"), FaultCode::UnsupportedBody),
        (call("", &json, "text/plain"), FaultCode::UnsupportedBody),
        (call("", &form, "application/json"), FaultCode::UnsupportedBody),
        (call(&named, "", ""), FaultCode::Repeated),
    ] {
        let rig = Rig::new();
        let told: Vec<FaultCode> = codes(rig.call(&call).await).into_iter().map(|(_, code)| code).collect();
        assert_eq!(told, [code], "{call:?}");
        assert_eq!(rig.world.state().refusals.len(), 1, "{call:?}");
        let tampered = Call { query: b"user_id=9", ..call };
        assert!(!matches!(rig.call(&tampered).await, PostbackAnswer::Accepted(_)));
        assert_eq!(rig.world.state().refusals.len(), 1, "{call:?}");
    }
}

#[tokio::test]
async fn a_pixel_is_refused_and_kept_and_a_person_is_not() {
    let rig = Rig::new();
    let pixel = Call { page_part: Some("image"), ..acme(SAMPLE) };
    assert_eq!(codes(rig.call(&pixel).await), [(None, FaultCode::SentByBrowser)]);
    assert_eq!(rig.world.state().refusals.len(), 1);
    assert_eq!(rig.call(&Call { token: Some("bad"), ..pixel }).await, PostbackAnswer::Unauthorized);
    accepted(rig.get(SAMPLE).await);
}

#[tokio::test]
async fn a_signature_covers_the_members_of_an_object() {
    let rig = Rig::new();
    let secret = Secret::new("s");
    let canonical =
        "amount_decimal=100.00&click_id=67890&currency=USD&provider=initech&transaction_id=123123123&user_id=12345";
    let signature = signature::sign(&secret, canonical);
    let signed = OBJECT.replace('}', &format!(r#", "signature": "{signature}"}}"#));
    accepted(rig.call(&signed_call(&signed)).await);
    // The signature covers a number as it was written, so another notation of the same number does not match.
    for tampered in [signed.replace("100.00", "100.0"), signed.replace("100.00", "900.00"), OBJECT.to_owned()] {
        assert_eq!(rig.call(&signed_call(&tampered)).await, PostbackAnswer::Unauthorized, "{tampered}");
    }
    rig.calls();
    for (body, code) in [
        (signed.replace('}', ""), FaultCode::UnsupportedBody),
        (signed.replace("12345,", "null,"), FaultCode::NullValue),
    ] {
        let faults = codes(rig.call(&signed_call(&body)).await);
        assert_eq!(faults.iter().map(|(_, code)| *code).collect::<Vec<_>>(), [code], "{body}");
    }
    assert_eq!(rig.calls(), [""; 0], "nobody knows who sent them, so they are not kept");
}
