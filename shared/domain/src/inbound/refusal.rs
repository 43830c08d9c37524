//! Holds what is kept of an authenticated partner's call that we did not accept: a refusal with its reasons, or a
//! conflict. Both are keyed by their content, so repeating a call costs no new item.

use core::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::inbound::conversion::Receipt;
use crate::inbound::fault::Fault;
use crate::inbound::parameters::{self, Parameters};
use crate::inbound::postback::{Content, Difference, Extra};
use crate::inbound::rules::PostbackRules;
use crate::inbound::status::State;
use crate::prelude::*;
use crate::values::digest::hash_parts;
use crate::values::ids::{ClickId, Provider, TransactionId, UserId};
use crate::values::parameter_names::Field;
use crate::values::placeholder;

/// Sets how long a refusal is kept after it was last seen, in seconds: 30 days.
pub const REFUSAL_KEPT_SECONDS: i64 = 30 * 24 * 60 * 60;

/// Identifies a refused call by its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentKey(String);

impl ContentKey {
    /// Returns the key as text: `provider#` and 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Parses a key as lists of refusals and conflicts show it.
    pub fn parse(text: &str) -> Option<(Provider, Self)> {
        let (provider, hash) = text.split_once('#')?;
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if hash.len() != 64 || !hash.bytes().all(digit) {
            return None;
        }
        let provider = Provider::new(provider).ok()?;
        let key = Self(format!("{provider}#{hash}"));
        Some((provider, key))
    }

    /// Makes the key of a refused request.
    pub fn of_refusal(provider: &Provider, request: &str) -> Self {
        Self::of(provider, "refusal", &[request])
    }

    fn of(provider: &Provider, kind: &str, parts: &[&str]) -> Self {
        Self(format!("{provider}#{}", hash_parts(kind, parts)))
    }
}

/// Holds a call that was refused with 400 or 403.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Names the partner that called.
    pub provider: Provider,
    /// Holds the parameters sent, form-encoded, without a signature.
    pub request: String,
    /// Holds the caller's address.
    pub source: IpAddr,
    /// Identifies the user, if that can be read.
    pub user_id: Option<UserId>,
    /// Identifies the click, if that can be read.
    pub click_id: Option<ClickId>,
    /// Lists the reasons.
    pub faults: Vec<Fault>,
    /// Says when the call came.
    pub received_at: Timestamp,
}

impl Refusal {
    /// Makes the refusal of this partner's call for these faults.
    pub fn of(
        (provider, rules): (&Provider, &PostbackRules),
        sent: &Parameters,
        source: IpAddr,
        faults: Vec<Fault>,
        received_at: Timestamp,
    ) -> Self {
        let named = |field: Field| {
            let raw = sent.raw(rules.names.of(field)).filter(|raw| placeholder::find(raw).is_none())?;
            parameters::decode(raw).ok()
        };
        Self {
            provider: provider.clone(),
            request: sent.to_kept_text(),
            source,
            user_id: named(Field::UserId).and_then(|text| UserId::new(text).ok()),
            click_id: named(Field::ClickId).and_then(|text| ClickId::new(text).ok()),
            faults,
            received_at,
        }
    }

    /// Returns true if a kept request is exactly what was sent. Bytes that were not UTF-8 are kept as replacement
    /// characters, and such a request must not be taken for the partner's words.
    pub fn is_kept_whole(request: &str) -> bool {
        !request.contains(char::REPLACEMENT_CHARACTER)
    }

    /// Returns the key of this content. The same request, refused again, has the same key.
    pub fn key(&self) -> ContentKey {
        ContentKey::of_refusal(&self.provider, &self.request)
    }
}

/// Holds a postback whose transaction is recorded with other content.
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
    /// Holds the kept parameters that the partner sent. They are no content, so the key leaves them out.
    #[serde(default, skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
    /// Lists where it differs from what stood.
    pub differences: Vec<Difference>,
    /// Says when the call came.
    pub received_at: Timestamp,
}

impl Conflict {
    /// Returns the key of this content. The same conflicting postback, sent again, has the same key.
    pub fn key(&self) -> ContentKey {
        let fingerprint = self.content.fingerprint();
        let content = [self.transaction_id.as_str(), fingerprint.as_str()];
        // Without a state the key is the one of partners that agreed on none.
        let parts: Vec<&str> = content.into_iter().chain(self.state.map(State::as_str)).collect();
        ContentKey::of(&self.provider, "conflict", &parts)
    }
}

/// Says what became of a kept conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptConflict {
    /// No operator has accepted it, so it is still a conflict.
    Unresolved,
    /// An operator accepted it as a correction. Sending it again is a duplicate with this receipt.
    AcceptedAs(Receipt),
}
