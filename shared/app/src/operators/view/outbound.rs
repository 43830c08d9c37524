//! Openings, deliveries and attempts.

use domain::{
    outbound::{
        agreed_ids::PartnerIds,
        attempt::Attempt,
        delivery::{Delivery, Status},
    },
    values::{
        ids::{CampaignName, DeliveryId, Provider, ReportId, UserId},
        time::{UnixMillis, three_decimals},
    },
};
use serde::Serialize;

use crate::operators::{
    progress::CampaignProgress,
    trace::{Attempted, Due, Opening},
    waiting::Wait,
};

/// A webhook that is owed, with the attempts of its current round.
#[derive(Debug, Serialize)]
pub struct DeliveryView<'a> {
    delivery_id: &'a DeliveryId,
    provider: &'a Provider,
    campaign: &'a CampaignName,
    /// The GG3 user.
    user_id: &'a UserId,
    /// The partner's ids of the user.
    partner_ids: &'a PartnerIds,
    status: Status,
    /// What the delivery waits for besides its time.
    #[serde(flatten)]
    wait: Wait,
    #[serde(serialize_with = "three_decimals::serialize")]
    occurred_at: UnixMillis,
    #[serde(serialize_with = "three_decimals::serialize")]
    created_at: UnixMillis,
    round: u32,
    #[serde(serialize_with = "three_decimals::serialize")]
    opened_at: UnixMillis,
    attempts: Vec<AttemptView<'a>>,
    /// The next attempt is due at this instant, while the delivery is under way.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "three_decimals::option::serialize")]
    next_due_at: Option<UnixMillis>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "three_decimals::option::serialize")]
    ended_at: Option<UnixMillis>,
}

impl<'a> DeliveryView<'a> {
    /// Shows a delivery, and what it waits for besides its time.
    pub fn of(delivery: &'a Delivery, wait: Wait) -> Self {
        let attempt = |attempt| AttemptView::of(delivery.id(), delivery.round(), attempt, false);
        Self {
            delivery_id: delivery.id(),
            provider: delivery.provider(),
            campaign: delivery.campaign(),
            user_id: delivery.participant(),
            partner_ids: delivery.ids(),
            status: delivery.status(),
            wait,
            occurred_at: delivery.occurred_at(),
            created_at: delivery.created_at(),
            round: delivery.round(),
            opened_at: delivery.opened_at(),
            attempts: delivery.attempts().iter().map(attempt).collect(),
            next_due_at: delivery.next().map(|next| next.due_at),
            ended_at: delivery.ended_at(),
        }
    }
}

/// An attempt to deliver a webhook.
#[derive(Debug, Serialize)]
pub struct AttemptView<'a> {
    delivery_id: &'a DeliveryId,
    round: u32,
    n: u8,
    #[serde(serialize_with = "three_decimals::serialize")]
    due_at: UnixMillis,
    #[serde(serialize_with = "three_decimals::serialize")]
    sent_at: UnixMillis,
    duration_ms: u32,
    /// The outcome in words.
    outcome: String,
    /// The status of the answer, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    http_status: Option<u16>,
    /// The beginning of the answer's body. Control characters and bytes that are not UTF-8 are escaped.
    #[serde(skip_serializing_if = "String::is_empty")]
    answer: String,
    /// Is true if the worker lost its claim before it recorded the attempt.
    late: bool,
}

impl<'a> AttemptView<'a> {
    fn of(delivery_id: &'a DeliveryId, round: u32, attempt: &Attempt, late: bool) -> Self {
        let Attempt { n, due_at, sent_at, duration_ms, outcome, answer } = attempt;
        Self {
            delivery_id,
            round,
            n: *n,
            due_at: *due_at,
            sent_at: *sent_at,
            duration_ms: *duration_ms,
            outcome: outcome.to_string(),
            http_status: outcome.status(),
            answer: answer.to_string(),
            late,
        }
    }
}

impl<'a> From<&'a Attempted> for AttemptView<'a> {
    fn from(Attempted { delivery_id, kept, .. }: &'a Attempted) -> Self {
        Self::of(delivery_id, kept.round, &kept.attempt, kept.late.is_some())
    }
}

/// The next attempt of a delivery.
#[derive(Debug, Serialize)]
pub struct DueView<'a> {
    delivery_id: &'a DeliveryId,
    round: u32,
    n: usize,
    #[serde(serialize_with = "three_decimals::serialize")]
    due_at: UnixMillis,
    /// What the attempt waits for besides its time.
    #[serde(flatten)]
    wait: Wait,
}

impl<'a> From<&'a Due> for DueView<'a> {
    fn from(Due { delivery_id, round, n, next, wait, .. }: &'a Due) -> Self {
        Self { delivery_id, round: *round, n: *n, due_at: next.due_at, wait: *wait }
    }
}

/// A GG3 user's openings of a partner's links, and the progress since then.
#[derive(Debug, Serialize)]
pub struct OpeningView<'a> {
    /// The GG3 user.
    user_id: &'a UserId,
    provider: &'a Provider,
    #[serde(serialize_with = "three_decimals::serialize")]
    since: UnixMillis,
    #[serde(serialize_with = "three_decimals::serialize")]
    latest_at: UnixMillis,
    /// The event that reported the latest opening.
    latest_event: &'a ReportId,
    /// The partner's ids of the user.
    partner_ids: &'a PartnerIds,
    /// The total of clicks from which clicks count.
    baseline: u64,
    campaigns: &'a [CampaignProgress],
}

impl<'a> From<&'a Opening> for OpeningView<'a> {
    fn from(Opening { user, provider, attribution, campaigns }: &'a Opening) -> Self {
        Self {
            user_id: user,
            provider,
            since: attribution.since,
            latest_at: attribution.latest.at,
            latest_event: &attribution.latest.event,
            partner_ids: &attribution.latest.ids,
            baseline: attribution.baseline,
            campaigns,
        }
    }
}
