//! Holds partners, secrets and published campaigns in memory.

use domain::{audit::AuditRecord, outbound::catalogue::Snapshot, values::ids::Provider};

use super::World;
use crate::ports::{
    Partners, PublishedCampaigns, Publishing, Replaced, SecretPurpose, StoredPartner, StoredSecrets, Unavailable,
};

impl Partners for World {
    async fn partner(&self, provider: &Provider) -> Result<Option<StoredPartner>, Unavailable> {
        self.call("read partner", |state| state.partners.get(provider).cloned())
    }

    async fn partners(&self) -> Result<Vec<StoredPartner>, Unavailable> {
        self.call("read partners", |state| state.partners.values().cloned().collect())
    }

    async fn secrets(&self, purpose: &SecretPurpose) -> Result<Option<StoredSecrets>, Unavailable> {
        self.call("read secrets", |state| state.secrets.get(purpose).cloned())
    }

    async fn has_secrets(&self, purpose: &SecretPurpose) -> Result<bool, Unavailable> {
        self.call("look for secrets", |state| state.secrets.contains_key(purpose))
    }

    async fn put_partner(
        &self,
        partner: &StoredPartner,
        secrets: &[StoredSecrets],
        audit: &AuditRecord,
    ) -> Result<Replaced, Unavailable> {
        self.call("write partner", |state| {
            let stored = state.partners.get(&partner.provider).map_or(0, |stored| stored.version);
            if stored + 1 != partner.version {
                return Replaced::Changed;
            }
            state.partners.insert(partner.provider.clone(), partner.clone());
            state.secrets.extend(secrets.iter().map(|secrets| (secrets.purpose.clone(), secrets.clone())));
            state.audit.push(audit.clone());
            Replaced::Done
        })
    }

    async fn put_secrets(&self, secrets: &[StoredSecrets], audit: &AuditRecord) -> Result<Replaced, Unavailable> {
        self.call("write secrets", |state| {
            let stored = |purpose: &SecretPurpose| state.secrets.get(purpose).map_or(0, |stored| stored.version);
            if secrets.iter().any(|secrets| stored(&secrets.purpose) + 1 != secrets.version) {
                return Replaced::Changed;
            }
            state.secrets.extend(secrets.iter().map(|secrets| (secrets.purpose.clone(), secrets.clone())));
            state.audit.push(audit.clone());
            Replaced::Done
        })
    }

    /// Returns false, because only version 0.1.0 stored secrets that must be split.
    async fn split_secrets(&self, _: Option<&Provider>, _: &AuditRecord) -> Result<bool, Unavailable> {
        self.call("split secrets", |_| false)
    }
}

impl Publishing for World {
    async fn load(&self) -> Result<PublishedCampaigns, Unavailable> {
        let current = |snapshot: Snapshot| PublishedCampaigns::Current(snapshot);
        self.call("load campaigns", |state| state.campaigns.clone().map_or(PublishedCampaigns::Nothing, current))
    }

    /// Publishes a rival's catalogue first, if one is planned.
    async fn publish(
        &self,
        snapshot: &Snapshot,
        expected: Option<u64>,
        audit: &AuditRecord,
    ) -> Result<Replaced, Unavailable> {
        self.call("publish campaigns", |state| {
            if let Some(rival) = state.rivals.pop() {
                state.begun_versions.insert(rival.version);
                state.campaigns = Some(rival);
            }
            let current = state.campaigns.as_ref().map(|snapshot| snapshot.version);
            if current != expected || !state.begun_versions.insert(snapshot.version) {
                return Replaced::Changed;
            }
            state.campaigns = Some(snapshot.clone());
            state.audit.push(audit.clone());
            Replaced::Done
        })
    }
}
