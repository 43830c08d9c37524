//! Signs the parameters of postbacks and of tracking links with HMAC-SHA256, in hex, over a canonical text.
//!
//! The canonical text is made in four steps. Each name and value is decoded and percent-encoded again, except for RFC
//! 3986's unreserved characters. Each parameter is written as `name=value`. The parameters are sorted by encoded name,
//! and joined by `&`. Both sides encode again, so it does not matter how the caller's library encodes a space or a
//! brace. Partners find test vectors in `shared/domain/vectors/signature.json`.

use core::fmt;

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use sha2::Sha256;

use crate::prelude::*;

/// Encodes everything but RFC 3986's unreserved characters.
pub(crate) const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Begins every secret that signs webhooks. The key follows in base64.
pub const WEBHOOK_PREFIX: &str = "whsec_";

/// Holds a shared secret. The bytes of its text are the key. It is never printed.
#[derive(Clone)]
pub struct Secret {
    text: String,
    /// Holds the HMAC state after the key. Keeping this state saves half the work of signing a short message.
    keyed: Hmac<Sha256>,
}

impl Secret {
    /// Makes a secret of this text.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        // HMAC takes a key of any length, so the fallback is never used. It would reject all of our signatures.
        let keyed = Hmac::new_from_slice(text.as_bytes()).unwrap_or_else(|_| Hmac::new(&[0; 64].into()));
        Self { text, keyed }
    }

    /// Makes a secret that signs webhooks, in the form of Standard Webhooks: `whsec_` and base64.
    pub fn for_webhooks(random: [u8; 32]) -> Self {
        Self::new(format!("{WEBHOOK_PREFIX}{}", BASE64.encode(&random)))
    }

    /// Returns the text, for storing it or showing it once.
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

/// Returns the canonical text of these decoded parameters.
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

/// Signs a canonical text and returns 64 lower-case hexadecimal digits.
pub fn sign(secret: &Secret, canonical: &str) -> String {
    data_encoding::HEXLOWER.encode(&secret.mac(canonical.as_bytes()).finalize().into_bytes())
}

/// Returns true if `signature`, in upper-case or lower-case hex, was made with one of `secrets`. Each comparison takes
/// constant time.
///
/// All secrets are tried. If there are none, a fixed stand-in is tried, so an unknown partner costs the same work as a
/// known partner.
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
    fn a_secret_is_never_printed() {
        assert_eq!(std::format!("{:?}", Secret::new("hunter2")), "Secret(…)");
    }
}
