//! Reads and writes the configuration that operators change: partners, secrets, and the catalogue of campaigns.

use domain::{
    audit::AuditRecord,
    inbound::{
        click::ClickKeys,
        credential::{CredentialKind, Credentials, TokenHash},
    },
    jiff::{SignedDuration, Timestamp},
    outbound::catalogue::{PartnerGoals, Snapshot},
    partner::{Partner, PartnerFile, Pauses},
    values::{ids::Provider, signature::Secret},
};
use serde::{Deserialize, Serialize};

use super::{Replaced, Unavailable};

/// A partner in its stored form. It holds no secret, and only the hashes of its tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPartner {
    /// The partner's name in URLs and messages.
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
    /// The pauses that an operator has made. They stay when the file is applied again.
    #[serde(default, skip_serializing_if = "Pauses::is_none")]
    pub pauses: Pauses,
}

impl StoredPartner {
    /// Reads the file that the operator wrote. The error quotes nothing from the file, because errors are logged and
    /// the file holds the URLs of webhooks.
    pub fn file(&self) -> Result<PartnerFile, String> {
        let fault = |fault: serde_json::Error| {
            format!("{:?} error at line {}, column {}", fault.classify(), fault.line(), fault.column())
        };
        serde_json::from_str(&self.file).map_err(fault)
    }

    /// Returns the configuration that the file describes, with what is paused beside it, or the reason why the file cannot
    /// be read.
    pub fn partner(&self) -> Result<Partner, String> {
        Partner::try_from(self.file()?)
            .map(|partner| partner.with_pauses(self.pauses))
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }

    /// Returns the credentials with which the partner may call. `secrets` are the secrets with which the partner signs.
    pub fn credentials(&self, kind: CredentialKind, secrets: Vec<Secret>) -> Credentials {
        match kind {
            CredentialKind::Token => Credentials::Tokens(self.token_hashes.clone()),
            CredentialKind::Signature => Credentials::Secrets(secrets),
        }
    }
}

/// The purpose of secrets. The secrets of each purpose are stored as an item of their own, so that each function can be
/// allowed to read only the secrets that it needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretPurpose {
    /// This partner signs its postbacks with them.
    Postback(Provider),
    /// This partner's webhooks are signed with them.
    Webhook(Provider),
    /// Click ids are made and verified with them.
    Click,
    /// `/click` links are signed with them.
    Link,
    /// Ids are hashed with it for the archive. There is one, and it is never replaced.
    Archive,
}

/// The secrets of one purpose as they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSecrets {
    /// The purpose.
    pub purpose: SecretPurpose,
    /// The version. The system's own secrets are counted from 1; a partner's secrets have the version of the partner.
    pub version: u64,
    /// The instant at which the newest secret was made.
    pub newest_at: Timestamp,
    /// The secrets, the newest first.
    pub secrets: Vec<Secret>,
}

impl StoredSecrets {
    /// Returns the keys that make and verify click ids. Until `settles` has passed since the newest key was made, the
    /// key before it makes click ids: by then, every function that verifies click ids has read the newest key.
    pub fn click_keys(self, now: Timestamp, settles: SignedDuration) -> Option<ClickKeys> {
        let mut keys = self.secrets;
        if keys.len() > 1 && now.duration_since(self.newest_at) < settles {
            keys.swap(0, 1);
        }
        ClickKeys::new(keys)
    }
}

/// The partners and all secrets.
pub trait Partners: Send + Sync {
    /// Reads a partner. MUST see every write that returned before.
    fn partner(&self, provider: &Provider) -> impl Future<Output = Result<Option<StoredPartner>, Unavailable>> + Send;

    /// Reads all partners. MUST see every write that returned before the call.
    fn partners(&self) -> impl Future<Output = Result<Vec<StoredPartner>, Unavailable>> + Send;

    /// Reads the secrets of one purpose. MUST see every write that returned before.
    fn secrets(
        &self,
        purpose: &SecretPurpose,
    ) -> impl Future<Output = Result<Option<StoredSecrets>, Unavailable>> + Send;

    /// Returns true if there are secrets of one purpose, without reading them. MUST see every write that returned before.
    fn has_secrets(&self, purpose: &SecretPurpose) -> impl Future<Output = Result<bool, Unavailable>> + Send;

    /// Writes a partner, the partner's new secrets, and the audit record. MUST do all or none, so that the operator
    /// sees the secret that is stored. The stored partner MUST have the preceding version, or be absent for version 1.
    /// Otherwise the method MUST return `Changed` and change nothing.
    fn put_partner(
        &self,
        partner: &StoredPartner,
        secrets: &[StoredSecrets],
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;

    /// Writes secrets of the system and the audit record. MUST do all or none. The stored secrets of each purpose MUST
    /// have the preceding version, or be absent for version 1. Otherwise the method MUST return `Changed` and change
    /// nothing.
    fn put_secrets(
        &self,
        secrets: &[StoredSecrets],
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;

    /// Moves secrets that version 0.1.0 stored as one item of a partner, or of the system, to an item for each purpose,
    /// and stores the audit record. MUST do all or none. Returns true if there was such an item.
    fn split_secrets(
        &self,
        of: Option<&Provider>,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<bool, Unavailable>> + Send;
}

/// The published campaigns.
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

/// Publishes the catalogue.
pub trait Publishing: Send + Sync {
    /// Reads the current catalogue. MUST see every publication that returned before.
    fn load(&self) -> impl Future<Output = Result<PublishedCampaigns, Unavailable>> + Send;

    /// Makes this catalogue the current one and stores the audit record. MUST do both or neither. The current catalogue
    /// MUST have the version `expected`, or be absent if `expected` is `None`. Otherwise the method MUST return
    /// `Changed` and publish nothing. Snapshots MUST NOT mix, even if another operator publishes the same version.
    fn publish(
        &self,
        snapshot: &Snapshot,
        expected: Option<u64>,
        audit: &AuditRecord,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;
}
