use proptest::prelude::*;

use super::*;
use crate::outbound::address;

#[test]
fn a_2xx_is_delivered_a_410_gone_and_all_else_failed() {
    for code in 0..=u16::MAX {
        let expected = match code {
            200..=299 => Verdict::Delivered,
            410 => Verdict::Gone,
            _ => Verdict::Failed,
        };
        assert_eq!(AttemptOutcome::Status(code).verdict(), expected, "{code}");
    }
    assert_eq!(AttemptOutcome::Fault(AttemptFault::Refused).verdict(), Verdict::Failed);
    for fault in [AttemptFault::UnsafeValue(WebhookMacro::ClickId), AttemptFault::MissingValue(WebhookMacro::UserId)] {
        assert_eq!(AttemptOutcome::Fault(fault).verdict(), Verdict::Unsendable);
    }
}

#[test]
fn every_outcome_has_words_for_people() {
    let blocked = address::check("127.0.0.1".parse().unwrap()).unwrap_err();
    let timed_out = |waiting_for, after_ms| AttemptFault::TimedOut { waiting_for, after_ms };
    for (fault, words) in [
        (AttemptFault::Dns(DnsFault::NoSuchName), "could not resolve: the name does not exist"),
        (AttemptFault::Refused, "connection refused"),
        (AttemptFault::Tls(TlsFault::Expired), "TLS: expired certificate"),
        (timed_out(Phase::Headers, 10_000), "timed out after 10 s waiting for headers"),
        (timed_out(Phase::Connect, 2_500), "timed out after 2.5 s waiting for the connection"),
        (timed_out(Phase::Tls, 50), "timed out after 0.05 s waiting for the TLS handshake"),
        (AttemptFault::Blocked(blocked), "not sent: 127.0.0.1 is not a public address (loopback)"),
        (
            AttemptFault::UnsafeValue(WebhookMacro::ClickId),
            "not sent, unsafe_value: the value of {clickId} would lead the URL elsewhere",
        ),
    ] {
        assert_eq!(fault.to_string(), words);
    }
    assert_eq!(AttemptOutcome::Status(302).to_string(), "answered 302, a redirect, which is never followed");
    assert_eq!(AttemptOutcome::Status(503).to_string(), "answered 503");
}

#[test]
fn the_first_256_bytes_of_an_answer_are_kept_and_escaped() {
    assert_eq!(AnswerExcerpt::of(&[b'a'; 300]).as_bytes(), [b'a'; 256]);
    assert_eq!(AnswerExcerpt::of(b"ok \x1b[2J\r\n\xff\xc3\xa9").to_string(), "ok \\u{1b}[2J\\r\\n\\xffé");
}

proptest! {
    #[test]
    fn a_stored_attempt_reads_back_unchanged(
        n in 1u8..=6, body in prop::collection::vec(any::<u8>(), 0..300), sent in 0i64..4_000_000_000_000, ms in 0i64..100_000, status: u16,
    ) {
        let (sent_at, ended_at) = (UnixMillis::from_millisecond(sent), UnixMillis::from_millisecond(sent + ms));
        let answered = FinishedAttempt { sent_at, ended_at, outcome: AttemptOutcome::Status(status), answer: AnswerExcerpt::of(&body), retry_after: None };
        let attempt = Attempt::of(n, sent_at, &answered);
        prop_assert_eq!(i64::from(attempt.duration_ms), ms);
        let stored = serde_json::to_string(&attempt).unwrap();
        prop_assert_eq!(serde_json::from_str::<Attempt>(&stored).unwrap(), attempt);
        prop_assert!(!answered.answer.to_string().chars().any(char::is_control));
    }
}
