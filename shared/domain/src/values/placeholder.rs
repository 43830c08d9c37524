//! Finds macros that a tracker should have replaced, which is the most common fault of an integration.
//!
//! A tracker's URL template says `click_id={click_id}`. If the tracker does not know the macro, it sends the braces.
//! The value must not be taken for an id, because the conversion would belong to nobody; so it is refused by name.

use percent_encoding::percent_decode;

use crate::prelude::*;

/// Looks for a macro in a parameter's raw value, first before any decoding and then after decoding up to three times,
/// because some trackers encode twice. Returns the macro as it would look in a template.
///
/// `{x}`, `{{x}}` and `${x}` are found anywhere in a value. `%x%`, `[x]`, `[[x]]`, `#x#` and `$x$` are found only as
/// the whole value, because their signs alone are ordinary characters. `x` is a name: a letter or `_`, followed by
/// letters, digits, `_`, `.`, `:` or `-`. Blanks may surround it, and a `|` may be followed by anything. A GUID in
/// braces is a value and no macro.
pub fn find(raw: &[u8]) -> Option<String> {
    // Every macro has one of these signs even before decoding, and hardly any value has one.
    if !raw.iter().any(|byte| b"%{[#$".contains(byte)) {
        return None;
    }
    let mut bytes = raw.to_vec();
    for _ in 0..4 {
        if let Some(found) = core::str::from_utf8(&bytes).ok().and_then(find_in) {
            return Some(found.to_owned());
        }
        if !bytes.contains(&b'%') {
            return None;
        }
        bytes = percent_decode(&bytes).collect();
    }
    None
}

fn find_in(text: &str) -> Option<&str> {
    for (open, close) in [("%%", "%%"), ("%", "%"), ("[[", "]]"), ("[", "]"), ("#", "#"), ("$", "$")] {
        let name = text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        if name.is_some_and(is_name) {
            return Some(text);
        }
    }
    find_braced(text)
}

fn find_braced(text: &str) -> Option<&str> {
    for (start, _) in text.match_indices('{') {
        let rest = text.get(start..)?;
        let end = rest.find('}')?;
        let name = rest.get(1..end)?;
        if is_name(name) && !is_guid(name) {
            // This includes the second brace of `{{x}}` and the dollar of `${x}`.
            let before = text.get(..start).unwrap_or_default();
            let doubled = before.ends_with('{') && rest.get(end..).is_some_and(|tail| tail.starts_with("}}"));
            let from = if doubled || before.ends_with('$') { start - 1 } else { start };
            return text.get(from..start + end + 1 + usize::from(doubled));
        }
    }
    None
}

fn is_name(text: &str) -> bool {
    // Before decoding, a blank is a `+`.
    let text = text.split('|').next().unwrap_or_default().trim_matches([' ', '+']);
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte))
}

fn is_guid(text: &str) -> bool {
    text.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_trackers_macro_is_found_even_encoded() {
        for (raw, shown) in [
            ("{click_id}", "{click_id}"),
            ("%7Bclick_id%7D", "{click_id}"),
            ("%257Bclick_id%257D", "{click_id}"),
            ("{{x}}", "{{x}}"),
            ("%7b%7bx%7d%7d", "{{x}}"),
            ("${x}", "${x}"),
            ("%x%", "%x%"),
            ("%ad_id%", "%ad_id%"),
            ("%25click_id%25", "%click_id%"),
            ("%%x%%", "%%x%%"),
            ("[x]", "[x]"),
            ("%5Bx%5D", "[x]"),
            ("#x#", "#x#"),
            ("%23x%23", "#x#"),
            ("$x$", "$x$"),
            ("%24x%24", "$x$"),
            ("abc_{sub-1}", "{sub-1}"),
            ("a{{b}}c", "{{b}}"),
            ("%7B%7B%20click_id%20%7D%7D", "{{ click_id }}"),
            ("{+click_id+}", "{+click_id+}"),
            ("%5B+click_id+%5D", "[+click_id+]"),
            ("[[x]]", "[[x]]"),
            ("{click_id|default}", "{click_id|default}"),
            ("%25257Bx%25257D", "{x}"),
        ] {
            assert_eq!(find(raw.as_bytes()).as_deref(), Some(shown), "{raw}");
        }
    }

    #[test]
    fn an_ordinary_value_is_no_macro() {
        for value in [
            "",
            "67890",
            "100%25",
            "a%20b",
            "50%",
            "$5",
            "a#b#",
            "[]",
            "{}",
            "{1}",
            "x[1]",
            "%%",
            "##",
            "$$",
            "{AF254210-77F1-4C1B-9F7B-0A1B2C3D4E5F}",
            "{\"a\":1}",
            "a{b",
            "}a{",
            "%41%",
        ] {
            assert_eq!(find(value.as_bytes()), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_search_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = find(&bytes);
        }

        #[test]
        fn a_macro_in_braces_is_found_anywhere(before in "[a-z0-9_-]{0,5}", name in "[a-z_][a-z0-9_]{0,9}", after in "[a-z0-9_-]{0,5}") {
            let value = format!("{before}{{{name}}}{after}");
            prop_assert_eq!(find(value.as_bytes()), Some(format!("{{{name}}}")));
        }
    }
}
