//! Compares names and words by their letters, whatever their case and whatever stands between the letters.

/// Returns the letters and digits in lower case.
pub(crate) fn letters(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase())
}

/// Returns true if two texts have the same letters and digits.
pub(crate) fn same_letters(one: &str, other: &str) -> bool {
    letters(one).eq(letters(other))
}
