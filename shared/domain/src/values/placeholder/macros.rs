//! Recognises macros by the signs around a name.

/// Bounds the words of a macro's name. More words are a sentence in brackets.
const MAX_WORDS: usize = 4;

/// Lists the signs that begin a modifier after the name: `{x|default}`, `${(x)!}`, `{sub['id']}`, `{x:y}`, `{a=b}`.
const MODIFIERS: &str = "|!?()[],'\"=";

/// Returns a macro that is the whole text, a macro after a prefix, or a macro in braces anywhere in the text.
pub(super) fn find(text: &str) -> Option<&str> {
    let whole = whole(text);
    // Ordinary ids begin with a letter or a digit.
    let may_enclose = whole.starts_with(|first: char| first.is_ascii_punctuation());
    let is_macro = may_enclose && (is_enclosed(whole) || is_underscored(whole) || is_half_braced(whole));
    if is_macro { Some(whole) } else { find_braced(text).or_else(|| find_open_end(whole)).or_else(|| prefixed(whole)) }
}

/// Returns true if a macro may be meant in a text for people: words in round or square brackets of which the first is
/// written as at the beginning of a sentence.
pub(super) fn is_ordinary(text: &str) -> bool {
    let inner = peeled(text).filter(|_| text.starts_with(['(', '[']));
    inner.is_some_and(|inner| {
        let mut letters = inner.chars();
        let is_title = letters.next().is_some_and(char::is_uppercase) && letters.next().is_some_and(char::is_lowercase);
        is_title && inner.chars().all(|sign| sign.is_alphabetic() || matches!(sign, ' ' | '-'))
    })
}

/// Returns a text without the blanks, quotes and the point that people write around a value.
fn whole(text: &str) -> &str {
    let bare = text.trim_matches([' ', '+', '"', '\'', '`']).trim_end_matches(['.', ',', ';', ' ']);
    bare.trim_end_matches(['"', '\'', '`'])
}

/// Returns a macro in brackets or percent signs that follows a prefix: `user_[click_id]`.
fn prefixed(text: &str) -> Option<&str> {
    let at = text.find(['[', '<', '%'])?;
    let (prefix, rest) = text.split_at(at);
    let is_prefix = prefix.ends_with(['_', '-', '.', ':', '=']) && !prefix.contains(' ');
    let inner = peeled(rest).filter(|inner| is_prefix && is_words(inner) && !is_numbered(inner));
    inner.map(|_| rest)
}

/// Returns a variable of a program or a form that was not interpolated: `$click_id`, `$_GET['x']`, `:click_id`.
pub(super) fn find_variable(text: &str) -> Option<&str> {
    let text = whole(text);
    let quiet = text.strip_prefix("$!");
    let name = quiet.or_else(|| text.strip_prefix('$')).or_else(|| text.strip_prefix(':')).or_else(|| cut(text))?;
    let end = name.find(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '_')).unwrap_or(name.len());
    let (name, rest) = name.split_at(end);
    let is_access = rest.is_empty()
        || rest.starts_with('[')
        || rest.starts_with("->")
        || rest.strip_prefix('.').is_some_and(is_words);
    (is_access && is_words(name.trim_start_matches('_'))).then_some(text)
}

/// Returns the name of a macro in percent signs that lost its end. Two hexadecimal digits alone are an encoded byte.
fn cut(text: &str) -> Option<&str> {
    let name = text.strip_prefix('%')?;
    let is_byte = name.len() <= 2 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    (!is_byte && is_words(name)).then_some(name)
}

/// Returns true if signs stand around a name: brackets of any kind, or the same sign on both sides. A dollar or the like
/// may precede brackets, and the letter of a format may follow them: `$(x)`, `%(x)s`.
fn is_enclosed(text: &str) -> bool {
    let sigil = |text: &str| text.starts_with(['(', '[', '<', '{']);
    let bare = text.trim_start_matches(['$', '#', '@', '%', '!', '&', '~', '*', '^']);
    let bare = if sigil(bare) { bare } else { text };
    let formatted = bare.strip_suffix(['s', 'd']).filter(|rest| bare.len() < text.len() && rest.ends_with(')'));
    let (mut inner, mut modifiers, mut is_strong) = (formatted.unwrap_or(bare), "", false);
    let mut is_id = bare.len() == text.len();
    while let Some(rest) = peeled(inner) {
        let sign = inner.chars().next().unwrap_or_default();
        modifiers = match sign {
            '(' | '[' | '<' | '{' => MODIFIERS,
            '|' => "",
            _ => "|(",
        };
        is_strong |= sign != '*';
        is_id &= matches!(sign, '(' | '[' | '<');
        inner = rest;
    }
    // In `%click%20id%`, the signs around the name are not encoded, but the blank is.
    let spaced = inner.contains("%20").then(|| inner.replace("%20", " "));
    is_strong && is_label(spaced.as_deref().unwrap_or(inner), modifiers) && !(is_id && is_numbered(inner))
}

/// Returns true for a name with a number as ids have it: three digits, two after a hyphen, or one between the letters of a
/// code. `INV-77` and `V6VGTT2U` in brackets are ids, and `sub_id_15` is the name of a macro.
fn is_numbered(name: &str) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let is_number = |part: &[u8]| matches!(part, [b'-', a, b] if is_digit(a) && is_digit(b));
    let is_inside = |part: &[u8]| matches!(part, [a, b] if is_digit(a) && b.is_ascii_alphabetic());
    let is_code = name.len() >= 8 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    name.bytes().filter(|byte| is_digit(byte)).count() > 2
        || name.as_bytes().windows(3).any(is_number)
        || (is_code && name.as_bytes().windows(2).any(is_inside))
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

/// Returns true for `__X__`. These signs are also in base64 and nanoids, so the name must consist of words.
fn is_underscored(text: &str) -> bool {
    let inner = text.strip_prefix("__").and_then(|rest| rest.strip_suffix("__"));
    let parts = |name: &str| name.split(['_', '-']).count();
    inner.is_some_and(|name| is_words(name) && parts(name) <= MAX_WORDS && !(name.contains('_') && name.contains('-')))
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
