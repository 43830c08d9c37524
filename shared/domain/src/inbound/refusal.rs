//! Holds the kept form of a call that came from an authenticated partner and was not accepted: a refusal with its
//! reasons, or a conflict. The key of either is a hash of the content, so a repeated call makes no new item.

use core::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::inbound::conversion::Receipt;
use crate::inbound::fault::{self, Fault};
use crate::inbound::parameters::{self, MAX_VALUE_BYTES, Parameters};
use crate::inbound::postback::{Content, Difference, Extra};
use crate::inbound::rules::PostbackRules;
use crate::inbound::status::State;
use crate::prelude::*;
use crate::values::digest::{provider_key, provider_of_key};
use crate::values::ids::{ClickId, Provider, TransactionId, UserId};
use crate::values::parameter_names::Field;
use crate::values::placeholder::{self, Place};

/// Bounds the kept text of a refused request, in bytes. Ordinary postbacks have a few hundred bytes.
pub const MAX_KEPT_REQUEST_BYTES: usize = 4 * 1024;

/// Bounds the stored item of a refusal or a conflict, in bytes. Even an item with [`MAX_KEPT_REQUEST_BYTES`] of text
/// and [`MAX_FAULTS`](fault::MAX_FAULTS) faults is smaller.
pub const MAX_ITEM_BYTES: usize = 16 * 1024;

/// Identifies a refused call by its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentKey(String);

impl ContentKey {
    /// Returns the key as text: `provider#` and 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Parses a key in the form in which lists of refusals and conflicts show it.
    pub fn parse(text: &str) -> Option<(Provider, Self)> {
        Some((provider_of_key(text)?, Self(text.to_owned())))
    }

    /// Makes the key of a refused request from its whole text.
    pub fn of_refusal(provider: &Provider, request: &str) -> Self {
        Self::of(provider, "refusal", &[request])
    }

    fn of(provider: &Provider, kind: &str, parts: &[&str]) -> Self {
        Self(provider_key(provider, kind, parts))
    }
}

/// Holds the parameters of a refused request, form-encoded and without the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRequest {
    /// Holds the parameters, or only the beginning if they are too long. Bytes that were not UTF-8 are replaced by
    /// U+FFFD.
    pub text: String,
    /// Counts the bytes that were sent if `text` was cut. `None` means that `text` was not cut.
    pub sent_bytes: Option<u64>,
}

impl KeptRequest {
    fn of(sent: &Parameters<'_>, mut text: String) -> Self {
        if text.len() <= MAX_KEPT_REQUEST_BYTES {
            return Self { text, sent_bytes: None };
        }
        text.truncate(text.floor_char_boundary(MAX_KEPT_REQUEST_BYTES));
        Self { text, sent_bytes: u64::try_from(sent.kept_bytes()).ok() }
    }

    /// Returns true if `text` is exactly the request that was sent. A text that was cut or has replacement characters
    /// must not be treated as the partner's request.
    pub fn is_whole(&self) -> bool {
        self.sent_bytes.is_none() && !self.text.contains(char::REPLACEMENT_CHARACTER)
    }
}

/// Holds a call that was refused with 400 or 403.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Names the partner that called.
    pub provider: Provider,
    /// Identifies the whole request.
    pub key: ContentKey,
    /// Holds the kept text of the request.
    pub request: KeptRequest,
    /// Holds the caller's address.
    pub source: IpAddr,
    /// Identifies the user, if the parameter can be read.
    pub user_id: Option<UserId>,
    /// Identifies the click, if the parameter can be read.
    pub click_id: Option<ClickId>,
    /// Lists the reasons.
    pub faults: Vec<Fault>,
    /// Says when the call came.
    pub received_at: Timestamp,
}

impl Refusal {
    /// Makes the refusal of a partner's call with these faults.
    pub fn of(
        (provider, rules): (&Provider, &PostbackRules),
        sent: &Parameters,
        source: IpAddr,
        faults: Vec<Fault>,
        received_at: Timestamp,
    ) -> Self {
        let named = |field: Field| {
            let raw = sent.raw(rules.names.of(field)).filter(|raw| raw.len() <= MAX_VALUE_BYTES)?;
            if placeholder::find(raw, Place::Id).is_none() { parameters::decode(raw).ok() } else { None }
        };
        let text = sent.to_kept_text();
        Self {
            provider: provider.clone(),
            key: ContentKey::of_refusal(provider, &text),
            request: KeptRequest::of(sent, text),
            source,
            user_id: named(Field::UserId).and_then(|text| UserId::new(text).ok()),
            click_id: named(Field::ClickId).and_then(|text| ClickId::new(text).ok()),
            faults: fault::bounded(faults),
            received_at,
        }
    }
}

/// Holds a postback that contradicts the recorded content or state of its transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// Names the partner that called.
    pub provider: Provider,
    /// Identifies the transaction.
    pub transaction_id: TransactionId,
    /// Holds the content that the partner sent.
    pub content: Content,
    /// Holds the state that the partner sent, if it agreed on statuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Identifies the transaction that a negative amount reverses, if the partner named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<TransactionId>,
    /// Holds the kept parameters that the partner sent. They do not count as content, so the key does not depend on
    /// them.
    #[serde(default, skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
    /// Lists the differences from the revision that was current when the call came.
    pub differences: Vec<Difference>,
    /// Says when the call came.
    pub received_at: Timestamp,
}

impl Conflict {
    /// Returns the key of this conflict. A repeated conflicting postback has the same key.
    pub fn key(&self) -> ContentKey {
        let fingerprint = self.content.fingerprint();
        let content = [self.transaction_id.as_str(), fingerprint.as_str()];
        let reference = self.reference.as_ref().map(|reference| format!("reference:{reference}"));
        // Without a state and a reference, the key stays the same as before partners could agree on these.
        let agreed = self.state.map(State::as_str).into_iter().chain(reference.as_deref());
        let parts: Vec<&str> = content.into_iter().chain(agreed).collect();
        ContentKey::of(&self.provider, "conflict", &parts)
    }
}

/// Says if a refusal was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptRefusal {
    /// The refusal is kept.
    Kept,
    /// The refusal is not kept, because its partner already has as many as a day may have.
    BoundReached,
}

/// Says if a conflict was kept, and if an operator has accepted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptConflict {
    /// The conflict is not kept, because its partner already has as many as a day may have.
    BoundReached,
    /// No operator has accepted the conflict yet.
    Unresolved,
    /// An operator accepted the conflict as a correction. A repeated call is a duplicate with this receipt.
    AcceptedAs(Receipt),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(query: &[u8], body: &[u8]) -> Refusal {
        let sent = Parameters::split(query, body);
        let (provider, rules) = (Provider::new("acme").unwrap(), PostbackRules::default());
        Refusal::of((&provider, &rules), &sent, [192, 0, 2, 1].into(), Vec::new(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_request_within_the_limit_is_kept_whole() {
        let query = format!("a={}", "x".repeat(MAX_KEPT_REQUEST_BYTES - 2));
        let refusal = kept(query.as_bytes(), b"");
        assert_eq!(refusal.request, KeptRequest { text: query.clone(), sent_bytes: None });
        assert!(refusal.request.is_whole());
        assert_eq!(refusal.key, ContentKey::of_refusal(&refusal.provider, &query));
    }

    #[test]
    fn a_longer_request_is_cut_and_says_how_long_it_was() {
        let query = format!("a={}&signature=00", "é".repeat(MAX_KEPT_REQUEST_BYTES / 2));
        let refusal = kept(query.as_bytes(), b"");
        let sent_bytes = MAX_KEPT_REQUEST_BYTES + 2;
        assert_eq!(refusal.request.sent_bytes, u64::try_from(sent_bytes).ok());
        assert_eq!(refusal.request.text, query.get(..MAX_KEPT_REQUEST_BYTES).unwrap());
        assert!(!refusal.request.is_whole());
        let invalid = kept(&[&b"a="[..], &[0xff; 8190]].concat(), &[0xff; 16_384]);
        assert!(invalid.request.text.len() <= MAX_KEPT_REQUEST_BYTES);
        assert_eq!(invalid.request.sent_bytes, Some(8192 + 1 + 16_385));
    }

    #[test]
    fn requests_that_differ_after_the_cut_have_two_keys() {
        let query = |end: &str| format!("a={}{end}", "x".repeat(MAX_KEPT_REQUEST_BYTES));
        let (one, other) = (kept(query("1").as_bytes(), b""), kept(query("2").as_bytes(), b""));
        assert_eq!(one.request, other.request);
        assert_ne!(one.key, other.key);
    }
}
