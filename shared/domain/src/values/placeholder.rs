//! Recognises what stands in a parameter where a value belongs: a macro that the tracker did not replace, or a word that
//! a program or a template writes if there is no value.
//!
//! These are the most common faults of an integration. A tracker's URL template says `click_id={click_id}`. If the
//! tracker does not know the macro, it sends the braces; if it has no value, it may send `undefined`. Neither must be
//! taken for an id, because the conversion would belong to nobody.
//!
//! Both recognisers take time in proportion to the value. Ids that programs generate never look so: UUIDs (with braces or
//! brackets too), ULIDs, decimal and hexadecimal numbers, base64 and nanoids. An agreed form of ids finds the rest.

mod macros;
mod names;
mod words;

use alloc::borrow::Cow;

use percent_encoding::percent_decode;

use crate::prelude::*;
use crate::values::escapes;
use crate::values::spelling::{begins, letters, same_letters, seen};

/// Bounds the times that a value is decoded in the search, because each program on its way may encode it.
const ROUNDS: usize = 6;

/// Says what a value is meant to be, and so which words stand for no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// An id of GG3's or of the partner's. Hardly any id is a word.
    Id,
    /// An event's id or its name, which may be a word such as `None` or `Sample`.
    Event,
    /// An amount, a currency or a yes.
    Value,
    /// Any text. Only macros are looked for.
    Text,
}

/// Holds what was found in place of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placeholder {
    /// A macro that was not replaced, as it would look in a template.
    Macro(String),
    /// A word that says that there is no value.
    Word {
        /// The word as it came, decoded.
        text: String,
        /// Continues the sentence "`undefined` came, which …".
        cause: &'static str,
    },
}

impl Placeholder {
    /// Returns the macro or the word.
    pub fn text(&self) -> &str {
        match self {
            Self::Macro(text) | Self::Word { text, .. } => text,
        }
    }
}

/// Looks in a parameter's raw value for a macro or a word that says that there is no value. Looks first before any
/// decoding and then after decoding up to five times. Escapes of HTML and JSON, full-width signs, letters that look like
/// Latin ones and invisible signs do not hide a macro.
///
/// The signs of templates, such as `{x}`, `%x%`, `<x>` and `${x}`, make any name a macro. Other signs, such as `[x]`, `#x#`,
/// `__X__` and `$x`, make one only of a name that parameters and macros have. Words are found only as the whole value.
pub fn find(raw: &[u8], place: Place) -> Option<Placeholder> {
    search(raw, |text| {
        let word = || words::cause(text, place).map(|cause| Placeholder::Word { text: text.to_owned(), cause });
        word().or_else(|| {
            macros::find_variable(text).or_else(|| macros::find(text)).map(|found| Placeholder::Macro(found.to_owned()))
        })
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

/// Returns true if a part of a URL asks to be replaced: `YOUR_DOMAIN`, `replace-me`. A path may say `optional`.
pub(crate) fn asks_for_a_value(text: &str) -> bool {
    words::is_request(text, if begins(text, "your") { Place::Id } else { Place::Event })
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

/// Returns the text as people see it, without escapes. Returns `None` if that changes nothing.
fn folded(text: &str) -> Option<String> {
    let unescaped = escapes::unescaped(text);
    Some(seen(&unescaped).into_owned()).filter(|folded| folded != text)
}

#[cfg(test)]
mod tests;
