//! Reads partners, their secrets and the system's keys for the functions.

use std::{collections::HashMap, sync::Arc};

use app::ports::{KnownPartner, KnownRecipient, SecretPurpose, Source, StoredSecrets, SystemKeys, Unavailable};
use aws_sdk_dynamodb::{Client, types::KeysAndAttributes};
use domain::{
    archive::ArchiveKey,
    inbound::{
        click::ClickKeys,
        credential::{CredentialKind, Credentials},
    },
    jiff::{SignedDuration, Timestamp},
    outbound::webhook::Allowance,
    partner::{Partner, recipient::Recipient},
    values::{ids::Provider, signature::Secret},
};

use super::{
    Item, from_item,
    item::{OWNER, PROVIDER, PartnerItem, SecretsItem},
    key_of, read,
    write::unmade,
};
use crate::{aws::unavailable, webhook::Signer};

const GET_PARTNER: &str = "DynamoDB GetItem partners";
const GET_BOTH: &str = "DynamoDB BatchGetItem partners, secrets";
const GET_SECRETS: &str = "DynamoDB GetItem secrets";
const GET_KEYS: &str = "DynamoDB BatchGetItem secrets";

/// Reads a partner together with its secrets of one purpose. One call reads both tables, so that known and unknown
/// partners cost the same.
#[derive(Debug, Clone)]
struct PartnersWithSecrets {
    client: Client,
    partners: String,
    secrets: String,
    purpose: fn(Provider) -> SecretPurpose,
}

impl PartnersWithSecrets {
    async fn load(&self, provider: &Provider) -> Result<Option<(PartnerItem, Vec<Secret>)>, Unavailable> {
        let purpose = (self.purpose)(provider.clone());
        let both = HashMap::from([
            (self.partners.clone(), one_key(PROVIDER, provider.to_string())?),
            (self.secrets.clone(), one_key(OWNER, SecretsItem::key(&purpose))?),
        ]);
        let got = Box::pin(self.client.batch_get_item().set_request_items(Some(both)).send()).await;
        let got = got.map_err(unavailable(GET_BOTH))?;
        if got.unprocessed_keys.is_some_and(|keys| !keys.is_empty()) {
            return Err(Unavailable { service: GET_BOTH, reason: "throttled".into() });
        }
        let mut tables = got.responses.unwrap_or_default();
        let mut first = |table: &str| tables.remove(table).and_then(|mut items: Vec<Item>| items.pop());
        let Some(item) = first(&self.partners) else {
            return Ok(None);
        };
        let item: PartnerItem = from_item(GET_BOTH, item)?;
        let secrets: Option<SecretsItem> = first(&self.secrets).map(|item| from_item(GET_BOTH, item)).transpose()?;
        Ok(Some((item, secrets.map(|item| item.stored(purpose).secrets).unwrap_or_default())))
    }
}

/// Reads partners with the credentials that their calls need.
#[derive(Debug, Clone)]
pub struct DynamoKnownPartners(PartnersWithSecrets);

impl DynamoKnownPartners {
    /// Uses these two tables.
    pub fn new(client: Client, partners: String, secrets: String) -> Self {
        Self(PartnersWithSecrets { client, partners, secrets, purpose: SecretPurpose::Postback })
    }
}

impl Source for DynamoKnownPartners {
    type Key = Provider;
    type Value = KnownPartner;

    async fn load(&self, provider: &Provider) -> Result<Option<KnownPartner>, Unavailable> {
        let Some((item, secrets)) = self.0.load(provider).await? else {
            return Ok(None);
        };
        let partner = meaning(GET_BOTH, &item)?;
        // A partner that signs calls is stored together with its secrets. If the secrets are missing, the partner must
        // repeat its calls, but an answer of 401 would tell the partner to stop.
        if partner.credential() == CredentialKind::Signature && secrets.is_empty() {
            let reason = format!("there are no secrets that {provider} signs with; apply its file");
            return Err(Unavailable { service: GET_BOTH, reason });
        }
        let credentials = item.credentials(partner.credential(), secrets);
        Ok(Some(KnownPartner { partner: Arc::new(partner), credentials }))
    }
}

/// Reads partners with their webhooks' URLs and secrets.
#[derive(Debug, Clone)]
pub struct DynamoRecipients {
    partners: PartnersWithSecrets,
    allowance: Allowance,
}

impl DynamoRecipients {
    /// Uses these two tables. Webhooks may go only to addresses that `allowance` permits.
    pub fn new(client: Client, partners: String, secrets: String, allowance: Allowance) -> Self {
        Self { partners: PartnersWithSecrets { client, partners, secrets, purpose: SecretPurpose::Webhook }, allowance }
    }
}

impl Source for DynamoRecipients {
    type Key = Provider;
    type Value = KnownRecipient;

    async fn load(&self, provider: &Provider) -> Result<Option<KnownRecipient>, Unavailable> {
        let Some((item, secrets)) = self.partners.load(provider).await? else {
            return Ok(None);
        };
        let recipient = Recipient::of(&meaning(GET_BOTH, &item)?, self.allowance);
        // A webhook without a valid secret is not sent, because the partner could not verify it.
        Signer::try_new(&secrets).map_err(|fault| Unavailable {
            service: GET_BOTH,
            reason: format!("the webhook secrets of {provider} are not valid: {fault}"),
        })?;
        Ok(Some(KnownRecipient { recipient, secrets }))
    }
}

fn one_key(name: &str, value: String) -> Result<KeysAndAttributes, Unavailable> {
    KeysAndAttributes::builder().keys(key_of(name, value)).build().map_err(unmade(GET_BOTH))
}

fn meaning(service: &'static str, item: &PartnerItem) -> Result<Partner, Unavailable> {
    item.partner().map_err(|faults| Unavailable {
        service,
        reason: format!("the configuration of {} is not valid: {faults}", item.provider),
    })
}

/// Reads partners without their secrets, for functions that need none.
#[derive(Debug, Clone)]
pub struct DynamoPartners {
    client: Client,
    table: String,
}

impl DynamoPartners {
    /// Uses this table.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

impl Source for DynamoPartners {
    type Key = Provider;
    type Value = Partner;

    async fn load(&self, provider: &Provider) -> Result<Option<Partner>, Unavailable> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key_of(PROVIDER, provider)));
        let item: Option<PartnerItem> = read::get(GET_PARTNER, get).await?;
        item.map(|item| meaning(GET_PARTNER, &item)).transpose()
    }
}

/// Reads partners with their webhooks' URLs and without secrets, to show requests that are never sent.
#[derive(Debug, Clone)]
pub struct DynamoShownRecipients {
    partners: DynamoPartners,
    allowance: Allowance,
}

impl DynamoShownRecipients {
    /// Reads these partners. Requests are shown only to addresses that `allowance` permits.
    pub fn new(partners: DynamoPartners, allowance: Allowance) -> Self {
        Self { partners, allowance }
    }
}

impl Source for DynamoShownRecipients {
    type Key = Provider;
    type Value = KnownRecipient;

    async fn load(&self, provider: &Provider) -> Result<Option<KnownRecipient>, Unavailable> {
        let partner = self.partners.load(provider).await?;
        let shown =
            |partner| KnownRecipient { recipient: Recipient::of(&partner, self.allowance), secrets: Vec::new() };
        Ok(partner.map(shown))
    }
}

/// Reads partners without their credentials, to handle calls whose credential was checked when they came.
#[derive(Debug, Clone)]
pub struct DynamoAdmittedPartners(DynamoPartners);

impl DynamoAdmittedPartners {
    /// Reads these partners.
    pub fn new(partners: DynamoPartners) -> Self {
        Self(partners)
    }
}

impl Source for DynamoAdmittedPartners {
    type Key = Provider;
    type Value = KnownPartner;

    async fn load(&self, provider: &Provider) -> Result<Option<KnownPartner>, Unavailable> {
        let partner = self.0.load(provider).await?;
        let credentials = || Credentials::Tokens(Vec::new());
        Ok(partner.map(|partner| KnownPartner { partner: Arc::new(partner), credentials: credentials() }))
    }
}

/// Reads the keys that click ids are verified with.
#[derive(Debug, Clone)]
pub struct DynamoClickKeys {
    client: Client,
    table: String,
}

impl DynamoClickKeys {
    /// Uses this table of secrets.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

impl Source for DynamoClickKeys {
    type Key = ();
    type Value = ClickKeys;

    async fn load(&self, (): &()) -> Result<Option<ClickKeys>, Unavailable> {
        let key = key_of(OWNER, SecretsItem::key(&SecretPurpose::Click));
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key));
        let item: Option<SecretsItem> = read::get(GET_SECRETS, get).await?;
        Ok(item.and_then(|item| ClickKeys::new(item.stored(SecretPurpose::Click).secrets)))
    }
}

/// Reads the key of the archive.
#[derive(Debug, Clone)]
pub struct DynamoArchiveKey {
    client: Client,
    table: String,
}

impl DynamoArchiveKey {
    /// Uses this table of secrets.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

impl Source for DynamoArchiveKey {
    type Key = ();
    type Value = ArchiveKey;

    async fn load(&self, (): &()) -> Result<Option<ArchiveKey>, Unavailable> {
        let key = key_of(OWNER, SecretsItem::key(&SecretPurpose::Archive));
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key));
        let item: Option<SecretsItem> = read::get(GET_SECRETS, get).await?;
        let secrets = item.map(|item| item.stored(SecretPurpose::Archive).secrets);
        Ok(secrets.and_then(|secrets| secrets.into_iter().next()).map(ArchiveKey::new))
    }
}

/// Reads the system's keys, to make click ids and to verify links.
#[derive(Debug, Clone)]
pub struct DynamoSystemKeys {
    client: Client,
    table: String,
    settles: SignedDuration,
}

impl DynamoSystemKeys {
    /// Uses this table of secrets. A new key is used for new click ids once `settles` has passed since the key was
    /// stored.
    pub fn new(client: Client, table: String, settles: SignedDuration) -> Self {
        Self { client, table, settles }
    }
}

impl Source for DynamoSystemKeys {
    type Key = ();
    type Value = SystemKeys;

    async fn load(&self, (): &()) -> Result<Option<SystemKeys>, Unavailable> {
        let keys = [SecretPurpose::Click, SecretPurpose::Link].map(|purpose| key_of(OWNER, SecretsItem::key(&purpose)));
        let got = read::get_once(&self.client, GET_KEYS, &self.table, keys.to_vec()).await?;
        if !got.left.is_empty() {
            return Err(Unavailable { service: GET_KEYS, reason: "throttled".into() });
        }
        let items = got.found.into_iter().map(|item| from_item(GET_KEYS, item));
        let items = items.collect::<Result<Vec<SecretsItem>, _>>()?;
        let stored = |purpose: SecretPurpose| -> Option<StoredSecrets> {
            let key = SecretsItem::key(&purpose);
            items.iter().find(|item| item.owner == key).cloned().map(|item| item.stored(purpose))
        };
        let click = stored(SecretPurpose::Click).and_then(|keys| keys.click_keys(Timestamp::now(), self.settles));
        let link = stored(SecretPurpose::Link).map(|stored| stored.secrets).unwrap_or_default();
        Ok(click.map(|click| SystemKeys { click, link }))
    }
}
