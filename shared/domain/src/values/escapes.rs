//! Reads the escapes by which HTML and JSON write characters: `&amp;`, `&#123;` and `\u0026`.

use alloc::borrow::Cow;

use crate::prelude::*;

/// Lists the entities that stand for a sign of a URL or of a macro.
const NAMED: [(&str, char); 14] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("lbrace", '{'),
    ("lcub", '{'),
    ("rbrace", '}'),
    ("rcub", '}'),
    ("lsqb", '['),
    ("rsqb", ']'),
    ("percnt", '%'),
    ("dollar", '$'),
    ("num", '#'),
];

/// Bounds an escape without its first sign, in bytes. With leading zeros, HTML's escapes could be of any length.
const MAX_BYTES: usize = 10;

/// Replaces each escape by its character, in one pass.
pub(crate) fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '\\']) {
        return Cow::Borrowed(text);
    }
    let (mut all, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(['&', '\\']) {
        let (before, escape) = rest.split_at(at);
        all.push_str(before);
        let (first, after) = escape.split_at(1);
        let read = if first == "&" { entity(after) } else { json(after) };
        if let Some((sign, after)) = read {
            all.push(sign);
            rest = after;
        } else {
            all.push_str(first);
            rest = after;
        }
    }
    Cow::Owned(all + rest)
}

/// Reads an HTML escape without its `&`, such as `amp;` or `#x26;`. Returns its character and the text after it.
pub(crate) fn entity(text: &str) -> Option<(char, &str)> {
    let end = text.bytes().take(MAX_BYTES).position(|byte| byte == b';')?;
    let (name, rest) = (text.get(..end)?, text.get(end + 1..)?);
    let number = || {
        let digits = name.strip_prefix('#')?;
        match digits.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => digits.parse().ok(),
        }
    };
    let named = NAMED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, sign)| *sign);
    named.or_else(|| number().and_then(char::from_u32)).map(|sign| (sign, rest))
}

/// Reads an escape of JSON or JavaScript without its backslash, such as `u0026` or `x26`.
fn json(text: &str) -> Option<(char, &str)> {
    let digits = if text.starts_with('u') { 4 } else { text.strip_prefix('x').map(|_| 2)? };
    let code = u32::from_str_radix(text.get(1..=digits)?, 16).ok()?;
    Some((char::from_u32(code)?, text.get(digits + 1..)?))
}

/// Returns true if a `&` in this text is escaped, as happens when a URL is copied from a page's source. The text after
/// the `&`, as in `amp;click`, would become part of the next parameter's name.
pub(crate) fn has_ampersand(text: &str) -> bool {
    let is_ampersand = |(sign, _): (char, &str)| sign == '&';
    text.split('&').skip(1).any(|after| entity(after).is_some_and(is_ampersand))
        || text.split('\\').skip(1).any(|after| json(after).is_some_and(is_ampersand))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_escape_is_replaced_by_its_character() {
        for (text, read) in [
            ("a&amp;b", "a&b"),
            ("&lt;x&gt;", "<x>"),
            ("&#123;x&#x7D;", "{x}"),
            ("T\\u0026b\\x26c", "T&b&c"),
            ("&amp;amp;", "&amp;"),
            ("&curren;&;&#;&#x;\\u00\\", "&curren;&;&#;&#x;\\u00\\"),
            ("&#9999999;\\ud800", "&#9999999;\\ud800"),
            ("a&b=c", "a&b=c"),
        ] {
            assert_eq!(unescaped(text), read, "{text}");
        }
    }

    #[test]
    fn an_escaped_ampersand_is_found_in_every_spelling() {
        for text in
            ["?a=1&amp;b=2", "?a=1&AMP;b", "?a=1&amp;amp;b", "?a=1&#38;b=2", "?a&#038;b", "?a&#x26;b", "a\\u0026b"]
        {
            assert!(has_ampersand(text), "{text}");
        }
        for text in ["?a=1&b=2", "?amp;a=1", "?a=1&amplitude=2", "/amp;", "&lt;", ""] {
            assert!(!has_ampersand(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[&#xu;\\\\0-9a-fé]{0,30}") {
            prop_assert!(unescaped(&text).len() <= text.len());
            let _ = has_ampersand(&text);
        }
    }
}
