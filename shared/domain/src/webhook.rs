//! Webhooks to partners: which URL is called for a delivery, with which body, and what of it is signed.
//!
//! The signature itself is Standard Webhooks', over `{webhook-id}.{webhook-timestamp}.{payload}`, and is made where the
//! request is sent; here is what the payload is ([`WebhookRequest::signed_payload`]).

use alloc::collections::BTreeMap;
use core::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};
use url::{Host, Position, Url};

use crate::{
    address::{self, Blocked},
    attempt::AttemptFault,
    ids::{CampaignName, ClickId, DeliveryId, EventLabel, PartnerUserId},
    moment::Moment,
    partner::ParameterNames,
    postback::Field,
    prelude::*,
};

mod template;

pub use template::{MAX_MACROS, MAX_TEMPLATE_BYTES, Place, TemplateFault, UrlTemplate};

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

/// Which ids were agreed on with a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgreedIds {
    /// Whether its user's is.
    pub user_id: bool,
    /// Whether its click's is.
    pub click_id: bool,
}

impl Default for AgreedIds {
    fn default() -> Self {
        Self { user_id: false, click_id: true }
    }
}

/// What a partner knows one of its users by: the ids of an opening, as far as they were agreed on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerIds {
    /// The partner's name for its user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<PartnerUserId>,
    /// The partner's click.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub click_id: Option<ClickId>,
}

/// What a delivery fills a webhook with.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    /// What the partner knows the user by.
    pub ids: &'a PartnerIds,
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

/// How far a webhook may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// Public addresses by https on the ports 443 and 8443: everywhere but on a developer's machine.
    PublicOnly,
    /// Loopback, http and any port as well.
    Development(Development),
}

/// Proof that this is a developer's machine: it exists only where AWS itself is on loopback, so that no deployment can
/// be configured into calling its own machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Development(());

/// The loopback allowance was asked for where AWS is real.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the development allowance needs an AWS endpoint on loopback")]
pub struct NotDevelopment;

impl Development {
    /// The allowance, if this AWS endpoint's URL is one of this machine's own.
    pub fn try_new(aws_endpoint: &str) -> Result<Self, NotDevelopment> {
        let url = Url::parse(aws_endpoint).map_err(|_| NotDevelopment)?;
        let own = match url.host() {
            Some(Host::Ipv4(v4)) => v4.is_loopback(),
            Some(Host::Ipv6(v6)) => v6.is_loopback(),
            // RFC 6761 keeps these names for loopback.
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            None => false,
        };
        if own { Ok(Self(())) } else { Err(NotDevelopment) }
    }
}

impl Allowance {
    /// Whether this address may be dialled: the guard to ask about every address that a name resolves to, and about a
    /// literal.
    pub fn check(self, address: IpAddr) -> Result<(), Blocked> {
        match self {
            Self::Development(_) if address.is_loopback() => Ok(()),
            Self::Development(_) | Self::PublicOnly => address::check(address),
        }
    }

    fn permits_scheme(self, scheme: &str) -> bool {
        scheme == "https" || (scheme == "http" && self != Self::PublicOnly)
    }

    fn permits_port(self, port: u16) -> bool {
        [443, 8443].contains(&port) || self != Self::PublicOnly
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

/// How a webhook is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// GET, without a body.
    #[default]
    Get,
    /// POST, with a body in JSON.
    Post,
}

impl core::str::FromStr for Method {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "GET" => Ok(Self::Get),
            "POST" => Ok(Self::Post),
            _ => Err("must be GET or POST"),
        }
    }
}

/// What a POST's body calls the ids: the partner's names for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyNames {
    user_id: String,
    click_id: String,
}

/// A partner's name for an id is one that the body has already.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("with you {field} is called {name}, which a POST's data has for something else")]
pub struct BodyNameFault {
    /// Which id.
    pub field: Field,
    /// The name.
    pub name: String,
}

impl BodyNames {
    /// The names of a partner, unless one of them stands for something else in the body.
    pub fn try_new(names: &ParameterNames) -> Result<Self, Vec<BodyNameFault>> {
        let taken = |field: &Field| ["campaign", "delivery_id"].contains(&names.of(*field));
        let faults: Vec<BodyNameFault> = [Field::UserId, Field::ClickId]
            .into_iter()
            .filter(taken)
            .map(|field| BodyNameFault { field, name: names.of(field).to_owned() })
            .collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self { user_id: names.of(Field::UserId).to_owned(), click_id: names.of(Field::ClickId).to_owned() })
    }
}

/// The webhook of a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Where it leads.
    pub template: UrlTemplate,
    /// How it is called.
    pub method: Method,
    /// What its body calls the ids.
    pub names: BodyNames,
}

impl Webhook {
    /// The request for these values: the same for the same values, whichever attempt it is.
    pub fn request(&self, values: &Values<'_>) -> Result<WebhookRequest, AttemptFault> {
        let url = self.template.render(values)?;
        let body = match self.method {
            Method::Get => None,
            Method::Post => Some(body(values, &self.names)),
        };
        Ok(WebhookRequest { url, body })
    }
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    timestamp: String,
    data: BTreeMap<&'a str, &'a str>,
}

fn body(values: &Values<'_>, names: &BodyNames) -> String {
    let ids = [
        (names.user_id.as_str(), values.ids.user_id.as_ref().map(PartnerUserId::as_str)),
        (names.click_id.as_str(), values.ids.click_id.as_ref().map(ClickId::as_str)),
    ];
    let ids = ids.into_iter().filter_map(|(name, id)| Some((name, id?)));
    let ours = [("campaign", values.campaign.as_str()), ("delivery_id", values.delivery_id.as_str())];
    let body = Body {
        r#type: values.event.as_str(),
        timestamp: values.occurred_at.to_string(),
        data: ids.chain(ours).collect(),
    };
    serde_json::to_string(&body).unwrap_or_else(|_| unreachable!("texts under texts are JSON"))
}

/// A request to a partner, complete but for the headers of its signature.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookRequest {
    url: WebhookUrl,
    body: Option<String>,
}

impl WebhookRequest {
    /// The URL.
    pub fn url(&self) -> &WebhookUrl {
        &self.url
    }

    /// GET or POST.
    pub fn method(&self) -> Method {
        if self.body.is_some() { Method::Post } else { Method::Get }
    }

    /// The body of a POST, in JSON.
    pub fn body(&self) -> Option<&str> {
        self.body.as_deref()
    }

    /// What is signed as Standard Webhooks' payload: the body of a POST, byte for byte; for a GET, which has none, the
    /// path and query exactly as sent. So what carries the ids is always signed.
    pub fn signed_payload(&self) -> &str {
        self.body.as_deref().unwrap_or_else(|| self.url.request_target())
    }
}

impl fmt::Debug for WebhookRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookRequest({:?} {:?})", self.method(), self.url)
    }
}

#[cfg(test)]
mod tests;
