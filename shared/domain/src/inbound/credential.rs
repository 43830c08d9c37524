//! Checks that a call comes from the partner that it names, by a token in the URL or by a signature.

use core::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::inbound::parameters::Parameters;
use crate::prelude::*;
use crate::values::digest::base32;
use crate::values::ids::{Provider, is_invisible};
use crate::values::placeholder::{self, Place};
use crate::values::signature::{self, Secret};

/// Names the kinds of credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// The partner's postback URL ends in a token.
    #[default]
    Token,
    /// The partner signs each call in the parameter `signature`.
    Signature,
}

/// Holds a token as the partner's URL has it: 32 lower-case letters and digits, which encode 160 random bits.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Makes a token of these random bytes.
    pub fn from_random(bytes: [u8; 20]) -> Self {
        Self(base32(&bytes))
    }

    /// Returns the token in plain text, to be shown once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns the hash to store.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Holds the SHA-256 of a token. We store no more than this hash. A token has 160 random bits, so the hash needs no
/// salt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Hashes a token's text.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }
}

impl TryFrom<String> for TokenHash {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| "not lower-case hexadecimal")?;
        bytes.try_into().map(Self).map_err(|_| "not 32 bytes")
    }
}

impl From<TokenHash> for String {
    fn from(hash: TokenHash) -> String {
        data_encoding::HEXLOWER.encode(&hash.0)
    }
}

/// Holds the live credentials of a partner, against which its calls are checked. During a rotation there are two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Holds the hashes of the live tokens.
    Tokens(Vec<TokenHash>),
    /// Holds the live signing secrets.
    Secrets(Vec<Secret>),
}

impl Credentials {
    /// Returns true if the request carries a credential of this partner. `this` is `None` for an unknown partner, which
    /// is refused after the same hashing. Timing can still reveal which names exist, because an unknown name is looked
    /// up in the store while a known partner is often in memory. Names are not secret.
    pub fn admit(this: Option<&Self>, provider: &Provider, token: Option<&str>, parameters: &Parameters<'_>) -> bool {
        if let Some(token) = token {
            let hashes: &[TokenHash] = match this {
                Some(Self::Tokens(hashes)) => hashes,
                _ => &[],
            };
            matches_any(hashes, &TokenHash::of(token))
        } else {
            let secrets: &[Secret] = match this {
                Some(Self::Secrets(secrets)) => secrets,
                _ => &[],
            };
            // A partner that sends its name against the agreement signs it once, as everything that it sends.
            let sent = parameters.raw(PROVIDER) == Some(provider.as_str().as_bytes());
            let besides = [(PROVIDER, provider.as_str())];
            let canonical = parameters.canonical(if sent { &[] } else { &besides });
            let given = parameters.raw(crate::inbound::parameters::SIGNATURE).unwrap_or_default();
            signature::verify(secrets, &canonical, given)
        }
    }
}

/// Names the signed parameter that the path carries, so that it is not sent.
pub const PROVIDER: &str = "provider";

/// Returns what looks wrong with the path of a refused call, going by the path alone, so that it reveals nothing about
/// who exists.
pub fn path_hint(provider: &str, token: Option<&str>) -> Option<&'static str> {
    // Names and tokens consist of letters, digits and hyphens.
    let is_foreign = |sign: char| is_invisible(sign) || (sign.is_ascii_punctuation() && sign != '-');
    let is_around = |text: &str| text.starts_with(is_foreign) || text.ends_with(is_foreign);
    let is_placeholder = |text: &str| placeholder::find(text.as_bytes(), Place::Id).is_some();
    if is_placeholder(provider) || token.is_some_and(is_placeholder) {
        Some("The path has a placeholder where the partner's name or the token belongs.")
    } else if is_around(provider) || token.is_some_and(is_around) {
        Some(
            "The path has a blank, a quote or another sign before or after the partner's name or the token; remove it.",
        )
    } else if provider.contains(|sign: char| sign.is_uppercase()) {
        Some("The partner's name in the path has upper-case letters; names have none.")
    } else if token.is_some_and(|token| token.contains(|sign: char| sign.is_uppercase())) {
        Some("The token in the path has upper-case letters; tokens have none.")
    } else {
        None
    }
}

/// Compares a hash with each known hash in constant time. If no hash is known, compares with a stand-in and returns
/// false.
fn matches_any(hashes: &[TokenHash], given: &TokenHash) -> bool {
    let stand_in = [TokenHash([0; 32])];
    let tried = if hashes.is_empty() { &stand_in } else { hashes };
    let mut equal = subtle::Choice::from(0);
    for hash in tried {
        equal |= hash.0.ct_eq(&given.0);
    }
    bool::from(equal) && !hashes.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme() -> Provider {
        Provider::new("acme").unwrap()
    }

    #[test]
    fn each_of_two_live_tokens_is_accepted_and_no_other() {
        let (old, new) = (Token::from_random([1; 20]), Token::from_random([2; 20]));
        let credentials = Credentials::Tokens([old.hash(), new.hash()].into());
        let admit = |token: &str| Credentials::admit(Some(&credentials), &acme(), Some(token), &Parameters::default());
        assert!(admit(old.reveal()) && admit(new.reveal()));
        assert!(!admit("") && !admit(Token::from_random([3; 20]).reveal()));
        assert!(!Credentials::admit(None, &acme(), Some(old.reveal()), &Parameters::default()));
    }

    #[test]
    fn a_path_that_was_copied_badly_is_told_so() {
        for (provider, token, told) in [
            ("acme", Some("abc2"), None),
            ("nobody", None, None),
            ("acme", Some(" abc2"), Some("blank")),
            ("acme", Some("abc2\u{200b}"), Some("blank")),
            ("acme ", None, Some("blank")),
            ("acme", Some("TOK."), Some("another sign")),
            ("acme", Some("\"TOK\""), Some("a quote")),
            ("\"acme\"", None, Some("a quote")),
            ("acme-", Some("abc2-"), None),
            ("ACME", Some("abc2"), Some("name in the path has upper-case")),
            ("acme", Some("ABC2"), Some("token in the path has upper-case")),
            ("acme", Some("{token}"), Some("placeholder")),
            ("{provider}", None, Some("placeholder")),
        ] {
            let hint = path_hint(provider, token);
            assert!(
                hint.map_or(told.is_none(), |hint| told.is_some_and(|told| hint.contains(told))),
                "{provider} {token:?}: {hint:?}"
            );
        }
    }

    #[test]
    fn a_credential_of_the_other_kind_is_refused() {
        let token = Token::from_random([1; 20]);
        let secret = Secret::new(token.reveal());
        let signs = Credentials::Secrets([secret.clone()].into());
        assert!(!Credentials::admit(Some(&signs), &acme(), Some(token.reveal()), &Parameters::default()));

        let signature = signature::sign(&secret, "a=1&provider=acme");
        let query = format!("a=1&signature={signature}");
        let signed = Parameters::split(query.as_bytes(), b"");
        assert!(Credentials::admit(Some(&signs), &acme(), None, &signed));
        let tokens = Credentials::Tokens([token.hash()].into());
        assert!(!Credentials::admit(Some(&tokens), &acme(), None, &signed));
        assert!(!Credentials::admit(Some(&signs), &Provider::new("globex").unwrap(), None, &signed));
    }
}
