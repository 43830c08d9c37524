//! Standard Webhooks' signature, by its own crate: it brings HMAC-SHA256 and base64 in pure Rust and no TLS.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::fmt;

use data_encoding::BASE64;
use domain::signature::Secret;
use standardwebhooks::{Webhook, WebhookError};
use thiserror::Error;

/// What a partner's secret begins with; behind it is the key, in base64.
pub const PREFIX: &str = domain::signature::WEBHOOK_PREFIX;

/// How many secrets may be live at once: the new one and the one it replaces.
pub const MAX_SECRETS: usize = 2;

const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Signs webhooks with a partner's secrets. Never printed.
pub struct Signer(Vec<Webhook>);

/// Why secrets cannot sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SecretFault {
    /// None, or more than [`MAX_SECRETS`].
    #[error("a partner has one secret for webhooks, or two while they are rotated; here are {0}")]
    Number(usize),
    /// Not as Standard Webhooks writes a secret.
    #[error("a secret for webhooks must be whsec_ and then 24 to 64 bytes in base64")]
    Form,
}

impl Signer {
    /// A signer with these secrets, the newest first.
    pub fn try_new(secrets: &[Secret]) -> Result<Self, SecretFault> {
        if !(1..=MAX_SECRETS).contains(&secrets.len()) {
            return Err(SecretFault::Number(secrets.len()));
        }
        secrets.iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// The value of `webhook-signature`: one signature a secret, with a space between them.
    pub(super) fn sign(&self, id: &str, timestamp_seconds: i64, payload: &str) -> Result<String, WebhookError> {
        let signatures: Result<Vec<String>, WebhookError> =
            self.0.iter().map(|key| key.sign(id, timestamp_seconds, payload.as_bytes())).collect();
        Ok(signatures?.join(" "))
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

    // The vector of the specification's own libraries.
    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const SIGNED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn sign(secrets: &[&str]) -> String {
        let secrets: Vec<Secret> = secrets.iter().map(|text| Secret::new(*text)).collect();
        let signer = Signer::try_new(&secrets).unwrap();
        signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#).unwrap()
    }

    #[test]
    fn a_signature_is_the_one_that_the_specification_publishes() {
        assert_eq!(sign(&[KEY]), SIGNED);
    }

    #[test]
    fn a_secret_that_is_made_signs() {
        assert!(Signer::try_new(&[Secret::for_webhooks([7; 32]), Secret::for_webhooks([8; 32])]).is_ok());
    }

    #[test]
    fn every_published_vector_of_a_valid_webhook_is_signed_as_published() {
        let vectors = include_str!("../../../domain/vectors/webhook-signature.json");
        let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
        for vector in vectors["webhooks"].as_array().unwrap() {
            let text = |name: &str| vector[name].as_str().unwrap();
            let signer = Signer::try_new(&[Secret::new(text("secret"))]).unwrap();
            let Ok(timestamp) = text("webhook-timestamp").parse() else { continue };
            let made = signer.sign(text("webhook-id"), timestamp, text("payload")).unwrap();
            let found = text("webhook-signature").split(' ').any(|given| given == made);
            let age = vector["received_at"].as_i64().unwrap().abs_diff(timestamp);
            assert_eq!(Some(found && age <= 300), vector["valid"].as_bool(), "{}", text("what"));
        }
    }

    #[test]
    fn during_rotation_there_are_two_signatures_with_a_space_between_them() {
        assert_eq!(sign(&[OTHER, KEY]), format!("{} {SIGNED}", sign(&[OTHER])));
    }

    #[test]
    fn what_is_no_secret_of_standard_webhooks_signs_nothing_and_is_not_told() {
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
