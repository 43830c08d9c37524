//! Whether a request's signature verifies: as a partner would find out, with Standard Webhooks' own crate.

use std::{fmt, str::FromStr};

use hyper::HeaderMap;
use serde::{Deserialize, Serialize};
use standardwebhooks::Webhook;
use thiserror::Error;

use crate::received::Signature;

const PREFIX: &str = "whsec_";

/// A secret for webhooks. Never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Secret(String);

/// The text is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a secret for webhooks is {PREFIX} and then base64")]
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

/// What these headers sign, for these secrets: the body or, where there is none, the path and query exactly as sent.
pub(crate) fn check(secrets: &[Secret], headers: &HeaderMap, target: &str, body: &[u8]) -> Signature {
    let payload = if body.is_empty() { target.as_bytes() } else { body };
    let mut outcome = Signature::Unchecked;
    for secret in secrets {
        match Webhook::new(&secret.0).and_then(|webhook| webhook.verify(payload, headers)) {
            Ok(()) => return Signature::Verified,
            Err(fault) => outcome = Signature::Refused(fault.to_string()),
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed_and_what_is_none_is_refused() {
        let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        for bad in ["", "whsec_", "whsec_!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            assert_eq!(bad.parse::<Secret>(), Err(SecretFault));
        }
    }
}
