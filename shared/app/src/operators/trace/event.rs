//! The events of a trace.

use domain::{
    inbound::{click::Click, conversion::Conversion, correction::Revision},
    jiff::Timestamp,
    outbound::{attempt::AttemptFault, delivery::NextAttempt, participant::Attribution, webhook::WebhookRequest},
    values::ids::{CampaignName, DeliveryId, Provider, UserId},
};

use crate::{
    operators::{progress::CampaignProgress, refusals::Refused, waiting::Wait},
    ports::{KeptAttempt, StoredDelivery, Unavailable},
};

/// An event.
#[derive(Debug)]
pub struct Event {
    /// The instant of the event.
    pub at: Timestamp,
    /// The kind and the details of the event.
    pub kind: EventKind,
}

/// The kind of an event, with the details.
#[derive(Debug)]
pub enum EventKind {
    /// A GG3 user followed a partner's link.
    Click(Click),
    /// A postback, a step of its transaction to a higher state, or a correction was recorded.
    Recorded(Box<Recorded>),
    /// A recorded postback, step or correction became a conversion for GG3. Only GG3 knows if the conversion has
    /// arrived.
    Conversion(Box<Conversion>),
    /// A call was refused, or conflicted with a recorded postback. The event has the time at which the call last came.
    Refused(Box<Refused>),
    /// A GG3 user opened a partner's link.
    Opening(Box<Opening>),
    /// A GG3 user did something for which no opened link counts.
    InVain(InVain),
    /// A webhook became owed.
    Delivery(Box<Owed>),
    /// An attempt to deliver a webhook was made.
    Attempt(Box<Attempted>),
    /// Another attempt of a delivery is due.
    Due(Due),
}

/// A recorded revision of a transaction.
#[derive(Debug)]
pub struct Recorded {
    /// The revision.
    pub revision: Revision,
    /// Is true if the revision is the current one of its transaction, and `None` if that could not be read.
    pub is_current: Option<bool>,
}

/// A GG3 user's openings of one partner's links, and the progress since then.
#[derive(Debug)]
pub struct Opening {
    /// The user.
    pub user: UserId,
    /// The partner.
    pub provider: Provider,
    /// The earliest and the latest opening, and the instants from which events count.
    pub attribution: Attribution,
    /// The user's progress with the partner's campaigns.
    pub campaigns: Vec<CampaignProgress>,
}

/// The progress of a GG3 user who opened no link of these campaigns' partners.
#[derive(Debug)]
pub struct InVain {
    /// The user.
    pub user: UserId,
    /// The campaigns for which the user did something in vain.
    pub campaigns: Vec<CampaignProgress>,
}

/// A delivery, and the request that the present configuration makes for it.
#[derive(Debug)]
pub struct Owed {
    /// The delivery.
    pub stored: StoredDelivery,
    /// The request, or the reason why there is none.
    pub request: Result<WebhookRequest, NoRequest>,
    /// What the delivery waits for besides its time.
    pub wait: Wait,
}

/// The reason why no request can be shown for a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoRequest {
    /// The delivery's partner is not configured any more.
    NoPartner,
    /// The delivery's campaign is not configured any more.
    NoCampaign,
    /// The partner's configuration could not be read.
    Unread(Unavailable),
    /// This machine cannot call the configured URL, for this reason.
    NotCallable(String),
    /// The request cannot be made from the delivery's values.
    Unmade(AttemptFault),
}

/// An attempt of the current round or of an older one.
#[derive(Debug)]
pub struct Attempted {
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// Its partner.
    pub provider: Provider,
    /// Its campaign.
    pub campaign: CampaignName,
    /// The attempt.
    pub kept: KeptAttempt,
    /// Is true if the attempt belongs to the current round, and is therefore kept in the delivery itself.
    pub is_current: bool,
}

/// The next attempt of a delivery.
#[derive(Debug)]
pub struct Due {
    /// The delivery.
    pub delivery_id: DeliveryId,
    /// Its partner.
    pub provider: Provider,
    /// The round.
    pub round: u32,
    /// The number of the attempt in the round, from 1.
    pub n: usize,
    /// The next attempt.
    pub next: NextAttempt,
    /// What the attempt waits for besides its time.
    pub wait: Wait,
}
