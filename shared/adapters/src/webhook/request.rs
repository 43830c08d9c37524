//! Builds the request as it goes over the wire.

use domain::{
    outbound::{
        attempt::AttemptFault,
        webhook::{WebhookRequest, WebhookUrl},
    },
    values::ids::DeliveryId,
};
use jiff::Timestamp;
use reqwest::{
    Method, Request, Url,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT},
};

use super::signature::Signer;

/// Identifies us in the partner's logs.
pub const AGENT: &str = concat!("GG3-Postback/", env!("CARGO_PKG_VERSION"), " (+https://gg3.xyz)");

const ID: HeaderName = HeaderName::from_static(standardwebhooks::HEADER_WEBHOOK_ID);
const TIMESTAMP: HeaderName = HeaderName::from_static(standardwebhooks::HEADER_WEBHOOK_TIMESTAMP);
const SIGNATURE: HeaderName = HeaderName::from_static(standardwebhooks::HEADER_WEBHOOK_SIGNATURE);

/// Returns the signed request.
pub(super) fn signed(
    request: &WebhookRequest,
    id: &DeliveryId,
    signer: &Signer,
    now: Timestamp,
) -> Result<Request, AttemptFault> {
    let header = |value: &str, what| HeaderValue::from_str(value).map_err(|_| unfit(what));
    let signature = signer
        .sign(id.as_str(), now.as_second(), &request.signed_payload())
        .map_err(|_| AttemptFault::Other("not sent: it could not be signed".to_owned()))?;
    let method = if request.body().is_some() { Method::POST } else { Method::GET };
    let mut ready = Request::new(method, to_the_letter(request.url())?);
    let headers = ready.headers_mut();
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(ID, header(id.as_str(), "webhook-id")?);
    headers.insert(TIMESTAMP, HeaderValue::from(now.as_second()));
    headers.insert(SIGNATURE, header(&signature, "signature")?);
    if let Some(body) = request.body() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *ready.body_mut() = Some(body.to_owned().into());
    }
    Ok(ready)
}

/// Parses the URL again. Fails if parsing changes the URL, because the sent request would then differ from the signed
/// one.
fn to_the_letter(url: &WebhookUrl) -> Result<Url, AttemptFault> {
    let parsed = Url::parse(url.as_str()).ok();
    parsed.filter(|parsed| parsed.as_str() == url.as_str()).ok_or_else(|| unfit("URL"))
}

fn unfit(what: &str) -> AttemptFault {
    AttemptFault::Other(format!("not sent: the {what} is not fit for a request"))
}
