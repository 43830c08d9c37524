//! Recognises words that programs and templates write where there is no value.

use crate::values::spelling::letters;

/// Bounds a text that can consist of such words, in bytes.
const MAX_BYTES: usize = 64;

/// Lists the words of programs, and says how each gets into a value. Case does not matter, but only the usual spellings
/// count, so that a short random id is not taken for a word.
const WORDS: [(&str, &str); 12] = [
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
    ("array", "which PHP writes for an array instead of one of its values"),
];

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
    let program = WORDS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known) && is_usual(word));
    program.map(|(_, cause)| (*cause, *cause == ABSENT)).or_else(|| is_request(word).then_some((REQUEST, true)))
}

/// Recognises objects that were printed as a whole, and the places of a format that was not filled.
fn empty_form(text: &str) -> Option<&'static str> {
    let between = |open: &str, close: &str| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    let is_place = |inner: &str| inner.len() <= 2 && inner.bytes().all(|byte| byte.is_ascii_digit());
    if between("[object ", "]").or_else(|| between("[object+", "]")).is_some() {
        return Some("which JavaScript writes for an object instead of one of its fields");
    }
    if between("Optional(", ")").or_else(|| between("Optional[", "]")).is_some() || text == "Optional.empty" {
        return Some("which Swift and Java write for an optional value that was not unwrapped");
    }
    if text == "[]" {
        return Some("which is an empty list");
    }
    let is_format = matches!(text, "%s" | "%d" | "%i" | "%u" | "%v" | "%@");
    (is_format || between("{", "}").is_some_and(is_place))
        .then_some("which is the place of a format that was not filled")
}

/// Returns true for the spellings of programs: `null`, `NULL`, `Null` and `NaN`.
fn is_usual(word: &str) -> bool {
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
