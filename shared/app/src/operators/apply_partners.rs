//! Applies partner files for an operator: reads the stored partners, and makes the planned changes.
//!
//! Reading and changing are separate steps, so that a person can be asked in between.

use domain::{
    audit::{Action, Operation, Subject},
    inbound::credential::Token,
    jiff::Timestamp,
    values::{ids::Provider, signature::Secret},
};
use thiserror::Error;

use super::{
    plan_partners::{Change, NewCredential, Planned, Proposed, StoredState},
    publish_campaigns::{Publication, PublishFault, publish},
};
use crate::ports::{
    Clock, Partners, PublishedCampaigns, Publishing, Replaced, SecretPurpose, StoredPartner, StoredSecrets, Unavailable,
};

/// The reason why the stored and published state cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LookFault {
    /// A service failed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The files have campaigns, but the stack is too old to have a catalogue.
    #[error("there is no table for campaigns")]
    NoCatalogue,
}

/// Reads the stored and published state of each file's partner.
pub async fn look(
    (partners, catalogue): (&impl Partners, &impl Publishing),
    files: &[Proposed<'_>],
) -> Result<Vec<StoredState>, LookFault> {
    let published = catalogue.load().await?;
    let campaigns = files.iter().any(|file| !file.partner.media_buying().campaigns().is_empty());
    if campaigns && published == PublishedCampaigns::NoTable {
        return Err(LookFault::NoCatalogue);
    }
    let mut stored = Vec::new();
    for file in files {
        let provider = file.partner.provider();
        let item = partners.partner(provider).await?;
        let has_postback_secrets = partners.has_secrets(&SecretPurpose::Postback(provider.clone())).await?;
        let has_webhook_secrets = partners.has_secrets(&SecretPurpose::Webhook(provider.clone())).await?;
        let goals = published.partner(provider).cloned();
        stored.push(StoredState { item, has_postback_secrets, has_webhook_secrets, goals });
    }
    Ok(stored)
}

/// Returns the stored partners that have none of these files, sorted by name.
pub async fn without_file(partners: &impl Partners, files: &[Proposed<'_>]) -> Result<Vec<Provider>, Unavailable> {
    let has_file = |provider: &Provider| files.iter().any(|file| file.partner.provider() == provider);
    let stored = partners.partners().await?.into_iter().map(|item| item.provider);
    let mut left: Vec<Provider> = stored.filter(|name| !has_file(name)).collect();
    left.sort();
    Ok(left)
}

/// Makes the system's own keys that do not exist yet. `random` holds the bytes for the key of click ids, for the secret of
/// links and for the key of the archive.
pub async fn ensure_system_keys(
    partners: &impl Partners,
    random: [[u8; 20]; 3],
    (operation, now): (&Operation, Timestamp),
) -> Result<(), Unavailable> {
    let mut made = Vec::new();
    for (purpose, random) in [SecretPurpose::Click, SecretPurpose::Link, SecretPurpose::Archive].into_iter().zip(random)
    {
        if partners.secrets(&purpose).await?.is_none() {
            let secrets = vec![Secret::new(Token::from_random(random).reveal())];
            made.push(StoredSecrets { purpose, version: 1, newest_at: now, secrets });
        }
    }
    if made.is_empty() {
        return Ok(());
    }
    let audit = operation.record(now, Action::CreateSystemKeys, Subject::SystemKeys);
    // If another operator was first, the keys of that operator are used.
    partners.put_secrets(&made, &audit).await.map(|_| ())
}

/// Moves secrets of these partners and of the system that version 0.1.0 stored as one item to an item for each purpose.
/// Returns the number of items that were split.
pub async fn split_secrets(
    partners: &impl Partners,
    of: &[&Provider],
    (operation, now): (&Operation, Timestamp),
) -> Result<usize, Unavailable> {
    let mut moved = 0;
    for owner in [None].into_iter().chain(of.iter().copied().map(Some)) {
        let subject = owner.map_or(Subject::SystemKeys, |provider| Subject::Partner { provider: provider.clone() });
        let audit = operation.record(now, Action::SplitSecrets, subject);
        moved += usize::from(partners.split_secrets(owner, &audit).await?);
    }
    Ok(moved)
}

/// A partner that was written.
#[derive(Debug)]
pub struct AppliedPartner {
    /// The change.
    pub change: Change,
    /// The partner as it is stored.
    pub item: StoredPartner,
    /// The new credential, if one was made.
    pub credential: Option<NewCredential>,
    /// The new secret that signs the partner's webhooks, if one was made.
    pub webhook_secret: Option<Secret>,
}

/// The reason why not everything was applied.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ApplyFault {
    /// Another operator has changed the partner since it was read.
    #[error("{0} was changed by another operator in the meantime")]
    Changed(Provider),
    /// The partner may or may not be written.
    #[error("it is unknown if {0} was written: {1}")]
    Unclear(Provider, Unavailable),
    /// The partners are written, but their campaigns are not published.
    #[error("the partners are stored, but not published: {0}")]
    Unpublished(PublishFault),
}

/// The partners and campaigns that were applied. It is the only place that holds the new secrets, so they must be shown
/// even after a fault.
#[derive(Debug, Default)]
pub struct Applied {
    /// The partners that are written. After a fault, the last one may not be written.
    pub partners: Vec<AppliedPartner>,
    /// The campaigns that are published.
    pub publication: Publication,
    /// The fault that ended the action early, if there was one.
    pub fault: Option<ApplyFault>,
}

/// Writes the partners and then publishes. In this order, every webhook that becomes owed finds its partner's
/// configuration.
pub async fn apply(
    (partners, catalogue): (&impl Partners, &impl Publishing),
    clock: &impl Clock,
    plans: Vec<Planned>,
    lead: std::time::Duration,
    operation: &Operation,
) -> Applied {
    let mut applied = Applied::default();
    for planned in plans {
        if let Err(fault) = write(partners, planned, operation, &mut applied.partners).await {
            return Applied { fault: Some(fault), ..applied };
        }
    }
    match publish((partners, catalogue), clock, lead, operation).await {
        Ok(publication) => Applied { publication, ..applied },
        Err(fault) => Applied { fault: Some(ApplyFault::Unpublished(fault)), ..applied },
    }
}

/// Writes a partner together with its secrets. Adds the partner to `applied` unless it is certain that nothing was
/// written, because a secret that may be stored must be shown.
async fn write(
    partners: &impl Partners,
    planned: Planned,
    operation: &Operation,
    applied: &mut Vec<AppliedPartner>,
) -> Result<(), ApplyFault> {
    let audit = planned.record(operation);
    let Planned { change, item, credential, webhook_secret, secrets, .. } = planned;
    let provider = item.provider.clone();
    let written = match change {
        Change::Unchanged => Ok(Replaced::Done),
        Change::Created | Change::Changed => partners.put_partner(&item, &secrets, &audit).await,
    };
    if written == Ok(Replaced::Changed) {
        return Err(ApplyFault::Changed(provider));
    }
    applied.push(AppliedPartner { change, item, credential, webhook_secret });
    written.map(|_| ()).map_err(|unavailable| ApplyFault::Unclear(provider, unavailable))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use domain::{
        audit::{Author, Channel},
        outbound::webhook::Allowance,
        partner::{Partner, PartnerFile},
    };

    use super::{
        super::plan_partners::{CredentialBytes, PlanTime, plan_all},
        *,
    };
    use crate::memory::{Trouble, World};

    const LEAD: Duration = Duration::from_mins(3);

    fn files(names: &[&str]) -> Vec<(PartnerFile, Partner)> {
        let file = |name: &&str| {
            let file: PartnerFile = serde_json::from_value(serde_json::json!({ "provider": name })).unwrap();
            (file.clone(), Partner::try_from(file).unwrap())
        };
        names.iter().map(file).collect()
    }

    /// Does all that `postbackctl apply` does with partners of these names.
    async fn apply_all(world: &World, names: &[&str]) -> Result<Applied, LookFault> {
        let files = files(names);
        let proposed = |(file, partner)| Proposed { file, partner, allowance: Allowance::PublicOnly };
        let proposed: Vec<Proposed<'_>> = files.iter().map(|(file, partner)| proposed((file, partner))).collect();
        let operation = Operation::new(Author::new("jo").unwrap(), Channel::Postbackctl, None, [0; 8]);
        let stored = look((world, world), &proposed).await?;
        let bytes = CredentialBytes { token: [1; 20], secret: [2; 20], webhook_secret: [3; 32] };
        let planned = proposed.iter().zip(&stored).map(|(file, stored)| (*file, stored, bytes));
        let plans = plan_all(planned, PlanTime { now: Timestamp::UNIX_EPOCH, lead: LEAD }).unwrap();
        ensure_system_keys(world, [[4; 20]; 3], (&operation, Timestamp::UNIX_EPOCH)).await?;
        Ok(apply((world, world), world, plans, LEAD, &operation).await)
    }

    fn actions(world: &World) -> Vec<Action> {
        world.state().audit.iter().map(|record| record.action).collect()
    }

    #[tokio::test]
    async fn each_change_of_an_apply_leaves_one_record() {
        let world = World::default();
        let applied = apply_all(&world, &["acme", "globex"]).await.unwrap();
        assert!(applied.fault.is_none());
        let made = applied.partners.iter().filter(|row| matches!(row.credential, Some(NewCredential::Token(_))));
        assert_eq!((made.count(), applied.publication.version), (2, Some(1)));
        let first = [Action::CreateSystemKeys, Action::CreatePartner, Action::CreatePartner, Action::PublishCampaigns];
        assert_eq!(actions(&world), first);
        // The same files again change nothing.
        let again = apply_all(&world, &["acme", "globex"]).await.unwrap();
        assert!(again.partners.iter().all(|row| row.change == Change::Unchanged) && !again.publication.fresh);
        assert_eq!(actions(&world), first);
    }

    #[tokio::test]
    async fn every_change_has_its_record_wherever_an_apply_fails() {
        for call in 0..15 {
            for trouble in [Trouble::Before, Trouble::After] {
                let world = World::default();
                world.state().trouble = BTreeMap::from([(call, trouble)]);
                let _ = apply_all(&world, &["acme", "globex"]).await;
                let changes = {
                    let state = world.state();
                    let keys = usize::from(state.secrets.contains_key(&SecretPurpose::Click));
                    keys + state.partners.len() + usize::from(state.campaigns.is_some())
                };
                assert_eq!(actions(&world).len(), changes, "call {call}, {trouble:?}");
                // Applying again mends it.
                let again = apply_all(&world, &["acme", "globex"]).await.unwrap();
                assert!(again.fault.is_none(), "call {call}, {trouble:?}");
                assert_eq!(actions(&world).len(), 4, "call {call}, {trouble:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_secret_that_may_be_stored_is_told() {
        for (trouble, stored) in [(Trouble::Before, false), (Trouble::After, true)] {
            let world = World::default();
            // The calls before: catalogue, partner, its two kinds of secrets, the system's three, and their write.
            world.state().trouble = BTreeMap::from([(8, trouble)]);
            let applied = apply_all(&world, &["acme"]).await.unwrap();
            assert!(matches!(applied.fault, Some(ApplyFault::Unclear(..))));
            assert!(matches!(applied.partners[0].credential, Some(NewCredential::Token(_))));
            assert_eq!(!world.state().partners.is_empty(), stored);
        }
    }

    #[tokio::test]
    async fn a_partner_changed_by_another_operator_is_not_overwritten() {
        let world = World::default();
        let files = files(&["acme"]);
        let proposed = Proposed { file: &files[0].0, partner: &files[0].1, allowance: Allowance::PublicOnly };
        let bytes = CredentialBytes { token: [1; 20], secret: [2; 20], webhook_secret: [3; 32] };
        let time = PlanTime { now: Timestamp::UNIX_EPOCH, lead: LEAD };
        let late = plan_all([(proposed, &StoredState::default(), bytes)], time).unwrap();
        apply_all(&world, &["acme"]).await.unwrap();
        let before = world.state().partners.clone();
        let records = actions(&world);
        let operation = Operation::new(Author::new("al").unwrap(), Channel::Postbackctl, None, [9; 8]);
        let lost = apply((&world, &world), &world, late, LEAD, &operation).await;
        assert!(matches!(lost.fault, Some(ApplyFault::Changed(_))) && lost.partners.is_empty());
        assert_eq!(actions(&world), records);
        assert_eq!(world.state().partners, before);
    }
}
