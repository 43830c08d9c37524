//! Signs webhooks as Standard Webhooks prescribes, with the crate of that specification. The crate has HMAC-SHA256 and
//! base64 in pure Rust, and no TLS.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::fmt;

use data_encoding::BASE64;
use domain::values::signature::Secret;
use standardwebhooks::{Webhook, WebhookError};
use thiserror::Error;

/// Begins a partner's secret. The key follows in base64.
pub const PREFIX: &str = domain::values::signature::WEBHOOK_PREFIX;

/// Limits how many secrets are valid at once: the new secret and the previous one.
pub const MAX_SECRETS: usize = 2;

const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Signs webhooks with a partner's secrets. The secrets are never printed.
pub struct Signer(Vec<Webhook>);

/// Says why secrets cannot sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SecretFault {
    /// There are no secrets, or more than [`MAX_SECRETS`].
    #[error("expected one webhook secret, or two during a rotation, but found {0}")]
    Number(usize),
    /// The secret does not have the form that Standard Webhooks prescribes.
    #[error("a webhook secret must be whsec_ followed by 24 to 64 bytes in base64")]
    Form,
}

impl Signer {
    /// Returns a signer with these secrets, the newest first.
    pub fn try_new(secrets: &[Secret]) -> Result<Self, SecretFault> {
        if !(1..=MAX_SECRETS).contains(&secrets.len()) {
            return Err(SecretFault::Number(secrets.len()));
        }
        secrets.iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// Returns the value of `webhook-signature`: one signature for each secret, separated by spaces.
    pub fn sign(&self, id: &str, timestamp_seconds: i64, payload: &str) -> Result<String, WebhookError> {
        let signatures: Result<Vec<String>, WebhookError> =
            self.0.iter().map(|key| key.sign(id, timestamp_seconds, payload.as_bytes())).collect();
        Ok(signatures?.join(" "))
    }

    /// Returns true if one of the parts of a received `webhook-signature` was made with one of these secrets.
    pub fn made(&self, id: &str, timestamp_seconds: i64, payload: &str, received: &str) -> bool {
        let ours = self.sign(id, timestamp_seconds, payload).unwrap_or_default();
        ours.split(' ').any(|one| !one.is_empty() && received.split(' ').any(|other| one == other))
    }
}

fn parse(secret: &Secret) -> Result<Webhook, SecretFault> {
    let encoded = secret.reveal().strip_prefix(PREFIX).ok_or(SecretFault::Form)?;
    let key = BASE64.decode(encoded.as_bytes()).map_err(|_| SecretFault::Form)?;
    if !KEY_BYTES.contains(&key.len()) {
        return Err(SecretFault::Form);
    }
    Webhook::from_bytes(key).map_err(|_| SecretFault::Form)
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({} secrets)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The specification's own libraries use this vector.
    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const SIGNED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn sign(secrets: &[&str]) -> String {
        let secrets: Vec<Secret> = secrets.iter().map(|text| Secret::new(*text)).collect();
        let signer = Signer::try_new(&secrets).unwrap();
        signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#).unwrap()
    }

    #[test]
    fn a_signature_equals_the_one_the_specification_publishes() {
        assert_eq!(sign(&[KEY]), SIGNED);
    }

    #[test]
    fn a_secret_that_is_made_signs() {
        assert!(Signer::try_new(&[Secret::for_webhooks([7; 32]), Secret::for_webhooks([8; 32])]).is_ok());
    }

    #[test]
    fn every_published_vector_is_signed_as_published() {
        let vectors = include_str!("../../../domain/vectors/webhook-signature.json");
        let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
        for vector in vectors["webhooks"].as_array().unwrap() {
            let text = |name: &str| vector[name].as_str().unwrap();
            let signer = Signer::try_new(&[Secret::new(text("secret"))]).unwrap();
            let quoted = serde_json::to_string(&vector["target"]).unwrap();
            assert!(text("method") == "POST" || text("payload") == quoted, "{}", text("what"));
            let Ok(timestamp) = text("webhook-timestamp").parse() else { continue };
            let made = signer.sign(text("webhook-id"), timestamp, text("payload")).unwrap();
            let found = text("webhook-signature").split(' ').any(|given| given == made);
            let age = vector["received_at"].as_i64().unwrap().abs_diff(timestamp);
            assert_eq!(Some(found && age <= 300), vector["valid"].as_bool(), "{}", text("what"));
        }
    }

    #[test]
    fn two_secrets_make_two_signatures_separated_by_a_space() {
        assert_eq!(sign(&[OTHER, KEY]), format!("{} {SIGNED}", sign(&[OTHER])));
    }

    #[test]
    fn a_malformed_secret_is_refused_without_being_quoted() {
        let short = format!("{PREFIX}{}", BASE64.encode(&[7; 23]));
        for bad in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!", short.as_str()] {
            assert_eq!(Signer::try_new(&[Secret::new(bad)]).err(), Some(SecretFault::Form));
        }
        let three = [KEY, KEY, KEY].map(Secret::new);
        assert_eq!(Signer::try_new(&three).err(), Some(SecretFault::Number(3)));
        assert_eq!(Signer::try_new(&[]).err(), Some(SecretFault::Number(0)));
        assert_eq!(format!("{:?}", Signer::try_new(&[Secret::new(KEY)]).unwrap()), "Signer(1 secrets)");
    }
}
