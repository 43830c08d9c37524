//! Webhooks to partners: which URL is called for a delivery, with which body, and what of it is signed.
//!
//! The signature itself is Standard Webhooks', over `{webhook-id}.{webhook-timestamp}.{payload}`, and is made where the
//! request is sent; here is what the payload is ([`WebhookRequest::signed_payload`]).

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

/// What a URL template may ask for, as `{userId}` and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Macro {
    /// `{userId}`: the partner's name for its user.
    UserId,
    /// `{clickId}`: the partner's click.
    ClickId,
    /// `{event}`: what the goal is called.
    Event,
    /// `{campaign}`: the campaign's name.
    Campaign,
    /// `{deliveryId}`: the same in all attempts, and the `webhook-id`.
    DeliveryId,
    /// `{occurredAt}`: when the goal was reached, RFC 3339 in UTC.
    OccurredAt,
}

impl Macro {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::UserId, Self::ClickId, Self::Event, Self::Campaign, Self::DeliveryId, Self::OccurredAt];

    /// Its name, without braces.
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

/// What a delivery fills a webhook with.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    /// What the partner knows the user by.
    pub ids: &'a Ids,
    /// What the goal is called.
    pub event: &'a EventLabel,
    /// The campaign.
    pub campaign: &'a CampaignName,
    /// The delivery.
    pub delivery_id: &'a DeliveryId,
    /// When the goal was reached.
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

/// A URL to call: of a template, with a delivery's values, leading where the template leads.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(Url);

/// Whom a URL names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination<'a> {
    /// A name, in lower-case ASCII, to be resolved.
    Name(&'a str),
    /// An address.
    Address(IpAddr),
}

impl WebhookUrl {
    /// The URL, which nobody may log.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whom to connect to.
    pub fn destination(&self) -> Destination<'_> {
        match self.0.host() {
            Some(Host::Ipv4(v4)) => Destination::Address(v4.into()),
            Some(Host::Ipv6(v6)) => Destination::Address(v6.into()),
            Some(Host::Domain(name)) => Destination::Name(name),
            None => unreachable!("an http or https URL has a host"),
        }
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_else(|| unreachable!("http and https have a port"))
    }

    /// Whether it is called by https; else it is by http, on a developer's machine.
    pub fn is_secure(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Host and port as a request names them: without a port that its scheme has anyway, an IPv6 address in brackets.
    pub fn authority(&self) -> &str {
        &self.0[Position::BeforeHost..Position::AfterPort]
    }

    /// The path and query, exactly as the request line must have them.
    pub fn request_target(&self) -> &str {
        &self.0[Position::BeforePath..Position::AfterQuery]
    }
}

/// Only scheme, host and port: the path may hold a token, and the query ids.
impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({}/…)", &self.0[..Position::BeforePath])
    }
}

#[cfg(test)]
mod tests;
