//! Verifies the signatures of requests as a partner would, with the crate of Standard Webhooks.

use std::{fmt, str::FromStr};

use hyper::HeaderMap;
use serde::{Deserialize, Serialize};
use standardwebhooks::{Webhook, WebhookError};
use thiserror::Error;

use crate::received::Signature;

const PREFIX: &str = "whsec_";

/// Holds a webhook secret. It is never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Secret(String);

/// Reports a text that is not a webhook secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a webhook secret must be {PREFIX} followed by base64")]
pub struct SecretFault;

impl TryFrom<String> for Secret {
    type Error = SecretFault;

    fn try_from(text: String) -> Result<Self, SecretFault> {
        let valid = text.len() > PREFIX.len() && text.starts_with(PREFIX) && Webhook::new(&text).is_ok();
        if valid { Ok(Self(text)) } else { Err(SecretFault) }
    }
}

impl FromStr for Secret {
    type Err = SecretFault;

    fn from_str(text: &str) -> Result<Self, SecretFault> {
        Self::try_from(text.to_owned())
    }
}

impl From<Secret> for String {
    fn from(secret: Secret) -> Self {
        secret.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Verifies the signature in these headers with each secret. The signed payload is the body. If the body is empty, the
/// payload is the path and query exactly as sent, in double quotes.
pub(crate) fn check(secrets: &[Secret], headers: &HeaderMap, target: &str, body: &[u8]) -> Signature {
    let quoted = format!("\"{target}\"");
    let (payload, signed) =
        if body.is_empty() { (quoted.as_bytes(), "path with its query in quotes") } else { (body, "body") };
    let mut outcome = Signature::Unchecked;
    for secret in secrets {
        match Webhook::new(&secret.0).and_then(|webhook| webhook.verify(payload, headers)) {
            Ok(()) => return Signature::Verified,
            Err(fault) => outcome = Signature::Refused(explain(&fault, signed)),
        }
    }
    outcome
}

/// Says which header, time, secret or payload is wrong. `signed` names the payload.
fn explain(fault: &WebhookError, signed: &str) -> String {
    match fault {
        WebhookError::MissingHeader(name) => format!("the header webhook-{name} is missing"),
        WebhookError::InvalidHeader(name) => format!("the header webhook-{name} is not plain ASCII"),
        WebhookError::InvalidTimestamp => {
            "the header webhook-timestamp is not a whole number of Unix seconds".to_owned()
        }
        WebhookError::TimestampTooOldError => "the time in webhook-timestamp is more than 5 minutes ago".to_owned(),
        WebhookError::FutureTimestampError => "the time in webhook-timestamp is more than 5 minutes ahead".to_owned(),
        WebhookError::InvalidSignature => {
            format!(
                "webhook-signature does not match: the secret differs, or the {signed} differs from what was signed"
            )
        }
        WebhookError::InvalidPayload => format!("the {signed} is not UTF-8"),
        WebhookError::InvalidSecret(_) => "the secret is not base64".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderName;
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_secret_is_never_printed_and_has_its_prefix() {
        let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        for bad in ["", "whsec_", "whsec_!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            assert_eq!(bad.parse::<Secret>(), Err(SecretFault));
        }
    }

    #[test]
    fn a_refusal_names_the_wrong_header_time_secret_or_payload() {
        const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let now = Timestamp::now().as_second();
        let refusal = |time: &str, secret: &str, target: &str, body: &str| {
            let seconds = time.parse().unwrap_or(now);
            let signature = Webhook::new(secret).unwrap().sign("msg_1", seconds, b"{}").unwrap();
            let fields = [("webhook-id", "msg_1"), ("webhook-timestamp", time), ("webhook-signature", &signature)];
            let named = |(name, value): (&'static str, &str)| (HeaderName::from_static(name), value.parse().unwrap());
            let headers = fields.into_iter().filter(|(_, value)| !value.is_empty()).map(named).collect();
            check(&[SECRET.parse().unwrap()], &headers, target, body.as_bytes()).to_string()
        };
        let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let time = now.to_string();
        assert_eq!(refusal(&time, SECRET, "/", "{}"), "signature verified");
        for (refusal, words) in [
            (refusal("", SECRET, "/", "{}"), "the header webhook-timestamp is missing"),
            (refusal("noon", SECRET, "/", "{}"), "the header webhook-timestamp is not a whole number of Unix seconds"),
            (
                refusal(&(now - 400).to_string(), SECRET, "/", "{}"),
                "the time in webhook-timestamp is more than 5 minutes ago",
            ),
            (
                refusal(&(now + 400).to_string(), SECRET, "/", "{}"),
                "the time in webhook-timestamp is more than 5 minutes ahead",
            ),
            (refusal(&time, other, "/", "{}"), "the secret differs, or the body differs from what was signed"),
            (refusal(&time, SECRET, "/", "{ }"), "the secret differs, or the body differs from what was signed"),
            (
                refusal(&time, SECRET, "/", ""),
                "the secret differs, or the path with its query in quotes differs from what was signed",
            ),
        ] {
            assert!(refusal.starts_with("signature refused: ") && refusal.ends_with(words), "{refusal}");
        }
    }
}
