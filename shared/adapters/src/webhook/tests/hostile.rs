//! Tests partners that misbehave: each attempt ends within its limits and names the fault.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::outbound::attempt::{AttemptFault, AttemptOutcome, Phase};
use tokio::{
    io::AsyncReadExt,
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};

use super::harness::{OK, Peer, client, fault, hasty, outcome_of, send};

fn waited_for(outcome: AttemptOutcome) -> Phase {
    match fault(outcome) {
        AttemptFault::TimedOut { waiting_for, after_ms } => {
            let least = if waiting_for == Phase::Connect { 250 } else { 300 };
            assert!((least..10_000).contains(&after_ms), "{after_ms}");
            waiting_for
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_partner_that_hangs_times_out_waiting_for_headers() {
    let peer = Peer::start(None, |mut call| async move {
        call.request().await;
        sleep(Duration::from_mins(1)).await;
    });
    assert_eq!(waited_for(send(&hasty(), &peer.http()).await.outcome), Phase::Headers);
    assert_eq!(peer.requests().len(), 1);
}

#[tokio::test]
async fn an_occasional_byte_does_not_prolong_the_attempt() {
    let peer = Peer::start(None, |mut call| async move {
        call.request().await;
        for byte in b"HTTP/1.1 200 OK\r\nx: y\r\n".iter().cycle() {
            if !call.say([*byte]).await {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
    });
    assert_eq!(waited_for(send(&hasty(), &peer.http()).await.outcome), Phase::Headers);
}

#[tokio::test]
async fn a_complete_2xx_head_delivers_despite_a_broken_body() {
    for rest in [
        "",
        "broken\r\n",
        "x: y\r\n",
        "content-length: 1000\r\n\r\nshort",
        "content-length: 1000000000000\r\n\r\nshort",
        "transfer-encoding: chunked\r\n\r\nnot a number\r\n",
        "transfer-encoding: chunked\r\n\r\n2;and=an-extension\r\nok\r\n0\r\nnot a trailer",
        "content-length: 2\r\ntransfer-encoding: chunked\r\n\r\nok",
    ] {
        let says = format!("HTTP/1.1 200 OK\r\n{rest}\r\n");
        assert_eq!(outcome_of(says).await, AttemptOutcome::Status(200), "{rest}");
    }
}

#[tokio::test]
async fn a_head_that_never_completes_is_a_failed_attempt() {
    for rest in ["", "broken", "x: y\r\n"] {
        let says = format!("HTTP/1.1 200 OK\r\n{rest}");
        assert_eq!(outcome_of(says).await, AttemptOutcome::Fault(AttemptFault::Disconnected), "{rest}");
    }
    let dripping = Peer::start(None, |mut call| async move {
        call.request().await;
        call.say("HTTP/1.1 204 No Content\r\n").await;
        while call.say("x: y\r\n").await {
            sleep(Duration::from_millis(20)).await;
        }
    });
    assert_eq!(waited_for(send(&hasty(), &dripping.http()).await.outcome), Phase::Headers);
    dripping.is_left().await;
}

#[tokio::test]
async fn a_head_beyond_hypers_bounds_is_not_http() {
    let many = "x: y\r\n".repeat(10_000);
    let large = format!("x: {}\r\n", "y".repeat(1_000_000));
    let lengths =
        ["-1", "18446744073709551615", "1\r\ncontent-length: 2"].map(|it| format!("content-length: {it}\r\n"));
    for head in [&many, &large].into_iter().chain(&lengths) {
        let says = format!("HTTP/1.1 200 OK\r\n{head}\r\n");
        assert_eq!(outcome_of(says).await, AttemptOutcome::Fault(AttemptFault::NotHttp), "{head:.40}");
    }
}

/// Starts a partner that reads the request, writes the first text, and then writes the second one without end.
fn saying_without_end(first: &'static str, then: &'static str) -> Peer {
    Peer::start(None, move |mut call| async move {
        call.request().await;
        call.say(first).await;
        while call.say(then).await {}
    })
}

#[tokio::test]
async fn a_flood_of_1xx_lasts_no_longer_than_the_attempt() {
    let peer = saying_without_end("", "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
    assert_eq!(waited_for(send(&hasty(), &peer.http()).await.outcome), Phase::Headers);
    peer.is_left().await;
}

#[tokio::test]
async fn an_endless_head_is_not_http() {
    for then in ["x: y\r\n", "y"] {
        let peer = saying_without_end("HTTP/1.1 200 OK\r\nx: ", then);
        assert_eq!(send(&client(), &peer.http()).await.outcome, AttemptOutcome::Fault(AttemptFault::NotHttp));
        peer.is_left().await;
    }
}

#[tokio::test]
async fn a_body_of_endless_framing_is_left_after_its_head() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let extension = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;x=";
    let trailers = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n";
    for (first, then) in [(chunked, "0"), (chunked, "1\r\nz\r\n"), (extension, "y"), (trailers, "x: y\r\n")] {
        let peer = saying_without_end(first, then);
        assert_eq!(send(&client(), &peer.http()).await.outcome, AttemptOutcome::Status(200), "{first}{then}");
        peer.is_left().await;
    }
}

#[tokio::test]
async fn a_partner_that_never_reads_is_left_after_the_total() {
    let peer = Peer::start(None, |call| async move {
        sleep(Duration::from_mins(1)).await;
        drop(call);
    });
    assert_eq!(waited_for(send(&hasty(), &peer.http()).await.outcome), Phase::Headers);
}

#[tokio::test]
async fn an_answer_before_its_request_delivers_nothing() {
    let peer = Peer::start(None, |mut call| async move {
        call.say(OK).await;
        call.request().await;
    });
    for _ in 0..20 {
        let before = peer.requests().len();
        let outcome = send(&client(), &peer.http()).await.outcome;
        let came = peer.requests().len() - before;
        assert!(came <= 1 && (outcome != AttemptOutcome::Status(200) || came == 1), "{outcome}");
    }
}

#[tokio::test]
async fn a_partner_that_switches_protocols_is_answered_101() {
    let says = "HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nwords";
    assert_eq!(outcome_of(says).await, AttemptOutcome::Status(101));
}

#[tokio::test]
async fn an_endless_body_is_left_after_4_kib() {
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
    });
    let answered = send(&client(), &peer.http()).await;
    assert_eq!(answered.outcome, AttemptOutcome::Status(500));
    assert_eq!(answered.answer.as_bytes(), [b'z'; 256]);
    for _ in 0..100 {
        if closed.load(Ordering::SeqCst) == 1 {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(closed.load(Ordering::SeqCst), 1);
    // The partner could write only as much as the two sockets buffer.
    assert!(written.load(Ordering::SeqCst) < 16 << 20);
}

#[tokio::test]
async fn a_body_that_stalls_does_not_change_its_status() {
    let peer = Peer::start(None, |mut call| async move {
        call.request().await;
        call.say("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhal").await;
        let _ = call.stream.read_u8().await;
    });
    let answered = send(&hasty(), &peer.http()).await;
    assert_eq!((answered.outcome, answered.answer.as_bytes()), (AttemptOutcome::Status(200), &b"hal"[..]));
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_named_so() {
    let large = format!("HTTP/1.1 2{}", "0".repeat(1_000_000));
    for says in ["SSH-2.0-OpenSSH_9.6\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}", "HTTP/1.1 abc\r\n\r\n", large.as_str()] {
        assert_eq!(outcome_of(says).await, AttemptOutcome::Fault(AttemptFault::NotHttp), "{says:.20}");
    }
}

#[tokio::test]
async fn a_break_before_the_status_line_is_disconnected() {
    for says in ["", "HTTP/1.1 20", "HTTP/1.1 200 OK"] {
        assert_eq!(outcome_of(says).await, AttemptOutcome::Fault(AttemptFault::Disconnected), "{says}");
    }
}

#[tokio::test]
async fn a_connection_that_nobody_accepts_times_out() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(taken) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        waiting.push(taken);
    }
    assert_eq!(waited_for(send(&hasty(), &format!("http://{address}/")).await.outcome), Phase::Connect);
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_refused() {
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let answered = send(&client(), &format!("http://127.0.0.1:{port}/")).await;
    assert_eq!(answered.outcome, AttemptOutcome::Fault(AttemptFault::Refused));
}
