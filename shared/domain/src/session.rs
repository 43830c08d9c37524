//! Decides about sessions in the console: who has one, what it allows, how long it lasts, and how its secrets are made.
//!
//! A browser holds a random [`Token`]. Only a hash of the token is stored, so that a copy of the table opens no session.

use core::fmt;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::audit::Author;
use crate::prelude::*;
use crate::values::digest::digest_parts;
use crate::values::ids::Provider;

/// Sets how long a session lasts after its sign-in.
pub const SESSION_LASTS: SignedDuration = SignedDuration::from_hours(8);
/// Sets how long a session lasts whose person came in by the partner's postback URL. A token that leaked and was rotated
/// shows nothing for longer.
pub const URL_SESSION_LASTS: SignedDuration = SignedDuration::from_hours(1);
/// Sets how long a partner's link to the portal can be used.
pub const LINK_LASTS: SignedDuration = SignedDuration::from_mins(15);
/// Sets how long a sign-in may take, from the first redirect to the return from the issuer.
pub const SIGN_IN_LASTS: SignedDuration = SignedDuration::from_mins(10);

/// Says what an operator may do in the console. Each role may do everything that the roles before it may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees everything and changes nothing.
    Viewer,
    /// Decides about conflicts, refusals and webhooks.
    Operator,
    /// Rotates partners' tokens, and publishes their files.
    Admin,
}

impl Role {
    /// Returns the highest role among the groups of a person, or `None` if no group is a role. Other groups mean
    /// nothing.
    pub fn of_groups<'a>(groups: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let role = |group: &str| match group {
            "viewer" => Some(Self::Viewer),
            "operator" => Some(Self::Operator),
            "admin" => Some(Self::Admin),
            _ => None,
        };
        groups.into_iter().filter_map(role).max()
    }

    /// Returns the name of the role and of its group.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// Says who uses a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Visitor {
    /// An operator of GG3.
    Operator {
        /// Holds the subject that the issuer gives the person. Audit records name it.
        author: Author,
        /// Holds the name that the pages show: the person's address if the issuer tells it, and otherwise the subject.
        name: String,
        /// Says what the operator may do.
        role: Role,
    },
    /// A person of a partner, who sees this partner's records and nothing else.
    Partner {
        /// Names the partner.
        provider: Provider,
        /// Is true if the person came in by the partner's postback URL, and so changes nothing.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        reads_only: bool,
    },
}

/// Holds a session, or a link that opens one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Says who uses it.
    #[serde(flatten)]
    pub visitor: Visitor,
    /// Says when it ends, in Unix seconds.
    pub expires_at: i64,
}

impl Session {
    /// Begins a session at this instant.
    pub fn begin(visitor: Visitor, now: Timestamp) -> Self {
        let lasts = match &visitor {
            Visitor::Partner { reads_only: true, .. } => URL_SESSION_LASTS,
            Visitor::Partner { .. } | Visitor::Operator { .. } => SESSION_LASTS,
        };
        Self { visitor, expires_at: ends(now, lasts) }
    }

    /// Makes what a link to this partner's portal stores.
    pub fn link(provider: Provider, now: Timestamp) -> Self {
        let visitor = Visitor::Partner { provider, reads_only: false };
        Self { visitor, expires_at: ends(now, LINK_LASTS) }
    }

    /// Returns true if it has ended. DynamoDB deletes expired items only within days, so they must be left out.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at <= now.as_second()
    }
}

fn ends(now: Timestamp, lasts: SignedDuration) -> i64 {
    now.as_second().saturating_add(lasts.as_secs())
}

/// Says what a token opens. A token for one purpose never opens the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The token is a browser's cookie.
    Session,
    /// The token is in a link to the portal.
    Link,
}

/// Holds the key under which a session or a link is stored: the purpose, `#`, and a SHA-256 of the token in hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionKey(String);

impl SessionKey {
    /// Returns the key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Holds 32 random bytes that only their owner knows. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl Token {
    /// Makes a token of these random bytes.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Parses a token as [`reveal`](Self::reveal) writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// Returns the token as 43 characters that need no encoding in URLs and cookies.
    pub fn reveal(&self) -> String {
        BASE64URL_NOPAD.encode(&self.0)
    }

    /// Returns the key under which the token is stored for this purpose.
    pub fn key(&self, purpose: Purpose) -> SessionKey {
        let name = match purpose {
            Purpose::Session => "session",
            Purpose::Link => "link",
        };
        SessionKey(format!("{name}#{}", HEXLOWER.encode(&self.digest(name))))
    }

    /// Returns another secret of the token's owner, as 43 characters. The token cannot be computed from it, nor can any
    /// secret of another label.
    pub fn derive(&self, label: &str) -> String {
        BASE64URL_NOPAD.encode(&self.digest(label))
    }

    /// Returns true if this text is the secret that [`derive`](Self::derive) makes. Takes the same time for every text of
    /// that length.
    pub fn has_derived(&self, label: &str, text: &str) -> bool {
        self.derive(label).as_bytes().ct_eq(text.as_bytes()).into()
    }

    fn digest(&self, label: &str) -> [u8; 32] {
        digest_parts("console", &[label, &self.reveal()])
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(byte: u8) -> Token {
        Token::from_random([byte; 32])
    }

    #[test]
    fn the_highest_group_is_the_role() {
        assert_eq!(Role::of_groups(["viewer", "admin", "operator"]), Some(Role::Admin));
        assert_eq!(Role::of_groups(["viewer", "cooks"]), Some(Role::Viewer));
        for none in [&[][..], &["Admin"], &["admins"], &["admin "], &["[admin viewer]"]] {
            assert_eq!(Role::of_groups(none.iter().copied()), None, "{none:?}");
        }
    }

    #[test]
    fn a_token_survives_its_text_and_is_never_printed() {
        assert_eq!(Token::parse(&token(7).reveal()), Some(token(7)));
        for bad in ["", "a", &token(7).reveal()[1..], &format!("{}A", token(7).reveal()), &"+".repeat(43)] {
            assert_eq!(Token::parse(bad), None, "{bad}");
        }
        assert_eq!(format!("{:?}", token(7)), "Token(…)");
    }

    #[test]
    fn what_is_derived_of_a_token_differs_by_label_and_token() {
        let secrets = [token(1).reveal(), token(1).derive("a"), token(1).derive("b"), token(2).derive("a")];
        for (at, one) in secrets.iter().enumerate() {
            assert!(secrets.iter().skip(at + 1).all(|other| one != other));
        }
        assert!(token(1).has_derived("a", &token(1).derive("a")));
        assert!(!token(1).has_derived("a", &token(1).derive("b")) && !token(1).has_derived("a", ""));
    }

    #[test]
    fn a_session_of_an_earlier_version_is_that_of_a_link() {
        let stored = r#"{"kind":"partner","provider":"acme","expires_at":7}"#;
        let session: Session = serde_json::from_str(stored).unwrap();
        assert!(matches!(session.visitor, Visitor::Partner { reads_only: false, .. }));
        assert_eq!(serde_json::to_string(&session).unwrap(), stored);
    }

    #[test]
    fn a_link_is_stored_under_another_key_than_a_session() {
        let [session, link] = [Purpose::Session, Purpose::Link].map(|purpose| token(1).key(purpose));
        let hash = |key: &SessionKey| key.as_str().split_once('#').map(|(_, hash)| hash.to_owned());
        assert_ne!(hash(&session), hash(&link));
        assert!(session.as_str().starts_with("session#") && link.as_str().starts_with("link#"));
        assert!(!session.as_str().contains(&token(1).reveal()));
    }

    #[test]
    fn sessions_and_links_last_as_long_as_they_should() {
        let acme = || Provider::new("acme").unwrap();
        let begun =
            |reads_only| Session::begin(Visitor::Partner { provider: acme(), reads_only }, Timestamp::UNIX_EPOCH);
        let link = Session::link(acme(), Timestamp::UNIX_EPOCH);
        for (session, seconds) in [(begun(false), 8 * 3600), (begun(true), 3600), (link, 900)] {
            let at = |second| Timestamp::from_second(second).unwrap();
            assert!(!session.has_expired(at(seconds - 1)) && session.has_expired(at(seconds)));
        }
    }
}
