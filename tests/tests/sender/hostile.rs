//! Sends webhooks through the whole function to partners that misbehave.

use std::fs;

use domain::outbound::{attempt::MAX_ANSWER_BYTES, delivery::Status};
use tests::{partner_simulator::Answer, runtime_api::Function};

use crate::{
    fixture::{Fixture, within},
    partner::Partner,
};

/// Bounds the memory that a batch of such partners may take beyond an idle function, in KiB.
const MORE_KIB: u64 = 20 * 1024;

/// Lists what each partner does, the text of the recorded outcome, and the delivery's status.
const MISDEEDS: [(&str, &str, Status); 10] = [
    (r#"{"status": 500, "endless_body": true}"#, "answered 500", Status::Retrying),
    (r#"{"endless_body": true}"#, "answered 200", Status::Delivered),
    (r#"{"filler_headers": 10000}"#, "the answer was not HTTP", Status::Retrying),
    (r#"{"status": 500, "gzip_bomb_mib": 1024}"#, "answered 500", Status::Retrying),
    (r#"{"redirect": "http://127.0.0.1:1/"}"#, "answered 302, a redirect, which is never followed", Status::Retrying),
    (r#"{"garbage": true}"#, "the answer was not HTTP", Status::Retrying),
    (r#"{"close": true}"#, "the connection broke before an answer came", Status::Retrying),
    (r#"{"hang": true}"#, "waiting for headers", Status::Retrying),
    (r#"{"byte_every_ms": 1000}"#, "waiting for headers", Status::Retrying),
    (r#"{"body": "a long one", "body_byte_every_ms": 1000}"#, "answered 200", Status::Delivered),
];

/// Reads a line of the process's status in KiB.
fn kib(function: &Function, line: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", function.process_id().unwrap())).unwrap();
    let found = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    found.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn hostile_answers_are_recorded_within_bounded_memory() {
    let fixture = Fixture::shared().await;
    let sender = fixture.sender_as(|settings| within(settings, 60, 3)).await;
    let plain = Partner::new(fixture, []).await;
    assert_eq!(sender.give(&[plain.owe().await]).await, [0; 0]);
    let idle = kib(&sender.function, "VmRSS");

    let (mut partners, mut batch) = (Vec::new(), Vec::new());
    for (answer, _, _) in MISDEEDS {
        let answer: Answer = serde_json::from_str(answer).unwrap();
        let partner = Partner::agreeing(fixture, [answer], |agreed| agreed.interval_seconds = 600).await;
        batch.push(partner.owe().await);
        partners.push(partner);
    }
    assert_eq!(sender.give(&batch).await, [0; 0]);
    for ((script, words, status), (partner, message)) in MISDEEDS.iter().zip(partners.iter().zip(&batch)) {
        let stored = fixture.stored(&message.delivery_id).await;
        assert_eq!((stored.status(), stored.attempts().len()), (*status, 1), "{script}");
        let attempt = &stored.attempts()[0];
        let outcome = attempt.outcome.to_string();
        assert!(outcome.contains(words), "{script}: {outcome}");
        assert!(attempt.answer.as_bytes().len() <= MAX_ANSWER_BYTES, "{script}");
        assert_eq!(partner.received().await.len(), 1, "{script}");
    }
    let most = kib(&sender.function, "VmHWM");
    println!("idle {idle} KiB, at most {most} KiB");
    assert!(most <= idle + MORE_KIB, "idle {idle} KiB, at most {most} KiB");
}
