//! Recognises words that programs and templates write where there is no value.

use crate::values::spelling::letters;

/// Bounds a text that can consist of such words, in bytes.
const MAX_BYTES: usize = 64;

/// Lists the words of programs, and says how each gets into a value. Case does not matter, but only the usual spellings
/// count, so that a short random id is not taken for a word.
const WORDS: [(&str, &str); 13] = [
    ("undefined", "which JavaScript writes for a variable that was never set"),
    ("null", "which a program writes for a variable that has no value"),
    ("none", "which Python writes for a variable that has no value"),
    ("nan", "which a program writes for a number that it could not compute"),
    ("nil", "which a program writes for a variable that has no value"),
    ("undef", "which a program writes for a variable that has no value"),
    ("infinity", "which a program writes for a number that it could not compute"),
    ("-infinity", "which a program writes for a number that it could not compute"),
    ("n/a", ABSENT),
    ("not set", ABSENT),
    ("not_set", ABSENT),
    ("true", FLAG),
    ("false", FLAG),
];

/// Holds the word that PHP writes for an array, in its only spelling. A user may be called so, but far more of these
/// come from PHP, and a refused call can be sent again.
const ARRAY: (&str, &str) = ("Array", "which PHP writes for an array instead of one of its values");

/// Lists the words by which templates and examples ask for a value.
const REQUESTS: [&str; 19] = [
    "your",
    "replace",
    "change",
    "insert",
    "enter",
    "put",
    "paste",
    "fill",
    "here",
    "todo",
    "tbd",
    "fixme",
    "placeholder",
    "optional",
    "required",
    "example",
    "sample",
    "dummy",
    "xxx",
];

/// Lists the words that come with such a request.
const OBJECTS: [&str; 33] = [
    "me",
    "this",
    "with",
    "by",
    "in",
    "the",
    "my",
    "real",
    "actual",
    "click",
    "user",
    "transaction",
    "trans",
    "tx",
    "txn",
    "order",
    "event",
    "currency",
    "amount",
    "decimal",
    "payout",
    "sub",
    "aff",
    "id",
    "ids",
    "name",
    "value",
    "macro",
    "param",
    "parameter",
    "token",
    "code",
    "number",
];

const ABSENT: &str = "which stands for no value";
const FLAG: &str = "which a program writes for yes or no, not for a value";
const REQUEST: &str = "which a template has for you to replace";

/// Returns how a text that stands for no value gets into a parameter, and true if the text may be meant in a text for
/// people. The text is decoded. Quotes, brackets and blanks around it do not count.
pub(super) fn cause(text: &str) -> Option<(&'static str, bool)> {
    let whole = text.trim_matches([' ', '+']);
    if let Some(cause) = empty_form(whole) {
        return Some((cause, false));
    }
    let is_around = |sign: char| sign.is_whitespace() || "\"'`<>(){}[]+".contains(sign);
    let word = whole.trim_matches(is_around);
    if word.is_empty() || word.len() > MAX_BYTES {
        return None;
    }
    program(word)
        .map(|cause| (cause, [ABSENT, FLAG].contains(&cause)))
        .or_else(|| is_request(word).then_some((REQUEST, true)))
}

/// Returns the cause of a program's word, or of several that were joined: `undefined,undefined`.
fn program(word: &str) -> Option<&'static str> {
    let cause = |word: &str| {
        let known = WORDS.into_iter().find(|(known, _)| word.eq_ignore_ascii_case(known) && is_usual(word));
        known.or(Some(ARRAY).filter(|(known, _)| *known == word)).map(|(_, cause)| cause)
    };
    let mut causes = word.split([',', ';', '|']).map(|part| cause(part.trim()));
    let first = causes.next()??;
    causes.all(|cause| cause.is_some()).then_some(first)
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
    if text == "[]" {
        return Some("which is an empty list");
    }
    if is_error_of_a_sheet(text) {
        return Some("which a spreadsheet shows for a cell that it could not compute");
    }
    if is_rounded(text) {
        return Some("which a spreadsheet or a program writes for a number whose last digits it lost");
    }
    if is_zero_uuid(text) {
        return Some("which a program writes for an id that was never set");
    }
    let is_format = matches!(text, "%s" | "%d" | "%i" | "%u" | "%v" | "%@");
    let is_group = matches!(text.as_bytes(), [b'$' | b'\\', digit] if digit.is_ascii_digit());
    (is_format || is_group || between("{", "}").is_some_and(is_place))
        .then_some("which is the place of a format that was not filled")
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

/// Returns true for the UUID of zeros alone.
fn is_zero_uuid(text: &str) -> bool {
    let bare = text.trim_matches(['{', '}']);
    bare.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && bare.bytes().all(|byte| matches!(byte, b'0' | b'-'))
}

/// Returns true for the spellings of programs: `null`, `NULL`, `Null` and `NaN`. Nan and Nil are names of people.
fn is_usual(word: &str) -> bool {
    if matches!(word, "Nan" | "Nil") {
        return false;
    }
    let upper = |byte: u8| byte.is_ascii_uppercase();
    let (all, rest) =
        (word.bytes().any(|byte| byte.is_ascii_lowercase()), word.trim_start_matches('-').bytes().skip(1).any(upper));
    !all || !rest || word == "NaN"
}

/// Returns true if a text consists of the words of a request and has at least one word that asks: `REPLACE_ME`,
/// `your-click-id`, `insertClickIdHere`. Case and separators do not matter.
fn is_request(word: &str) -> bool {
    let alphabetic = word.bytes().filter(u8::is_ascii_alphabetic).count();
    let separators = word.bytes().filter(|byte| b" _-.+:!".contains(byte)).count();
    if alphabetic < 3 || alphabetic + separators < word.len() {
        return false;
    }
    if letters(word).all(|letter| letter == b'x') {
        return true;
    }
    let mut text = [0; MAX_BYTES];
    let places = text.iter_mut().zip(letters(word)).map(|(place, letter)| *place = letter).count();
    let text = text.get(..places).unwrap_or_default();
    // Says for each place if the letters before it are words, and if one of those words asks.
    let (mut reached, mut asked) = ([false; MAX_BYTES + 1], [false; MAX_BYTES + 1]);
    reached[0] = true;
    for at in 0..places {
        let Some(rest) = text.get(at..).filter(|_| reached.get(at) == Some(&true)) else { continue };
        let so_far = asked.get(at) == Some(&true);
        let words = REQUESTS.iter().map(|word| (word, true)).chain(OBJECTS.iter().map(|word| (word, false)));
        for (word, asks) in words.filter(|(word, _)| rest.starts_with(word.as_bytes())) {
            let end = at + word.len();
            if let (Some(reached), Some(asked)) = (reached.get_mut(end), asked.get_mut(end)) {
                *reached = true;
                *asked |= so_far || asks;
            }
        }
    }
    asked.get(places) == Some(&true)
}
