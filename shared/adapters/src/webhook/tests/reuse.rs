//! Connections from one webhook to the next: kept where that is safe, and never at the price of a second request.

use std::{sync::Arc, time::Duration};

use domain::attempt::{AttemptFault, Outcome};
use tokio::{sync::Barrier, time::sleep};

use super::{
    super::{Limits, WebhookSettings},
    harness::{OK, Peer, client, client_at, limits, send, settings},
};

#[tokio::test]
async fn two_webhooks_to_one_partner_need_one_connection() {
    let empty = "HTTP/1.1 204 No Content\r\n\r\n";
    let chunked = "HTTP/1.1 500 Oh\r\ntransfer-encoding: chunked\r\n\r\n2\r\noh\r\n0\r\n\r\n";
    for answer in [OK, empty, chunked] {
        let (peer, client) = (Peer::answering(answer).await, client());
        for _ in 0..3 {
            send(&client, &peer.http()).await;
        }
        assert_eq!((peer.requests().len(), peer.connections()), (3, 1), "{answer}");
    }
}

#[tokio::test]
async fn a_connection_is_kept_no_longer_and_no_more_of_them_than_the_limits_say() {
    for limits in [Limits { idle: Duration::ZERO, ..limits() }, Limits { max_idle: 0, ..limits() }] {
        let peer = Peer::answering(OK).await;
        let client = client_at(&WebhookSettings { limits, ..settings(None) }, &["127.0.0.1"]);
        for _ in 0..2 {
            assert_eq!(send(&client, &peer.http()).await.outcome, Outcome::Status(200));
        }
        assert_eq!(peer.connections(), 2);
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced_before_anything_is_sent() {
    let peer = Peer::start(None, |mut call| async move {
        call.request().await;
        call.say(OK).await;
    })
    .await;
    let client = client();
    for sent in 1..=5 {
        assert_eq!(send(&client, &peer.http()).await.outcome, Outcome::Status(200));
        assert_eq!((peer.requests().len(), peer.connections()), (sent, sent));
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_connection_closed_at_any_moment_never_costs_a_second_request() {
    // It closes so soon after its answer that the next request meets the end before, while or after it is written.
    for micros in (0..400).step_by(10) {
        let peer = Peer::start(None, move |mut call| async move {
            call.request().await;
            call.say(OK).await;
            sleep(Duration::from_micros(micros)).await;
        })
        .await;
        let client = client();
        for sent in 1..=4 {
            let outcome = send(&client, &peer.http()).await.outcome;
            let clear = [Outcome::Status(200), Outcome::Fault(AttemptFault::Disconnected)];
            assert!(clear.contains(&outcome), "{outcome}");
            assert!(peer.requests().len() <= sent);
        }
    }
}

#[tokio::test]
async fn a_request_that_was_written_to_a_kept_connection_is_not_sent_again() {
    let peer = Peer::start(None, |mut call| async move {
        call.request().await;
        call.say(OK).await;
        // Takes the second one, and goes without a word.
        call.request().await;
    })
    .await;
    let client = client();
    assert_eq!(send(&client, &peer.http()).await.outcome, Outcome::Status(200));
    let outcome = send(&client, &peer.http()).await.outcome;
    assert_eq!(outcome, Outcome::Fault(AttemptFault::Disconnected));
    assert_eq!((peer.requests().len(), peer.connections()), (2, 1));
}

#[tokio::test]
async fn words_that_nobody_asked_for_answer_no_later_request() {
    let peer = Peer::start(None, |mut call| async move {
        call.request().await;
        call.say(OK).await;
        if call.n == 1 {
            call.say("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        }
        sleep(Duration::from_millis(200)).await;
    })
    .await;
    let client = client();
    send(&client, &peer.http()).await;
    sleep(Duration::from_millis(20)).await;
    let answered = send(&client, &peer.http()).await;
    assert_eq!((answered.answer.as_bytes(), peer.connections()), (&b"ok"[..], 2));
}

#[tokio::test]
async fn webhooks_of_one_batch_do_not_wait_for_each_other() {
    let all_are_here = Arc::new(Barrier::new(4));
    let peer = Peer::start(None, move |mut call| {
        let all_are_here = all_are_here.clone();
        async move {
            call.request().await;
            all_are_here.wait().await;
            call.say(OK).await;
        }
    })
    .await;
    let (client, url) = (client(), peer.http());
    let (a, b, c, d) = tokio::join!(send(&client, &url), send(&client, &url), send(&client, &url), send(&client, &url));
    assert!([a, b, c, d].iter().all(|answered| answered.outcome == Outcome::Status(200)));
}
