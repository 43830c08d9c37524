//! A webhook that is owed, as the evaluator puts it where the sender finds it.

use serde::{Deserialize, Serialize};

use crate::{
    event::Ids,
    ids::{CampaignName, DeliveryId, Provider, Ticket, UserId},
    moment::Moment,
    participant::Owed,
};

/// A delivery as it is first put: nobody has tried to send it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// What it is called, for ever. The same whoever puts it, and whenever.
    pub delivery_id: DeliveryId,
    /// The partner it is owed to.
    pub provider: Provider,
    /// Its campaign, whose goal was reached.
    pub campaign: CampaignName,
    /// The GG3 user who reached it.
    pub user_id: UserId,
    /// What the partner knows the user by. Frozen: an opening that comes later changes nothing here.
    pub ids: Ids,
    /// The latest instant that the goal needed.
    pub occurred_at: Moment,
    /// When it is put; from then on it is due.
    pub created_at: Moment,
    /// The ticket of its first message.
    pub ticket: Ticket,
}

/// What the queue `webhooks` carries: that the first attempt of a delivery is to be made.
///
/// It names partner and campaign, so that its message group, a pause and a wait need no read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstAttempt {
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// Its partner.
    pub provider: Provider,
    /// Its campaign.
    pub campaign: CampaignName,
    /// The round: the first.
    pub round: u32,
    /// Which attempt of it: the first.
    pub n: u8,
    /// Tells this chain of messages from others of the same delivery.
    pub ticket: Ticket,
    /// When the attempt is due.
    pub due_at: Moment,
}

impl NewDelivery {
    /// What is put for a goal that this user has reached.
    pub fn new(user_id: UserId, owed: Owed, now: Moment, ticket: Ticket) -> Self {
        let Owed { provider, campaign, ids, occurred_at } = owed;
        let delivery_id = DeliveryId::of(&provider, &campaign, &user_id);
        Self { delivery_id, provider, campaign, user_id, ids, occurred_at, created_at: now, ticket }
    }

    /// The message of its first attempt.
    pub fn first_attempt(&self) -> FirstAttempt {
        FirstAttempt {
            delivery_id: self.delivery_id.clone(),
            provider: self.provider.clone(),
            campaign: self.campaign.clone(),
            round: 1,
            n: 1,
            ticket: self.ticket.clone(),
            due_at: self.created_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Message;

    #[test]
    fn a_first_attempt_is_the_senders_message_of_the_first_round() {
        let owed = Owed {
            provider: Provider::new("acme").unwrap(),
            campaign: CampaignName::new("welcome").unwrap(),
            ids: Ids::default(),
            occurred_at: Moment::from_millisecond(1),
        };
        let now = Moment::from_millisecond(2);
        let delivery = NewDelivery::new(UserId::new("u").unwrap(), owed, now, Ticket::from_random([1; 8]));
        let json = serde_json::to_value(delivery.first_attempt()).unwrap();
        let message: Message = serde_json::from_value(json.clone()).unwrap();
        assert!(message.is_first() && message.hop(now).is_none());
        assert_eq!(serde_json::to_value(&message).unwrap(), json);
        assert_eq!(message.delivery_id, delivery.delivery_id);
    }
}
