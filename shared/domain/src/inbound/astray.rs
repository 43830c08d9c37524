//! Finds parameters that went astray: under another spelling of their name, or inside the value of another parameter.
//!
//! Most of them come from a URL that was built or copied wrongly: `&amp;` or `;` instead of `&`, a second `?`, an HTML
//! entity that swallowed the beginning of a name (`&currency` is read as `&curren` and `cy`), or a name that was typed
//! from memory. Each search takes time in proportion to its text, for each known name.

use alloc::borrow::Cow;

use percent_encoding::percent_decode;

use crate::prelude::*;
use crate::values::escapes;
use crate::values::ids::is_invisible;
use crate::values::spelling::{one_slip_apart, same_letters, seen};

/// Bounds the times that a name or a value is decoded in the search, because each program on its way may encode it.
const ROUNDS: usize = 4;

/// Lists the names of HTML's character references that browsers read without a semicolon, for U+00A0 to U+00FF.
const LATIN_1: [&str; 96] = [
    "nbsp", "iexcl", "cent", "pound", "curren", "yen", "brvbar", "sect", "uml", "copy", "ordf", "laquo", "not", "shy",
    "reg", "macr", "deg", "plusmn", "sup2", "sup3", "acute", "micro", "para", "middot", "cedil", "sup1", "ordm",
    "raquo", "frac14", "frac12", "frac34", "iquest", "Agrave", "Aacute", "Acirc", "Atilde", "Auml", "Aring", "AElig",
    "Ccedil", "Egrave", "Eacute", "Ecirc", "Euml", "Igrave", "Iacute", "Icirc", "Iuml", "ETH", "Ntilde", "Ograve",
    "Oacute", "Ocirc", "Otilde", "Ouml", "times", "Oslash", "Ugrave", "Uacute", "Ucirc", "Uuml", "Yacute", "THORN",
    "szlig", "agrave", "aacute", "acirc", "atilde", "auml", "aring", "aelig", "ccedil", "egrave", "eacute", "ecirc",
    "euml", "igrave", "iacute", "icirc", "iuml", "eth", "ntilde", "ograve", "oacute", "ocirc", "otilde", "ouml",
    "divide", "oslash", "ugrave", "uacute", "ucirc", "uuml", "yacute", "thorn", "yuml",
];

/// Lists the other such references.
const OTHERS: [(&str, char); 10] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("AMP", '&'),
    ("LT", '<'),
    ("GT", '>'),
    ("QUOT", '"'),
    ("COPY", '\u{a9}'),
    ("REG", '\u{ae}'),
];

/// Says how a parameter got into the value of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swallowed {
    /// A sign that separates nothing stands before the parameter. Holds the sign and the name as it came.
    After(char, String),
    /// The beginning of the name was read as an HTML entity. Holds the entity's name and the parameter's name as it came.
    Entity(&'static str, String),
}

/// Returns true if a name is another spelling of a known name: another case, other separators, the rest of `&amp;` or of
/// a second `?` before it, blanks around it, or one wrong letter.
pub fn is_near(name: &str, known: &str) -> bool {
    // Two separators and one letter may be missing. Most names differ by more, and are done here.
    if name.len() + 3 < known.len() {
        return false;
    }
    let name = bare(name);
    name.len() <= 2 * known.len() && (same_letters(name, known) || one_slip_apart(name, known))
}

/// Returns true if a name has the letters of a known name, in any case, with any signs between and around them.
pub fn has_letters_of(name: &str, known: &str) -> bool {
    same_letters(bare(name), known)
}

/// Holds a parameter inside a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inner<'a> {
    /// Holds the sign before the name, or nothing at the beginning of the value.
    pub before: Option<char>,
    /// Holds the name as it came.
    pub name: &'a str,
    /// Holds the sign after the name: `=`, or `:` as in JSON.
    pub sign: char,
    /// Holds the beginning of the value, as far as a word may reach.
    pub value: &'a str,
}

/// Returns each `name=value` and each `"name":"value"` in a text. No byte is read more than three times, because names
/// and values end at the next such sign.
pub fn inner(text: &str) -> impl Iterator<Item = Inner<'_>> {
    let is_sign = |sign: char| matches!(sign, '=' | ':');
    let is_of_name = |sign: char| sign.is_alphanumeric() || matches!(sign, '_' | '-' | '.');
    let is_of_value = move |sign: char| is_of_name(sign) || matches!(sign, ' ' | '/' | '+' | '%');
    let mut from = 0;
    text.match_indices(is_sign).filter_map(move |(at, sign)| {
        let named = text.get(from..at)?.trim_end_matches(|sign| !is_of_name(sign));
        let end = from + named.len();
        from = at + sign.len();
        let name = named.rsplit(|sign| !is_of_name(sign)).next().filter(|name| !name.is_empty())?;
        let before = text.get(..end - name.len())?.chars().next_back();
        let after = text.get(from..)?;
        let after = after.get(..after.find(is_sign).unwrap_or(after.len()))?;
        let after =
            after.trim_start_matches(|sign: char| !is_of_value(sign) && !matches!(sign, '&' | ';' | ',' | '{' | '}'));
        let value = after.split(|sign| !is_of_value(sign)).next()?.trim();
        Some(Inner { before, name, sign: sign.chars().next()?, value })
    })
}

/// Looks in a parameter's decoded value for another parameter. `before` is the sign before the value, if a parameter at
/// its beginning is sought too. `is_sought` decides by the name as it came, and `known` are the names that HTML may have
/// mutilated.
pub fn swallowed<'a>(
    value: &str,
    before: Option<char>,
    is_sought: impl Fn(&str) -> bool,
    known: impl Iterator<Item = &'a str>,
) -> Option<Swallowed> {
    let plain = seen(value);
    if !plain.contains('=') {
        return None;
    }
    let mut named = inner(&plain).filter(|inner| inner.sign == '=' && is_sought(inner.name));
    if let Some((sign, name)) = named.find_map(|inner| Some((inner.before.or(before)?, inner.name))) {
        return Some(Swallowed::After(sign, name.to_owned()));
    }
    if value.is_ascii() && !value.contains(['<', '>', '"', '&', '?']) {
        return None;
    }
    known.filter_map(mutilated).find_map(|(entity, sign, rest)| {
        // A program that cannot write the character writes a `?` or U+FFFD, or the entity.
        let came =
            [format!("{sign}{rest}"), format!("?{rest}"), format!("\u{fffd}{rest}"), format!("&{entity};{rest}")];
        let came = came.into_iter().find(|came| value.contains(&format!("{came}=")))?;
        Some(Swallowed::Entity(entity, came))
    })
}

/// Returns the entity that a browser reads at the beginning of `&name`, its character, and the rest of the name.
pub fn mutilated(name: &str) -> Option<(&'static str, char, &str)> {
    let latin = LATIN_1.iter().zip('\u{a0}'..).map(|(entity, sign)| (*entity, sign));
    latin.chain(OTHERS).find_map(|(entity, sign)| {
        let rest = name.strip_prefix(entity).filter(|rest| !rest.is_empty())?;
        Some((entity, sign, rest))
    })
}

/// Decodes a name or a value for the search, as often as programs may have encoded it. Bytes that are not UTF-8 are read
/// as Latin-1, which old pages send. Most names are returned as they are.
pub fn readable(raw: &[u8]) -> Cow<'_, str> {
    let mut bytes = Cow::Borrowed(raw);
    for _ in 0..ROUNDS {
        if bytes.contains(&b'%') {
            bytes = Cow::Owned(percent_decode(&bytes).collect());
        }
    }
    let text = match bytes {
        Cow::Borrowed(raw) => core::str::from_utf8(raw).map_or_else(|_| Cow::Owned(latin_1(raw)), Cow::Borrowed),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8(bytes).unwrap_or_else(|fault| latin_1(fault.as_bytes()))),
    };
    if text.contains(['+', '&', '\\']) { Cow::Owned(escapes::unescaped(&text).replace('+', " ")) } else { text }
}

fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// Returns a name without blanks, the rest of an escaped `&`, and signs around it.
fn bare(name: &str) -> &str {
    let is_around = |sign: char| match sign {
        '?' | ';' | '&' | '[' | ']' | '{' | '}' | '(' | ')' | '"' | '\'' | '.' | ':' | ',' | '/' | '\\' => true,
        sign => is_invisible(sign),
    };
    let mut name = name.trim_matches(is_around);
    while let Some(('&', rest)) = escapes::entity(name) {
        name = rest;
    }
    name.trim_matches(|sign| sign == '#' || is_around(sign))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn another_spelling_of_a_name_is_near() {
        for name in [
            "Click_ID",
            "CLICK_ID",
            "clickid",
            "clickId",
            "click-id",
            "click.id",
            "click id",
            "click_id ",
            "amp;click_id",
            "?click_id",
            "&click_id",
            ";click_id",
            "#38;click_id",
            "click_id[]",
            "clik_id",
            "clcik_id",
            "click_idd",
            "\u{feff}click_id",
            "click_id\u{200b}",
            "[click_id]",
        ] {
            assert!(is_near(name, "click_id"), "{name}");
        }
        for name in ["click", "id", "sub_id", "user_id", "click_identifier", ""] {
            assert!(!is_near(name, "click_id"), "{name}");
        }
    }

    #[test]
    fn a_swallowed_parameter_is_found() {
        let known = ["currency", "click_id", "region"];
        let sought = |name: &str| known.iter().any(|known| is_near(name, known));
        let after = |sign, name: &str| Some(Swallowed::After(sign, name.to_owned()));
        for (value, found) in [
            ("T;click_id=2", after(';', "click_id")),
            ("T?click_id=2", after('?', "click_id")),
            ("T&amp;click_id=2", after(';', "click_id")),
            ("T&click_id=2", after('&', "click_id")),
            ("T, Click_ID=2", after(' ', "Click_ID")),
            ("T\u{a4}cy=USD", Some(Swallowed::Entity("curren", "\u{a4}cy".to_owned()))),
            ("T\u{ae}ion=1", Some(Swallowed::Entity("reg", "\u{ae}ion".to_owned()))),
            ("T?cy=USD", Some(Swallowed::Entity("curren", "?cy".to_owned()))),
            ("T\u{fffd}cy=USD", Some(Swallowed::Entity("curren", "\u{fffd}cy".to_owned()))),
            ("T&curren;cy=USD", Some(Swallowed::Entity("curren", "&curren;cy".to_owned()))),
            ("T/click_id=2", after('/', "click_id")),
            ("T:click_id=2", after(':', "click_id")),
            ("T#click_id=2", after('#', "click_id")),
            ("T!click_id=2", after('!', "click_id")),
            ("T\"click_id=2", after('"', "click_id")),
            ("T[click_id]=2", after('[', "click_id")),
            ("T{click_id=2", after('{', "click_id")),
            ("T\u{ff06}click_id\u{ff1d}2", after('&', "click_id")),
            ("T", None),
            ("T;x=1", None),
            ("abc==", None),
            ("T\u{a4}cy", None),
        ] {
            assert_eq!(swallowed(value, None, sought, known.into_iter()), found, "{value}");
        }
    }

    #[test]
    fn each_parameter_inside_a_text_is_found() {
        let found = |text: &str| inner(text).map(|inner| format!("{} {}", inner.name, inner.value)).collect::<Vec<_>>();
        assert_eq!(found(r#"{"a":{"b":"not paid","c":-1},"d":["x","y"]}"#), ["a ", "b not paid", "c -1", "d x"]);
        assert_eq!(found("1;a=b&c[]=d"), ["a b", "c d"]);
        assert_eq!(found("a= ,b:"), ["a ", "b "]);
        assert_eq!(found("==:"), [""; 0]);
    }

    #[test]
    fn the_names_that_html_mutilates_are_known() {
        assert_eq!(mutilated("currency"), Some(("curren", '\u{a4}', "cy")));
        assert_eq!(mutilated("timestamp"), Some(("times", '\u{d7}', "tamp")));
        assert_eq!(mutilated("gtm"), Some(("gt", '>', "m")));
        assert_eq!(mutilated("yuml1"), Some(("yuml", '\u{ff}', "1")));
        assert_eq!(mutilated("user_id"), None);
        assert_eq!(readable(b"T%A4cy"), "T\u{a4}cy");
        assert_eq!(readable(b"T%25C2%25A4cy"), "T\u{a4}cy");
        assert_eq!(readable(b"T%25252526click_id"), "T&click_id");
        assert_eq!(readable(b"T\\u0026click_id&amp;a"), "T&click_id&a");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_search_panic(text in "[;?&=, \u{a4}a-dA-D_%-]{0,30}|.{0,20}", known in "[a-d_]{0,8}") {
            let _ = (is_near(&text, &known), readable(text.as_bytes()).len());
            let _ = swallowed(&text, None, |name| is_near(name, &known), [known.as_str()].into_iter());
        }

        #[test]
        fn a_name_is_near_itself_in_any_case(name in "[a-z]{2,8}_[a-z]{2,8}") {
            prop_assert!(is_near(&name, &name) && is_near(&name.to_uppercase(), &name) && is_near(&name.replace('_', ""), &name));
        }
    }
}
