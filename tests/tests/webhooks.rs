//! The client that delivers webhooks, against a partner who does as a test says and knows Standard Webhooks from elsewhere.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "clippy knows tests, but not what only tests call")]

use std::{net::Ipv4Addr, time::Duration};

use adapters::webhook::{Limits, Reach, Signer, WebhookClient, WebhookSettings};
use domain::{
    attempt::{Outcome, Verdict},
    catalogue::AgreedIds,
    event::Ids,
    ids::{CampaignName, ClickId, DeliveryId, EventLabel, Provider, UserId},
    jiff::Timestamp,
    moment::Moment,
    partner::ParameterNames,
    signature,
    webhook::{Allowance, BodyNames, Development, Method, UrlTemplate, Values, Webhook},
};
use partner_simulator::{Settings, serve};
use tests::partner_simulator::{Answer, PartnerSimulator, Script, Signature};
use tokio::net::TcpListener;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEWER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Long enough for a busy machine to answer, short enough to wait for who does not.
const TOTAL: Duration = Duration::from_secs(3);

struct Fixture {
    partner: PartnerSimulator,
    client: WebhookClient,
    id: DeliveryId,
}

impl Fixture {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let partner = PartnerSimulator::at(&format!("http://{}", listener.local_addr().unwrap()));
        tokio::spawn(serve(listener, Settings::default(), |_| {}));
        let reach = Reach::Development { proof: development(), extra_authorities: None };
        let client = WebhookClient::new(&WebhookSettings { reach, limits: Limits::within(TOTAL) }).unwrap();
        let campaign = CampaignName::new("welcome").unwrap();
        let id = DeliveryId::of(&Provider::new("acme").unwrap(), &campaign, &UserId::new("gg3-42").unwrap());
        Self { partner, client, id }
    }

    /// Sends one webhook to this name.
    async fn send(&self, name: &str, method: Method, click_id: &str) -> Outcome {
        let template = format!("{}/a%2Fb?click={{clickId}}&at={{occurredAt}}", self.partner.webhook_url(name));
        let allowance = Allowance::Development(development());
        let template = UrlTemplate::parse(&template, &AgreedIds::default(), allowance).unwrap();
        let values = Values {
            ids: &Ids { user_id: None, click_id: ClickId::new(click_id).ok() },
            event: &EventLabel::new("registration").unwrap(),
            campaign: &CampaignName::new("welcome").unwrap(),
            delivery_id: &self.id,
            occurred_at: Moment::from("2026-11-23T12:00:00Z".parse::<Timestamp>().unwrap()),
        };
        let names = BodyNames::try_new(&ParameterNames::default()).unwrap();
        let request = Webhook { template, method, names }.request(&values).unwrap();
        // Both secrets are live: the partner may know either.
        let signer = Signer::try_new(&[NEWER, SECRET].map(signature::Secret::new)).unwrap();
        self.client.send(&request, &self.id, &signer, now()).await.outcome
    }
}

fn development() -> Development {
    Development::try_new("http://127.0.0.1:4570").unwrap()
}

fn now() -> Timestamp {
    let since_1970 = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::from_millisecond(since_1970.as_millis().try_into().unwrap()).unwrap()
}

#[tokio::test]
async fn what_we_sign_verifies_with_a_partner_who_knows_one_of_its_secrets() {
    let fixture = Fixture::start().await;
    for method in [Method::Get, Method::Post] {
        for click_id in ["c-1", "%7B a+b&c=é\"\\☂/?#"] {
            for (secret, verifies) in [(SECRET, true), (NEWER, true), ("whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB", false)]
            {
                fixture.partner.tell("acme", &Script::secrets([secret.parse().unwrap()])).await;
                assert_eq!(fixture.send("acme", method, click_id).await, Outcome::Status(200));
                let request = fixture.partner.requests("acme").await.requests.pop().unwrap();
                assert_eq!(request.signature == Signature::Verified, verifies, "{request:?}");
                assert_eq!(request.header("webhook-id"), Some(fixture.id.as_str()));
            }
        }
    }
}

#[tokio::test]
async fn whatever_a_partner_does_an_attempt_is_one_request_and_has_an_outcome() {
    let fixture = Fixture::start().await;
    let told = |json: &str| -> Answer { serde_json::from_str(json).unwrap() };
    let cases = [
        ("plain", told("{}"), Verdict::Delivered),
        ("no-content", told(r#"{"status": 204}"#), Verdict::Delivered),
        ("late", told(r#"{"delay_ms": 50}"#), Verdict::Delivered),
        // The status line says 2xx, whatever follows.
        ("endless", told(r#"{"endless_body": true}"#), Verdict::Delivered),
        ("bomb", told(r#"{"gzip_bomb_mib": 1024}"#), Verdict::Delivered),
        ("slow-body", told(r#"{"body": "ok", "body_byte_every_ms": 3600000}"#), Verdict::Delivered),
        ("many-headers", told(r#"{"filler_headers": 10000}"#), Verdict::Delivered),
        ("gone", told(r#"{"status": 410}"#), Verdict::Gone),
        ("failing", told(r#"{"status": 500, "endless_body": true}"#), Verdict::Failed),
        ("redirecting", told(r#"{"redirect": "http://127.0.0.1:1/"}"#), Verdict::Failed),
        ("garbage", told(r#"{"garbage": true}"#), Verdict::Failed),
        ("closing", told(r#"{"close": true}"#), Verdict::Failed),
        ("hanging", told(r#"{"hang": true}"#), Verdict::Failed),
        ("slow", told(r#"{"byte_every_ms": 3600000}"#), Verdict::Failed),
    ];
    let attempts = cases.iter().map(async |(name, answer, verdict)| {
        fixture.partner.answer(name, [answer.clone()]).await;
        let outcome = fixture.send(name, Method::Get, "c-1").await;
        assert_eq!(outcome.verdict(), *verdict, "{name}: {outcome}");
        assert_eq!(fixture.partner.requests(name).await.received, 1, "{name}: {outcome}");
    });
    futures_util::future::join_all(attempts).await;
}
