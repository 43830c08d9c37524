//! Recognises words that programs and templates write where there is no value.

use super::Place;
use super::names::{WORDS, is_made_of};
use crate::prelude::*;
use crate::values::spelling::{letters, words};

/// Bounds a text that can consist of such words, in bytes.
const MAX_BYTES: usize = 64;

const ABSENT: &str = "which stands for no value";
const FLAG: &str = "which a program writes for yes or no, not for a value";
const NUMBER: &str = "which a program writes for a number that it could not compute";
const UNSET: &str = "which a program writes for a variable that has no value";

/// Lists the words that stand for no value wherever they come, and says how each gets into a value. Case does not matter,
/// but only the usual spellings count, so that a short random id is not taken for a word.
const ANYWHERE: [(&str, &str); 3] =
    [("undefined", "which JavaScript writes for a variable that was never set"), ("null", UNSET), ("nan", NUMBER)];

/// Lists the words that an event may be called. Hardly any id is such a word; if one is, its call is kept, and the loss is
/// an explained refusal. A conversion for the user `unknown` would pay nobody.
const NOT_FOR_EVENTS: [(&str, &str); 15] = [
    ("none", "which Python writes for a variable that has no value"),
    ("nil", UNSET),
    ("undef", UNSET),
    ("\\n", "which MySQL writes for no value"),
    ("infinity", NUMBER),
    ("-infinity", NUMBER),
    ("n/a", ABSENT),
    ("not set", ABSENT),
    ("not_set", ABSENT),
    ("unknown", ABSENT),
    ("empty", ABSENT),
    ("true", FLAG),
    ("false", FLAG),
    ("array", "which PHP writes for an array instead of one of its values"),
    ("[]", "which is an empty list"),
];

/// Lists the words by which templates ask for a value, alone or beside others.
const ASKS: [&str; 8] = ["your", "replace", "fixme", "todo", "tbd", "placeholder", "optional", "required"];
/// Lists the words that ask for a value only beside `id` or `me`: Putin and `exampleuser` may be users.
const MAY_ASK: [&str; 10] = ["insert", "enter", "put", "paste", "fill", "change", "here", "example", "sample", "dummy"];
/// Lists the words that make such words a request.
const OBJECTS: [&str; 2] = ["id", "me"];
/// Lists the words that come with a request.
const BESIDE: [&str; 14] =
    ["this", "with", "by", "in", "the", "my", "real", "actual", "domain", "company", "site", "host", "app", "server"];

/// Returns how a text that stands for no value gets into a parameter. The text is decoded. Quotes, brackets and blanks
/// around it do not count.
pub(super) fn cause(text: &str, place: Place) -> Option<&'static str> {
    let whole = text.trim_matches([' ', '+']);
    if place == Place::Text || whole.is_empty() {
        return None;
    }
    if let Some(cause) = empty_form(whole) {
        return Some(cause);
    }
    if let Some(cause) = Some(whole).filter(|_| place == Place::Id).and_then(no_id) {
        return Some(cause);
    }
    let is_around =
        |sign: char| sign.is_whitespace() || "\"'`<>(){}[]+\u{201c}\u{201d}\u{201e}\u{2018}\u{2019}«»".contains(sign);
    let word = Some(whole).filter(|whole| *whole == "[]").unwrap_or_else(|| whole.trim_matches(is_around));
    if word.is_empty() || word.len() > MAX_BYTES {
        return None;
    }
    program(word, place).or_else(|| is_request(word, place).then_some("which a template has for you to replace"))
}

/// Recognises texts that are no ids, though they may be amounts or names of events.
fn no_id(text: &str) -> Option<&'static str> {
    let is_mark = |sign: char| sign.is_ascii_punctuation() || matches!(sign, ' ' | '\u{2010}'..='\u{206f}');
    let is_id = |word: &str| word.eq_ignore_ascii_case("id");
    let is_of_name = |byte: u8| byte.is_ascii_alphabetic() || b"_-. ".contains(&byte);
    let is_bare = text.bytes().all(is_of_name) && text.starts_with(|sign: char| sign.is_ascii_alphabetic());
    let is_name = || is_bare && words(text).count() > 1 && words(text).last().is_some_and(is_id);
    if text.chars().all(is_mark) {
        Some("which has no letter and no digit")
    } else if text == "-1" || text.bytes().all(|byte| byte == b'0') {
        Some(UNSET)
    } else {
        (is_name() && is_made_of(text, &[&WORDS, &BESIDE, &["test"]])).then_some("which is a parameter's name")
    }
}

/// Returns the cause of a program's word, or of several that were joined: `undefined,undefined` and `nullnull`.
fn program(word: &str, place: Place) -> Option<&'static str> {
    let for_place = if place == Place::Event { &[][..] } else { &NOT_FOR_EVENTS };
    let cause = |word: &str| {
        let mut known = ANYWHERE.iter().chain(for_place);
        known.find(|(known, _)| word.eq_ignore_ascii_case(known) && is_usual(word)).map(|(_, cause)| *cause)
    };
    let repeated = || ANYWHERE.iter().find(|(known, _)| word.len() > known.len() && is_made_of(word, &[&[known]]));
    let mut causes = word.split([',', ';', '|']).map(|part| cause(part.trim()));
    let all = causes.next().flatten().filter(|_| causes.all(|cause| cause.is_some()));
    all.or_else(|| repeated().map(|(_, cause)| *cause))
}

/// Recognises objects that were printed as a whole, and the places of a format that was not filled.
fn empty_form(text: &str) -> Option<&'static str> {
    let between = |open: &str, close: &str| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    if between("[object ", "]").or_else(|| between("[object+", "]")).is_some() {
        return Some("which JavaScript writes for an object instead of one of its fields");
    }
    if between("Optional(", ")").or_else(|| between("Optional[", "]")).is_some() || text == "Optional.empty" {
        return Some("which Swift and Java write for an optional value that was not unwrapped");
    }
    if is_error_of_a_sheet(text) {
        return Some("which a spreadsheet shows for a cell that it could not compute");
    }
    if is_rounded(text) {
        return Some("which a spreadsheet or a program writes for a number whose last digits it lost");
    }
    if is_empty_uuid(text) {
        return Some("which a program writes for an id that was never set");
    }
    let is_group = matches!(text.as_bytes(), [b'$' | b'\\', digit] if digit.is_ascii_digit());
    (is_format(text) || is_group || between("{", "}").is_some_and(is_place))
        .then_some("which is the place of a format that was not filled")
}

/// Returns true for `%s` and `%1$s`.
fn is_format(text: &str) -> bool {
    let format = text.strip_prefix('%').unwrap_or_default();
    let numbered = format.trim_start_matches(|sign: char| sign.is_ascii_digit());
    let format = numbered.strip_prefix('$').filter(|_| numbered.len() < format.len()).unwrap_or(format);
    matches!(format, "s" | "d" | "i" | "u" | "v" | "@")
}

/// Returns true for the inside of `{}`, `{0}` and `{0:N2}`.
fn is_place(inner: &str) -> bool {
    let (number, format) = inner.split_once([':', ',']).unwrap_or((inner, "N"));
    let is_number = number.len() <= 2 && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number && format.len() <= 8 && format.starts_with(|sign: char| sign.is_ascii_alphabetic())
}

/// Returns true for the errors that Excel and its like show in cells: `#N/A`, `#REF!`, `#NAME?` and `#DIV/0!`.
fn is_error_of_a_sheet(text: &str) -> bool {
    let name = text.strip_prefix('#').unwrap_or_default();
    let is_of_error = |byte: u8| byte.is_ascii_uppercase() || matches!(byte, b'/' | b'0' | b'_');
    let error = name.strip_suffix(['!', '?']).unwrap_or_default();
    name == "N/A" || (error.len() > 2 && error.bytes().all(is_of_error))
}

/// Returns true for a number with an exponent as programs write long ones: `1.2E+17`.
fn is_rounded(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((number, exponent)) = text.split_once("E+").or_else(|| text.split_once("e+")) else { return false };
    let (whole, fraction) = number.split_once(['.', ',']).unwrap_or((number, "0"));
    whole.len() == 1 && digits(whole) && digits(fraction) && exponent.len() == 2 && digits(exponent)
}

/// Returns true for a UUID of zeros alone, or of another digit alone.
fn is_empty_uuid(text: &str) -> bool {
    let bare = text.trim_matches(['{', '}']);
    let mut digits = letters(bare);
    let first = digits.next().filter(u8::is_ascii_hexdigit);
    bare.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && first.is_some_and(|first| digits.all(|digit| digit == first))
}

/// Returns true for the spellings of programs: `null`, `NULL`, `Null` and `NaN`. Nan and Nil are names of people, and
/// PHP writes `Array` in this spelling alone.
fn is_usual(word: &str) -> bool {
    if matches!(word, "Nan" | "NAN" | "Nil") || word.eq_ignore_ascii_case("array") {
        return word == "Array";
    }
    let upper = |byte: u8| byte.is_ascii_uppercase();
    let has_lower = word.bytes().any(|byte| byte.is_ascii_lowercase());
    let has_inner_capital = word.trim_start_matches('-').bytes().skip(1).any(upper);
    !has_lower || !has_inner_capital || word == "NaN"
}

/// Returns true if a text consists of the words of a request and has at least one word that asks: `REPLACE_ME`,
/// `your-click-id`, `insertClickIdHere`. Case and separators do not matter. An event may be called `Your order`.
pub(super) fn is_request(word: &str, place: Place) -> bool {
    let is_of_words = |byte: u8| byte.is_ascii_alphabetic() || b" _-.+:!".contains(&byte);
    if !(3..=MAX_BYTES).contains(&word.len()) || !word.bytes().all(is_of_words) {
        return false;
    }
    if letters(word).all(|letter| letter == b'x') {
        return place != Place::Event && letters(word).nth(2).is_some();
    }
    let beside = [&OBJECTS[..], &WORDS, &BESIDE];
    let (may_ask, all) =
        ([&MAY_ASK[..], beside[0], beside[1], beside[2]], [&ASKS[..], &MAY_ASK, beside[0], beside[1], beside[2]]);
    if !is_made_of(word, &all) || is_made_of(word, &beside) {
        return false;
    }
    let mut spelt: String = letters(word).map(char::from).collect();
    // The `me` in a name is no object: an event may be called `change_name`.
    if place == Place::Event && is_made_of(word, &may_ask) && !spelt.contains("eventname") {
        spelt = spelt.replace("name", "");
    }
    let has_object = OBJECTS.iter().any(|object| spelt.contains(object));
    has_object || (place != Place::Event && !is_made_of(word, &may_ask))
}
