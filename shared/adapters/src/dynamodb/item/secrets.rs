//! Holds the items of `secrets`. Each purpose has one item, because the role of a function lists the keys that it may
//! read.

use app::ports::{SecretPurpose, StoredSecrets};
use domain::{
    jiff::Timestamp,
    values::{ids::Provider, signature::Secret},
};
use serde::{Deserialize, Serialize};

/// Holds the secrets of one purpose.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretsItem {
    /// Holds the key.
    pub owner: String,
    /// Counts the changes.
    pub version: u64,
    /// Says when the newest was made.
    pub newest_at: Timestamp,
    /// Holds the secrets, the newest first.
    pub secrets: Vec<String>,
}

impl SecretsItem {
    /// Returns the key of a purpose's secrets. The roles in `template.yaml` name the same keys.
    pub fn key(purpose: &SecretPurpose) -> String {
        match purpose {
            SecretPurpose::Postback(provider) => format!("postback#{provider}"),
            SecretPurpose::Webhook(provider) => format!("webhook#{provider}"),
            SecretPurpose::Click => "click".to_owned(),
            SecretPurpose::Link => "link".to_owned(),
            SecretPurpose::Archive => "archive".to_owned(),
        }
    }

    /// Returns the secrets that this item of the purpose holds.
    pub(crate) fn stored(self, purpose: SecretPurpose) -> StoredSecrets {
        let secrets = self.secrets.into_iter().map(Secret::new).collect();
        StoredSecrets { purpose, version: self.version, newest_at: self.newest_at, secrets }
    }
}

impl From<&StoredSecrets> for SecretsItem {
    fn from(stored: &StoredSecrets) -> Self {
        let secrets = stored.secrets.iter().map(|secret| secret.reveal().to_owned()).collect();
        Self { owner: Self::key(&stored.purpose), version: stored.version, newest_at: stored.newest_at, secrets }
    }
}

/// Holds all secrets of one owner, as version 0.1.0 stored them.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct OldSecretsItem {
    signature_secrets: Vec<String>,
    webhook_secrets: Vec<String>,
    click_keys: Vec<String>,
    link_secrets: Vec<String>,
}

impl OldSecretsItem {
    /// Returns the key of a partner's item, or of the system's.
    pub(crate) fn key(of: Option<&Provider>) -> String {
        of.map_or_else(|| "system".to_owned(), |provider| format!("partner/{provider}"))
    }

    /// Returns an item for each purpose that has secrets.
    pub(crate) fn split(self, of: Option<&Provider>, newest_at: Timestamp) -> Vec<SecretsItem> {
        let purposes = match of {
            Some(provider) => vec![
                (SecretPurpose::Postback(provider.clone()), self.signature_secrets),
                (SecretPurpose::Webhook(provider.clone()), self.webhook_secrets),
            ],
            None => vec![(SecretPurpose::Click, self.click_keys), (SecretPurpose::Link, self.link_secrets)],
        };
        let item =
            |(purpose, secrets)| SecretsItem { owner: SecretsItem::key(&purpose), version: 1, newest_at, secrets };
        purposes.into_iter().filter(|(_, secrets)| !secrets.is_empty()).map(item).collect()
    }
}
