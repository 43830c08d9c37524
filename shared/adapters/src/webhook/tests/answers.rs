//! Tests how partners' answers are understood, and which requests partners get.

use std::time::Duration;

use domain::{
    outbound::{
        attempt::{AttemptOutcome, Verdict},
        retry::RetryAfter,
        webhook::Method,
    },
    values::signature::Secret,
};
use jiff::Timestamp;

use super::{
    super::{AGENT, Signer},
    harness::{OK, Peer, SECRET, client, delivery_id, outcome_of, request, send},
};

#[tokio::test]
async fn every_status_becomes_the_outcome() {
    for code in [200, 204, 301, 304, 404, 410, 500, 503, 599] {
        let says = format!("HTTP/1.1 {code} Whatever\r\ncontent-length: 0\r\nlocation: http://127.0.0.1:1/\r\n\r\n");
        assert_eq!(outcome_of(says).await, AttemptOutcome::Status(code));
    }
}

#[tokio::test]
async fn an_interim_answer_is_skipped() {
    let (going_on, hints) =
        ("HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Hints\r\nretry-after: 9\r\nlink: </x>\r\n\r\n");
    let processing = "HTTP/1.1 102 Processing\r\n\r\n".repeat(20);
    for interim in [going_on, hints, &processing, &format!("{hints}{going_on}{hints}")] {
        for (code, verdict) in [(200, Verdict::Delivered), (410, Verdict::Gone), (503, Verdict::Failed)] {
            let peer = Peer::answering(format!("{interim}HTTP/1.1 {code} X\r\ncontent-length: 2\r\n\r\nok"));
            let answered = send(&client(), &peer.http()).await;
            assert_eq!((&answered.outcome, answered.outcome.verdict()), (&AttemptOutcome::Status(code), verdict));
            assert_eq!((answered.answer.as_bytes(), answered.retry_after), (&b"ok"[..], None));
        }
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let there = Peer::answering(OK);
    let redirect = format!("HTTP/1.1 301 Moved\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n", there.address);
    let here = Peer::answering(redirect);
    let answered = send(&client(), &here.http()).await;
    assert_eq!(answered.outcome.verdict(), Verdict::Failed);
    assert_eq!((here.requests().len(), there.connections()), (1, 0));
}

#[tokio::test]
async fn an_answer_and_its_retry_after_are_kept_as_they_came() {
    let says = "HTTP/1.1 503 Busy\r\nretry-after: 120\r\nset-cookie: a=b\r\ncontent-length: 4\r\n\r\nbusy";
    let peer = Peer::answering(says);
    let client = client();
    let answered = send(&client, &peer.http()).await;
    assert_eq!(answered.retry_after, Some(RetryAfter::Delay(Duration::from_mins(2))));
    assert_eq!(answered.answer.as_bytes(), b"busy");
    assert!(answered.sent_at <= answered.ended_at);
    send(&client, &peer.http()).await;
    assert!(!peer.requests()[1].contains("cookie"));
}

#[tokio::test]
async fn the_longest_of_several_retry_afters_counts() {
    let says = "HTTP/1.1 503 Busy\r\nretry-after: 30.5\r\nRetry-After: 120;\r\ncontent-length: 0\r\n\r\n";
    let answered = send(&client(), &Peer::answering(says).http()).await;
    assert_eq!(answered.retry_after, Some(RetryAfter::Delay(Duration::from_mins(2))));
}

#[tokio::test]
async fn a_body_in_a_content_coding_is_kept_as_it_came() {
    let mut says = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 400\r\n\r\n".to_vec();
    // These bytes would become a gigabyte if the client decoded them.
    let body: Vec<u8> = [0x1f, 0x8b, 8].into_iter().chain(std::iter::repeat(0)).take(400).collect();
    says.extend(&body);
    let peer = Peer::start(None, move |mut call| {
        let says = says.clone();
        async move {
            call.request().await;
            call.say(says).await;
        }
    });
    let answered = send(&client(), &peer.http()).await;
    assert_eq!(answered.answer.as_bytes(), &body[..256]);
}

#[tokio::test]
async fn a_get_goes_out_to_the_letter_with_its_signed_headers() {
    let peer = Peer::answering(OK);
    let template = format!("http://{}/a%20b/~c;d='!*|^?x=[1]&click={{clickId}}&e", peer.address);
    let asked = request(Method::Get, &template);
    let secrets = ["whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", SECRET].map(Secret::new);
    let now: Timestamp = "2026-11-23T12:00:00.123456Z".parse().unwrap();
    let signer = Signer::try_new(&secrets).unwrap();
    let answered = client().send(&asked, &delivery_id(), &signer, now).await;
    assert_eq!(answered.outcome, AttemptOutcome::Status(200));
    assert!(answered.sent_at.as_millisecond() == now.as_millisecond() && answered.ended_at > answered.sent_at);
    let seen = peer.requests().remove(0);
    let id = delivery_id();
    let target = asked.url().request_target();
    let signature = signer.sign(id.as_str(), now.as_second(), &format!("\"{target}\"")).unwrap();
    assert_eq!(signature.split(' ').count(), 2);
    let expected = [
        format!("GET {target} HTTP/1.1"),
        format!("host: {}", peer.address),
        format!("user-agent: {AGENT}"),
        "accept-encoding: identity".to_owned(),
        format!("webhook-id: {id}"),
        format!("webhook-timestamp: {}", now.as_second()),
        format!("webhook-signature: {signature}"),
    ];
    for line in expected {
        assert!(seen.contains(&format!("{line}\r\n")), "{line} in {seen}");
    }
    assert!(target.contains("|^") && target.contains("[1]"), "{target}");
}

#[tokio::test]
async fn a_post_carries_its_body_as_it_was_signed() {
    let peer = Peer::answering(OK);
    let asked = request(Method::Post, &peer.http());
    let signer = Signer::try_new(&[Secret::new(SECRET)]).unwrap();
    client().send(&asked, &delivery_id(), &signer, Timestamp::now()).await;
    let seen = peer.requests().remove(0);
    assert!(seen.starts_with("POST /hook?click=c-1 HTTP/1.1\r\n") && seen.contains("content-type: application/json"));
    assert!(seen.ends_with(asked.body().unwrap()) && asked.signed_payload() == asked.body().unwrap());
}

#[tokio::test]
async fn a_request_is_the_same_bytes_on_the_wire_every_time() {
    let peer = Peer::answering(OK);
    let signer = Signer::try_new(&[Secret::new(SECRET)]).unwrap();
    let (id, now) = (delivery_id(), "2026-11-23T12:00:00Z".parse::<Timestamp>().unwrap());
    let (client, address) = (client(), peer.address);
    for method in [Method::Get, Method::Post] {
        let asked = request(method, &peer.http());
        client.send(&asked, &id, &signer, now).await;
        let signature = signer.sign(id.as_str(), now.as_second(), &asked.signed_payload()).unwrap();
        let body = asked.body().unwrap_or_default();
        let (word, json, length) = match method {
            Method::Get => ("GET", String::new(), String::new()),
            Method::Post => {
                ("POST", "content-type: application/json\r\n".to_owned(), format!("content-length: {}\r\n", body.len()))
            }
        };
        let expected = format!(
            "{word} /hook?click=c-1 HTTP/1.1\r\nuser-agent: {AGENT}\r\naccept: */*\r\naccept-encoding: identity\r\n\
             webhook-id: {id}\r\nwebhook-timestamp: 1795435200\r\nwebhook-signature: {signature}\r\n{json}\
             host: {address}\r\n{length}\r\n{body}"
        );
        assert_eq!(peer.requests().pop().unwrap(), expected);
    }
}
