//! Tests that the partner simulator obeys its client.

use std::net::Ipv4Addr;

use partner_simulator::{Settings, serve};
use tests::{
    partner_simulator::{Answer, PartnerSimulator, Requests, Script, Signature},
    stack::http_client,
};
use tokio::net::TcpListener;

/// Starts a simulator that ends with the test.
async fn simulator() -> PartnerSimulator {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(listener, Settings::default(), |_| {}));
    PartnerSimulator::at(&url)
}

#[tokio::test]
async fn a_partner_answers_as_set_and_lists_its_requests() {
    let partner = simulator().await;
    partner.answer("acme", [Answer::status(500).times(2), Answer::status(410)]).await;
    let url = format!("{}/hook?click=c-1", partner.webhook_url("acme"));
    let call = async || http_client().get(&url).header("webhook-id", "d-1").send().await.unwrap().status().as_u16();
    assert_eq!([call().await, call().await, call().await, call().await], [500, 500, 410, 410]);
    let requests = partner.until("acme", |requests| requests.len() == 4).await;
    assert!(requests.iter().all(|request| request.target == "/acme/hook?click=c-1"));
    assert!(requests.iter().all(|request| request.header("webhook-id") == Some("d-1")));
    assert!(requests.is_sorted_by_key(|request| (request.at_ms, request.number)));
    partner.forget_requests("acme").await;
    assert_eq!((partner.requests("acme").await, call().await), (Requests::default(), 410));
    partner.forget("acme").await;
    assert_eq!((partner.requests("acme").await, call().await), (Requests::default(), 200));
}

#[tokio::test]
async fn a_hanging_request_counts_as_received() {
    let partner = simulator().await;
    partner.answer("acme", [Answer::hang()]).await;
    let waiting = tokio::spawn(http_client().get(partner.webhook_url("acme")).send());
    let requests = partner.until("acme", |requests| !requests.is_empty()).await;
    assert_eq!(requests[0].answered, "hang");
    assert!(!waiting.is_finished());
    waiting.abort();
}

#[tokio::test]
async fn a_known_secret_makes_the_partner_check_signatures() {
    let partner = simulator().await;
    let call = async || {
        http_client().get(partner.webhook_url("acme")).send().await.unwrap();
        partner.requests("acme").await.requests.pop().unwrap().signature
    };
    assert_eq!(call().await, Signature::Unchecked);
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
    partner.tell("acme", &Script::secrets([secret])).await;
    assert_eq!(call().await, Signature::Refused("missing header id".to_owned()));
}
