//! The request as it goes over the wire.

use bytes::Bytes;
use domain::{attempt::AttemptFault, ids::DeliveryId, webhook::WebhookRequest};
use hyper::{
    Method, Request, Uri,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT},
};
use jiff::Timestamp;

use super::{
    connection::{Body, Connection, Protocol},
    signature::Signer,
};

/// Who calls, for the partner's logs.
pub const AGENT: &str = concat!("GG3-Postback/", env!("CARGO_PKG_VERSION"), " (+https://gg3.xyz)");

const ID: HeaderName = HeaderName::from_static(standardwebhooks::HEADER_WEBHOOK_ID);
const TIMESTAMP: HeaderName = HeaderName::from_static(standardwebhooks::HEADER_WEBHOOK_TIMESTAMP);
const SIGNATURE: HeaderName = HeaderName::from_static(standardwebhooks::HEADER_WEBHOOK_SIGNATURE);

/// A request, signed, that can be put on a connection of either protocol.
pub(super) struct Signed {
    method: Method,
    absolute: Uri,
    target: Uri,
    host: HeaderValue,
    headers: HeaderMap,
    body: Bytes,
}

impl Signed {
    pub(super) fn new(
        request: &WebhookRequest,
        id: &DeliveryId,
        signer: &Signer,
        now: Timestamp,
    ) -> Result<Self, AttemptFault> {
        let unfit = |what: &str| AttemptFault::Other(format!("not sent: the {what} is not fit for a request"));
        let url = request.url();
        let header = |value: &str, what| HeaderValue::from_str(value).map_err(|_| unfit(what));
        let signature = signer
            .sign(id.as_str(), now.as_second(), request.signed_payload())
            .map_err(|_| AttemptFault::Other("not sent: it could not be signed".to_owned()))?;
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(ID, header(id.as_str(), "webhook-id")?);
        headers.insert(TIMESTAMP, HeaderValue::from(now.as_second()));
        headers.insert(SIGNATURE, header(&signature, "signature")?);
        if request.body().is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let (method, body) = match request.body() {
            None => (Method::GET, Bytes::new()),
            Some(body) => (Method::POST, Bytes::copy_from_slice(body.as_bytes())),
        };
        let absolute: Uri = url.as_str().parse().map_err(|_| unfit("URL"))?;
        let target: Uri = url.request_target().parse().map_err(|_| unfit("URL"))?;
        Ok(Self { method, absolute, target, host: header(url.authority(), "host")?, headers, body })
    }

    /// The request as this connection's protocol has it.
    pub(super) fn on(&self, connection: &Connection) -> Request<Body> {
        let mut request = Request::new(Body::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.headers_mut() = self.headers.clone();
        match connection.protocol {
            Protocol::Http1(_) => {
                *request.uri_mut() = self.target.clone();
                request.headers_mut().insert(HOST, self.host.clone());
            }
            Protocol::Http2(_) => *request.uri_mut() = self.absolute.clone(),
        }
        request
    }
}
