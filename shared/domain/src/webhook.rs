//! Describes webhooks to partners: the URL that is called for a delivery, the body, and the signed payload.
//!
//! The signature follows Standard Webhooks, over `{webhook-id}.{webhook-timestamp}.{payload}`. The sender makes it;
//! this module defines the payload ([`WebhookRequest::signed_payload`]).

use core::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};
use url::{Host, Position, Url};

use crate::{
    event::Ids,
    ids::{CampaignName, DeliveryId, EventLabel},
    moment::Moment,
    prelude::*,
};

mod allowance;
mod parts;
mod request;
mod template;

pub use allowance::{Allowance, Development, NotDevelopment};
pub use parts::Place;
pub use request::{BodyNameFault, BodyNames, Method, Webhook, WebhookRequest};
pub use template::{MAX_MACROS, MAX_TEMPLATE_BYTES, TemplateFault, UrlTemplate};

/// Names the macros of a URL template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Macro {
    /// `{userId}` is the partner's id of its user.
    UserId,
    /// `{clickId}` is the partner's click.
    ClickId,
    /// `{event}` is the name of the goal.
    Event,
    /// `{campaign}` is the campaign's name.
    Campaign,
    /// `{deliveryId}` is the same in all attempts, and equals the `webhook-id`.
    DeliveryId,
    /// `{occurredAt}` says when the goal was reached, in RFC 3339 and UTC.
    OccurredAt,
}

impl Macro {
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

impl fmt::Display for Macro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.name())
    }
}

/// Holds the values that a delivery fills into a webhook.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    /// Holds the ids by which the partner knows the user.
    pub ids: &'a Ids,
    /// Names the goal.
    pub event: &'a EventLabel,
    /// Names the campaign.
    pub campaign: &'a CampaignName,
    /// Identifies the delivery.
    pub delivery_id: &'a DeliveryId,
    /// Says when the goal was reached.
    pub occurred_at: Moment,
}

impl Values<'_> {
    fn of(&self, name: Macro) -> Option<String> {
        match name {
            Macro::UserId => self.ids.user_id.as_ref().map(ToString::to_string),
            Macro::ClickId => self.ids.click_id.as_ref().map(ToString::to_string),
            Macro::Event => Some(self.event.to_string()),
            Macro::Campaign => Some(self.campaign.to_string()),
            Macro::DeliveryId => Some(self.delivery_id.to_string()),
            Macro::OccurredAt => Some(self.occurred_at.to_string()),
        }
    }
}

/// Holds a URL to call: a template filled with a delivery's values, which leads where the template leads.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(Url);

/// Says which host a URL names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination<'a> {
    /// Holds a host name in lower-case ASCII, to be resolved.
    Name(&'a str),
    /// Holds an address.
    Address(IpAddr),
}

impl WebhookUrl {
    /// Returns the URL. It must not be logged.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns the host to connect to.
    pub fn destination(&self) -> Destination<'_> {
        match self.0.host() {
            Some(Host::Ipv4(v4)) => Destination::Address(v4.into()),
            Some(Host::Ipv6(v6)) => Destination::Address(v6.into()),
            Some(Host::Domain(name)) => Destination::Name(name),
            None => unreachable!("an http or https URL has a host"),
        }
    }

    /// Returns the port to connect to.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_else(|| unreachable!("http and https have a port"))
    }

    /// Returns true for https. Plain http is used on a developer's machine only.
    pub fn is_secure(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Returns host and port as a request names them: without the scheme's default port, with an IPv6 address in
    /// brackets.
    pub fn authority(&self) -> &str {
        &self.0[Position::BeforeHost..Position::AfterPort]
    }

    /// Returns path and query exactly as the request line must have them.
    pub fn request_target(&self) -> &str {
        &self.0[Position::BeforePath..Position::AfterQuery]
    }
}

/// Shows only scheme, host and port, because the path may hold a token and the query holds ids.
impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({}/…)", &self.0[..Position::BeforePath])
    }
}

#[cfg(test)]
mod tests;
