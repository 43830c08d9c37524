//! From what is stored of all partners to the snapshot that is published of them.
//!
//! Storing and publishing are two writes, and an operator's command may die between them. So what counts as published is
//! what the snapshot says, never what is stored; and what was stored too long ago to be published in time is held back,
//! until its partner's file is applied again.

use alloc::collections::BTreeMap;
use core::time::Duration;

use super::{PartnerGoals, Snapshot};
use crate::{
    campaign::{Campaigns, check_published_terms},
    ids::{CampaignName, Provider},
    moment::Moment,
    partner::{ConfigFault, Faults},
    prelude::*,
};

/// What of a partner's stored campaigns was published, as it was: those archived, which no snapshot has any more, and
/// those in the snapshot, with its terms.
///
/// A campaign that was stored and never published is not among them: nothing of it is fixed.
pub fn as_published(stored: &Campaigns, goals: Option<&PartnerGoals>) -> Campaigns {
    let published = stored.iter().filter_map(|(name, campaign)| {
        let terms = goals.and_then(|goals| goals.campaigns.get(name));
        let campaign =
            if campaign.archived() { Some(campaign.clone()) } else { terms.map(|t| campaign.with_terms(t.clone())) };
        Some((name.clone(), campaign?))
    });
    published.collect()
}

/// A campaign that is not published as it is stored: it came too late for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The partner.
    pub provider: Provider,
    /// The campaign.
    pub campaign: CampaignName,
    /// What forbids it.
    pub faults: Vec<ConfigFault>,
}

/// What is to be published next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// All partners.
    pub partners: BTreeMap<Provider, PartnerGoals>,
    /// What is not among them as it is stored.
    pub held: Vec<Held>,
}

/// What is to be published at `now`, when all these partners are stored.
///
/// A campaign that is new, or whose end moved, is published only if it still is `lead` ahead; else what was published of
/// it before stays, so that no event was dropped that it needs.
pub fn next_goals(
    current: Option<&Snapshot>,
    stored: BTreeMap<Provider, PartnerGoals>,
    now: Moment,
    lead: Duration,
) -> Next {
    let soonest = now.plus(lead);
    let mut next = Next { partners: BTreeMap::new(), held: Vec::new() };
    for (provider, mut goals) in stored {
        let published = current.and_then(|snapshot| snapshot.partners.get(&provider));
        for (name, terms) in core::mem::take(&mut goals.campaigns) {
            let old = published.and_then(|published| published.campaigns.get(&name));
            let mut faults = Faults::default();
            check_published_terms(old, &terms, soonest, &mut faults);
            let terms = if faults.0.is_empty() { Some(terms) } else { old.cloned() };
            if !faults.0.is_empty() {
                next.held.push(Held { provider: provider.clone(), campaign: name.clone(), faults: faults.0 });
            }
            goals.campaigns.extend(terms.map(|terms| (name, terms)));
        }
        next.partners.insert(provider, goals);
    }
    next
}

#[cfg(test)]
mod tests;
