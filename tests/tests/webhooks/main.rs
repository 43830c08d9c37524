//! Tests the webhook client against the partner simulator, and verifies what arrives with the libraries of Standard
//! Webhooks.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "clippy exempts tests but not helpers")]

mod libraries;

use std::{net::Ipv4Addr, time::Duration};

use adapters::webhook::{Limits, Reach, Signer, WebhookClient, WebhookSettings};
use domain::{
    jiff::Timestamp,
    outbound::{
        agreed_ids::{AgreedIds, PartnerIds},
        attempt::AttemptOutcome,
        macros::WebhookValues,
        webhook::{Allowance, BodyNames, Development, Method, UrlTemplate, Webhook},
    },
    values::{
        ids::{CampaignName, ClickId, DeliveryId, EventLabel, Provider, UserId},
        parameter_names::ParameterNames,
        signature,
        time::UnixMillis,
    },
};
use partner_simulator::{Settings, serve};
use tests::partner_simulator::{PartnerSimulator, Script, Signature};
use tokio::net::TcpListener;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEWER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Bounds an attempt. A busy machine can answer in this time, and a hanging partner does not delay the tests much.
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
    async fn send(&self, name: &str, method: Method, click_id: &str) -> AttemptOutcome {
        let template = format!("{}/a%2Fb?click={{clickId}}&at={{occurredAt}}", self.partner.webhook_url(name));
        let allowance = Allowance::Development(development());
        let template = UrlTemplate::parse(&template, &AgreedIds::default(), allowance).unwrap();
        let values = WebhookValues {
            ids: &PartnerIds { user_id: None, click_id: ClickId::new(click_id).ok() },
            event: &EventLabel::new("registration").unwrap(),
            campaign: &CampaignName::new("welcome").unwrap(),
            delivery_id: &self.id,
            occurred_at: UnixMillis::from("2026-11-23T12:00:00Z".parse::<Timestamp>().unwrap()),
        };
        let names = BodyNames::try_new(&ParameterNames::default()).unwrap();
        let request = Webhook { template, method, names }.request(&values).unwrap();
        // Both secrets are live, and the partner may know either.
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
async fn a_webhook_verifies_with_each_live_secret() {
    let fixture = Fixture::start().await;
    for method in [Method::Get, Method::Post] {
        for click_id in ["c-1", "%7B a+b&c=é\"\\☂/?#"] {
            for (secret, verifies) in [(SECRET, true), (NEWER, true), ("whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB", false)]
            {
                fixture.partner.set_script("acme", &Script::secrets([secret.parse().unwrap()])).await;
                assert_eq!(fixture.send("acme", method, click_id).await, AttemptOutcome::Status(200));
                let request = fixture.partner.requests("acme").await.requests.pop().unwrap();
                assert_eq!(request.signature == Signature::Verified, verifies, "{request:?}");
                assert_eq!(request.header("webhook-id"), Some(fixture.id.as_str()));
            }
        }
    }
}
