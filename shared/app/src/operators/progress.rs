//! Explains for an operator how far a GG3 user has come with each campaign, and which webhooks are owed for the user.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    outbound::{
        catalogue::Snapshot,
        delivery::Status,
        participant::Participant,
        progress::{Progress, explain},
    },
    partner::Partner,
    values::{
        ids::{CampaignName, DeliveryId, Provider, UserId},
        time::UnixMillis,
    },
};
use serde::Serialize;

use super::waiting::{Wait, Waiting};
use crate::ports::{
    Catalogues, DeliveryRecords, Endpoints, Participants, Published, Source, StoredDelivery, StoredParticipant,
    Unavailable,
};

/// A user as stored, with the user's progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserProgress {
    /// The participant, or `None` if nothing is stored about the user.
    pub participant: Option<Participant>,
    /// The user's progress with each published campaign that concerns the user.
    pub campaigns: Vec<CampaignProgress>,
    /// The number of published campaigns of other partners, with which the user has nothing to do.
    pub left_out: usize,
    /// The partners that cannot be read, so that it is unknown what their deliveries wait for.
    pub unread_partners: BTreeMap<Provider, Unavailable>,
}

/// A user's progress with one campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CampaignProgress {
    /// The campaign's partner.
    pub provider: Provider,
    /// The campaign.
    pub campaign: CampaignName,
    /// The progress: the events that count, the steps that are missing, and the events that do not count.
    #[serde(flatten)]
    pub progress: Progress,
    /// The delivery that became owed when the user reached the goal.
    pub delivery: Option<OwedDelivery>,
}

impl CampaignProgress {
    fn concerns(&self, opened_none: bool) -> bool {
        let in_vain = opened_none && !self.progress.not_counted.is_empty();
        self.progress.since.is_some() || self.delivery.is_some() || in_vain
    }

    /// Returns the last instant at which the user did something that does not count.
    pub fn last_in_vain(&self) -> Option<UnixMillis> {
        self.progress.not_counted.iter().map(|it| it.at).max()
    }
}

/// A delivery that is owed for a reached goal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwedDelivery {
    /// The id of the delivery.
    pub delivery_id: DeliveryId,
    /// The state of the delivery.
    pub status: Status,
    /// What the delivery waits for besides its time.
    #[serde(flatten)]
    pub wait: Wait,
}

/// Explains a user's progress with every published campaign of one partner, or of all partners that concern the user.
/// A partner concerns a user who opened its link or for whom a webhook is owed. If the user opened no link at all, the
/// campaigns are explained for which the user did something in vain.
pub async fn of_user(
    participants: &impl Participants,
    catalogues: &impl Catalogues,
    (records, partners, endpoints): (
        &impl DeliveryRecords,
        &impl Source<Key = Provider, Value = Partner>,
        &impl Endpoints,
    ),
    (user, provider): (&UserId, Option<&Provider>),
    now: UnixMillis,
) -> Result<UserProgress, Unavailable> {
    let stored = participants.read(&[user]).await.pop().transpose()?.unwrap_or_default();
    let StoredParticipant { participant, version } = stored;
    let mut campaigns = match catalogues.current(None).await? {
        Published::Other(catalogue) => explained(&Snapshot::from(*catalogue), &participant, provider),
        Published::Nothing | Published::Same => Vec::new(),
    };
    let id = |line: &CampaignProgress| DeliveryId::of(&line.provider, &line.campaign, user);
    let ids: BTreeSet<DeliveryId> = campaigns.iter().map(id).collect();
    let found = records.find(&ids).await?;
    let deliveries = found.iter().map(|stored| &stored.delivery);
    let waiting = Waiting::of((partners, endpoints), deliveries, now).await;
    let owed = |StoredDelivery { delivery, .. }: &StoredDelivery| OwedDelivery {
        delivery_id: delivery.id().clone(),
        status: delivery.status(),
        wait: waiting.what(delivery),
    };
    let mut owed: BTreeMap<DeliveryId, OwedDelivery> =
        found.iter().map(|stored| (stored.delivery.id().clone(), owed(stored))).collect();
    for line in &mut campaigns {
        line.delivery = owed.remove(&id(line));
    }
    let published = campaigns.len();
    let opened_none = participant.attributions().next().is_none();
    campaigns.retain(|line| provider.is_some() || line.concerns(opened_none));
    let left_out = published - campaigns.len();
    let participant = version.map(|_| participant);
    Ok(UserProgress { participant, campaigns, left_out, unread_partners: waiting.unread })
}

fn explained(snapshot: &Snapshot, participant: &Participant, only: Option<&Provider>) -> Vec<CampaignProgress> {
    let partners = snapshot.partners.iter().filter(|(provider, _)| only.is_none_or(|only| only == *provider));
    let campaigns = partners.flat_map(|(provider, goals)| goals.campaigns.iter().map(move |named| (provider, named)));
    let line = |(provider, (name, terms)): (&Provider, (&CampaignName, _))| CampaignProgress {
        provider: provider.clone(),
        campaign: name.clone(),
        progress: explain(participant, provider, name, terms),
        delivery: None,
    };
    campaigns.map(line).collect()
}

#[cfg(test)]
pub(crate) mod tests;
