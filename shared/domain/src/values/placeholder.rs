//! Finds macros that a tracker should have replaced, which is the most common fault of an integration.
//!
//! A tracker's URL template says `click_id={click_id}`. If the tracker does not know the macro, it sends the braces.
//! The macro must not be taken for an id, because the conversion would belong to nobody. Such a value is refused, and
//! the fault names the macro.

use percent_encoding::percent_decode;

use crate::prelude::*;

/// Looks for a macro in a parameter's raw value, first before any decoding and then after decoding up to three times,
/// because some trackers encode twice. Returns the macro as it would look in a template.
///
/// `{x}`, `{{x}}` and `${x}` are found anywhere in a value. `%x%`, `[x]`, `[[x]]`, `#x#` and `$x$` are found only as
/// the whole value, because these signs are also ordinary characters. `x` is a name: a letter or `_`, followed by
/// letters, digits, `_`, `.`, `:` or `-`. Blanks may surround the name, and a `|` with any text may follow it. A GUID
/// in braces is a value, not a macro.
pub fn find(raw: &[u8]) -> Option<String> {
    // Every macro has one of these signs even before decoding. Hardly any other value has one, so most values are done
    // here.
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
    let mut macro_open = None;
    for Mark { open, at, closes } in marks(text.bytes()) {
        let name = open.and_then(|open| text.get(open + 1..at));
        let is_macro = name.is_some_and(|name| is_name(name) && !(closes && is_guid(name)));
        macro_open = macro_open.or(open.filter(|_| is_macro));
        if let (Some(open), true) = (macro_open, closes) {
            return braced(text, open, at);
        }
    }
    None
}

/// Marks where a name in braces may end: at the first `|` or `}` after a `{`, or at any other `}`.
#[derive(Debug, Clone, Copy)]
struct Mark {
    /// The place of the last `{`, if no other mark lies between it and this mark.
    open: Option<usize>,
    at: usize,
    closes: bool,
}

/// Returns all marks. Each byte is read once, and the names between `open` and `at` do not overlap, so the search takes
/// time in proportion to the text, however many braces it has.
fn marks(bytes: impl Iterator<Item = u8>) -> impl Iterator<Item = Mark> {
    let mut open = None;
    bytes.enumerate().filter_map(move |(at, byte)| match byte {
        b'{' => {
            open = Some(at);
            None
        }
        b'|' | b'}' => Some(Mark { open: open.take(), at, closes: byte == b'}' }),
        _ => None,
    })
}

/// Returns the macro from `open` to `close` with the second braces of `{{x}}` or the dollar of `${x}`.
fn braced(text: &str, open: usize, close: usize) -> Option<&str> {
    let before = text.get(..open)?;
    let doubled = before.ends_with('{') && text.get(close..)?.starts_with("}}");
    let from = if doubled || before.ends_with('$') { open - 1 } else { open };
    text.get(from..=close + usize::from(doubled))
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

    /// Searches in the simplest way, from each `{` to the next `}`, in quadratic time.
    fn find_braced_plainly(text: &str) -> Option<&str> {
        text.match_indices('{').find_map(|(open, _)| {
            let close = open + text.get(open..)?.find('}')?;
            let name = text.get(open + 1..close)?;
            if is_name(name) && !is_guid(name) { braced(text, open, close) } else { None }
        })
    }

    #[test]
    fn the_search_for_braces_takes_each_byte_once() {
        let worst = ["{", "{+", "}", "{}", "{ }", "{a|", "{a|}", "|", "{|", "{ a", "{{", "{a-", "${1}", "%7B", "{%25"];
        for (unit, size) in worst.into_iter().flat_map(|unit| [1 << 12, 1 << 13, 1 << 14].map(|size| (unit, size))) {
            let text: String = unit.chars().cycle().take(size).collect();
            let mut taken = 0;
            let marks = marks(text.bytes().inspect(|_| taken += 1));
            let in_names: usize = marks.filter_map(|mark| Some(mark.at - mark.open?)).sum();
            assert_eq!(taken, size, "{unit}");
            assert!(in_names <= size, "{in_names} of {size} bytes of {unit}");
        }
    }

    proptest! {
        #[test]
        fn the_search_in_one_pass_finds_what_a_plain_one_finds(text in "[{}|a1+ $-]{0,20}") {
            prop_assert_eq!(find_braced(&text), find_braced_plainly(&text));
        }

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
