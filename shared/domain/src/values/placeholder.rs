//! Recognises what stands in a parameter where a value belongs: a macro that the tracker did not replace, or a word that
//! a program or a template writes if there is no value.
//!
//! These are the most common faults of an integration. A tracker's URL template says `click_id={click_id}`. If the
//! tracker does not know the macro, it sends the braces; if it has no value, it may send `undefined`. Neither must be
//! taken for an id, because the conversion would belong to nobody.
//!
//! Both recognisers go by form, and take time in proportion to the value. Ids that programs generate never have these
//! forms: UUIDs (with braces or brackets too), ULIDs, decimal and hexadecimal numbers, base64 and nanoids.

mod macros;
mod words;

use alloc::borrow::Cow;

use percent_encoding::percent_decode;

use crate::prelude::*;
use crate::values::escapes;
use crate::values::ids::is_invisible;
use crate::values::spelling::{letters, same_letters};

/// Bounds the times that a value is decoded in the search, because each program on its way may encode it.
const ROUNDS: usize = 6;

/// Holds what was found in place of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placeholder {
    /// A macro that was not replaced.
    Macro {
        /// The macro as it would look in a template.
        text: String,
        /// Is true if the macro may be meant in a text for people, such as `(Purchase)`.
        is_ordinary: bool,
    },
    /// A word that says that there is no value.
    Word {
        /// The word as it came, decoded.
        text: String,
        /// Continues the sentence "`undefined` came, which …".
        cause: &'static str,
        /// Is true if the word may be meant in a text for people, such as `sample`.
        is_ordinary: bool,
    },
}

/// Looks in a parameter's raw value for a macro or a word that says that there is no value. Looks first before any
/// decoding and then after decoding up to five times. Escapes of HTML and JSON, full-width signs and invisible signs do
/// not hide a macro.
///
/// A macro in braces is found anywhere in a value. Other macros, such as `[x]`, `(x)`, `<x>`, `%x%`, `#x#`, `__X__` and
/// `$x`, and words are found only as the whole value, because they also occur in ordinary text. Quotes and a point around
/// them do not count.
///
/// Some forms are ambiguous: `[Sale]` may be a macro or an id. Such a value counts as a macro, unless it looks like an id
/// with brackets, such as `[INV-2024-001]` or `{deadbeef}`. A refused call is kept, and can be sent again or accepted by
/// an operator. A conversion of the user `[Sale]` would pay nobody, and nobody would notice.
pub fn find(raw: &[u8]) -> Option<Placeholder> {
    search(raw, |text| {
        let word = || {
            let (cause, is_ordinary) = words::cause(text)?;
            Some(Placeholder::Word { text: text.to_owned(), cause, is_ordinary })
        };
        let variable = || macros::find_variable(text);
        let made = |found: &str| Placeholder::Macro { text: found.to_owned(), is_ordinary: macros::is_ordinary(found) };
        word().or_else(|| macros::find(text).or_else(variable).map(made))
    })
}

/// Looks for a macro like [`find`], but only for macros with a sign at both ends. A text such as `$filter` means
/// something else in some URLs.
pub fn find_macro(raw: &[u8]) -> Option<String> {
    if raw.iter().any(u8::is_ascii_punctuation) {
        search(raw, |text| macros::find(text).map(str::to_owned))
    } else {
        None
    }
}

/// Returns true if a decoded value only repeats the name of its parameter, in any case and with any separators.
pub fn repeats_name(text: &str, name: &str) -> bool {
    same_letters(text, name) && letters(name).next().is_some()
}

fn search<T>(raw: &[u8], find_in: impl Fn(&str) -> Option<T>) -> Option<T> {
    let mut bytes = Cow::Borrowed(raw);
    for _ in 0..ROUNDS {
        let text = core::str::from_utf8(&bytes).ok();
        let folded = || text.and_then(folded).and_then(|text| find_in(&text));
        if let Some(found) = text.and_then(&find_in).or_else(folded) {
            return Some(found);
        }
        if !bytes.contains(&b'%') {
            return None;
        }
        bytes = Cow::Owned(percent_decode(&bytes).collect());
    }
    None
}

/// Returns the text without escapes and invisible signs, and with ASCII signs for full-width ones. Returns `None` if that
/// changes nothing.
fn folded(text: &str) -> Option<String> {
    let unescaped = escapes::unescaped(text);
    if unescaped.is_ascii() {
        return Some(unescaped.into_owned()).filter(|unescaped| unescaped != text);
    }
    let seen = unescaped.chars().filter(|sign| sign.is_whitespace() || !is_invisible(*sign));
    let narrow = |sign: char| match sign {
        '\u{ff01}'..='\u{ff5e}' => u32::from(sign).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(sign),
        sign => sign,
    };
    Some(seen.map(narrow).collect::<String>()).filter(|folded| folded != text)
}

#[cfg(test)]
mod tests;
