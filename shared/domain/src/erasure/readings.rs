//! Finds ids in texts whose form nobody knows, such as a value of a refused call or a body that could not be read.

use percent_encoding::percent_decode;

use crate::prelude::*;
use crate::values::escapes::unescaped;

/// Bounds how often a text is decoded, because each program on its way may have encoded it.
const ROUNDS: usize = 5;

/// Holds a text as it came and as it reads after each decoding: of percent encoding, and of HTML's and JSON's escapes.
#[derive(Debug)]
pub struct Readings(Vec<String>);

impl Readings {
    /// Reads a text.
    pub fn of(text: &str) -> Self {
        let mut readings = Vec::from([text.to_owned()]);
        for _ in 0..ROUNDS {
            let last = readings.last().map_or("", String::as_str);
            let decoded = percent_decode(last.replace('+', " ").as_bytes()).decode_utf8_lossy().into_owned();
            let plain = unescaped(&decoded).into_owned();
            let new: Vec<String> = [decoded, plain].into_iter().filter(|text| !readings.contains(text)).collect();
            if new.is_empty() {
                break;
            }
            readings.extend(new);
        }
        Self(readings)
    }

    /// Returns true if the text is the id, alone, in quotes or between blanks.
    pub fn are(&self, id: &str) -> bool {
        let is_around = |sign: char| sign.is_whitespace() || matches!(sign, '"' | '\'' | char::REPLACEMENT_CHARACTER);
        self.0.iter().any(|text| text == id || text.trim_matches(is_around) == id)
    }

    /// Returns true if the text is the id, or has the id as a whole value: between signs that separate values, and not
    /// inside a longer word, number or date.
    pub fn hold(&self, id: &str) -> bool {
        !id.is_empty() && self.0.iter().any(|text| holds(text, id))
    }
}

fn holds(text: &str, id: &str) -> bool {
    text.match_indices(id).any(|(at, found)| {
        let (before, after) = text.split_at(at);
        begins_a_value(before) && ends_a_value(after.strip_prefix(found).unwrap_or_default())
    })
}

/// Returns true if a value may begin after this text.
fn begins_a_value(before: &str) -> bool {
    let mut signs = before.chars().rev();
    match signs.next() {
        // After the name in `name:value`, and not in a time or an address.
        Some(':') => signs.next().is_none_or(|sign| sign.is_alphabetic() || matches!(sign, '_' | '"' | '\'' | ']')),
        Some(sign) => matches!(sign, '=' | '<' | '{' | '[' | '(') || is_separator(sign),
        None => true,
    }
}

/// Returns true if a value may end before this text.
fn ends_a_value(after: &str) -> bool {
    let mut signs = after.chars();
    match signs.next() {
        // Before a further parameter, and not in a date or a path of numbers.
        Some('/' | ':') => signs.next().is_none_or(char::is_alphabetic),
        Some(sign) => matches!(sign, '>' | '}' | ']' | ')' | '\\') || is_separator(sign),
        None => true,
    }
}

fn is_separator(sign: char) -> bool {
    sign.is_whitespace()
        || sign.is_control()
        || matches!(sign, '&' | ';' | ',' | '|' | '?' | '#' | '"' | '\'' | char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use std::vec;

    use percent_encoding::utf8_percent_encode;
    use proptest::prelude::*;

    use super::*;
    use crate::values::signature::STRICT;

    #[test]
    fn a_part_of_a_word_number_date_or_path_is_no_value() {
        for text in
            ["123", "x12", "12-a", "12.50", "a_12", "12:34", "10:12", "2026/12/01", "/12/34", "a@12", "12%", "-12"]
        {
            assert!(!Readings::of(text).hold("12"), "{text}");
        }
        for text in [
            "12",
            " 12 ",
            "u=12",
            "user:12",
            "\"user\":12",
            "[12,13]",
            "x?u=12",
            "12/click=7",
            "12;x",
            "&quot;12&quot;",
        ] {
            assert!(Readings::of(text).hold("12"), "{text}");
        }
    }

    #[test]
    fn an_id_alone_is_told_from_an_id_inside_a_value() {
        assert!(Readings::of("%2212%22").are("12") && !Readings::of("u=12").are("12"));
    }

    proptest! {
        #[test]
        fn an_id_is_found_in_every_form_and_encoding(
            id in "[A-Za-z0-9._~@+%/ -]{0,20}[A-Za-z0-9]",
            form in prop::sample::select(vec![
                "{}", "\"{}\"", "[\"a\",\"{}\"]", "{\"user\": \"{}\"}", "a?user_id={}&x=1", "u={};v=1", "a|{}|b",
                "\u{fffd}{\"u\":{},\"v\":", "({})",
            ]),
            times in 0_usize..4,
        ) {
            let text = form.replace("{}", &id);
            let encoded = (0..times).fold(text, |text: String, _| utf8_percent_encode(&text, STRICT).to_string());
            prop_assert!(Readings::of(&encoded).hold(&id), "{}", encoded);
        }

        #[test]
        fn without_the_id_as_a_whole_value_nothing_is_found(
            id in "[a-z0-9]{1,8}",
            around in prop::collection::vec(("[a-z0-9._-]{0,3}", "[a-z0-9._-]{0,3}"), 1..5),
            separator in prop::sample::select(vec!["&", ";", "\",\"", "=", " "]),
        ) {
            let values = around.iter().map(|(before, after)| format!("{before}{id}{after}"));
            let longer: Vec<String> = values.filter(|value| *value != id).collect();
            prop_assert!(!Readings::of(&longer.join(separator)).hold(&id));
        }
    }
}
