//! Partners that do what no partner should: the attempt ends, within its limits, with a word for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::attempt::{AttemptFault, Outcome, Phase};
use tokio::{io::AsyncReadExt, time::sleep};

use super::harness::{Peer, client, fault, hasty, outcome_of, send};

fn waited_for(outcome: Outcome) -> Phase {
    match fault(outcome) {
        AttemptFault::TimedOut { waiting_for, after_ms } => {
            assert!((300..10_000).contains(&after_ms), "{after_ms}");
            waiting_for
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn one_that_hangs_times_out_waiting_for_headers() {
    let peer = Peer::start(None, |mut call| async move {
        call.request().await;
        sleep(Duration::from_mins(1)).await;
    })
    .await;
    assert_eq!(waited_for(send(&hasty(), &peer.http()).await.outcome), Phase::Headers);
    assert_eq!(peer.requests().len(), 1);
}

#[tokio::test]
async fn a_byte_now_and_then_does_not_hold_the_attempt_beyond_its_total() {
    let peer = Peer::start(None, |mut call| async move {
        call.request().await;
        for byte in b"HTTP/1.1 200 OK\r\nx: y\r\n".iter().cycle() {
            if !call.say([*byte]).await {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(waited_for(send(&hasty(), &peer.http()).await.outcome), Phase::Headers);
}

#[tokio::test]
async fn a_2xx_status_line_delivers_whatever_follows_it() {
    let many = "x: y\r\n".repeat(10_000);
    let large = format!("x: {}\r\n", "y".repeat(1_000_000));
    for rest in
        ["", "broken", "x: y\r\n", &many, &large, "content-length: 1000\r\n\r\nshort", "content-length: -1\r\n\r\n"]
    {
        let says = format!("HTTP/1.1 200 OK\r\n{rest}");
        assert_eq!(outcome_of(says).await, Outcome::Status(200), "{rest:.40}");
    }
}

#[tokio::test]
async fn a_status_line_that_drips_headers_behind_it_is_still_the_answer() {
    let peer = Peer::start(None, |mut call| async move {
        call.request().await;
        call.say("HTTP/1.1 204 No Content\r\n").await;
        while call.say("x: y\r\n").await {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(send(&hasty(), &peer.http()).await.outcome, Outcome::Status(204));
}

#[tokio::test]
async fn an_endless_body_is_left_after_4_kib_and_its_connection_closed() {
    let written = Arc::new(AtomicUsize::new(0));
    let closed = Arc::new(AtomicUsize::new(0));
    let (count, end) = (written.clone(), closed.clone());
    let peer = Peer::start(None, move |mut call| {
        let (count, end) = (count.clone(), end.clone());
        async move {
            call.request().await;
            call.say("HTTP/1.1 500 Oh\r\ntransfer-encoding: chunked\r\n\r\n").await;
            let chunk = format!("400\r\n{}\r\n", "z".repeat(1024));
            while call.say(&chunk).await {
                count.fetch_add(1024, Ordering::SeqCst);
            }
            end.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    let answered = send(&client(), &peer.http()).await;
    assert_eq!(answered.outcome, Outcome::Status(500));
    assert_eq!(answered.answer.as_bytes(), [b'z'; 256]);
    for _ in 0..100 {
        if closed.load(Ordering::SeqCst) == 1 {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(closed.load(Ordering::SeqCst), 1);
    // What the two sockets buffer, and no stream of it.
    assert!(written.load(Ordering::SeqCst) < 16 << 20);
}

#[tokio::test]
async fn a_body_that_never_ends_costs_its_own_limit_and_changes_nothing() {
    let peer = Peer::start(None, |mut call| async move {
        call.request().await;
        call.say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhal").await;
        let _ = call.stream.read_u8().await;
    })
    .await;
    let answered = send(&hasty(), &peer.http()).await;
    assert_eq!((answered.outcome, answered.answer.as_bytes()), (Outcome::Status(200), &b"hal"[..]));
}

#[tokio::test]
async fn what_is_not_http_is_named_so() {
    let large = format!("HTTP/1.1 2{}", "0".repeat(1_000_000));
    for says in ["SSH-2.0-OpenSSH_9.6\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}", "HTTP/1.1 abc\r\n\r\n", large.as_str()] {
        assert_eq!(outcome_of(says).await, Outcome::Fault(AttemptFault::NotHttp), "{says:.20}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_before_a_status_line_is_disconnected() {
    for says in ["", "HTTP/1.1 20", "HTTP/1.1 200 OK"] {
        assert_eq!(outcome_of(says).await, Outcome::Fault(AttemptFault::Disconnected), "{says}");
    }
}

#[tokio::test]
async fn nobody_listening_is_refused() {
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let answered = send(&client(), &format!("http://127.0.0.1:{port}/")).await;
    assert_eq!(answered.outcome, Outcome::Fault(AttemptFault::Refused));
}
