//! What is kept of a call that an authenticated partner made and we did not take: a refusal with its reasons, or a
//! conflict. Both are keyed by content, so that repeating one costs no new item.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    conversion::Receipt,
    fault::Fault,
    ids::{Provider, TransactionId},
    postback::{Content, Difference},
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
    /// Why it was refused.
    pub faults: Vec<Fault>,
    /// When.
    pub received_at: Timestamp,
}

impl Refusal {
    /// The key of this content: the same request refused again has the same.
    pub fn key(&self) -> ContentKey {
        ContentKey::of(&self.provider, "refusal", &[&self.request])
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
