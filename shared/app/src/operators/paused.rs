//! Finds the deliveries that wait because their campaign is paused.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    outbound::{campaign::CampaignState, delivery::Delivery},
    partner::Partner,
    values::ids::{CampaignName, Provider},
};

use crate::ports::{Source, Unavailable};

/// The paused campaigns of some partners.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paused {
    campaigns: BTreeSet<(Provider, CampaignName)>,
    /// The partners whose campaigns cannot be read, so that their deliveries do not count as paused.
    pub unread: BTreeMap<Provider, Unavailable>,
}

impl Paused {
    /// Reads the partners of those deliveries that are under way.
    pub async fn of(
        partners: &impl Source<Key = Provider, Value = Partner>,
        deliveries: impl IntoIterator<Item = &Delivery>,
    ) -> Self {
        let mut paused = Self::default();
        let under_way = deliveries.into_iter().filter(|delivery| delivery.next().is_some());
        let providers: BTreeSet<&Provider> = under_way.map(Delivery::provider).collect();
        for provider in providers {
            match partners.load(provider).await {
                Ok(partner) => paused.add(provider, partner.as_ref()),
                Err(fault) => drop(paused.unread.insert(provider.clone(), fault)),
            }
        }
        paused
    }

    fn add(&mut self, provider: &Provider, partner: Option<&Partner>) {
        let campaigns = partner.into_iter().flat_map(|partner| partner.media_buying().campaigns());
        let paused = campaigns.filter(|(_, campaign)| campaign.state() == CampaignState::Paused);
        self.campaigns.extend(paused.map(|(name, _)| (provider.clone(), name.clone())));
    }

    /// Returns true if the delivery is under way and its campaign is paused.
    pub fn holds(&self, delivery: &Delivery) -> bool {
        let campaign = (delivery.provider().clone(), delivery.campaign().clone());
        delivery.next().is_some() && self.campaigns.contains(&campaign)
    }
}
