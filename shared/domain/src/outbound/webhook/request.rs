//! Makes the request of a webhook: its method, its body and the signed payload.

use alloc::{borrow::Cow, collections::BTreeMap};
use core::fmt;

use serde::{Deserialize, Serialize};

use super::{template::UrlTemplate, url::WebhookUrl};
use crate::outbound::attempt::AttemptFault;
use crate::outbound::macros::WebhookValues;
use crate::outbound::notice::Notice;
use crate::prelude::*;
use crate::values::ids::{ClickId, PartnerUserId};
use crate::values::parameter_names::{Field, ParameterNames};

/// Says how a webhook is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// The webhook is a GET without a body.
    #[default]
    Get,
    /// The webhook is a POST with a body in JSON.
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

/// Holds the partner's names for the ids in a POST's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyNames {
    user_id: String,
    click_id: String,
}

/// Reports a partner's name for an id that collides with another field of the body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}, the partner's name for {field}, collides with a field of the POST body; use GET or another name")]
pub struct BodyNameFault {
    /// Names the id.
    pub field: Field,
    /// Holds the partner's name for the id.
    pub name: String,
}

impl Default for BodyNames {
    /// Returns our own names, which collide with nothing.
    fn default() -> Self {
        Self { user_id: Field::UserId.as_str().to_owned(), click_id: Field::ClickId.as_str().to_owned() }
    }
}

impl BodyNames {
    /// Takes a partner's names, unless one of them collides with a field of the body.
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

/// Holds the webhook of a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Holds the template of the URL.
    pub template: UrlTemplate,
    /// Says how the webhook is called.
    pub method: Method,
    /// Holds the names of the ids in the body.
    pub names: BodyNames,
}

impl Webhook {
    /// Makes the request for these values. The same values give the same request at every attempt.
    pub fn request(&self, values: &WebhookValues<'_>) -> Result<WebhookRequest, AttemptFault> {
        let url = self.template.render(values)?;
        let body = match self.method {
            Method::Get => None,
            Method::Post => Some(body(values, &self.names)),
        };
        Ok(WebhookRequest { url, body })
    }

    /// Makes the request of a notice, which is a POST whatever the method is.
    pub fn notice(&self, notice: &Notice, values: &WebhookValues<'_>) -> Result<WebhookRequest, AttemptFault> {
        let url = self.template.render(values)?;
        Ok(WebhookRequest { url, body: Some(notice.body(values.occurred_at)) })
    }
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    timestamp: String,
    data: BTreeMap<&'a str, &'a str>,
}

fn body(values: &WebhookValues<'_>, names: &BodyNames) -> String {
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

/// Holds a request to a partner without the signature headers.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookRequest {
    url: WebhookUrl,
    body: Option<String>,
}

impl WebhookRequest {
    /// Returns the URL.
    pub fn url(&self) -> &WebhookUrl {
        &self.url
    }

    /// Returns GET or POST.
    pub fn method(&self) -> Method {
        if self.body.is_some() { Method::Post } else { Method::Get }
    }

    /// Returns the body of a POST in JSON.
    pub fn body(&self) -> Option<&str> {
        self.body.as_deref()
    }

    /// Returns the payload for the signature of Standard Webhooks. For a POST, this is the body, byte for byte. For a
    /// GET, it is the JSON string of the request target, that is path and query exactly as sent, in double quotes. The
    /// text that carries the ids is therefore always signed.
    ///
    /// The payload is JSON because the libraries of Standard Webhooks parse each payload that they have verified. URLs
    /// contain neither quotes nor backslashes, so the JSON string of a target has no escapes.
    pub fn signed_payload(&self) -> Cow<'_, str> {
        match &self.body {
            Some(body) => Cow::Borrowed(body),
            None => Cow::Owned(format!("\"{}\"", self.url.request_target())),
        }
    }
}

impl fmt::Debug for WebhookRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookRequest({:?} {:?})", self.method(), self.url)
    }
}
