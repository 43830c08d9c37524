//! One way to sign parameters, for postbacks and for tracking links: HMAC-SHA256 in hex over a canonical text.
//!
//! The canonical text: every parameter's name and value, decoded and then strictly percent-encoded again (everything but
//! RFC 3986's unreserved characters), as `name=value`, sorted by encoded name, joined by `&`. Because both sides encode
//! again, it does not matter how the caller's library encodes a space or a brace. Published test vectors:
//! `shared/domain/vectors/signature.json`.

use core::fmt;

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use sha2::Sha256;

use crate::prelude::*;

/// Everything but RFC 3986's unreserved characters.
pub(crate) const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The beginning of every secret that webhooks are signed with; the key follows, in base64.
pub const WEBHOOK_PREFIX: &str = "whsec_";

/// A shared secret: the key is its UTF-8. Never printed.
#[derive(Clone)]
pub struct Secret {
    text: String,
    /// Of no message yet: what HMAC makes of the key is half the work of a short message's, and is done once.
    keyed: Hmac<Sha256>,
}

impl Secret {
    /// The secret with this text.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        // HMAC takes a key of any length; the empty fallback is never reached and would verify nothing of ours.
        let keyed = Hmac::new_from_slice(text.as_bytes()).unwrap_or_else(|_| Hmac::new(&[0; 64].into()));
        Self { text, keyed }
    }

    /// Makes a secret that webhooks are signed with, in Standard Webhooks' form: `whsec_` and base64.
    pub fn for_webhooks(random: [u8; 32]) -> Self {
        Self::new(format!("{WEBHOOK_PREFIX}{}", BASE64.encode(&random)))
    }

    /// The text itself, for whoever must store or show it once.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    pub(crate) fn mac(&self, message: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.keyed.clone();
        mac.update(message);
        mac
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The canonical text of these decoded parameters.
pub fn canonical<'a>(parameters: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> String {
    let mut pairs: Vec<(String, String)> = parameters
        .into_iter()
        .map(|(name, value)| (percent_encode(name, STRICT).to_string(), percent_encode(value, STRICT).to_string()))
        .collect();
    pairs.sort();
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(&name);
        text.push('=');
        text.push_str(&value);
    }
    text
}

/// The signature of a canonical text: 64 lower-case hexadecimal digits.
pub fn sign(secret: &Secret, canonical: &str) -> String {
    data_encoding::HEXLOWER.encode(&secret.mac(canonical.as_bytes()).finalize().into_bytes())
}

/// Whether `signature` (hex of either case) was made with one of `secrets`, in constant time for each of them.
///
/// All secrets are tried, whatever the first says, and with none at all one is made up: who asks for an unknown partner
/// costs the same work as who asks for a known one.
pub fn verify(secrets: &[Secret], canonical: &str, signature: &[u8]) -> bool {
    let given = data_encoding::HEXLOWER_PERMISSIVE.decode(signature).unwrap_or_default();
    let stand_in = [Secret::new("no secret has this text, and no signature is made with it")];
    let known = !secrets.is_empty();
    let tried = if known { secrets } else { &stand_in };
    let mut valid = false;
    for secret in tried {
        valid |= secret.mac(canonical.as_bytes()).verify_slice(&given).is_ok();
    }
    valid && known
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_order_of_parameters_never_changes_the_text(mut pairs in prop::collection::btree_map("[a-z ]{1,6}", ".{0,8}", 0..6).prop_map(|map| map.into_iter().collect::<Vec<_>>())) {
            let text = |pairs: &[(String, String)]| canonical(pairs.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())));
            let forward = text(&pairs);
            pairs.reverse();
            prop_assert_eq!(forward, text(&pairs));
        }

        #[test]
        fn only_the_right_secret_over_the_right_text_verifies(text in ".{0,20}", other in ".{0,20}") {
            let (old, new) = (Secret::new("old"), Secret::new("new"));
            let made = sign(&old, &text);
            prop_assert!(verify(&[new.clone(), old.clone()], &text, made.as_bytes()));
            prop_assert!(verify(core::slice::from_ref(&old), &text, made.to_uppercase().as_bytes()));
            prop_assert!(!verify(&[new], &text, made.as_bytes()));
            prop_assert!(!verify(&[], &text, made.as_bytes()));
            prop_assert_eq!(verify(&[old], &other, made.as_bytes()), text == other);
        }
    }

    #[test]
    fn no_secret_is_ever_printed() {
        assert_eq!(std::format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    }
}
