//! Tests connections kept from one webhook to the next. Keeping them must never cause a second request.

use std::{
    io::{Read, Write},
    sync::Arc,
    time::Duration,
};

use domain::outbound::attempt::{AttemptFault, AttemptOutcome};
use tokio::{sync::Barrier, time::sleep};

use super::{
    super::{Limits, WebhookSettings, faults::CLOSED_MEANWHILE, limits::MAX_HOSTS},
    harness::{OK, Peer, client, client_at, limits, send, settings},
};

#[tokio::test]
async fn two_webhooks_to_one_partner_need_one_connection() {
    let empty = "HTTP/1.1 204 No Content\r\n\r\n";
    let chunked = "HTTP/1.1 500 Oh\r\ntransfer-encoding: chunked\r\n\r\n2\r\noh\r\n0\r\n\r\n";
    for answer in [OK, empty, chunked] {
        let (peer, client) = (Peer::answering(answer), client());
        for _ in 0..3 {
            send(&client, &peer.http()).await;
        }
        assert_eq!((peer.requests().len(), peer.connections()), (3, 1), "{answer}");
    }
}

#[tokio::test]
async fn a_connection_that_should_close_is_not_used_again() {
    let closing = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
    let old = "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok";
    for answer in [closing, old] {
        // The partner itself leaves the connection open.
        let (peer, client) = (Peer::answering(answer), client());
        for connections in 1..=2 {
            assert_eq!(send(&client, &peer.http()).await.outcome, AttemptOutcome::Status(200));
            assert_eq!(peer.connections(), connections, "{answer}");
        }
    }
}

#[tokio::test]
async fn the_limits_bound_how_many_connections_wait_and_how_long() {
    for limits in [Limits { idle: Duration::ZERO, ..limits() }, Limits { max_idle: 0, ..limits() }] {
        let peer = Peer::answering(OK);
        let client = client_at(&WebhookSettings { limits, ..settings(None) }, &["127.0.0.1"]);
        for _ in 0..2 {
            assert_eq!(send(&client, &peer.http()).await.outcome, AttemptOutcome::Status(200));
        }
        assert_eq!(peer.connections(), 2);
    }
}

#[tokio::test]
async fn a_connection_closed_meanwhile_is_replaced_before_sending() {
    let peer = Peer::start(None, |mut call| async move {
        call.request().await;
        call.say(OK).await;
    });
    let client = client();
    for sent in 1..=5 {
        assert_eq!(send(&client, &peer.http()).await.outcome, AttemptOutcome::Status(200));
        assert_eq!((peer.requests().len(), peer.connections()), (sent, sent));
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_close_at_any_moment_never_causes_a_second_request() {
    // The partner closes the connection shortly after the answer. The close may come before, while or after the next
    // request is written.
    for micros in (0..400).step_by(10) {
        let peer = Peer::start(None, move |mut call| async move {
            call.request().await;
            call.say(OK).await;
            sleep(Duration::from_micros(micros)).await;
        });
        let client = client();
        for sent in 1..=4 {
            let outcome = send(&client, &peer.http()).await.outcome;
            let clear = [AttemptOutcome::Status(200), AttemptOutcome::Fault(AttemptFault::Disconnected)];
            assert!(clear.contains(&outcome), "{outcome}");
            assert!(peer.requests().len() <= sent);
        }
    }
}

#[tokio::test]
async fn a_request_written_to_a_kept_connection_is_sent_once() {
    let peer = Peer::start(None, |mut call| async move {
        call.request().await;
        call.say(OK).await;
        // The partner reads the second request and closes without an answer.
        call.request().await;
    });
    let client = client();
    assert_eq!(send(&client, &peer.http()).await.outcome, AttemptOutcome::Status(200));
    let outcome = send(&client, &peer.http()).await.outcome;
    assert_eq!(outcome, AttemptOutcome::Fault(AttemptFault::Disconnected));
    assert_eq!((peer.requests().len(), peer.connections()), (2, 1));
}

#[tokio::test]
async fn a_request_that_met_the_end_of_a_kept_connection_says_so() {
    let peer = Peer::start(None, |mut call| async move {
        call.request().await;
        if call.n == 1 {
            call.say(OK).await;
            call.request().await;
        }
    });
    let (client, template) = (client(), format!("http://partner.example:{}/", peer.address.port()));
    assert_eq!(send(&client, &template).await.outcome, AttemptOutcome::Status(200));
    let kept = AttemptFault::Other(CLOSED_MEANWHILE.to_owned());
    assert_eq!(send(&client, &template).await.outcome, AttemptOutcome::Fault(kept));
    assert_eq!(send(&client, &template).await.outcome, AttemptOutcome::Fault(AttemptFault::Disconnected));
    assert_eq!((peer.requests().len(), peer.connections()), (3, 2));
}

#[tokio::test]
async fn no_connection_is_trusted_after_the_machine_slept() {
    let (peer, client) = (Peer::answering(OK), client());
    for connections in 1..=3 {
        assert_eq!(send(&client, &peer.http()).await.outcome, AttemptOutcome::Status(200));
        assert_eq!(peer.connections(), connections);
        client.clients.sleep(Duration::from_secs(2));
    }
}

/// The partner runs on a separate thread. It can therefore close the connection while this runtime does nothing, as in
/// a frozen sandbox.
#[tokio::test]
async fn a_connection_closed_while_nobody_looked_costs_nothing() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let template = format!("http://{}/", listener.local_addr().unwrap());
    let (close, closing) = std::sync::mpsc::channel();
    let (closed, is_closed) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            stream.write_all(OK.as_bytes()).unwrap();
            let _ = closing.recv();
            drop(stream);
            let _ = closed.send(());
        }
    });
    let client = client();
    for _ in 0..10 {
        assert_eq!(send(&client, &template).await.outcome, AttemptOutcome::Status(200));
        close.send(()).unwrap();
        is_closed.recv().unwrap();
    }
}

#[tokio::test]
async fn connections_are_kept_to_a_bounded_number_of_hosts() {
    let (peer, client) = (Peer::answering(OK), client());
    let template = |n| format!("http://partner-{n}.example:{}/", peer.address.port());
    for n in 0..MAX_HOSTS + 5 {
        assert_eq!(send(&client, &template(n)).await.outcome, AttemptOutcome::Status(200));
    }
    peer.ended(5).await;
    assert_eq!(send(&client, &template(5)).await.outcome, AttemptOutcome::Status(200));
    assert_eq!(peer.connections(), MAX_HOSTS + 5);
}

#[tokio::test]
async fn one_hosts_fault_leaves_other_hosts_connections_alone() {
    let (peer, client) = (Peer::answering(OK), client());
    let broken = Peer::answering("SSH-2.0-OpenSSH_9.6\r\n\r\n");
    for _ in 0..3 {
        assert_eq!(send(&client, &peer.http()).await.outcome, AttemptOutcome::Status(200));
        assert_eq!(send(&client, &broken.http()).await.outcome, AttemptOutcome::Fault(AttemptFault::NotHttp));
    }
    assert_eq!((peer.connections(), broken.connections()), (1, 3));
}

#[tokio::test]
async fn an_answer_without_a_request_answers_no_later_one() {
    let peer = Peer::start(None, |mut call| async move {
        call.request().await;
        call.say(OK).await;
        if call.n == 1 {
            call.say("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        }
        sleep(Duration::from_millis(200)).await;
    });
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
    });
    let (client, url) = (client(), peer.http());
    let (a, b, c, d) = tokio::join!(send(&client, &url), send(&client, &url), send(&client, &url), send(&client, &url));
    assert!([a, b, c, d].iter().all(|answered| answered.outcome == AttemptOutcome::Status(200)));
}
