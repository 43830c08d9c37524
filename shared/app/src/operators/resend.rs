//! Opens another round of attempts for an operator: for named deliveries, or for all deliveries that failed or became
//! owed in a period.
//!
//! A round is stored together with its audit record, then its first message is sent. If the process is killed in
//! between, the sweep finds the delivery within half an hour; a repeated resend of a named delivery opens one more
//! round. A delivery with an opened round does not count as failed any more, and a round that was opened after the end of
//! a period takes the delivery out of that period. A resend of a period can therefore be interrupted and repeated with the
//! same times, and continues with the rest.

use std::{collections::BTreeSet, pin::pin};

use domain::{
    audit::{Action, AuditRecord, Operation, Subject},
    lookup::{Origin, Subject as Lookup},
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
use futures_util::{Stream, TryFutureExt, TryStreamExt, future::Either};

use super::{
    Pace,
    lookup_coverage::{Gap, LookupFault, check},
};
use crate::{
    cache::Cache,
    pages,
    ports::{
        Clock, DeliveryRecords, Ended, FailuresPage, Listings, Randomness, Range, Replaced, ResendQueue, Rounds,
        Source, StoredDelivery, Unavailable,
    },
};

/// Limits the deliveries that are read at the same time.
const AT_ONCE: usize = 100;

/// Limits how often a round is tried for a delivery that others change at the same time.
pub const TRIES: usize = 5;

/// The use case, over its ports.
pub struct ResendDeliveries<P: Source, R, Q, C, N> {
    /// The partners.
    pub partners: Cache<P>,
    /// The rounds.
    pub rounds: R,
    /// The queue of resends.
    pub resends: Q,
    /// The clock.
    pub clock: C,
    /// The random values.
    pub randomness: N,
    /// The operation, which names its author.
    pub operation: Operation,
}

/// Selects the deliveries of a partner to send again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The partner of the deliveries.
    pub provider: Provider,
    /// The campaign of the deliveries, or `None` for all campaigns.
    pub campaign: Option<CampaignName>,
    /// The state of the deliveries.
    pub status: Status,
    /// The period.
    pub period: Period,
}

/// The period by which deliveries are selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// The deliveries failed in this time. Deliveries in other states are not selected.
    Failed(Ended),
    /// The deliveries became owed in this time: their goal was reached. They may be in any state. Deliveries with a round
    /// that was opened after this time are left out.
    Owed {
        /// The first instant.
        from: UnixMillis,
        /// The first instant after the period.
        before: UnixMillis,
    },
}

impl Selection {
    fn contains(&self, delivery: &Delivery) -> bool {
        let ours = self.campaign.as_ref().is_none_or(|campaign| campaign == delivery.campaign());
        let in_time = match &self.period {
            Period::Failed(ended) => ended.failed_at(delivery).is_some(),
            Period::Owed { from, before } => {
                (*from..*before).contains(&delivery.created_at()) && delivery.opened_at() < *before
            }
        };
        ours && in_time && !delivery.is_erased() && delivery.status() == self.status
    }

    /// Reads the selected deliveries, some at a time.
    fn read(
        &self,
        listings: &impl Listings,
        records: &impl DeliveryRecords,
        now: UnixMillis,
    ) -> impl Stream<Item = Result<Vec<Delivery>, Unavailable>> {
        let pages = match self.period {
            Period::Failed(ended) => Either::Left(self.failed(records, ended)),
            Period::Owed { from, before } => Either::Right(self.owed(listings, records, (from, before), now)),
        };
        pages.map_ok(|page| {
            page.into_iter().map(|stored| stored.delivery).filter(|delivery| self.contains(delivery)).collect()
        })
    }

    fn failed(
        &self,
        records: &impl DeliveryRecords,
        ended: Ended,
    ) -> impl Stream<Item = Result<Vec<StoredDelivery>, Unavailable>> {
        pages::of_parts(records.failure_shards(), move |shard, from| {
            let page = records.failures_page(&self.provider, shard, ended, from);
            page.map_ok(|FailuresPage { deliveries, next }| (deliveries, next))
        })
    }

    fn owed(
        &self,
        listings: &impl Listings,
        records: &impl DeliveryRecords,
        (from, before): (UnixMillis, UnixMillis),
        now: UnixMillis,
    ) -> impl Stream<Item = Result<Vec<StoredDelivery>, Unavailable>> {
        let (from, to) = (Some(from.timestamp()), Some(before.timestamp()));
        let range = Range { from, to, wanted: 10 * AT_ONCE, ..Range::default() };
        let places = listings.list(Lookup::Deliveries(self.provider.clone()), range, now.timestamp());
        let chunks = places.try_chunks(AT_ONCE).map_err(|broken| broken.1);
        chunks.and_then(async |places| {
            let ids = places.iter().filter_map(|place| DeliveryId::new(place.key()).ok()).collect();
            records.find(&ids).await
        })
    }
}

/// The result of a resend.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resent {
    /// The number of rounds that were opened.
    pub opened: usize,
    /// The number of opened rounds that wait because their campaign is paused.
    pub waiting: usize,
}

/// The reason why a resend ended early. The rounds that it opened before stay open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// A service failed.
    Unavailable(Unavailable),
    /// The round of this delivery is open, but its message could not be sent. The sweep sends it within half an hour.
    Unsent(DeliveryId, Unavailable),
    /// The operator interrupted the resend.
    Interrupted,
    /// There is no such delivery.
    Unknown(DeliveryId),
    /// The person of the delivery was erased, so nothing can be sent.
    Erased(DeliveryId),
    /// Another round of this delivery, the one of this number, was opened since the operator looked at it.
    Reopened(DeliveryId, u32),
    /// Others changed this delivery at every try.
    Contended(DeliveryId),
    /// The campaign is archived. A new round would only be cancelled, and would hide how the delivery really ended.
    Archived(Provider, CampaignName),
    /// The partner has no such campaign any more.
    NoCampaign(Provider, CampaignName),
}

impl From<Unavailable> for Stopped {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}

/// Calls `on_found` with each delivery for which a resend would open a round. Returns the gaps in the lookups, because of
/// which deliveries may be missing.
pub async fn preview(
    (listings, records): (&impl Listings, &impl DeliveryRecords),
    selection: &Selection,
    now: UnixMillis,
    mut on_found: impl FnMut(Delivery),
) -> Result<Vec<Gap>, LookupFault> {
    let gaps = match &selection.period {
        // Failed deliveries are found without lookups.
        Period::Failed(_) => Vec::new(),
        Period::Owed { from, .. } => check(listings, &[Origin::Deliveries], Some(from.timestamp())).await?,
    };
    let mut pages = pin!(selection.read(listings, records, now));
    while let Some(page) = pages.try_next().await? {
        page.into_iter().for_each(&mut on_found);
    }
    Ok(gaps)
}

impl<P, R, Q, C, N> ResendDeliveries<P, R, Q, C, N>
where
    P: Source<Key = Provider, Value = Partner>,
    R: Rounds,
    Q: ResendQueue,
    C: Clock,
    N: Randomness,
{
    /// Opens a round of each of these deliveries, in whatever state the delivery is.
    pub async fn named(&self, ids: &BTreeSet<DeliveryId>, pace: &mut impl Pace) -> (Resent, Result<(), Stopped>) {
        let mut resent = Resent::default();
        for id in ids {
            if let Err(stopped) = self.step(id, |_| Ok(true), pace, &mut resent).await {
                return (resent, Err(stopped));
            }
        }
        (resent, Ok(()))
    }

    /// Opens a round of this delivery, in whatever state it is, unless its round is another one than the operator has
    /// seen. Of two requests that have seen the same round, one opens the next.
    pub async fn after_round(&self, id: &DeliveryId, seen: u32, pace: &mut impl Pace) -> (Resent, Result<(), Stopped>) {
        let is_seen = |delivery: &Delivery| match delivery.round() {
            round if round == seen => Ok(true),
            round => Err(Stopped::Reopened(id.clone(), round)),
        };
        let mut resent = Resent::default();
        let done = self.step(id, is_seen, pace, &mut resent).await;
        (resent, done)
    }

    /// Opens a round of each selected delivery. Skips a delivery that is no longer selected when its turn comes.
    pub async fn selected(
        &self,
        stored: (&impl Listings, &impl DeliveryRecords),
        selection: &Selection,
        pace: &mut impl Pace,
    ) -> (Resent, Result<(), Stopped>) {
        let mut resent = Resent::default();
        let done = self.each_selected(stored, selection, pace, &mut resent).await;
        (resent, done)
    }

    async fn each_selected(
        &self,
        (listings, records): (&impl Listings, &impl DeliveryRecords),
        selection: &Selection,
        pace: &mut impl Pace,
        resent: &mut Resent,
    ) -> Result<(), Stopped> {
        let mut pages = pin!(selection.read(listings, records, self.clock.now()));
        while let Some(page) = pages.try_next().await? {
            for delivery in &page {
                self.step(delivery.id(), |delivery| Ok(selection.contains(delivery)), pace, resent).await?;
            }
        }
        Ok(())
    }

    async fn step(
        &self,
        id: &DeliveryId,
        is_wanted: impl Fn(&Delivery) -> Result<bool, Stopped>,
        pace: &mut impl Pace,
        resent: &mut Resent,
    ) -> Result<(), Stopped> {
        if pace.turn().await.is_break() {
            return Err(Stopped::Interrupted);
        }
        let Some((state, sent)) = Box::pin(self.open(id, is_wanted)).await? else {
            pace.taken(1);
            return Ok(());
        };
        resent.opened += 1;
        resent.waiting += usize::from(state == CampaignState::Paused);
        pace.taken(1);
        sent.map_err(|unavailable| Stopped::Unsent(id.clone(), unavailable))
    }

    /// Opens a round. Returns the state of the campaign, and if the round's message was sent. Returns `None` if the
    /// delivery, as it is now, is not wanted any more.
    async fn open(
        &self,
        id: &DeliveryId,
        is_wanted: impl Fn(&Delivery) -> Result<bool, Stopped>,
    ) -> Result<Option<(CampaignState, Result<(), Unavailable>)>, Stopped> {
        for _ in 0..TRIES {
            let delivery = self.rounds.read(id).await?.ok_or_else(|| Stopped::Unknown(id.clone()))?;
            if !is_wanted(&delivery)? {
                return Ok(None);
            }
            if delivery.is_erased() {
                return Err(Stopped::Erased(id.clone()));
            }
            let state = self.campaign_state(&delivery).await?;
            let now = self.clock.now();
            let opened = delivery.open_round(now, self.randomness.ticket()?);
            let audit = record(&self.operation, &opened, now);
            if self.rounds.open_round(&opened, &audit).await? == Replaced::Done {
                return Ok(Some((state, self.resends.send(&opened.message, 0).await)));
            }
        }
        Err(Stopped::Contended(id.clone()))
    }

    async fn campaign_state(&self, delivery: &Delivery) -> Result<CampaignState, Stopped> {
        let (provider, campaign) = (delivery.provider(), delivery.campaign());
        let partner = self.partners.get(provider, self.clock.now().timestamp()).await?;
        let known = partner.as_ref().and_then(|partner| partner.media_buying().campaigns().get(campaign));
        match known.map(Campaign::state) {
            Some(state @ (CampaignState::Open | CampaignState::Paused)) => Ok(state),
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
