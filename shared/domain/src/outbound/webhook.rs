//! Describes webhooks to partners: the URL that is called for a delivery, the body, and the signed payload.
//!
//! The signature follows Standard Webhooks and covers `{webhook-id}.{webhook-timestamp}.{payload}`. The sender makes
//! the signature; this module defines the payload ([`WebhookRequest::signed_payload`]).

mod allowance;
mod parts;
mod request;
mod template;
mod url;

pub use self::url::{Destination, WebhookUrl};
pub use allowance::{Allowance, Development, NotDevelopment};
pub use parts::UrlPart;
pub use request::{BodyNameFault, BodyNames, Method, Webhook, WebhookRequest};
pub use template::{MAX_MACROS, MAX_TEMPLATE_BYTES, TemplateFault, UrlTemplate, endpoint_of};

#[cfg(test)]
mod tests;
