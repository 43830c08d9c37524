//! Makes a partner with one campaign for one test. The partner is stored in the form in which `postbackctl` stores
//! partners, and the simulator answers its webhooks.

use adapters::dynamodb::{
    configuration::Configuration,
    item::{PROVIDER, PartnerItem},
};
use app::ports::{Partners as _, Replaced, SecretPurpose, StoredSecrets};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    outbound::{
        agreed_ids::PartnerIds,
        delivery::{Delivery, Message},
        participant::Owed,
    },
    values::{
        ids::{CampaignName, ChainTicket, ClickId, Provider, UserId},
        signature::Secret,
        time::UnixMillis,
    },
};
use serde_json::json;
use tests::{
    fresh, now,
    operator::audit_record,
    partner_simulator::{Answer, PartnerSimulator, Request, Script},
};

use crate::fixture::Fixture;

/// Holds the agreement with a partner about its campaign. [`Partner::save`] stores the agreement.
#[derive(Debug, Clone)]
pub(crate) struct Agreed {
    pub(crate) url: String,
    pub(crate) method: &'static str,
    pub(crate) interval_seconds: u64,
    pub(crate) paused: bool,
    pub(crate) archived: bool,
    pub(crate) hold_while_down: bool,
    pub(crate) max_rate: Option<u32>,
    /// Holds the webhook secrets, newest first.
    pub(crate) secrets: Vec<String>,
}

pub(crate) struct Partner {
    pub(crate) name: String,
    pub(crate) agreed: Agreed,
    pub(crate) simulator: PartnerSimulator,
    fixture: &'static Fixture,
    version: u64,
}

impl Partner {
    /// Stores a new partner with these answers. They are given in order, and the last one is repeated.
    pub(crate) async fn new(fixture: &'static Fixture, answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::agreeing(fixture, answers, |_| {}).await
    }

    /// Stores a new partner with a changed agreement.
    pub(crate) async fn agreeing(
        fixture: &'static Fixture,
        answers: impl IntoIterator<Item = Answer>,
        change: impl FnOnce(&mut Agreed),
    ) -> Self {
        let (name, simulator) = (fresh("sender"), fixture.stack.partner_simulator());
        let mut agreed = Agreed {
            url: format!("{}/hook?click={{clickId}}&event={{event}}", simulator.webhook_url(&name)),
            method: "GET",
            interval_seconds: 1,
            paused: false,
            archived: false,
            hold_while_down: false,
            max_rate: None,
            secrets: vec![secret(1)],
        };
        change(&mut agreed);
        let mut partner = Self { name, agreed, simulator, fixture, version: 0 };
        partner.save().await;
        let secrets = partner.agreed.secrets.iter().map(|secret| secret.parse().unwrap());
        let script = Script { secrets: Some(secrets.collect()), ..Script::answers(answers) };
        partner.simulator.set_script(&partner.name, &script).await;
        partner
    }

    /// Stores the current agreement.
    pub(crate) async fn save(&mut self) {
        let Agreed { url, method, interval_seconds, paused, archived, hold_while_down, max_rate, .. } =
            self.agreed.clone();
        let campaign = json!({
            "name": "welcome", "goal": {"type": "registration"}, "active_from": "2026-01-01T00:00:00Z",
            "initial_interval_seconds": interval_seconds, "paused": paused, "archived": archived,
            "webhook": {"url": url, "method": method},
        });
        let mut media_buying = json!({"campaigns": [campaign], "hold_while_down": hold_while_down});
        if let Some(max_rate) = max_rate {
            media_buying["max_rate"] = max_rate.into();
        }
        self.save_file(json!({"provider": self.name, "media_buying": media_buying}).to_string()).await;
    }

    /// Stores this text as the partner's file, even if it is invalid.
    pub(crate) async fn save_file(&mut self, file: String) {
        self.version += 1;
        let secrets = self.agreed.secrets.clone();
        let provider = Provider::new(&self.name).unwrap();
        let secrets = StoredSecrets {
            purpose: SecretPurpose::Webhook(provider.clone()),
            version: self.version,
            newest_at: now(),
            secrets: secrets.into_iter().map(Secret::new).collect(),
        };
        let (token_hashes, pauses) = (Vec::new(), domain::partner::Pauses::default());
        let item = PartnerItem { provider, version: self.version, updated_at: now(), file, token_hashes, pauses };
        let stack = &self.fixture.stack;
        let [partners, of_secrets, audit] = ["partners", "secrets", "audit"].map(|noun| stack.table(noun).to_owned());
        let configuration = Configuration::new(stack.dynamodb(), partners, of_secrets, audit);
        let written = configuration.put_partner(&item, &[secrets], &audit_record(&self.name)).await;
        assert_eq!(written, Ok(Replaced::Done));
    }

    /// Deletes the partner's configuration.
    pub(crate) async fn delete(&mut self) {
        self.version = 0;
        let stack = &self.fixture.stack;
        let delete = stack.dynamodb().delete_item().table_name(stack.table("partners"));
        delete.key(PROVIDER, AttributeValue::S(self.name.clone())).send().await.unwrap();
    }

    /// Returns a delivery owed to the partner since this time, without storing it.
    pub(crate) fn owed_since(&self, created_at: UnixMillis) -> Delivery {
        let owed = Owed {
            provider: Provider::new(&self.name).unwrap(),
            campaign: CampaignName::new("welcome").unwrap(),
            ids: PartnerIds { click_id: ClickId::new("c-1").ok(), user_id: None },
            occurred_at: created_at,
        };
        Delivery::new(UserId::new(fresh("u")).unwrap(), owed, created_at, ChainTicket::from_random([0; 8]))
    }

    /// Returns the partner's name.
    pub(crate) fn provider(&self) -> Provider {
        Provider::new(&self.name).unwrap()
    }

    /// Stores a delivery owed to the partner now, and returns its first message.
    pub(crate) async fn owe(&self) -> Message {
        self.fixture.put(&self.owed_since(now().into())).await
    }

    /// Returns the requests that the partner has received.
    pub(crate) async fn received(&self) -> Vec<Request> {
        self.simulator.requests(&self.name).await.requests
    }
}

/// Returns a secret for webhooks.
pub(crate) fn secret(byte: u8) -> String {
    Secret::for_webhooks([byte; 32]).reveal().to_owned()
}
