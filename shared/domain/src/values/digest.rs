//! Hashes lists of texts and writes bytes as base 32. Both are used for identifiers.

use sha2::{Digest, Sha256};

use crate::prelude::*;

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

/// Encodes bytes as lower-case RFC 4648 base 32 without padding. A tracker that turns text to lower case does not
/// change the result.
pub(crate) fn base32(bytes: &[u8]) -> String {
    data_encoding::BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}
