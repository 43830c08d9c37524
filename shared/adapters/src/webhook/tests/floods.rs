//! Tests partners that send very much before their answer, or that never answer. Their bytes are bounded, and 1xx
//! answers are skipped.

use domain::outbound::{
    attempt::{AttemptFault, AttemptOutcome},
    webhook::Method,
};

use super::{
    super::{
        faults::TOO_MUCH,
        limits::{MAX_ATTEMPT_BYTES, MAX_IDLE_BYTES},
    },
    harness::{OK, Peer, outcome_of, request, send},
    hostile_http2::{DATA, END_HEADERS, HEADERS, PING, SETTINGS, STATUS_103, frame, ok, partner},
    secure::Authority,
};

/// Makes the frames that a partner sends on a stream.
type Frames = fn(u32) -> Vec<u8>;

const PRIORITY: u8 = 2;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;

/// Encodes `:status: 100` as a literal of HPACK.
const STATUS_100: &[u8] = &[0x08, 3, b'1', b'0', b'0'];
const EARLY_HINTS: &str = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";

/// Sends one webhook to a flooding partner. Checks that the partner got one request, that the connection was closed,
/// and that no more bytes were read than an attempt allows.
async fn outcome(authority: &Authority, peer: &Peer) -> AttemptOutcome {
    let client = authority.client();
    let (_, quota, _) = client.clients.of(request(Method::Get, &peer.https()).url()).unwrap();
    let outcome = send(&client, &peer.https()).await.outcome;
    assert_eq!(peer.requests().len(), 1);
    peer.is_left().await;
    assert!(quota.taken() <= MAX_ATTEMPT_BYTES + MAX_IDLE_BYTES, "{} bytes were read", quota.taken());
    outcome
}

fn interim(status: &[u8], stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, status)
}

fn too_much() -> AttemptOutcome {
    AttemptOutcome::Fault(AttemptFault::Other(TOO_MUCH.to_owned()))
}

/// Starts a partner that speaks HTTP/1.1 over TLS. After a request it sends the first text, and then repeats the second
/// text until the client closes the connection.
fn http1(authority: &Authority, first: &'static str, then: &'static str) -> Peer {
    let tls = authority.certify("partner.example", &[b"http/1.1"], |_| ());
    Peer::start(Some(tls), move |mut call| async move {
        call.request().await;
        call.say(first).await;
        while call.say(then.repeat(100)).await {}
    })
}

#[tokio::test]
async fn a_flood_of_1xx_ends_with_its_bytes() {
    for then in [EARLY_HINTS, "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 102\r\n\r\n"] {
        for authority in [Authority::new(), Authority::of_tls_1_2()] {
            let peer = http1(&authority, "", then);
            assert_eq!(outcome(&authority, &peer).await, too_much(), "{then}");
        }
    }
}

#[tokio::test]
async fn a_head_that_grows_ends_with_its_bytes() {
    let authority = Authority::new();
    let peer = http1(&authority, "HTTP/1.1 200 OK\r\nx: ", "y");
    assert_eq!(outcome(&authority, &peer).await, too_much());
}

#[tokio::test]
async fn a_flood_after_the_head_does_not_change_its_status() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    for then in ["0", "1;xxxxxxxxxx\r\nz\r\n"] {
        let authority = Authority::new();
        let peer = http1(&authority, head, then);
        assert_eq!(outcome(&authority, &peer).await, AttemptOutcome::Status(200), "{then}");
    }
}

#[tokio::test]
async fn a_flood_of_http_2_frames_ends_with_its_bytes() {
    let floods: [(&str, Frames); 9] = [
        ("pings", |_| frame(PING, 0, 0, &[0; 8])),
        ("answers to pings", |_| frame(PING, ACK, 0, &[0; 8])),
        ("empty settings", |_| frame(SETTINGS, 0, 0, &[])),
        ("settings", |_| frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 64, 0])),
        ("windows of the connection", |_| frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("windows of the stream", |stream| frame(WINDOW_UPDATE, 0, stream, &[0, 0, 0, 1])),
        ("priorities", |stream| frame(PRIORITY, 0, stream, &[0, 0, 0, 0, 16])),
        ("unknown frames", |_| frame(0xbb, 0, 0, &[])),
        ("interim answers", |stream| frame(HEADERS, END_HEADERS, stream, STATUS_103)),
    ];
    for (name, flood) in floods {
        for authority in [Authority::new(), Authority::of_tls_1_2()] {
            let peer = partner(&authority, |_| Vec::new(), flood);
            assert_eq!(outcome(&authority, &peer).await, too_much(), "{name}");
        }
    }
}

#[tokio::test]
async fn empty_data_before_a_head_is_not_http() {
    let authority = Authority::new();
    let peer = partner(&authority, |_| Vec::new(), |stream| frame(DATA, 0, stream, &[]));
    assert_eq!(outcome(&authority, &peer).await, AttemptOutcome::Fault(AttemptFault::NotHttp));
}

#[tokio::test]
async fn an_answer_after_interim_answers_is_the_answer() {
    let interim = ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 102 Processing\r\n\r\n", EARLY_HINTS];
    for before in [interim[0].to_owned(), interim[2].to_owned(), interim.concat(), EARLY_HINTS.repeat(50)] {
        assert_eq!(outcome_of(before.clone() + OK).await, AttemptOutcome::Status(200), "{before:.60}");
        let gone = before.clone() + "HTTP/1.1 410 Gone\r\n\r\n";
        assert_eq!(outcome_of(gone).await, AttemptOutcome::Status(410), "{before:.60}");
    }
}

#[tokio::test]
async fn an_answer_after_interim_answers_over_http_2_is_the_answer() {
    let authority = Authority::new();
    let firsts: [Frames; 3] = [
        |stream| [interim(STATUS_100, stream), ok(stream)].concat(),
        |stream| [interim(STATUS_103, stream), ok(stream)].concat(),
        |stream| [interim(STATUS_100, stream), interim(STATUS_103, stream).repeat(50), ok(stream)].concat(),
    ];
    for first in firsts {
        let peer = partner(&authority, first, |_| Vec::new());
        let client = authority.client();
        for _ in 0..2 {
            assert_eq!(send(&client, &peer.https()).await.outcome, AttemptOutcome::Status(200));
        }
        assert_eq!(peer.connections(), 1);
    }
}

#[tokio::test]
async fn a_kept_connection_may_carry_any_number_of_answers() {
    let authority = Authority::new();
    let tls = authority.certify("partner.example", &[b"http/1.1"], |_| ());
    let peer = Peer::start(Some(tls), |mut call| async move {
        let answer =
            format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 4000\r\n\r\n{}", "y".repeat(8000), "z".repeat(4000));
        while call.request().await.is_some() && call.say(&answer).await {}
    });
    let client = authority.client();
    for _ in 0..20 {
        assert_eq!(send(&client, &peer.https()).await.outcome, AttemptOutcome::Status(200));
    }
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn a_partners_flood_spares_its_neighbours() {
    let authority = Authority::new();
    let flooding = http1(&authority, "", EARLY_HINTS);
    let honest: Vec<Peer> = (0..3).map(|_| Peer::answering(OK)).collect();
    let (client, urls) = (authority.client(), honest.iter().map(Peer::http));
    let sent = urls.map(|url| {
        let client = &client;
        async move { send(client, &url).await }
    });
    let flood = flooding.https();
    let (flooded, sent) = tokio::join!(send(&client, &flood), futures_util::future::join_all(sent));
    assert_eq!(flooded.outcome, too_much());
    assert!(sent.iter().all(|answered| answered.outcome == AttemptOutcome::Status(200)));
}
