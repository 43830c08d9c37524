//! Tests which addresses a webhook never reaches.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::outbound::{
    address::BlockReason,
    attempt::{AttemptFault, AttemptOutcome, DnsFault, Phase},
    webhook::Allowance,
};

use super::{
    super::{Limits, Reach, WebhookClient, WebhookSettings, WebhookSettingsFault, resolve::Resolver},
    harness::{OK, Peer, client_at, fault, limits, send, settings},
};

const NAMED: &str = "https://partner.example/hook";

fn public() -> WebhookSettings {
    WebhookSettings { reach: Reach::Public, limits: limits() }
}

async fn refused(addresses: &[&str], template: &str) -> BlockReason {
    match fault(send(&client_at(&public(), addresses), template).await.outcome) {
        AttemptFault::Blocked(blocked) => blocked.reason,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_name_with_an_address_that_is_not_public_is_refused() {
    assert_eq!(refused(&["127.0.0.1"], NAMED).await, BlockReason::Loopback);
    assert_eq!(refused(&["10.0.0.1"], NAMED).await, BlockReason::Private);
    assert_eq!(refused(&["169.254.169.254"], NAMED).await, BlockReason::Metadata);
    assert_eq!(refused(&["::ffff:127.0.0.1"], NAMED).await, BlockReason::EmbeddedIpv4);
}

#[tokio::test]
async fn one_address_among_many_that_is_not_public_is_enough() {
    assert_eq!(refused(&["8.8.8.8", "192.168.0.1"], NAMED).await, BlockReason::Private);
    assert_eq!(refused(&["::1", "8.8.8.8"], NAMED).await, BlockReason::Loopback);
    let many = ["8.8.8.8", "8.8.8.9", "8.8.8.10", "8.8.8.11", "8.8.8.12", "10.0.0.1"];
    assert_eq!(refused(&many, NAMED).await, BlockReason::Private);
}

#[tokio::test]
async fn an_address_in_a_url_is_checked_as_a_name_is() {
    for template in ["https://127.0.0.1/", "https://2130706433/", "https://0x7f.1:8443/", "https://[::1]/"] {
        assert_eq!(refused(&[], template).await, BlockReason::Loopback, "{template}");
    }
}

#[tokio::test]
async fn the_development_allowance_opens_loopback_and_nothing_else() {
    let development = settings(None);
    let refused = fault(send(&client_at(&development, &["10.0.0.1"]), NAMED).await.outcome);
    assert!(matches!(refused, AttemptFault::Blocked(_)), "{refused}");
}

#[tokio::test]
async fn only_development_allows_http_and_other_ports() {
    let peer = Peer::answering(OK);
    let client = client_at(&public(), &["127.0.0.1"]);
    for template in [peer.http(), peer.https(), "http://partner.example/".to_owned()] {
        let words = fault(send(&client, &template).await.outcome).to_string();
        assert_eq!(words, "not sent: webhooks are called by https, on port 443 or 8443");
    }
    assert_eq!(peer.connections(), 0);
}

/// Returns a client whose nth lookup returns `ends(n)`.
fn client_looking_up(limits: Limits, ends: fn(usize) -> std::io::Result<Vec<std::net::IpAddr>>) -> WebhookClient {
    let settings = WebhookSettings { limits, ..settings(None) };
    let asked = Arc::new(AtomicUsize::new(0));
    let lookup = move |_| {
        let n = asked.fetch_add(1, Ordering::SeqCst) + 1;
        Box::pin(async move { ends(n) }) as _
    };
    let resolver = Resolver::with(settings.reach.allowance(), limits.resolve, Arc::new(lookup));
    WebhookClient::with_resolver(&settings, resolver).unwrap()
}

#[tokio::test]
async fn a_name_is_resolved_once_while_fresh_and_checked_again() {
    let peer = Peer::answering(OK);
    let moving = |n| Ok(vec![if n == 1 { "127.0.0.1" } else { "10.0.0.1" }.parse().unwrap()]);
    let template = format!("http://partner.example:{}/", peer.address.port());
    let remembering = client_looking_up(limits(), moving);
    for _ in 0..3 {
        assert_eq!(send(&remembering, &template).await.outcome, AttemptOutcome::Status(200));
    }
    // A connection exists already, but it must not be used once the name leads to another address.
    let forgetting = client_looking_up(Limits { names_fresh: Duration::ZERO, ..limits() }, moving);
    assert_eq!(send(&forgetting, &template).await.outcome, AttemptOutcome::Status(200));
    assert!(matches!(fault(send(&forgetting, &template).await.outcome), AttemptFault::Blocked(_)));
}

#[tokio::test]
async fn a_connection_to_an_address_the_name_has_lost_is_not_used() {
    let peer = Peer::answering(OK);
    let elsewhere = |n| Ok(vec![if n == 1 { "127.0.0.1" } else { "127.0.0.2" }.parse().unwrap()]);
    let client = client_looking_up(Limits { names_fresh: Duration::ZERO, ..limits() }, elsewhere);
    let template = format!("http://partner.example:{}/", peer.address.port());
    assert_eq!(send(&client, &template).await.outcome, AttemptOutcome::Status(200));
    assert_eq!(fault(send(&client, &template).await.outcome), AttemptFault::Refused);
    assert_eq!(peer.requests().len(), 1);
}

#[tokio::test]
async fn the_next_address_is_tried_where_the_first_refuses() {
    let peer = Peer::answering(OK);
    let template = format!("http://partner.example:{}/", peer.address.port());
    let client = client_at(&settings(None), &["127.0.0.2", "127.0.0.1", "127.0.0.3"]);
    assert_eq!(send(&client, &template).await.outcome, AttemptOutcome::Status(200));
    let client = client_at(&settings(None), &["127.0.0.2", "127.0.0.3"]);
    assert_eq!(fault(send(&client, &template).await.outcome), AttemptFault::Refused);
}

#[tokio::test]
async fn a_name_without_an_address_is_reported_with_its_reason() {
    let none = client_looking_up(limits(), |_| Ok(Vec::new()));
    assert_eq!(fault(send(&none, NAMED).await.outcome), AttemptFault::Dns(DnsFault::NoAddress));
    let lost = client_looking_up(limits(), |_| Err(std::io::Error::other("…: Name or service not known")));
    assert_eq!(fault(send(&lost, NAMED).await.outcome), AttemptFault::Dns(DnsFault::NoSuchName));
    let silent = client_looking_up(limits(), |_| Err(std::io::Error::other("…: Temporary failure")));
    assert_eq!(fault(send(&silent, NAMED).await.outcome), AttemptFault::Dns(DnsFault::NoAnswer));
}

#[tokio::test]
async fn a_lookup_that_hangs_times_out_waiting_for_the_address() {
    let lookup = |_| Box::pin(std::future::pending()) as _;
    let hasty = WebhookSettings { limits: Limits::within(Duration::from_millis(400)), ..public() };
    let resolver = Resolver::with(Allowance::PublicOnly, hasty.limits.resolve, Arc::new(lookup));
    let client = WebhookClient::with_resolver(&hasty, resolver).unwrap();
    let timed_out = fault(send(&client, NAMED).await.outcome);
    assert!(matches!(timed_out, AttemptFault::TimedOut { waiting_for: Phase::Resolve, .. }), "{timed_out}");
}

#[tokio::test]
async fn the_systems_resolver_finds_this_machine() {
    let peer = Peer::answering(OK);
    let client = WebhookClient::new(&settings(None)).unwrap();
    let answered = send(&client, &format!("http://localhost:{}/", peer.address.port())).await;
    assert_eq!(answered.outcome, AttemptOutcome::Status(200));
    let public = WebhookClient::new(&public()).unwrap();
    let refused = fault(send(&public, "https://localhost/").await.outcome);
    assert!(matches!(refused, AttemptFault::Blocked(_)), "{refused}");
}

#[test]
fn no_client_is_built_with_unusable_limits() {
    let second = Duration::from_secs(1);
    let bad = [
        Limits::within(Duration::ZERO),
        Limits::within(Limits::MAX_TOTAL + second),
        Limits { resolve: Duration::ZERO, ..Limits::within(second) },
        Limits { resolve: second / 2, connect: second / 2, ..Limits::within(second) },
        Limits { connect: second, ..Limits::within(second) },
        Limits { body: Duration::ZERO, ..Limits::within(second) },
        Limits { body: second * 2, ..Limits::within(second) },
    ];
    for limits in bad {
        let made = WebhookClient::new(&WebhookSettings { reach: Reach::Public, limits });
        assert!(matches!(made.err(), Some(WebhookSettingsFault::Limits)), "{limits:?}");
    }
}
