//! Makes the surroundings that the functions need: tables with partners, keys and campaigns, queues, and a partner's
//! server.

use std::path::{Path, PathBuf};

use adapters::dynamodb::item::{
    PartnerItem, SecretPurpose, SecretsItem,
    media_buying::{CURRENT, CatalogueChunkItem, CataloguePointerItem, DeliveryItem, Publishing},
};
use anyhow::{Context as _, Result};
use domain::{
    inbound::credential::TokenHash,
    outbound::{
        catalogue::{PartnerGoals, Snapshot},
        delivery::Delivery,
    },
    values::{ids::Provider, time::UnixMillis},
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    authority::Authority,
    fake_aws::{FakeAws, Item},
    floods::Floods,
    partner,
    server::Server,
};

/// Gives the token of every partner.
pub const TOKEN: &str = "mfkq9r8gkyqrtwjupd8ilpzilo2lalas";
/// Gives the secret that signs `/click` links.
pub const LINK_SECRET: &str = "ARqcVqqhgVYsqcTsQk9EyCN0gfZ4kTCt";

const ARCHIVE_KEY: &str = "w7CqNQ2rXq3nJmE0lQ5tT8yV1bZ6uK4a";
const CLICK_KEY: &str = "PJ4mWwPXeXpN9uQQxXGyLqz3zbRZJVsy";
const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// Limits a chunk of the catalogue, in bytes. The limit is less than an item can hold.
const CHUNK_BYTES: usize = 300_000;

/// Lists our tables and the contenders' tables with their keys.
const TABLES: [(&str, &[&str]); 13] = [
    ("partners", &["provider"]),
    ("secrets", &["owner"]),
    ("postbacks", &["provider_transaction", "revision"]),
    ("refusals", &["provider_content"]),
    ("clicks", &["click_id"]),
    ("lookups", &["subject", "place"]),
    ("catalogue", &["part"]),
    ("participants", &["user_id"]),
    ("deliveries", &["delivery_id"]),
    ("attempts", &["delivery_id", "attempt"]),
    ("endpoints", &["provider", "host"]),
    ("records", &["pk"]),
    ("idempotency", &["id"]),
];

/// Holds everything that functions talk to.
#[derive(Debug)]
pub struct World {
    /// Serves DynamoDB and SQS.
    pub aws: FakeAws,
    /// Serves the partner's webhooks.
    pub partner: Server,
    /// Serves the webhooks of the partner `flooding`.
    pub floods: Floods,
    /// Signs the certificates of the servers that functions trust.
    pub authority: Authority,
    /// Holds this run's files.
    pub folder: PathBuf,
}

impl World {
    /// Makes a new world with the partners `acme` and `flooding`, and their campaigns.
    pub fn new(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let authority = Authority::new(folder)?;
        let (aws, partner) = (FakeAws::start(Some(&authority))?, partner::start(&authority)?);
        let floods = Floods::start(&authority)?;
        let world = Self { aws, partner, floods, authority, folder: folder.to_owned() };
        for (table, key) in TABLES {
            world.aws.create(table, key);
        }
        world.put("secrets", &secrets(&SecretPurpose::Click, CLICK_KEY))?;
        world.put("secrets", &secrets(&SecretPurpose::Link, LINK_SECRET))?;
        world.put("secrets", &secrets(&SecretPurpose::Archive, ARCHIVE_KEY))?;
        world.add_partner("acme")?;
        world.add_with("flooding", world.floods.urls())?;
        world.publish(10)?;
        Ok(world)
    }

    /// Adds a partner with a campaign for each way in which its server behaves.
    pub fn add_partner(&self, provider: &str) -> Result<()> {
        self.add_with(provider, partner::WAYS.map(|way| (way, self.partner.url())).into_iter())
    }

    /// Adds a partner with these campaigns. Each entry gives a campaign's name and the URL of the server for its
    /// webhooks.
    fn add_with(&self, provider: &str, servers: impl Iterator<Item = (&'static str, String)>) -> Result<()> {
        let campaigns: Vec<Value> = servers
            .map(|(way, server)| {
                let url = format!("{server}/{way}?click={{clickId}}&event={{event}}");
                let goal = json!({"type": "registration"});
                json!({"name": way, "goal": goal, "active_from": "2026-01-01T00:00:00Z", "webhook": {"url": url}})
            })
            .collect();
        let file = json!({
            "provider": provider, "postback": {"currencies": ["USDT"], "rate": {"per_second": 10_000, "burst": 100_000}},
            "landings": {"welcome": "https://www.example.com/landing-page"},
            "media_buying": {"campaigns": campaigns},
        });
        let item = PartnerItem {
            provider: Provider::new(provider)?,
            version: 1,
            updated_at: Timestamp::now(),
            file: file.to_string(),
            token_hashes: vec![TokenHash::of(TOKEN)],
            pauses: domain::partner::Pauses::default(),
        };
        self.put("partners", &item)?;
        self.put("secrets", &secrets(&SecretPurpose::Webhook(item.provider), WEBHOOK_SECRET))
    }

    /// Publishes a catalogue of this number of partners. Each partner has a campaign for registrations and one for a
    /// group of quests. Every tenth partner also has a campaign for clicks, and each click is compared with all
    /// campaigns for clicks.
    pub fn publish(&self, partners: usize) -> Result<()> {
        let goals = |n: usize| {
            let mut campaigns = json!({
                "registration": {"goal": {"type": "registration"}, "active_from": 0},
                "group": {"goal": {"type": "main_quests", "quests": [format!("quest-{n}"), "never"]}, "active_from": 0},
            });
            if n.is_multiple_of(10) {
                campaigns["strike"] = json!({"goal": {"type": "ggstrike", "clicks": 1_000_000}, "active_from": 0});
            }
            serde_json::from_value::<PartnerGoals>(json!({"ids": ["click_id"], "campaigns": campaigns}))
        };
        let name = |n: usize| Provider::new(format!("partner-{n}")).context("a partner's name");
        let mut snapshot = Snapshot { version: 1, published_at: UnixMillis::from_millisecond(0), partners: [].into() };
        for n in 0..partners {
            snapshot.partners.insert(name(n)?, goals(n)?);
        }
        let text = serde_json::to_string(&snapshot)?;
        let chunks: Vec<&[u8]> = text.as_bytes().chunks(CHUNK_BYTES).collect();
        let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes()));
        let publishing = Publishing { version: 1, digest: digest.clone(), chunks: u32::try_from(chunks.len())? };
        for (n, chunk) in (0..).zip(&chunks) {
            let body = String::from_utf8(chunk.to_vec())?;
            self.put("catalogue", &CatalogueChunkItem { part: publishing.chunk_key(n), body })?;
        }
        let pointer = CataloguePointerItem {
            part: CURRENT.to_owned(),
            version: 1,
            digest,
            chunks: publishing.chunks,
            published_at: UnixMillis::from_millisecond(0),
            superseded: None,
        };
        self.put("catalogue", &pointer)
    }

    /// Stores a delivery without changes.
    pub fn put_delivery(&self, delivery: &Delivery) -> Result<()> {
        self.put("deliveries", &DeliveryItem::from(delivery))
    }

    /// Stores a value as an item.
    fn put(&self, table: &str, value: &impl Serialize) -> Result<()> {
        let item: serde_dynamo::Item = serde_dynamo::to_item(value)?;
        let item: Item = serde_json::from_value(serde_json::to_value(item)?)?;
        self.aws.put(table, item);
        Ok(())
    }

    /// Returns the environment variables with which functions and contenders are started.
    pub fn environment(&self) -> Vec<(String, String)> {
        let url = self.aws.url();
        let queue = |name: &str| format!("{url}/000000000000/{name}");
        let bundle = self.authority.bundle().display().to_string();
        let alone = self.authority.alone().display().to_string();
        let hashes = json!({"acme": data_encoding::HEXLOWER.encode(&Sha256::digest(TOKEN.as_bytes()))}).to_string();
        let text = [
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()),
            // Session tokens on Lambda are about as long.
            ("AWS_SESSION_TOKEN", "IQoJb3JpZ2luX2VjEXAMPLE".repeat(20)),
            ("AWS_ENDPOINT_URL", url.clone()),
            ("SSL_CERT_FILE", bundle.clone()),
            ("AWS_CA_BUNDLE", bundle),
            ("NODE_EXTRA_CA_CERTS", alone.clone()),
            ("STRANGER_CALLS_PER_SECOND", "10000".to_owned()),
            ("PARTNERS_TABLE", "partners".to_owned()),
            ("SECRETS_TABLE", "secrets".to_owned()),
            ("POSTBACKS_TABLE", "postbacks".to_owned()),
            ("REFUSALS_TABLE", "refusals".to_owned()),
            ("CLICKS_TABLE", "clicks".to_owned()),
            ("LOOKUPS_TABLE", "lookups".to_owned()),
            ("ARCHIVE_STREAMS", "archive".to_owned()),
            ("CATALOGUE_TABLE", "catalogue".to_owned()),
            ("PARTICIPANTS_TABLE", "participants".to_owned()),
            ("DELIVERIES_TABLE", "deliveries".to_owned()),
            ("ATTEMPTS_TABLE", "attempts".to_owned()),
            ("ENDPOINTS_TABLE", "endpoints".to_owned()),
            ("TABLE", "records".to_owned()),
            ("TOKEN_HASHES", hashes),
            ("CONVERSIONS_QUEUE_URL", queue("gg3-conversions")),
            ("CONVERSION_DEAD_LETTERS_QUEUE_URL", queue("conversion-dead-letters")),
            ("LOOKUP_DEAD_LETTERS_QUEUE_URL", queue("lookup-dead-letters")),
            ("WEBHOOKS_QUEUE_URL", queue("webhooks")),
            ("WEBHOOK_RETRIES_QUEUE_URL", queue("webhook-retries")),
            ("WEBHOOKS_DEAD_LETTERS_QUEUE_URL", queue("webhooks-dead-letters")),
            ("GG3_EVENTS_DEAD_LETTERS_QUEUE_URL", queue("gg3-events-dead-letters")),
            ("GG3_EVENTS_BROKEN_LINKS_QUEUE_URL", queue("gg3-events-broken-links")),
            ("GG3_EVENTS_UNKNOWN_TYPES_QUEUE_URL", queue("gg3-events-unknown-types")),
            ("QUEUE_VISIBILITY_SECONDS", "720".to_owned()),
            ("LOOPBACK_WEBHOOKS", "true".to_owned()),
            ("LOOPBACK_AUTHORITIES_FILE", alone),
            ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
            ("PATH", std::env::var("PATH").unwrap_or_default()),
        ];
        text.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

fn secrets(purpose: &SecretPurpose, secret: &str) -> SecretsItem {
    let secrets = vec![secret.to_owned()];
    SecretsItem { owner: SecretsItem::key(purpose), version: 1, newest_at: Timestamp::UNIX_EPOCH, secrets }
}
