//! Knows the words of which parameters and macros are named.

use crate::prelude::*;
use crate::values::spelling::{letters, words};

/// Bounds a name, in bytes.
const MAX_BYTES: usize = 64;
/// Bounds the words of a name.
const MAX_WORDS: usize = 6;

/// Lists the words. `x` stands for any of them in the pages of trackers.
pub(super) const WORDS: [&str; 41] = [
    "click",
    "clk",
    "user",
    "transaction",
    "trans",
    "tx",
    "txn",
    "order",
    "event",
    "conversion",
    "currency",
    "amount",
    "decimal",
    "payout",
    "revenue",
    "sub",
    "aff",
    "affiliate",
    "source",
    "external",
    "ext",
    "ref",
    "id",
    "ids",
    "uid",
    "cid",
    "sid",
    "tid",
    "clid",
    "gclid",
    "guid",
    "uuid",
    "name",
    "value",
    "macro",
    "param",
    "parameter",
    "token",
    "code",
    "number",
    "x",
];

/// Returns true if a text reads like the name of a parameter or a macro: `click_id`, `CLICKID`, `sub1`, `goal-id`.
pub(super) fn is_of_parameter(name: &str) -> bool {
    if name.len() > MAX_BYTES {
        return false;
    }
    let is_number = |word: &str| word.len() < 3 && word.bytes().all(|byte| byte.is_ascii_digit());
    let is_known = |word: &str| {
        let letters = word.trim_end_matches(|sign: char| sign.is_ascii_digit());
        word.len() - letters.len() < 3 && !letters.is_empty() && is_made_of(letters, &[&WORDS])
    };
    let words: Vec<&str> = words(name).collect();
    let is_id = |word: &&str| word.eq_ignore_ascii_case("id");
    let names_one = words.iter().any(|word| is_known(word));
    let all = words.iter().all(|word| is_known(word) || is_number(word));
    // No word begins with a digit, but parts of nanoids do.
    let are_words =
        || words.iter().all(|word| is_number(word) || !word.starts_with(|sign: char| sign.is_ascii_digit()));
    words.len() <= MAX_WORDS && names_one && (all || (words.last().is_some_and(is_id) && are_words()))
}

/// Returns true if the letters of a text can be cut into words of these lists. A text of more than [`MAX_BYTES`] letters
/// cannot.
pub(super) fn is_made_of(text: &str, lists: &[&[&str]]) -> bool {
    let spelt: String = letters(text).take(MAX_BYTES + 1).map(char::from).collect();
    // Says for each place if the letters before it are words.
    let mut reached = [false; MAX_BYTES + 1];
    reached[0] = true;
    for at in 0..spelt.len() {
        let Some(rest) = spelt.get(at..).filter(|_| reached.get(at) == Some(&true)) else { continue };
        for word in lists.iter().copied().flatten().filter(|word| rest.starts_with(**word)) {
            if let Some(reached) = reached.get_mut(at + word.len()) {
                *reached = true;
            }
        }
    }
    !spelt.is_empty() && reached.get(spelt.len()) == Some(&true)
}
