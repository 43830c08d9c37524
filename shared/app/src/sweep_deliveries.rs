//! Sends the message of each overdue attempt again, so that a lost message delays a delivery but does not lose it.
//!
//! The sweep only sends messages. It claims no attempt and changes no delivery. If the old message is merely late,
//! there are two chains of messages, and one of them ends when the other has recorded an attempt. For each delivery, at
//! most one message an hour is sent, so that sweeps do not lengthen a backlog. Deliveries of a paused campaign, and those
//! that wait for their endpoint, are never overdue.

use std::time::Duration;

use domain::{
    outbound::{
        campaign::{CampaignState, WebhookFile},
        delivery::{Delivery, Message},
        webhook::endpoint_of,
    },
    partner::Partner,
    values::time::UnixMillis,
};
use futures_util::{StreamExt, future::join_all, stream};

use crate::{
    cache::Cache,
    ports::{
        Clock, EndpointsOfPartner, PageToken, Ports, Randomness, ResendQueue, Unavailable, UnderWay, WebhookQueue,
    },
};

/// Limits how many parts of the index are read at the same time.
const SHARDS_AT_ONCE: usize = 4;
/// Limits how many messages are sent at the same time.
const SENT_AT_ONCE: usize = 10;

/// Sweeps deliveries.
pub struct SweepDeliveries<P: Ports> {
    /// Reads partners.
    pub partners: Cache<P::Partners>,
    /// Reads the endpoints of partners.
    pub endpoints: Cache<EndpointsOfPartner<P::Endpoints>>,
    /// Lists the deliveries under way.
    pub under_way: P::UnderWay,
    /// Sends first attempts.
    pub webhooks: P::Webhooks,
    /// Sends resends.
    pub resends: P::Resends,
    /// Tells the time.
    pub clock: P::Clock,
    /// Draws random values.
    pub randomness: P::Randomness,
    /// Says which attempts are overdue.
    pub lateness: Lateness,
}

/// The times that decide when an attempt is overdue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lateness {
    /// The time after which an attempt that is due is overdue. It is longer than messages usually wait.
    pub grace: Duration,
    /// The time that must pass before the sweep sends another message for the same delivery.
    pub again_after: Duration,
}

impl Default for Lateness {
    /// Returns a grace of 15 minutes, and an hour between two messages.
    fn default() -> Self {
        Self { grace: Duration::from_mins(15), again_after: Duration::from_hours(1) }
    }
}

/// The result of a sweep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Deliveries under way for longer than the grace.
    pub looked_at: u64,
    /// Overdue deliveries for which a message was sent now.
    pub sent: u64,
    /// Overdue deliveries for which a message was already sent within [`Lateness::again_after`].
    pub sent_before: u64,
    /// Deliveries that wait until their endpoint is up, or until their places in its rate have come.
    pub waiting: u64,
    /// Overdue deliveries of an unknown campaign, for which nothing can be sent.
    pub unknown: u64,
    /// Overdue deliveries of partners that could not be read. The next sweep looks at these deliveries again.
    pub unread: u64,
    /// Stored deliveries that cannot be read.
    pub unreadable: u64,
    /// Parts of the index that were not handled completely. The next sweep begins these parts again.
    pub unfinished: u32,
    /// The first fault, for the log.
    pub fault: Option<Unavailable>,
}

/// Says if the message of an overdue delivery may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readiness {
    Ready,
    /// The campaign is paused, or the partner wants no notices any more.
    Paused,
    /// The endpoint makes its webhooks wait.
    Waits,
}

impl Swept {
    fn add(mut self, other: Self) -> Self {
        self.looked_at += other.looked_at;
        self.sent += other.sent;
        self.sent_before += other.sent_before;
        self.waiting += other.waiting;
        self.unknown += other.unknown;
        self.unread += other.unread;
        self.unreadable += other.unreadable;
        self.unfinished += other.unfinished;
        self.fault = self.fault.or(other.fault);
        self
    }
}

impl<P: Ports> SweepDeliveries<P> {
    /// Looks at all deliveries under way. Begins no page after `deadline`.
    pub async fn sweep(&self, deadline: UnixMillis) -> Swept {
        let shards = stream::iter(0..self.under_way.shards());
        let swept = shards.map(|shard| self.sweep_shard(shard, deadline)).buffer_unordered(SHARDS_AT_ONCE);
        swept.fold(Swept::default(), async |sum, swept| sum.add(swept)).await
    }

    async fn sweep_shard(&self, shard: u32, deadline: UnixMillis) -> Swept {
        let mut swept = Swept::default();
        let mut from = None;
        loop {
            match self.sweep_page(shard, from, &mut swept).await {
                Ok(None) => {
                    swept.unfinished = u32::from(swept.unread + swept.unreadable > 0);
                    return swept;
                }
                Ok(next) => from = next,
                Err(fault) => {
                    swept.fault = Some(fault);
                    break;
                }
            }
            if self.clock.now() >= deadline {
                break;
            }
        }
        swept.unfinished = 1;
        swept
    }

    async fn sweep_page(
        &self,
        shard: u32,
        from: Option<PageToken>,
        swept: &mut Swept,
    ) -> Result<Option<PageToken>, Unavailable> {
        let opened_before = self.clock.now().minus(self.lateness.grace);
        let page = self.under_way.page(shard, opened_before, from).await?;
        swept.unreadable += page.unreadable;
        if page.unreadable > 0 {
            swept.fault.get_or_insert_with(|| Unavailable {
                service: "deliveries",
                reason: format!("{} of a page cannot be read", page.unreadable),
            });
        }
        let mut late = Vec::new();
        for (delivery, sent_at) in &page.deliveries {
            swept.looked_at += 1;
            late.extend(self.overdue(delivery, *sent_at, swept).await?.map(|message| (delivery, message)));
        }
        for batch in late.chunks(SENT_AT_ONCE) {
            let sent = join_all(batch.iter().map(|(delivery, message)| self.send_for(delivery, message))).await;
            swept.sent += sent.iter().map(|sent| u64::from(sent.is_ok())).sum::<u64>();
            sent.into_iter().collect::<Result<(), _>>()?;
        }
        Ok(page.next)
    }

    async fn send_for(&self, delivery: &Delivery, message: &Message) -> Result<(), Unavailable> {
        self.send(message).await?;
        // The mark is stored last. If it were stored first and sending failed, the delivery would wait another hour.
        self.under_way.mark_swept(delivery, self.clock.now()).await
    }

    /// Returns the message to send for a delivery if the delivery is overdue, its campaign may be sent, and no message
    /// was sent lately.
    async fn overdue(
        &self,
        delivery: &Delivery,
        sent_at: Option<UnixMillis>,
        swept: &mut Swept,
    ) -> Result<Option<Message>, Unavailable> {
        let now = self.clock.now();
        let Some(message) = delivery.overdue(now, self.lateness.grace, self.randomness.ticket()?) else {
            return Ok(None);
        };
        if sent_at.is_some_and(|at| now < at.plus(self.lateness.again_after)) {
            swept.sent_before += 1;
            return Ok(None);
        }
        // The fault of one partner must not hold up the others, because every sweep begins with the oldest deliveries.
        let may_be_sent = match self.state(delivery, now).await {
            Ok(Some(state)) => state,
            Ok(None) => {
                swept.unknown += 1;
                return Ok(None);
            }
            Err(fault) => {
                swept.unread += 1;
                swept.fault.get_or_insert(fault);
                return Ok(None);
            }
        };
        swept.waiting += u64::from(may_be_sent == Readiness::Waits);
        Ok((may_be_sent == Readiness::Ready).then_some(message))
    }

    /// Says if a delivery's message may be sent, or returns `None` if its campaign is unknown.
    async fn state(&self, delivery: &Delivery, now: UnixMillis) -> Result<Option<Readiness>, Unavailable> {
        let partner = self.partners.get(delivery.provider(), now.timestamp()).await?;
        if delivery.notice().is_some() {
            let wanted = partner.is_some_and(|partner| partner.notify_url().is_some());
            return Ok(Some(if wanted { Readiness::Ready } else { Readiness::Paused }));
        }
        let campaigns = partner.as_deref().map(|partner| partner.media_buying().campaigns());
        let Some((partner, campaign)) =
            partner.as_deref().zip(campaigns.and_then(|campaigns| campaigns.get(delivery.campaign())))
        else {
            return Ok(None);
        };
        Ok(Some(match campaign.state() {
            CampaignState::Paused => Readiness::Paused,
            CampaignState::Open if self.waits(partner, campaign.webhook(), now).await? => Readiness::Waits,
            CampaignState::Open | CampaignState::Archived => Readiness::Ready,
        }))
    }

    /// Returns true if webhooks to this endpoint wait.
    async fn waits(&self, partner: &Partner, webhook: &WebhookFile, now: UnixMillis) -> Result<bool, Unavailable> {
        let policy = partner.media_buying().endpoints();
        if !policy.asks_first() {
            return Ok(false);
        }
        let stored = self.endpoints.get(partner.provider(), now.timestamp()).await?;
        let host = endpoint_of(&webhook.url);
        let mut stored = stored.iter().flat_map(|stored| stored.iter());
        Ok(stored.any(|(key, stored)| Some(&key.host) == host.as_ref() && stored.makes_wait(policy, now)))
    }

    async fn send(&self, message: &Message) -> Result<(), Unavailable> {
        if message.is_first() {
            return self.webhooks.send(std::slice::from_ref(message)).await.into_iter().collect();
        }
        self.resends.send(message, 0).await
    }
}

#[cfg(test)]
mod tests;
