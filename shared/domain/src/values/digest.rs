//! Hashes lists of texts and writes bytes as base 32. Both are used for identifiers.

use sha2::{Digest, Sha256};

use crate::prelude::*;
use crate::values::ids::Provider;

/// Returns the SHA-256 in hex of length-prefixed parts, so that different lists of parts hash different texts.
pub(crate) fn hash_parts(kind: &str, parts: &[&str]) -> String {
    data_encoding::HEXLOWER.encode(&digest_parts(kind, parts))
}

/// Returns the SHA-256 of length-prefixed parts, so that different lists of parts hash different texts.
pub(crate) fn digest_parts(kind: &str, parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in core::iter::once(&kind).chain(parts) {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

/// Returns the key of an item of a partner: the provider, `#`, and the [`hash_parts`] of these parts.
pub(crate) fn provider_key(provider: &Provider, kind: &str, parts: &[&str]) -> String {
    format!("{provider}#{}", hash_parts(kind, parts))
}

/// Returns the provider of a text that has the form of a [`provider_key`], or `None` for any other text.
pub(crate) fn provider_of_key(text: &str) -> Option<Provider> {
    let (provider, hash) = text.split_once('#')?;
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_hash = hash.len() == 64 && hash.bytes().all(is_digit);
    Provider::new(provider).ok().filter(|_| is_hash)
}

/// Encodes bytes as lower-case RFC 4648 base 32 without padding. A tracker that turns text to lower case does not
/// change the result.
pub(crate) fn base32(bytes: &[u8]) -> String {
    data_encoding::BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}
