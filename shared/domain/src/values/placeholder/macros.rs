//! Recognises macros by the signs around a name.

use super::names::is_of_parameter;

/// Bounds the words of a macro's name. More words are a sentence in brackets.
const MAX_WORDS: usize = 4;

/// Bounds the texts in which a macro is looked for beside a prefix or a suffix, in bytes. No parameter's value is longer,
/// even if each of its characters is encoded.
const MAX_BESIDE_BYTES: usize = 1024;

/// Lists the signs that begin a modifier after the name: `{x|default}`, `${(x)!}`, `{sub['id']}`, `{x:y}`, `{a=b}`.
const MODIFIERS: &str = "|!?()[],'\"=";

/// Returns a macro that is the whole text, a macro in braces anywhere in the text, or a macro in other signs beside a
/// prefix or a suffix.
pub(super) fn find(text: &str) -> Option<&str> {
    let whole = whole(text);
    // Ordinary ids begin with a letter or a digit.
    let may_enclose = whole.starts_with(|first: char| first.is_ascii_punctuation());
    if may_enclose && (is_enclosed(whole) || is_half_braced(whole)) {
        return Some(whole);
    }
    find_braced(text).or_else(|| find_open_end(whole)).or_else(|| find_inside(whole))
}

/// Returns a text without the blanks, quotes and the point that people write around a value.
fn whole(text: &str) -> &str {
    let bare = text.trim_matches([' ', '+', '"', '\'', '`']).trim_end_matches(['.', ',', ';', ' ']);
    bare.trim_end_matches(['"', '\'', '`'])
}

/// Returns a parameter's name with its signs anywhere in a text: `u_#click_id#`, `[click_id]_1`, `__X____X__`. In a text
/// for people, such as `Sign-up (user)`, it is no macro. Between underscores, a single letter is a name only if nothing
/// else is beside it, because nanoids such as `__X__AA-AAaA-` have underscores.
fn find_inside(text: &str) -> Option<&str> {
    if text.len() > MAX_BESIDE_BYTES {
        return None;
    }
    let name = |from: usize, to: usize| text.get(from..to).filter(|inner| is_of_parameter(inner));
    let between = |mark: &'static str| {
        let mut pairs = text.match_indices(mark).zip(text.match_indices(mark).skip(1));
        let has_word = |inner: &str| inner.as_bytes().windows(2).any(|two| two.iter().all(u8::is_ascii_alphabetic));
        let is_name = |inner: &str| match mark {
            "%" => !is_byte(inner),
            "__" => has_word(inner) || text.split(inner).all(|rest| rest.bytes().all(|byte| byte == b'_')),
            _ => true,
        };
        // Some programs join the parts of an id by such signs: `shop__order__77`.
        let is_at_end = |from: usize, to: usize| from == 0 || to + mark.len() == text.len();
        let is_macro = |from: usize, to: usize| is_at_end(from, to) && name(from + mark.len(), to).is_some_and(is_name);
        let inside = pairs.find(|((from, _), (to, _))| is_macro(*from, *to));
        inside.and_then(|((from, _), (to, _))| text.get(from..to + mark.len()))
    };
    let in_brackets = || {
        let mut open = None;
        let mut pairs = text.match_indices(['[', '(', '<', ']', ')', '>']).filter_map(|(at, sign)| {
            if matches!(sign, "[" | "(" | "<") {
                open = Some(at);
                return None;
            }
            Some((open.take()?, at))
        });
        pairs.find(|(from, to)| name(from + 1, *to).is_some()).and_then(|(from, to)| text.get(from..=to))
    };
    let is_sentence = |found: &&str| {
        let around = text.replacen(*found, "", 1);
        around.contains([' ', '+']) || around.contains("%20")
    };
    ["__", "#", "$", "%"].into_iter().find_map(between).or_else(in_brackets).filter(|found| !is_sentence(found))
}

/// Returns true if a text behind a percent sign may begin with an encoded byte.
fn is_byte(text: &str) -> bool {
    text.get(..2).is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

/// Returns a variable of a program or a form that was not interpolated: `$click_id`, `$_GET['x']`, `:click_id`.
pub(super) fn find_variable(text: &str) -> Option<&str> {
    let text = whole(text);
    let variable = text.find('$').and_then(|at| text.get(at + 1..)).map(|rest| rest.strip_prefix('!').unwrap_or(rest));
    let cut = text.strip_prefix('%').filter(|cut| !is_byte(cut));
    let name = variable.or_else(|| text.strip_prefix(':')).or(cut)?;
    let end = name.find(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '_')).unwrap_or(name.len());
    let (name, rest) = name.split_at(end);
    let is_access = text.starts_with('$') && (rest.starts_with("['") || rest.starts_with("->"));
    let is_name = (rest.is_empty() || rest.starts_with(['.', '['])) && is_of_parameter(name);
    (is_name || (is_access && !name.is_empty())).then_some(text)
}

/// Returns true if signs stand around a name: brackets of any kind, or the same sign on both sides. A dollar or the like
/// may precede brackets, and the letter of a format may follow them: `$(x)`, `%(x)s`. The signs of templates, and two
/// kinds of signs together, may be around any name; other signs make a macro only of a parameter's name.
fn is_enclosed(text: &str) -> bool {
    let sigil = |text: &str| text.starts_with(['(', '[', '<', '{']);
    let bare = text.trim_start_matches(['$', '#', '@', '%', '!', '&', '~', '*', '^']);
    let bare = if sigil(bare) { bare } else { text };
    let formatted = bare.strip_suffix(['s', 'd']).filter(|rest| bare.len() < text.len() && rest.ends_with(')'));
    let (mut inner, mut modifiers, mut outer) = (formatted.unwrap_or(bare), "", None);
    let mut is_template = bare.len() < text.len();
    while let Some(rest) = peeled(inner) {
        let sign = inner.chars().next().unwrap_or_default();
        modifiers = match sign {
            '(' | '[' | '<' | '{' => MODIFIERS,
            '|' => "",
            _ => "|(",
        };
        is_template |= matches!(sign, '{' | '<' | '%') || outer.is_some_and(|outer| outer != sign);
        outer = Some(sign);
        inner = rest;
    }
    // In `%click%20id%`, the signs around the name are not encoded, but the blank is.
    let spaced = inner.contains("%20").then(|| inner.replace("%20", " "));
    let inner = spaced.as_deref().unwrap_or(inner);
    let name = || inner.split(|sign| MODIFIERS.contains(sign)).next().unwrap_or_default();
    outer.is_some() && is_label(inner, modifiers) && (is_template || is_of_parameter(name()))
}

/// Takes one sign off each end, if the two match.
fn peeled(text: &str) -> Option<&str> {
    let first = text.chars().next()?;
    let last = match first {
        '(' => ')',
        '[' => ']',
        '<' => '>',
        '{' => '}',
        '%' if text.ends_with('!') => '!',
        '%' | '#' | '$' | '@' | '|' | '!' | '^' | '*' | '~' => first,
        _ => return None,
    };
    text.strip_prefix(first)?.strip_suffix(last).filter(|inner| !inner.is_empty())
}

/// Returns true for a macro that lost its closing braces: `{x`, `{{x` and `${x`.
fn is_half_braced(text: &str) -> bool {
    let name = text.trim_start_matches(['$', '#', '%', '@']).strip_prefix('{').map(|rest| rest.trim_start_matches('{'));
    name.is_some_and(|rest| !rest.contains(['{', '}']) && is_label(rest, "|"))
}

/// Returns a macro that lost its opening brace.
fn find_open_end(text: &str) -> Option<&str> {
    let name = text.strip_suffix('}')?.trim_end_matches('}');
    (!name.contains(['{', '}']) && is_label(name, "|")).then_some(text)
}

/// Returns true for words that are joined by single separators, as in the names of variables. Numbers may follow the
/// first word.
fn is_words(name: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = name.split(['_', '-', ' ', '+', '.']);
    parts.next().is_some_and(is_word) && parts.all(|part| is_word(part) || is_number(part))
}

/// Returns true for letters of one word or of words in camel case, and digits after them: `CLICKID`, `sub1`, `clickId`.
/// Letters in random order nearly always change their case in other ways.
fn is_word(text: &str) -> bool {
    let letters = text.trim_end_matches(|sign: char| sign.is_ascii_digit());
    if letters.is_empty() || !letters.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return false;
    }
    // Each hump of camel case has at least two letters.
    let upper = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_uppercase);
    let bytes = letters.as_bytes();
    let lone_hump = |at: usize| upper(bytes.get(at)) && bytes.get(at + 1).is_none_or(u8::is_ascii_uppercase);
    let has_lower = letters.bytes().any(|byte| byte.is_ascii_lowercase());
    let letters = if has_lower { letters.strip_suffix("ID").unwrap_or(letters) } else { letters };
    !has_lower || !(0..letters.len()).any(lone_hump)
}

/// Returns true if a text is a name with ornaments around it, which a modifier may follow. A UUID or another hexadecimal
/// value is no name.
fn is_label(text: &str, modifiers: &str) -> bool {
    let text = text.trim_start_matches(is_ornament);
    let is_of_name = |sign: char| sign.is_alphanumeric() || matches!(sign, ' ' | '+' | '_' | '.' | ':' | '-');
    let end = text.find(|sign| !is_of_name(sign)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let is_modified = rest.starts_with(|sign| modifiers.contains(sign));
    let is_decorated = || rest.chars().all(is_ornament);
    name.starts_with(char::is_alphabetic)
        && (is_modified || is_decorated())
        && name.split([' ', '+']).filter(|word| !word.is_empty()).nth(MAX_WORDS).is_none()
        && !is_hexadecimal(name)
        && !is_random(name, rest)
}

/// Returns true for letters and digits in random order, as in base64. Words have at least three letters on average, and
/// random texts change between small letters, capitals and digits more often. Padding gives base64 away too.
fn is_random(name: &str, rest: &str) -> bool {
    const SHORTEST: usize = 12;
    let is_padding = rest.starts_with('=') && !rest.contains(|sign: char| sign.is_alphanumeric() || sign == '\'');
    let begins = |pair: &[u8]| match pair {
        [a, b] if a.is_ascii_digit() || b.is_ascii_digit() => a.is_ascii_digit() != b.is_ascii_digit(),
        [a, b] => !a.is_ascii_uppercase() && b.is_ascii_uppercase(),
        _ => false,
    };
    let parts = || name.as_bytes().windows(2).filter(|pair| begins(pair)).count() + 1;
    let is_base64 = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+_-".contains(&byte));
    is_base64 && !is_words(name) && (is_padding || (name.len() >= SHORTEST && 3 * parts() > name.len()))
}

/// Returns true for the signs that may stand between a delimiter and the name: `{{ .x }}`, `{$x}`, `<%= x %>`, `${(x)!}`.
/// Before decoding, a blank is a `+`.
fn is_ornament(sign: char) -> bool {
    sign.is_ascii_punctuation() && !matches!(sign, '{' | '}' | '"' | '\'' | '`' | ',') || sign == ' '
}

/// Returns true for a UUID and for 8 or more hexadecimal digits, which some systems write in braces. Hardly any word has
/// so many letters from `a` to `f` alone.
fn is_hexadecimal(text: &str) -> bool {
    let is_uuid = text.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    (is_uuid || (text.len() >= 8 && !text.contains('-')))
        && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn find_braced(text: &str) -> Option<&str> {
    let mut macro_open = None;
    for Mark { open, at, closes } in marks(text.bytes()) {
        let name = open.and_then(|open| text.get(open + 1..at));
        macro_open = macro_open.or(open.filter(|_| name.is_some_and(is_braced_label)));
        if let (Some(open), true) = (macro_open, closes) {
            return braced(text, open, at);
        }
    }
    None
}

/// Returns true for a label in braces, before which some programs write the number of a step: `{{1.click_id}}`.
fn is_braced_label(text: &str) -> bool {
    let after = text.trim_start_matches([' ', '+']).trim_start_matches(|sign: char| sign.is_ascii_digit());
    let unnumbered = after.strip_prefix('.').filter(|_| after.len() < text.len());
    is_label(unnumbered.unwrap_or(text), MODIFIERS)
}

/// Marks where a name in braces may end: at the first `|` or `}` after a `{`, or at any other `}`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// The place of the last `{`, if no other mark is between the two.
    pub(super) open: Option<usize>,
    pub(super) at: usize,
    closes: bool,
}

/// Returns all marks. Each byte is read once, and the names between `open` and `at` do not overlap, so the search takes
/// time in proportion to the text, however many braces it has.
pub(super) fn marks(bytes: impl Iterator<Item = u8>) -> impl Iterator<Item = Mark> {
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

/// Returns the macro from `open` to `close` with the second braces of `{{x}}` or the sign of `${x}`.
fn braced(text: &str, open: usize, close: usize) -> Option<&str> {
    let before = text.get(..open)?;
    let doubled = before.ends_with('{') && text.get(close..)?.starts_with("}}");
    let from = if doubled || before.ends_with(['$', '#', '%', '@']) { open - 1 } else { open };
    text.get(from..=close + usize::from(doubled))
}

/// Searches in the simplest way, from each `{` to the next `}`, in quadratic time.
#[cfg(test)]
pub(super) fn find_braced_plainly(text: &str) -> Option<&str> {
    text.match_indices('{').find_map(|(open, _)| {
        let close = open + text.get(open..)?.find('}')?;
        let name = text.get(open + 1..close)?.split('|').next()?;
        if is_braced_label(name) { braced(text, open, close) } else { None }
    })
}

#[cfg(test)]
pub(super) fn find_braced_in_one_pass(text: &str) -> Option<&str> {
    find_braced(text)
}
