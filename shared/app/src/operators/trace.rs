//! Lists the events of a transaction, a click, a user or a delivery for an operator, in the order in which they
//! happened.

mod event;

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    inbound::{conversion::Conversion, correction::Revision, parameters::Parameters, transaction::History},
    jiff::Timestamp,
    lookup::{Kind, Origin, Place, Subject},
    outbound::{delivery::Delivery, webhook::WebhookRequest},
    partner::Partner,
    values::{
        ids::{ClickId, DeliveryId, PartnerUserId, Provider, TransactionId, TransactionKey, UserId},
        parameter_names::Field,
    },
};
use futures_util::{StreamExt, TryStreamExt, future, stream};
use thiserror::Error;

pub use self::event::{Attempted, Due, Event, EventKind, InVain, NoRequest, Opening, Owed, Recorded};
use super::{
    lookup_coverage::{Gap, LookupFault, check},
    progress::{self, CampaignProgress},
    refusals::{self, UnreadTransaction},
    waiting::Waiting,
};
use crate::ports::{
    Catalogues, DeliveryRecords, Endpoints, InboundRecords, KeptAttempt, KnownRecipient, Listings, Participants, Range,
    Source, StoredRefusal, Unavailable,
};

/// Limits how many of a partner's newest refusals, and how many of the newest conflicts, are searched for one
/// transaction.
const NEWEST: usize = 1000;

/// Limits the transactions that are read at the same time.
const AT_ONCE: usize = 16;

/// The use case, over its ports.
pub struct Trace<L, I, D, P, C, R, N, E> {
    /// The lookups.
    pub listings: L,
    /// Recorded postbacks, refusals, conflicts and clicks.
    pub inbound: I,
    /// The deliveries.
    pub deliveries: D,
    /// The participants.
    pub participants: P,
    /// The published campaigns.
    pub catalogues: C,
    /// The partners, with the configuration of their webhooks.
    pub recipients: R,
    /// The partners, with the rules for their postbacks.
    pub partners: N,
    /// The endpoints to which webhooks go.
    pub endpoints: E,
}

/// The reason why a trace failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TraceFault {
    /// A service failed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The lookups cannot be relied on.
    #[error(transparent)]
    Lookups(#[from] LookupFault),
    /// The partner that the query names for the transaction does not exist.
    #[error("there is no partner {0}")]
    NoPartner(Provider),
}

/// Names the subjects of a trace. Their events are listed together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// A partner's transaction.
    pub transaction: Option<(Provider, TransactionId)>,
    /// A click id that we or a partner made.
    pub click: Option<ClickId>,
    /// A GG3 user.
    pub user: Option<UserId>,
    /// A partner, and the partner's id of a user whom it sent to GG3.
    pub partner_user: Option<(Provider, PartnerUserId)>,
    /// A delivery.
    pub delivery: Option<DeliveryId>,
    /// Limits how many of the newest lookup entries of each click id or user are followed.
    pub most: usize,
}

impl Query {
    /// Returns the tables whose lookups are needed.
    fn origins(&self) -> &'static [Origin] {
        if self.click.is_some() || self.user.is_some() || self.partner_user.is_some() {
            &Origin::ALL
        } else if self.transaction.is_some() {
            &[Origin::Refusals]
        } else {
            &[]
        }
    }
}

/// The events of a trace, in order.
#[derive(Debug, Default)]
pub struct Timeline {
    /// The events, the oldest first. Events of the same instant are in the order in which one causes the next.
    pub events: Vec<Event>,
    /// The transactions of conflicts that could not be read.
    pub unread_transactions: Vec<UnreadTransaction>,
    /// The keys of postbacks and corrections that cannot be read.
    pub unreadable: Vec<String>,
    /// The partners that cannot be read, so that it is unknown what their deliveries wait for.
    pub unread_partners: BTreeMap<Provider, Unavailable>,
    /// The number of subjects with as many entries as the limit allows, so that older ones may have been left out.
    pub cut: usize,
    /// The gaps in the lookups, because of which events may be missing.
    pub gaps: Vec<Gap>,
}

/// Holds the events found so far, and the ids of what is still to be read.
#[derive(Debug, Default)]
struct Found {
    timeline: Timeline,
    /// The postbacks and corrections that are events already.
    recorded: BTreeSet<(Provider, TransactionId, u32)>,
    /// The content keys of refusals and conflicts.
    refusals: BTreeSet<String>,
    clicks: BTreeSet<ClickId>,
    participants: BTreeSet<UserId>,
    deliveries: BTreeSet<DeliveryId>,
}

impl<L, I, D, P, C, R, N, E> Trace<L, I, D, P, C, R, N, E>
where
    L: Listings,
    I: InboundRecords,
    D: DeliveryRecords,
    P: Participants,
    C: Catalogues,
    R: Source<Key = Provider, Value = KnownRecipient>,
    N: Source<Key = Provider, Value = Partner>,
    E: Endpoints,
{
    /// Reads the events. Events of the last few seconds may be missing.
    pub async fn run(&self, query: Query, now: Timestamp) -> Result<Timeline, TraceFault> {
        let mut found = Found::default();
        found.timeline.gaps = check(&self.listings, query.origins(), None).await?;
        if let Some((provider, transaction)) = &query.transaction {
            let history = self.inbound.transaction(&TransactionKey::of(provider, transaction)).await?;
            found.revisions(history.iter().flat_map(History::revisions));
        }
        self.look_up(&query, now, &mut found).await?;
        self.mark_current(&mut found).await;
        found.clicks.extend(query.click.clone());
        found.participants.extend(query.user.clone());
        found.deliveries.extend(query.delivery.clone());
        self.openings(&mut found, now).await?;
        self.deliveries(&mut found, now).await?;
        for click in self.inbound.clicks(&found.clicks).await? {
            found.timeline.add(click.clicked_at, EventKind::Click(click));
        }
        self.refusals(&query, now, &mut found).await?;
        // The sort is stable, so events of the same instant stay in the order in which they were added.
        found.timeline.events.sort_by_key(|event| event.at);
        Ok(found.timeline)
    }

    /// Follows the lookups of the click, the user and the partner's user.
    async fn look_up(&self, query: &Query, now: Timestamp, found: &mut Found) -> Result<(), Unavailable> {
        let Query { click, user, partner_user, most, .. } = query.clone();
        let partner_user = partner_user.map(|(provider, user)| Subject::PartnerUser(provider, user));
        let subjects = click.map(Subject::Click).into_iter().chain(user.map(Subject::User)).chain(partner_user);
        let mut places: BTreeSet<Place> = BTreeSet::new();
        for subject in subjects {
            let range = Range { newest_first: true, wanted: most, ..Range::default() };
            let listed: Vec<Place> = self.listings.list(subject, range, now).take(most).try_collect().await?;
            found.timeline.cut += usize::from(listed.len() == most);
            places.extend(listed);
        }
        let of = |kind: Kind| places.iter().filter(move |place| place.kind() == kind).map(Place::key);
        let read = self.inbound.revisions(&of(Kind::Postback).collect()).await?;
        found.revisions(read.revisions);
        found.timeline.unreadable.extend(read.unreadable);
        found.refusals.extend(of(Kind::Refusal).map(str::to_owned));
        found.clicks.extend(of(Kind::Click).filter_map(|key| ClickId::try_from(key.to_owned()).ok()));
        found.participants.extend(of(Kind::Opening).filter_map(|key| UserId::try_from(key.to_owned()).ok()));
        found.deliveries.extend(of(Kind::Delivery).filter_map(|key| DeliveryId::new(key).ok()));
        Ok(())
    }

    /// Marks the current revision of each transaction. A transaction that cannot be read stays unmarked.
    async fn mark_current(&self, found: &mut Found) {
        let transactions: BTreeSet<(Provider, TransactionId)> =
            found.recorded.iter().map(|(provider, id, _)| (provider.clone(), id.clone())).collect();
        let inbound = &self.inbound;
        let read = stream::iter(transactions).map(|of| async move {
            let history = inbound.transaction(&TransactionKey::of(&of.0, &of.1)).await.ok().flatten()?;
            Some((of, history.latest().place()))
        });
        let current: BTreeMap<_, u32> = read.buffer_unordered(AT_ONCE).filter_map(future::ready).collect().await;
        for event in &mut found.timeline.events {
            if let EventKind::Recorded(recorded) = &mut event.kind {
                let postback = recorded.revision.postback();
                let of = (postback.provider.clone(), postback.transaction_id.clone());
                recorded.is_current = current.get(&of).map(|place| *place == recorded.revision.place());
            }
        }
    }

    /// Reads the refusals and conflicts that were found by lookups, and those of the transaction.
    async fn refusals(&self, query: &Query, now: Timestamp, found: &mut Found) -> Result<(), TraceFault> {
        let keys = std::mem::take(&mut found.refusals);
        let mut stored = self.inbound.refusals(&keys.iter().map(String::as_str).collect()).await?;
        if let Some((provider, transaction)) = &query.transaction {
            let more = self.refused(provider, transaction, now).await?.into_iter();
            stored.extend(more.filter(|item| !keys.contains(&item.provider_content)));
        }
        stored.retain(|item| !item.has_expired(now));
        let (refused, unread) = refusals::with_current_revisions(&self.inbound, stored).await;
        found.timeline.unread_transactions = unread;
        for refused in refused {
            found.timeline.add(refused.stored.last_received_at, EventKind::Refused(Box::new(refused)));
        }
        Ok(())
    }

    /// Searches a partner's newest refusals and conflicts for one transaction. There are no lookups by transaction,
    /// because a refused call may have no transaction.
    async fn refused(
        &self,
        provider: &Provider,
        transaction: &TransactionId,
        now: Timestamp,
    ) -> Result<Vec<StoredRefusal>, TraceFault> {
        let partner = self.partners.load(provider).await?.ok_or_else(|| TraceFault::NoPartner(provider.clone()))?;
        let name = partner.rules().names.of(Field::TransactionId);
        let is_of_it = |item: &StoredRefusal| {
            let sent = item.request.as_deref().unwrap_or_default();
            let named = Parameters::split(sent.as_bytes(), b"").raw(name) == Some(transaction.as_str().as_bytes());
            item.transaction_id.as_ref() == Some(transaction) || named
        };
        let mut found = Vec::new();
        for subject in [Subject::Conflicts(provider.clone()), Subject::Refusals(provider.clone())] {
            let range = Range { newest_first: true, wanted: NEWEST, ..Range::default() };
            let places: Vec<Place> = self.listings.list(subject, range, now).take(NEWEST).try_collect().await?;
            let kept = self.inbound.refusals(&places.iter().map(Place::key).collect()).await?;
            found.extend(kept.into_iter().filter(is_of_it));
        }
        Ok(found)
    }

    async fn openings(&self, found: &mut Found, now: Timestamp) -> Result<(), Unavailable> {
        for user in std::mem::take(&mut found.participants) {
            let progress = progress::of_user(
                &self.participants,
                &self.catalogues,
                (&self.deliveries, &self.partners, &self.endpoints),
                (&user, None),
                now.into(),
            );
            let progress = progress.await?;
            let owed = progress.campaigns.iter().filter_map(|campaign| campaign.delivery.as_ref());
            found.deliveries.extend(owed.map(|owed| owed.delivery_id.clone()));
            let in_vain: Vec<CampaignProgress> =
                progress.campaigns.iter().filter(|campaign| campaign.progress.since.is_none()).cloned().collect();
            if let Some(at) = in_vain.iter().filter_map(CampaignProgress::last_in_vain).max() {
                let event = InVain { user: user.clone(), campaigns: in_vain };
                found.timeline.add(at.timestamp(), EventKind::InVain(event));
            }
            for (provider, attribution) in progress.participant.unwrap_or_default().attributions() {
                let campaigns = progress.campaigns.iter().filter(|campaign| campaign.provider == *provider);
                let campaigns: Vec<CampaignProgress> = campaigns.cloned().collect();
                let (user, provider, attribution) = (user.clone(), provider.clone(), attribution.clone());
                let since = attribution.since.timestamp();
                let opening = Opening { user, provider, attribution, campaigns };
                found.timeline.add(since, EventKind::Opening(Box::new(opening)));
            }
        }
        Ok(())
    }

    async fn deliveries(&self, found: &mut Found, now: Timestamp) -> Result<(), Unavailable> {
        let deliveries = self.deliveries.find(&found.deliveries).await?;
        let deliveries_only = deliveries.iter().map(|stored| &stored.delivery);
        let waiting = Waiting::of((&self.partners, &self.endpoints), deliveries_only, now.into()).await;
        for stored in deliveries {
            let wait = waiting.what(&stored.delivery);
            let older = self.deliveries.older_attempts(stored.delivery.id()).await?;
            let request = self.request(&stored.delivery).await;
            found.timeline.delivery(Owed { stored, request, wait }, older);
        }
        found.timeline.unread_partners = waiting.unread;
        Ok(())
    }

    /// Makes the request of a delivery by the present configuration.
    async fn request(&self, delivery: &Delivery) -> Result<WebhookRequest, NoRequest> {
        let known = self.recipients.load(delivery.provider()).await.map_err(NoRequest::Unread)?;
        let known = known.ok_or(NoRequest::NoPartner)?;
        let callee = known.recipient.campaign(delivery.campaign()).ok_or(NoRequest::NoCampaign)?;
        let webhook = callee.webhook().map_err(|fault| NoRequest::NotCallable(fault.to_owned()))?;
        webhook.request(delivery).map_err(NoRequest::Unmade)
    }
}

impl Found {
    /// Adds revisions, each with the conversion that it became.
    fn revisions(&mut self, revisions: impl IntoIterator<Item = Revision>) {
        for revision in revisions {
            let postback = revision.postback();
            let key = (postback.provider.clone(), postback.transaction_id.clone(), revision.place());
            if !self.recorded.insert(key) {
                continue;
            }
            self.clicks.insert(revision.content().click_id.clone());
            let conversion = Box::new(Conversion::from(revision.clone()));
            let at = revision.recorded_at();
            let recorded = Recorded { revision, is_current: None };
            self.timeline.add(at, EventKind::Recorded(Box::new(recorded)));
            self.timeline.add(at, EventKind::Conversion(conversion));
        }
    }
}

impl Timeline {
    fn add(&mut self, at: Timestamp, kind: EventKind) {
        self.events.push(Event { at, kind });
    }

    /// Adds a delivery, all its attempts, and its next attempt.
    fn delivery(&mut self, owed: Owed, older: Vec<KeptAttempt>) {
        let (delivery, wait) = (owed.stored.delivery.clone(), owed.wait);
        self.add(delivery.created_at().timestamp(), EventKind::Delivery(Box::new(owed)));
        let current = delivery.attempts().iter().cloned();
        let current =
            current.map(|attempt| KeptAttempt { round: delivery.round(), late: None, attempt, expires_at: None });
        let attempts = older.into_iter().map(|kept| (kept, false)).chain(current.map(|kept| (kept, true)));
        for (kept, is_current) in attempts {
            let (provider, campaign) = (delivery.provider().clone(), delivery.campaign().clone());
            let sent_at = kept.attempt.sent_at.timestamp();
            let made = Attempted { delivery_id: delivery.id().clone(), provider, campaign, kept, is_current };
            self.add(sent_at, EventKind::Attempt(Box::new(made)));
        }
        if let Some(next) = delivery.next() {
            let (delivery_id, provider) = (delivery.id().clone(), delivery.provider().clone());
            let n = delivery.attempts().len() + 1;
            let due = Due { delivery_id, provider, round: delivery.round(), n, next: next.clone(), wait };
            self.add(next.due_at.timestamp(), EventKind::Due(due));
        }
    }
}

#[cfg(test)]
mod tests;
