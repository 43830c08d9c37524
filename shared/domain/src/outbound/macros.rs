//! Names the macros of a webhook's URL and the values that replace them.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::agreed_ids::PartnerIds;
use crate::prelude::*;
use crate::values::ids::{CampaignName, DeliveryId, EventLabel};
use crate::values::time::UnixMillis;

/// Names the macros of a URL template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookMacro {
    /// `{userId}` is the partner's id of its user.
    UserId,
    /// `{clickId}` is the partner's id of the click.
    ClickId,
    /// `{event}` is the name of the goal.
    Event,
    /// `{campaign}` is the campaign's name.
    Campaign,
    /// `{deliveryId}` is the id of the delivery, which is the same in all attempts and equals the `webhook-id`.
    DeliveryId,
    /// `{occurredAt}` says when the goal was reached, in RFC 3339 and UTC.
    OccurredAt,
}

impl WebhookMacro {
    /// Lists all macros.
    pub const ALL: [Self; 6] =
        [Self::UserId, Self::ClickId, Self::Event, Self::Campaign, Self::DeliveryId, Self::OccurredAt];

    /// Returns the name without braces.
    pub fn name(self) -> &'static str {
        match self {
            Self::UserId => "userId",
            Self::ClickId => "clickId",
            Self::Event => "event",
            Self::Campaign => "campaign",
            Self::DeliveryId => "deliveryId",
            Self::OccurredAt => "occurredAt",
        }
    }
}

impl fmt::Display for WebhookMacro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.name())
    }
}

/// Holds the values that a delivery fills into a webhook.
#[derive(Debug, Clone, Copy)]
pub struct WebhookValues<'a> {
    /// Holds the ids by which the partner knows the user.
    pub ids: &'a PartnerIds,
    /// Names the goal.
    pub event: &'a EventLabel,
    /// Names the campaign.
    pub campaign: &'a CampaignName,
    /// Identifies the delivery.
    pub delivery_id: &'a DeliveryId,
    /// Says when the goal was reached.
    pub occurred_at: UnixMillis,
}

impl WebhookValues<'_> {
    /// Returns the value of this macro, if the delivery has one.
    pub(crate) fn of(&self, name: WebhookMacro) -> Option<String> {
        match name {
            WebhookMacro::UserId => self.ids.user_id.as_ref().map(ToString::to_string),
            WebhookMacro::ClickId => self.ids.click_id.as_ref().map(ToString::to_string),
            WebhookMacro::Event => Some(self.event.to_string()),
            WebhookMacro::Campaign => Some(self.campaign.to_string()),
            WebhookMacro::DeliveryId => Some(self.delivery_id.to_string()),
            WebhookMacro::OccurredAt => Some(self.occurred_at.to_string()),
        }
    }
}
