//! Compares names and words by their letters, whatever their case and whatever stands between the letters.

use core::iter;

/// Returns the letters and digits in lower case.
pub(crate) fn letters(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase())
}

/// Returns true if two texts have the same letters and digits.
pub(crate) fn same_letters(one: &str, other: &str) -> bool {
    letters(one).eq(letters(other))
}

/// Returns the words of a name, which signs or capitals separate: `isTest_mode` has `is`, `Test` and `mode`.
pub(crate) fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|sign: char| !sign.is_alphanumeric()).flat_map(humps).filter(|word| !word.is_empty())
}

/// Cuts a text before each capital that follows a small letter.
fn humps(mut rest: &str) -> impl Iterator<Item = &str> {
    iter::from_fn(move || {
        let is_end = |pair: &[u8]| matches!(pair, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase());
        let end = rest.as_bytes().windows(2).position(is_end).map_or(rest.len(), |at| at + 1);
        let (hump, after) = rest.split_at(end);
        rest = after;
        (end > 0).then_some(hump)
    })
}
