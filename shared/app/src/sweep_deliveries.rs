//! What should have been attempted a while ago is sent to its queue again: so a message that was lost, by whatever fault,
//! costs a delay and not a delivery.
//!
//! The sweep only ever sends messages. It claims nothing and changes no delivery: if the old message is merely late, two
//! chains meet, and one of them ends at the other's record. Each delivery is sent for at most once an hour, so that a
//! backlog is not made twice as long at every sweep; what is paused never is, since nothing of it is late.

use std::time::Duration;

use domain::{
    outbound::{
        campaign::{Campaign, CampaignState},
        delivery::{Delivery, Message},
    },
    values::time::UnixMillis,
};
use futures_util::{StreamExt, future::join_all, stream};

use crate::{
    cache::Cache,
    ports::{PageToken, Ports, ResendQueue, Surroundings, Unavailable, UnderWay, WebhookQueue},
};

/// How many parts of the index are read at the same time.
const SHARDS_AT_ONCE: usize = 4;
/// How many of a page are sent for at the same time.
const SENT_AT_ONCE: usize = 10;

/// The use case, over its ports.
pub struct SweepDeliveries<P: Ports> {
    /// The partners.
    pub partners: Cache<P::Partners>,
    /// What is under way.
    pub under_way: P::UnderWay,
    /// The queue of first attempts.
    pub webhooks: P::Webhooks,
    /// The queue of resends.
    pub resends: P::Resends,
    /// The clock and the dice.
    pub surroundings: P::Surroundings,
    /// When something is late.
    pub lateness: Lateness,
}

/// When something is late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lateness {
    /// How long after its time an attempt is overdue. Longer than messages usually wait.
    pub grace: Duration,
    /// How long after the sweep has sent for a delivery it may do so again.
    pub again_after: Duration,
}

impl Default for Lateness {
    /// A quarter of an hour, and an hour.
    fn default() -> Self {
        Self { grace: Duration::from_mins(15), again_after: Duration::from_hours(1) }
    }
}

/// What a sweep came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many deliveries were looked at: those under way for longer than the grace.
    pub looked_at: u64,
    /// How many of them were overdue and are sent for now.
    pub sent: u64,
    /// How many were overdue and had been sent for within the hour.
    pub sent_before: u64,
    /// How many were overdue and of no campaign that is known: nothing can be sent for them.
    pub unknown: u64,
    /// How many were overdue and of a partner that could not be read: the next sweep looks at them again.
    pub unread: u64,
    /// How many are stored in a way that cannot be read: whether they are overdue, nobody knows.
    pub unreadable: u64,
    /// How many parts could not be read to their end, or not all of them: the next sweep begins them anew.
    pub unfinished: u32,
    /// The first thing that went wrong, for the log.
    pub fault: Option<Unavailable>,
}

impl Swept {
    fn add(mut self, other: Self) -> Self {
        self.looked_at += other.looked_at;
        self.sent += other.sent;
        self.sent_before += other.sent_before;
        self.unknown += other.unknown;
        self.unread += other.unread;
        self.unreadable += other.unreadable;
        self.unfinished += other.unfinished;
        self.fault = self.fault.or(other.fault);
        self
    }
}

impl<P: Ports> SweepDeliveries<P> {
    /// Looks at everything under way, until `deadline`.
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
            if self.surroundings.now() >= deadline {
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
        let opened_before = self.surroundings.now().minus(self.lateness.grace);
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
        // After it was sent: marked and not sent, it would wait another hour.
        self.under_way.mark_swept(delivery, self.surroundings.now()).await
    }

    /// The message to send for a delivery, if it is late and may be sent for.
    async fn overdue(
        &self,
        delivery: &Delivery,
        sent_at: Option<UnixMillis>,
        swept: &mut Swept,
    ) -> Result<Option<Message>, Unavailable> {
        let now = self.surroundings.now();
        let Some(message) = delivery.overdue(now, self.lateness.grace, self.surroundings.ticket()?) else {
            return Ok(None);
        };
        if sent_at.is_some_and(|at| now < at.plus(self.lateness.again_after)) {
            swept.sent_before += 1;
            return Ok(None);
        }
        // What is wrong with one partner must keep no other's delivery waiting: the oldest come first, at every sweep.
        let partner = match self.partners.get(delivery.provider(), now.timestamp()).await {
            Ok(partner) => partner,
            Err(fault) => {
                swept.unread += 1;
                swept.fault.get_or_insert(fault);
                return Ok(None);
            }
        };
        let campaigns = partner.as_ref().map(|partner| partner.media_buying().campaigns());
        match campaigns.and_then(|campaigns| campaigns.get(delivery.campaign())).map(Campaign::state) {
            None => {
                swept.unknown += 1;
                Ok(None)
            }
            Some(CampaignState::Paused) => Ok(None),
            Some(CampaignState::Open | CampaignState::Archived) => Ok(Some(message)),
        }
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
