//! Tests partners that abuse HTTP/2, frame by frame.

use std::time::Duration;

use domain::outbound::attempt::{AttemptFault, AttemptOutcome, Phase};
use tokio::{io::AsyncReadExt, time::sleep};

use super::{
    harness::{Call, Peer, fault, hasty_trusting, send},
    secure::Authority,
};

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

/// Encodes `:status: 200` as in HPACK's static table.
const STATUS_200: &[u8] = &[0x88];
/// Encodes `:status: 103` as a literal.
pub(super) const STATUS_103: &[u8] = &[0x08, 3, b'1', b'0', b'3'];
/// Encodes `x: y` as a literal.
const X_IS_Y: &[u8] = &[0x00, 1, b'x', 1, b'y'];

pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

pub(super) fn ok(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, STATUS_200)
}

impl Call {
    /// Exchanges the preface and settings of HTTP/2.
    async fn greet(&mut self) -> Option<()> {
        self.stream.read_exact(&mut [0; 24]).await.ok()?;
        self.say(frame(SETTINGS, 0, 0, &[])).await.then_some(())
    }

    /// Waits for the next request and returns its stream.
    async fn http2_request(&mut self) -> Option<u32> {
        loop {
            let mut head = [0; 9];
            self.stream.read_exact(&mut head).await.ok()?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            self.stream.read_exact(&mut vec![0; usize::try_from(length).unwrap()]).await.ok()?;
            if head[3] == HEADERS {
                self.seen.lock().unwrap().push(format!("connection {}", self.n));
                return Some(u32::from_be_bytes(head[5..].try_into().unwrap()));
            }
        }
    }
}

/// Starts a partner that reads a request, writes the first frames, and then repeats the other frames until the client
/// closes the connection.
pub(super) fn partner(authority: &Authority, first: fn(u32) -> Vec<u8>, then: fn(u32) -> Vec<u8>) -> Peer {
    let tls = authority.certify("partner.example", &[b"h2"], |_| ());
    Peer::start(Some(tls), move |mut call| async move {
        call.greet().await;
        while let Some(stream) = call.http2_request().await {
            call.say(first(stream)).await;
            let flood = then(stream).repeat(100);
            if !flood.is_empty() {
                while call.say(&flood).await {}
            }
        }
    })
}

fn nothing(_: u32) -> Vec<u8> {
    Vec::new()
}

/// Sends one webhook. Checks that exactly one request was made, and that the client closed the connection.
async fn outcome(first: fn(u32) -> Vec<u8>, then: fn(u32) -> Vec<u8>) -> AttemptOutcome {
    let authority = Authority::new();
    let peer = partner(&authority, first, then);
    let client = hasty_trusting(Some(authority.file.clone()));
    let outcome = send(&client, &peer.https()).await.outcome;
    assert_eq!(peer.requests(), ["connection 1"]);
    peer.is_left().await;
    outcome
}

fn waited(outcome: &AttemptOutcome) -> bool {
    matches!(outcome, AttemptOutcome::Fault(AttemptFault::TimedOut { waiting_for: Phase::Headers, .. }))
}

#[tokio::test]
async fn an_interim_answer_is_skipped_over_http2() {
    let status = |code: &str| [&[0x08, 3], code.as_bytes()].concat();
    let interim = move |stream, code| frame(HEADERS, END_HEADERS, stream, &status(code));
    let authority = Authority::new();
    let first =
        move |stream| [interim(stream, "100"), interim(stream, "103"), interim(stream, "102"), ok(stream)].concat();
    let tls = authority.certify("partner.example", &[b"h2"], |_| ());
    let peer = Peer::start(Some(tls), move |mut call| async move {
        call.greet().await;
        while let Some(stream) = call.http2_request().await {
            call.say(first(stream)).await;
        }
    });
    assert_eq!(send(&authority.client(), &peer.https()).await.outcome, AttemptOutcome::Status(200));
}

#[tokio::test]
async fn a_partner_is_told_how_little_it_may_send() {
    let authority = Authority::new();
    let tls = authority.certify("partner.example", &[b"h2"], |_| ());
    let peer = Peer::start(Some(tls), |mut call| async move {
        let mut settings = [0; 24 + 9 + 24];
        let _ = call.stream.read_exact(&mut settings).await;
        let settings = settings[24 + 9..].chunks(6).map(|it| (it[1], u32::from_be_bytes(it[2..].try_into().unwrap())));
        let settings: Vec<String> = settings.map(|(name, value)| format!("{name} = {value}")).collect();
        call.seen.lock().unwrap().push(settings.join(", "));
    });
    send(&authority.client(), &peer.https()).await;
    // The settings forbid push, and allow 16 KiB of a body before we read it, frames of 16 KiB, and 16 KiB of headers.
    assert_eq!(peer.requests(), ["2 = 0, 4 = 16384, 5 = 16384, 6 = 16384"]);
}

#[tokio::test]
async fn a_stream_or_connection_that_is_refused_is_not_tried_again() {
    let refused = |stream| frame(RST_STREAM, 0, stream, &7u32.to_be_bytes());
    let cancelled = |stream| frame(RST_STREAM, 0, stream, &8u32.to_be_bytes());
    let going = |_| frame(GOAWAY, 0, 0, &[0; 8]);
    let calm = |_| frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 11]);
    for first in [refused, cancelled, going, calm] {
        assert_eq!(outcome(first, nothing).await, AttemptOutcome::Fault(AttemptFault::Disconnected));
    }
}

#[tokio::test]
async fn a_connection_that_goes_away_is_replaced_before_sending() {
    let authority = Authority::new();
    let peer =
        partner(&authority, |stream| [ok(stream), frame(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0])].concat(), nothing);
    let client = authority.client();
    for sent in 1..=3 {
        assert_eq!(send(&client, &peer.https()).await.outcome, AttemptOutcome::Status(200));
        assert_eq!((peer.requests().len(), peer.connections()), (sent, sent));
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_batch_over_http_2_sends_each_webhook_once() {
    let authority = Authority::new();
    let peer = partner(&authority, ok, nothing);
    let (client, url) = (authority.client(), peer.https());
    let sent = futures_util::future::join_all((0..10).map(|_| send(&client, &url))).await;
    assert!(sent.iter().all(|answered| answered.outcome == AttemptOutcome::Status(200)));
    assert_eq!(peer.requests().len(), 10);
}

#[tokio::test]
async fn endless_headers_over_http_2_are_not_http() {
    let begun = |stream| frame(HEADERS, 0, stream, STATUS_200);
    for more in
        [|stream| frame(CONTINUATION, 0, stream, &X_IS_Y.repeat(100)), |stream| frame(CONTINUATION, 0, stream, &[])]
    {
        assert_eq!(outcome(begun, more).await, AttemptOutcome::Fault(AttemptFault::NotHttp));
    }
}

#[tokio::test]
async fn an_answer_that_breaks_http_2_is_not_http() {
    let pushed = |stream| frame(PUSH_PROMISE, END_HEADERS, stream, &[0, 0, 0, 2, 0x82]);
    let unasked = |_| ok(99);
    let bad_block = |stream| frame(HEADERS, END_HEADERS, stream, &[0xff; 64]);
    let no_status = |stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, X_IS_Y);
    for first in [pushed, unasked, bad_block, no_status] {
        let said = fault(outcome(first, nothing).await);
        assert_eq!(said, AttemptFault::NotHttp);
    }
}

#[tokio::test]
async fn an_endless_body_over_http_2_does_not_change_its_status() {
    let head = |stream| frame(HEADERS, END_HEADERS, stream, STATUS_200);
    let data = |stream| frame(DATA, 0, stream, &[b'z'; 1024]);
    let empty = |stream| frame(DATA, 0, stream, &[]);
    for then in [nothing, data, empty] {
        assert_eq!(outcome(head, then).await, AttemptOutcome::Status(200));
    }
}

#[tokio::test]
async fn a_partner_that_agrees_on_http_2_and_stays_silent_is_left() {
    let authority = Authority::new();
    let tls = authority.certify("partner.example", &[b"h2"], |_| ());
    let mute = Peer::start(Some(tls), |mut call| async move { while call.stream.read_u8().await.is_ok() {} });
    let client = hasty_trusting(Some(authority.file.clone()));
    assert!(waited(&send(&client, &mute.https()).await.outcome));
    mute.is_left().await;
}

#[tokio::test]
async fn a_partner_that_lets_no_stream_begin_is_sent_nothing() {
    let authority = Authority::new();
    let tls = authority.certify("partner.example", &[b"h2"], |_| ());
    let peer = Peer::start(Some(tls), |mut call| async move {
        let _ = call.stream.read_exact(&mut [0; 24]).await;
        // This setting allows no streams at all.
        call.say(frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 0])).await;
        while call.http2_request().await.is_some() {}
    });
    let client = hasty_trusting(Some(authority.file.clone()));
    // The client may send the first request before the setting arrives.
    for _ in 0..2 {
        assert!(waited(&send(&client, &peer.https()).await.outcome));
    }
    assert!(peer.requests().len() <= 2);
    peer.is_left().await;
}
