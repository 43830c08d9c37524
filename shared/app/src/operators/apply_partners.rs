//! An operator applies partner files: reads the stored partners, plans the changes, and makes them.
//!
//! The steps are apart, so that a person can be asked in between.

use domain::{
    audit::{Action, Operation, Subject},
    inbound::credential::Token,
    jiff::Timestamp,
    values::ids::Provider,
};
use thiserror::Error;

use super::{
    plan_partners::{Change, NewCredential, Planned, Proposed, Standing},
    publish_campaigns::{Publication, PublishFault, publish},
};
use crate::ports::{
    Partners, PublishedCampaigns, Publishing, Replaced, SYSTEM_OWNER, StoredPartner, StoredSecrets, Surroundings,
    Unavailable,
};

/// Why it is not known what stands.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LookFault {
    /// A service failed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The files have campaigns, and the stack is too old to have a catalogue.
    #[error("there is no table for campaigns")]
    NoCatalogue,
}

/// Reads what is stored and published of the partner of each file.
pub async fn look(
    (partners, catalogue): (&impl Partners, &impl Publishing),
    files: &[Proposed<'_>],
) -> Result<Vec<Standing>, LookFault> {
    let published = catalogue.load().await?;
    let campaigns = files.iter().any(|file| !file.partner.media_buying().campaigns().is_empty());
    if campaigns && published == PublishedCampaigns::NoTable {
        return Err(LookFault::NoCatalogue);
    }
    let mut standing = Vec::new();
    for file in files {
        let provider = file.partner.provider();
        let item = partners.partner(provider).await?;
        let secrets = partners.secrets(&StoredSecrets::partner_owner(provider)).await?;
        standing.push(Standing { item, secrets, goals: published.partner(provider).cloned() });
    }
    Ok(standing)
}

/// Returns the partners that are stored and have no file among these, by name.
pub async fn without_file(partners: &impl Partners, files: &[Proposed<'_>]) -> Result<Vec<Provider>, Unavailable> {
    let has_file = |provider: &Provider| files.iter().any(|file| file.partner.provider() == provider);
    let stored = partners.partners().await?.into_iter().map(|item| item.provider);
    let mut left: Vec<Provider> = stored.filter(|name| !has_file(name)).collect();
    left.sort();
    Ok(left)
}

/// Makes the system's own keys, unless an earlier operator has. `random` is for a key of click ids and one of links.
pub async fn ensure_system_keys(
    partners: &impl Partners,
    random: [[u8; 20]; 2],
    (operation, now): (&Operation, Timestamp),
) -> Result<(), Unavailable> {
    if partners.secrets(SYSTEM_OWNER).await?.is_some() {
        return Ok(());
    }
    let [click_keys, link_secrets] = random.map(|random| vec![Token::from_random(random).reveal().to_owned()]);
    let secrets =
        StoredSecrets { owner: SYSTEM_OWNER.to_owned(), click_keys, link_secrets, ..StoredSecrets::default() };
    let audit = operation.record(now, Action::CreateSystemKeys, Subject::SystemKeys);
    // Where another operator was first, that one's keys serve as well.
    partners.put_secrets_if_absent(&secrets, &audit).await.map(|_| ())
}

/// A partner that was written.
#[derive(Debug)]
pub struct AppliedPartner {
    /// The change.
    pub change: Change,
    /// The partner as it is stored.
    pub item: StoredPartner,
    /// The credential that it got.
    pub credential: Option<NewCredential>,
    /// The secret that its webhooks are signed with, if it got one.
    pub webhook_secret: Option<domain::values::signature::Secret>,
}

/// Why not everything was applied.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ApplyFault {
    /// Another operator has changed the partner since it was read.
    #[error("{0} was changed by another operator in the meantime")]
    Changed(Provider),
    /// The partner may or may not be written.
    #[error("{0} may or may not be written: {1}")]
    Unclear(Provider, Unavailable),
    /// The partners are written, and their campaigns not published.
    #[error("the partners are stored, but not published: {0}")]
    Unpublished(PublishFault),
}

/// The partners and campaigns that were applied. New secrets are in it and nowhere else, so it must be shown even after a fault.
#[derive(Debug, Default)]
pub struct Applied {
    /// The partners that are written, and one that may or may not be.
    pub partners: Vec<AppliedPartner>,
    /// The campaigns that are published.
    pub publication: Publication,
    /// The fault that ended it.
    pub fault: Option<ApplyFault>,
}

/// Writes the partners, then publishes: a webhook that is owed finds its partner's configuration.
pub async fn apply(
    (partners, catalogue): (&impl Partners, &impl Publishing),
    surroundings: &impl Surroundings,
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
    match publish((partners, catalogue), surroundings, lead, operation).await {
        Ok(publication) => Applied { publication, ..applied },
        Err(fault) => Applied { fault: Some(ApplyFault::Unpublished(fault)), ..applied },
    }
}

/// Writes a partner, and its secrets with it. It is among `applied` unless it is certainly not written: a secret that may be
/// stored is told.
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
        Change::Created | Change::Changed => partners.put_partner(&item, secrets.as_ref(), &audit).await,
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
        super::plan_partners::{Clock, Entropy, plan_all},
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
        let standing = look((world, world), &proposed).await?;
        let entropy = Entropy { token: [1; 20], secret: [2; 20], webhook_secret: [3; 32] };
        let planned = proposed.iter().zip(&standing).map(|(file, standing)| (*file, standing, entropy));
        let plans = plan_all(planned, Clock { now: Timestamp::UNIX_EPOCH, lead: LEAD }).unwrap();
        ensure_system_keys(world, [[4; 20]; 2], (&operation, Timestamp::UNIX_EPOCH)).await?;
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
        for call in 0..12 {
            for trouble in [Trouble::Before, Trouble::After] {
                let world = World::default();
                world.state().trouble = BTreeMap::from([(call, trouble)]);
                let _ = apply_all(&world, &["acme", "globex"]).await;
                let changes = {
                    let state = world.state();
                    let keys = usize::from(state.secrets.contains_key(SYSTEM_OWNER));
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
            // The calls before: catalogue, partner, secrets, the system's secrets twice.
            world.state().trouble = BTreeMap::from([(5, trouble)]);
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
        let entropy = Entropy { token: [1; 20], secret: [2; 20], webhook_secret: [3; 32] };
        let clock = Clock { now: Timestamp::UNIX_EPOCH, lead: LEAD };
        let late = plan_all([(proposed, &Standing::default(), entropy)], clock).unwrap();
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
