use super::*;

fn fault(json: &str) -> Option<AnswerFault> {
    Act::try_from(&serde_json::from_str::<Answer>(json).unwrap()).err()
}

fn label(json: &str) -> String {
    Act::try_from(&serde_json::from_str::<Answer>(json).unwrap()).unwrap().label
}

#[test]
fn a_label_names_the_status_or_the_misdeed() {
    assert_eq!(label("{}"), "200");
    assert_eq!(label(r#"{"redirect": "https://a.example/"}"#), "302");
    assert_eq!(label(r#"{"redirect": "https://a.example/", "status": 308}"#), "308");
    assert_eq!(label(r#"{"hang": true, "delay_ms": 5, "times": 3}"#), "hang");
    assert_eq!(label(r#"{"byte_every_ms": 5, "body": "x"}"#), "200 a byte at a time");
    assert_eq!(label(r#"{"endless_body": true, "status": 500}"#), "500 with an endless body");
}

#[test]
fn contradictory_fields_are_refused() {
    for json in [r#"{"hang": true, "close": true}"#, r#"{"garbage": true, "status": 200}"#] {
        assert_eq!(fault(json), Some(AnswerFault::NotAlone), "{json}");
    }
    for json in [
        r#"{"endless_body": true, "body": "x"}"#,
        r#"{"gzip_bomb_mib": 1, "endless_body": true}"#,
        r#"{"byte_every_ms": 1, "endless_body": true}"#,
        r#"{"byte_every_ms": 1, "body_byte_every_ms": 1}"#,
    ] {
        assert_eq!(fault(json), Some(AnswerFault::Body), "{json}");
    }
    let both = r#"{"retry_after_seconds": 1, "retry_after_date_seconds": 1}"#;
    assert_eq!(fault(both), Some(AnswerFault::RetryAfter));
}

#[test]
fn an_answer_that_no_server_could_send_is_refused() {
    assert_eq!(fault(r#"{"status": 100}"#), Some(AnswerFault::Status));
    assert_eq!(fault(r#"{"times": 0}"#), Some(AnswerFault::Times));
    assert_eq!(fault(r#"{"filler_headers": 20001}"#), Some(AnswerFault::TooManyHeaders));
    assert_eq!(fault(r#"{"headers": {"Content-Length": "1"}}"#), Some(AnswerFault::Framing(CONTENT_LENGTH)));
    assert_eq!(fault(r#"{"headers": {"x": "a\nb"}}"#), Some(AnswerFault::HeaderValue("x".to_owned())));
    assert!(matches!(fault(r#"{"headers": {"a b": "x"}}"#), Some(AnswerFault::HeaderName(..))));
}
