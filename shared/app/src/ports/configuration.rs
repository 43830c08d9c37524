//! The configuration as operators change it: partners, secrets, and the catalogue of campaigns.

use std::fmt;

use domain::{
    audit::AuditRecord,
    inbound::{
        click::ClickKeys,
        credential::{CredentialKind, Credentials, TokenHash},
    },
    jiff::Timestamp,
    outbound::catalogue::{PartnerGoals, Snapshot},
    partner::{Partner, PartnerFile},
    values::{ids::Provider, signature::Secret},
};
use serde::{Deserialize, Serialize};

use super::{Replaced, SystemKeys, Unavailable};

/// Owns the secrets that belong to no partner.
pub const SYSTEM_OWNER: &str = "system";

/// A partner as it is stored. It holds no secret: of its tokens only the hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPartner {
    /// The partner's name on the wire.
    pub provider: Provider,
    /// Counts the changes, from 1, so that two operators cannot overwrite each other.
    pub version: u64,
    /// The instant of the last change.
    pub updated_at: Timestamp,
    /// The [`PartnerFile`], as JSON.
    pub file: String,
    /// The SHA-256 of each live token, the newest first.
    #[serde(default)]
    pub token_hashes: Vec<TokenHash>,
}

impl StoredPartner {
    /// Reads the file that the operator wrote. The error quotes none of it, because errors are logged and the file holds the
    /// URLs of webhooks.
    pub fn file(&self) -> Result<PartnerFile, String> {
        let fault = |fault: serde_json::Error| {
            format!("{:?} error at line {}, column {}", fault.classify(), fault.line(), fault.column())
        };
        serde_json::from_str(&self.file).map_err(fault)
    }

    /// Returns the configuration that the file describes, or why it cannot be read.
    pub fn partner(&self) -> Result<Partner, String> {
        Partner::try_from(self.file()?)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }

    /// Returns the credentials with which the partner may call.
    pub fn credentials(&self, kind: CredentialKind, secrets: Option<StoredSecrets>) -> Credentials {
        match kind {
            CredentialKind::Token => Credentials::Tokens(self.token_hashes.clone()),
            CredentialKind::Signature => {
                let secrets = secrets.map(|stored| stored.signature_secrets).unwrap_or_default();
                Credentials::Secrets(secrets.into_iter().map(Secret::new).collect())
            }
        }
    }
}

/// The secrets of one owner as they are stored.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSecrets {
    /// [`SYSTEM_OWNER`], or a partner as [`Self::partner_owner`] names it.
    pub owner: String,
    /// A partner's signing secrets, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signature_secrets: Vec<String>,
    /// The secrets that a partner's webhooks are signed with, `whsec_` and base64, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub webhook_secrets: Vec<String>,
    /// The system's keys of click ids, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub click_keys: Vec<String>,
    /// The system's secrets of `/click` links, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub link_secrets: Vec<String>,
}

/// Shows the owner and no secret.
impl fmt::Debug for StoredSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredSecrets").field("owner", &self.owner).finish_non_exhaustive()
    }
}

impl StoredSecrets {
    /// Returns the name of a partner as an owner.
    pub fn partner_owner(provider: &Provider) -> String {
        format!("partner/{provider}")
    }

    /// Returns the system's keys, if these are the system's and there is a key of click ids.
    pub fn system_keys(self) -> Option<SystemKeys> {
        let secrets = |texts: Vec<String>| texts.into_iter().map(Secret::new).collect();
        let click = ClickKeys::new(secrets(self.click_keys))?;
        Some(SystemKeys { click, link: secrets(self.link_secrets) })
    }
}

/// The partners and all secrets.
pub trait Partners: Send + Sync {
    /// Reads a partner. MUST see every write that returned before.
    fn partner(&self, provider: &Provider) -> impl Future<Output = Result<Option<StoredPartner>, Unavailable>> + Send;

    /// Reads all partners. MUST see every write that returned before the call.
    fn partners(&self) -> impl Future<Output = Result<Vec<StoredPartner>, Unavailable>> + Send;

    /// Reads an owner's secrets. MUST see every write that returned before.
    fn secrets(&self, owner: &str) -> impl Future<Output = Result<Option<StoredSecrets>, Unavailable>> + Send;

    /// Writes a partner, its secrets if any are new, and the audit record. MUST do all or none, so that the stored secret is
    /// the one that the operator saw. MUST return `Changed`, and change nothing, unless the stored partner has the preceding
    /// version, or is absent for version 1.
    fn put_partner(
        &self,
        partner: &StoredPartner,
        secrets: Option<&StoredSecrets>,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;

    /// Writes an owner's secrets and the audit record. MUST do both or neither. MUST return `Changed`, and change nothing, if
    /// the owner has secrets.
    fn put_secrets_if_absent(
        &self,
        secrets: &StoredSecrets,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;
}

/// The campaigns that are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishedCampaigns {
    /// The stack has no table of catalogues, because its template is too old.
    NoTable,
    /// No catalogue was ever published.
    Nothing,
    /// The current catalogue.
    Current(Snapshot),
}

impl PublishedCampaigns {
    /// Returns the published campaigns of a partner.
    pub fn partner(&self, provider: &Provider) -> Option<&PartnerGoals> {
        self.snapshot()?.partners.get(provider)
    }

    /// Returns the current catalogue, if there is one.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        match self {
            Self::NoTable | Self::Nothing => None,
            Self::Current(snapshot) => Some(snapshot),
        }
    }
}

/// The catalogue, to publish.
pub trait Publishing: Send + Sync {
    /// Reads the current catalogue. MUST see every publication that returned before.
    fn load(&self) -> impl Future<Output = Result<PublishedCampaigns, Unavailable>> + Send;

    /// Makes this catalogue the current one and stores the audit record. MUST do both or neither. MUST return `Changed`, and
    /// publish nothing, unless the current catalogue has the version `expected`, or is absent if that is none. Snapshots MUST
    /// NOT mix, even if another operator publishes the same version.
    fn publish(
        &self,
        snapshot: &Snapshot,
        expected: Option<u64>,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;
}
