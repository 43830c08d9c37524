//! An operator opens another round of attempts: of some deliveries, or of all that failed in a time.
//!
//! A round is stored together with its audit record, then its first message is sent. If the process is killed in between, the
//! sweep finds the delivery within half an hour, and another resend by hand opens one more round. A delivery with an opened
//! round counts as failed no longer, so a resend of a time can be interrupted and repeated, and goes on where it was.

use std::{collections::BTreeSet, pin::pin};

use domain::{
    audit::{Action, AuditRecord, Operation, Subject},
    outbound::{
        campaign::{Campaign, CampaignState},
        delivery::{Delivery, OpenedRound, Status},
    },
    partner::Partner,
    values::{
        ids::{CampaignName, DeliveryId, Provider},
        time::UnixMillis,
    },
};
use futures_util::{TryFutureExt, TryStreamExt};

use super::Pace;
use crate::{
    cache::Cache,
    pages,
    ports::{
        DeliveryRecords, Ended, FailuresPage, Replaced, ResendQueue, Rounds, Source, StoredDelivery, Surroundings,
        Unavailable,
    },
};

/// Limits how often a delivery that others change meanwhile is tried.
pub const TRIES: usize = 5;

/// The use case, over its ports.
pub struct ResendDeliveries<P: Source, R, Q, S> {
    /// The partners.
    pub partners: Cache<P>,
    /// The rounds.
    pub rounds: R,
    /// The queue of resends.
    pub resends: Q,
    /// The clock and the random numbers.
    pub surroundings: S,
    /// The operation, which names its author.
    pub operation: Operation,
}

/// Which failed deliveries are sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failures {
    /// Their partner.
    pub provider: Provider,
    /// Their campaign; none for all of them.
    pub campaign: Option<CampaignName>,
    /// How they failed.
    pub status: Status,
    /// When they failed.
    pub ended: Ended,
}

impl Failures {
    fn contain(&self, delivery: &Delivery) -> bool {
        let ours = self.campaign.as_ref().is_none_or(|campaign| campaign == delivery.campaign());
        ours && delivery.status() == self.status && self.ended.failed_at(delivery).is_some()
    }
}

/// The result of a resend.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resent {
    /// How many rounds were opened.
    pub opened: usize,
    /// How many of them wait while their campaign is paused.
    pub waiting: usize,
}

/// Why a resend ended early. The rounds that were opened until then stay open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// A service did not do what it was asked.
    Unavailable(Unavailable),
    /// The operator interrupted it.
    Interrupted,
    /// There is no such delivery.
    Unknown(DeliveryId),
    /// Others changed this delivery each time it was tried.
    Contended(DeliveryId),
    /// The campaign is archived: a round would only end as cancelled, and hide how the delivery really ended.
    Archived(Provider, CampaignName),
    /// The partner has no such campaign any more.
    NoCampaign(Provider, CampaignName),
}

impl From<Unavailable> for Stopped {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}

/// Counts the failed deliveries that a resend would open rounds for.
pub async fn count(records: &impl DeliveryRecords, failures: &Failures) -> Result<usize, Unavailable> {
    let of_page = async |count, page: Vec<StoredDelivery>| {
        Ok(count + page.iter().filter(|stored| failures.contain(&stored.delivery)).count())
    };
    pages_of(records, failures).try_fold(0, of_page).await
}

fn pages_of<R: DeliveryRecords>(
    records: &R,
    failures: &Failures,
) -> impl futures_util::Stream<Item = Result<Vec<StoredDelivery>, Unavailable>> {
    pages::of_parts(records.failure_shards(), |shard, from| {
        let page = records.failures_page(&failures.provider, shard, failures.ended, from);
        page.map_ok(|FailuresPage { deliveries, next }| (deliveries, next))
    })
}

impl<P, R, Q, S> ResendDeliveries<P, R, Q, S>
where
    P: Source<Key = Provider, Value = Partner>,
    R: Rounds,
    Q: ResendQueue,
    S: Surroundings,
{
    /// Opens a round of each of these deliveries, whatever its state.
    pub async fn named(&self, ids: &BTreeSet<DeliveryId>, pace: &mut impl Pace) -> (Resent, Result<(), Stopped>) {
        let mut resent = Resent::default();
        for id in ids {
            if let Err(stopped) = self.step(id, |_| true, pace, &mut resent).await {
                return (resent, Err(stopped));
            }
        }
        (resent, Ok(()))
    }

    /// Opens a round of each of these failed deliveries. A delivery that is no such failure any more when its turn comes is
    /// passed over.
    pub async fn failed(
        &self,
        records: &impl DeliveryRecords,
        failures: &Failures,
        pace: &mut impl Pace,
    ) -> (Resent, Result<(), Stopped>) {
        let mut resent = Resent::default();
        let done = self.each_failure(records, failures, pace, &mut resent).await;
        (resent, done)
    }

    async fn each_failure(
        &self,
        records: &impl DeliveryRecords,
        failures: &Failures,
        pace: &mut impl Pace,
        resent: &mut Resent,
    ) -> Result<(), Stopped> {
        let mut pages = pin!(pages_of(records, failures));
        while let Some(page) = pages.try_next().await? {
            for StoredDelivery { delivery, .. } in page.iter().filter(|stored| failures.contain(&stored.delivery)) {
                self.step(delivery.id(), |delivery| failures.contain(delivery), pace, resent).await?;
            }
        }
        Ok(())
    }

    async fn step(
        &self,
        id: &DeliveryId,
        is_wanted: impl Fn(&Delivery) -> bool,
        pace: &mut impl Pace,
        resent: &mut Resent,
    ) -> Result<(), Stopped> {
        if pace.turn().await.is_break() {
            return Err(Stopped::Interrupted);
        }
        if let Some(standing) = Box::pin(self.open(id, is_wanted)).await? {
            resent.opened += 1;
            resent.waiting += usize::from(standing == CampaignState::Paused);
        }
        pace.taken(1);
        Ok(())
    }

    /// Opens a round, if the delivery is still wanted as it is now, and returns how its campaign stands.
    async fn open(
        &self,
        id: &DeliveryId,
        is_wanted: impl Fn(&Delivery) -> bool,
    ) -> Result<Option<CampaignState>, Stopped> {
        for _ in 0..TRIES {
            let delivery = self.rounds.read(id).await?.ok_or_else(|| Stopped::Unknown(id.clone()))?;
            if !is_wanted(&delivery) {
                return Ok(None);
            }
            let standing = self.standing(&delivery).await?;
            let now = self.surroundings.now();
            let opened = delivery.open_round(now, self.surroundings.ticket()?);
            let audit = record(&self.operation, &opened, now);
            if self.rounds.open_round(&opened, &audit).await? == Replaced::Done {
                self.resends.send(&opened.message, 0).await?;
                return Ok(Some(standing));
            }
        }
        Err(Stopped::Contended(id.clone()))
    }

    async fn standing(&self, delivery: &Delivery) -> Result<CampaignState, Stopped> {
        let (provider, campaign) = (delivery.provider(), delivery.campaign());
        let partner = self.partners.get(provider, self.surroundings.now().timestamp()).await?;
        let known = partner.as_ref().and_then(|partner| partner.media_buying().campaigns().get(campaign));
        match known.map(Campaign::state) {
            Some(standing @ (CampaignState::Open | CampaignState::Paused)) => Ok(standing),
            Some(CampaignState::Archived) => Err(Stopped::Archived(provider.clone(), campaign.clone())),
            None => Err(Stopped::NoCampaign(provider.clone(), campaign.clone())),
        }
    }
}

/// Makes the audit record of a round that is opened.
pub fn record(operation: &Operation, opened: &OpenedRound, now: UnixMillis) -> AuditRecord {
    let OpenedRound { delivery, .. } = opened;
    let subject = Subject::Delivery { provider: delivery.provider().clone(), delivery_id: delivery.id().clone() };
    operation.record(now.timestamp(), Action::ResendDelivery, subject).with("round", delivery.round())
}

#[cfg(test)]
mod tests;
