//! Computes the snapshot to publish from the stored partners.
//!
//! Storing and publishing are two writes, and the operator's command may die between them. Therefore only the snapshot
//! shows which campaigns are published. If too much time has passed since a campaign was stored, it is held back until
//! the partner's file is applied again.

use alloc::collections::BTreeMap;
use core::time::Duration;

use super::{PartnerGoals, Snapshot};
use crate::outbound::campaign::{Campaigns, check_published_terms};
use crate::prelude::*;
use crate::values::config_fault::{ConfigFault, Faults};
use crate::values::ids::{CampaignName, Provider};
use crate::values::time::UnixMillis;

/// Returns those of a partner's stored campaigns that are published. A campaign in the snapshot gets the terms in the
/// snapshot. An archived campaign is no longer in the snapshot, so it is returned as it is stored.
///
/// A campaign that was stored and never published is left out, because all parts of it may still change.
pub fn as_published(stored: &Campaigns, goals: Option<&PartnerGoals>) -> Campaigns {
    let published = stored.iter().filter_map(|(name, campaign)| {
        let terms = goals.and_then(|goals| goals.campaigns.get(name));
        let campaign =
            if campaign.archived() { Some(campaign.clone()) } else { terms.map(|t| campaign.with_terms(t.clone())) };
        Some((name.clone(), campaign?))
    });
    published.collect()
}

/// Reports a campaign that is too late to be published as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldCampaign {
    /// Names the partner.
    pub provider: Provider,
    /// Names the campaign.
    pub campaign: CampaignName,
    /// Lists the reasons why the campaign must not be published.
    pub faults: Vec<ConfigFault>,
}

/// Holds the next publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextGoals {
    /// Holds all partners.
    pub partners: BTreeMap<Provider, PartnerGoals>,
    /// Lists the campaigns that are held back.
    pub held: Vec<HeldCampaign>,
}

/// Computes the publication at `now` from these stored partners.
///
/// A new campaign is published only if it begins at least `lead` after `now`. An end is moved only if both its old and
/// its new instant are at least `lead` after `now`. Otherwise the published terms stay, because evaluators may have
/// dropped events that the new terms need.
pub fn next_goals(
    current: Option<&Snapshot>,
    stored: BTreeMap<Provider, PartnerGoals>,
    now: UnixMillis,
    lead: Duration,
) -> NextGoals {
    let soonest = now.plus(lead);
    let mut next = NextGoals { partners: BTreeMap::new(), held: Vec::new() };
    for (provider, mut goals) in stored {
        let published = current.and_then(|snapshot| snapshot.partners.get(&provider));
        for (name, terms) in core::mem::take(&mut goals.campaigns) {
            let old = published.and_then(|published| published.campaigns.get(&name));
            let mut faults = Faults::default();
            check_published_terms(old, &terms, soonest, &mut faults);
            let terms = if faults.0.is_empty() { Some(terms) } else { old.cloned() };
            if !faults.0.is_empty() {
                next.held.push(HeldCampaign { provider: provider.clone(), campaign: name.clone(), faults: faults.0 });
            }
            goals.campaigns.extend(terms.map(|terms| (name, terms)));
        }
        next.partners.insert(provider, goals);
    }
    next
}

#[cfg(test)]
mod tests;
