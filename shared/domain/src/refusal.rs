//! What is kept of a call that an authenticated partner made and we did not take: a refusal with its reasons, or a
//! conflict. Both are keyed by content, so that repeating one costs no new item.

use core::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    conversion::Receipt,
    fault::Fault,
    ids::{ClickId, Provider, TransactionId, UserId},
    parameters::{self, Parameters},
    partner::PostbackRules,
    placeholder,
    postback::{Content, Difference, Field},
    prelude::*,
};

/// How long a refusal is kept after it was last seen, in seconds: 30 days.
pub const REFUSAL_KEPT_SECONDS: i64 = 30 * 24 * 60 * 60;

/// Identifies what was refused by its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentKey(String);

impl ContentKey {
    /// The key as text: `provider#` and 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key that a text names, as a list of refusals or conflicts shows it.
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

    /// The key of a refused request, as it is kept.
    pub fn of_refusal(provider: &Provider, request: &str) -> Self {
        Self::of(provider, "refusal", &[request])
    }

    fn of(provider: &Provider, kind: &str, parts: &[&str]) -> Self {
        Self(format!("{provider}#{}", hash_parts(kind, parts)))
    }
}

/// SHA-256 in hex over length-prefixed parts, so that no two lists of parts share a text.
pub(crate) fn hash_parts(kind: &str, parts: &[&str]) -> String {
    data_encoding::HEXLOWER.encode(&digest_parts(kind, parts))
}

/// SHA-256 over length-prefixed parts, so that no two lists of parts share a digest.
pub(crate) fn digest_parts(kind: &str, parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in core::iter::once(&kind).chain(parts) {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

/// A call that was refused with 400 or 403.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Who called.
    pub provider: Provider,
    /// What it sent, form-encoded, without a signature.
    pub request: String,
    /// Where it called from.
    pub source: IpAddr,
    /// The user that it names, as far as that can be read.
    pub user_id: Option<UserId>,
    /// The click that it names, as far as that can be read.
    pub click_id: Option<ClickId>,
    /// Why it was refused.
    pub faults: Vec<Fault>,
    /// When.
    pub received_at: Timestamp,
}

impl Refusal {
    /// A call of this partner that is refused for these faults.
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

    /// Whether a kept request is all that was sent: what was not UTF-8 is kept with replacements, and must not be taken
    /// for what the partner said.
    pub fn is_kept_whole(request: &str) -> bool {
        !request.contains(char::REPLACEMENT_CHARACTER)
    }

    /// The key of this content: the same request refused again has the same.
    pub fn key(&self) -> ContentKey {
        ContentKey::of_refusal(&self.provider, &self.request)
    }
}

/// A postback whose transaction is known with another content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// Who called.
    pub provider: Provider,
    /// The transaction in question.
    pub transaction_id: TransactionId,
    /// What it says now.
    pub content: Content,
    /// Where that differs from the original.
    pub differences: Vec<Difference>,
    /// When.
    pub received_at: Timestamp,
}

impl Conflict {
    /// The key of this content: the same conflicting postback sent again has the same.
    pub fn key(&self) -> ContentKey {
        ContentKey::of(&self.provider, "conflict", &[self.transaction_id.as_str(), &self.content.fingerprint()])
    }
}

/// What became of a conflict that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptConflict {
    /// An operator has not accepted it: it is a conflict.
    Standing,
    /// An operator accepted it as a correction: sending it again is a duplicate, and this is its receipt.
    AcceptedAs(Receipt),
}
