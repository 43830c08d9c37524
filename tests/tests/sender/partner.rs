//! A partner of one test's own, with one campaign: stored as `postbackctl` stores it, answered by the simulator.

use adapters::{
    dynamodb::{
        configuration::Configuration,
        item::{PROVIDER, PartnerItem, SecretsItem},
    },
    webhook::secret_of,
};
use app::ports::Replaced;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    delivery::{Delivery, Message},
    event::Ids,
    ids::{CampaignName, ClickId, Provider, Ticket, UserId},
    moment::Moment,
    participant::Owed,
};
use serde_json::json;
use tests::{
    fresh, now,
    operator::audit_record,
    partner_simulator::{Answer, PartnerSimulator, Request, Script},
};

use crate::fixture::Fixture;

/// What these tests' partners have agreed on about a campaign; saved with [`Partner::save`].
#[derive(Debug, Clone)]
pub(crate) struct Agreed {
    pub(crate) url: String,
    pub(crate) method: &'static str,
    pub(crate) interval_seconds: u64,
    pub(crate) paused: bool,
    pub(crate) archived: bool,
    /// The newest first.
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
    /// A new partner, stored, that answers so: one after another, the last repeated.
    pub(crate) async fn new(fixture: &'static Fixture, answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::agreeing(fixture, answers, |_| {}).await
    }

    /// The same, where this was agreed.
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
            secrets: vec![secret(1)],
        };
        change(&mut agreed);
        let mut partner = Self { name, agreed, simulator, fixture, version: 0 };
        partner.save().await;
        let secrets = partner.agreed.secrets.iter().map(|secret| secret.parse().unwrap());
        let told = Script { secrets: Some(secrets.collect()), ..Script::answers(answers) };
        partner.simulator.tell(&partner.name, &told).await;
        partner
    }

    /// Stores what is agreed now.
    pub(crate) async fn save(&mut self) {
        let Agreed { url, method, interval_seconds, paused, archived, .. } = self.agreed.clone();
        let campaign = json!({
            "name": "welcome", "goal": {"type": "registration"}, "active_from": "2026-01-01T00:00:00Z",
            "initial_interval_seconds": interval_seconds, "paused": paused, "archived": archived,
            "webhook": {"url": url, "method": method},
        });
        self.save_file(json!({"provider": self.name, "media_buying": {"campaigns": [campaign]}}).to_string()).await;
    }

    /// Stores this text as its file, whatever it says.
    pub(crate) async fn save_file(&mut self, file: String) {
        self.version += 1;
        let secrets = self.agreed.secrets.clone();
        let provider = Provider::new(&self.name).unwrap();
        let secrets = SecretsItem {
            owner: SecretsItem::partner_owner(&provider),
            webhook_secrets: secrets,
            ..Default::default()
        };
        let item = PartnerItem { provider, version: self.version, updated_at: now(), file, token_hashes: Vec::new() };
        let stack = &self.fixture.stack;
        let [partners, of_secrets, audit] = ["partners", "secrets", "audit"].map(|noun| stack.table(noun).to_owned());
        let configuration = Configuration::new(stack.dynamodb(), partners, of_secrets, audit);
        let written = configuration.put_partner(&item, Some(&secrets), &audit_record(&self.name)).await;
        assert_eq!(written, Ok(Replaced::Done));
    }

    /// Takes its configuration away.
    pub(crate) async fn delete(&mut self) {
        self.version = 0;
        let stack = &self.fixture.stack;
        let delete = stack.dynamodb().delete_item().table_name(stack.table("partners"));
        delete.key(PROVIDER, AttributeValue::S(self.name.clone())).send().await.unwrap();
    }

    /// A delivery that is owed to it since then, not yet put.
    pub(crate) fn owed_since(&self, created_at: Moment) -> Delivery {
        let owed = Owed {
            provider: Provider::new(&self.name).unwrap(),
            campaign: CampaignName::new("welcome").unwrap(),
            ids: Ids { click_id: ClickId::new("c-1").ok(), user_id: None },
            occurred_at: created_at,
        };
        Delivery::new(UserId::new(fresh("u")).unwrap(), owed, created_at, Ticket::from_random([0; 8]))
    }

    /// Puts a delivery that is owed to it now: its first message.
    pub(crate) async fn owe(&self) -> Message {
        self.fixture.put(&self.owed_since(now().into())).await
    }

    /// What it has received.
    pub(crate) async fn received(&self) -> Vec<Request> {
        self.simulator.requests(&self.name).await.requests
    }
}

/// A secret for webhooks.
pub(crate) fn secret(byte: u8) -> String {
    secret_of([byte; 32]).reveal().to_owned()
}
