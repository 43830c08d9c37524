//! Compares names and words by their letters, whatever their case and whatever stands between the letters.

use alloc::borrow::Cow;
use core::iter;

use super::ids::is_invisible;
use crate::prelude::*;

/// Maps letters of other scripts, in the order of their numbers, to the Latin letters that look like them.
#[rustfmt::skip]
const LOOK_ALIKES: [(char, char); 49] = [
    ('ı', 'i'), ('Α', 'A'), ('Ε', 'E'), ('Ι', 'I'), ('Κ', 'K'), ('Ν', 'N'), ('Ο', 'O'), ('Ρ', 'P'), ('Τ', 'T'),
    ('α', 'a'), ('ε', 'e'), ('ι', 'i'), ('κ', 'k'), ('ν', 'v'), ('ο', 'o'), ('ρ', 'p'), ('τ', 't'), ('υ', 'u'),
    ('Ѕ', 'S'), ('І', 'I'), ('Ј', 'J'), ('А', 'A'), ('В', 'B'), ('Е', 'E'), ('К', 'K'), ('М', 'M'), ('Н', 'H'),
    ('О', 'O'), ('Р', 'P'), ('С', 'C'), ('Т', 'T'), ('У', 'Y'), ('Х', 'X'), ('а', 'a'), ('е', 'e'), ('к', 'k'),
    ('м', 'm'), ('о', 'o'), ('р', 'p'), ('с', 'c'), ('т', 't'), ('у', 'y'), ('х', 'x'), ('ѕ', 's'), ('і', 'i'),
    ('ј', 'j'), ('һ', 'h'), ('ӏ', 'l'), ('ԁ', 'd'),
];

/// Returns the letters and digits in lower case.
pub(crate) fn letters(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase())
}

/// Returns true if two texts have the same letters and digits.
pub(crate) fn same_letters(one: &str, other: &str) -> bool {
    letters(one).eq(letters(other))
}

/// Returns the words of a name, which signs or capitals separate: `isTest_mode` has `is`, `Test` and `mode`.
pub(crate) fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|sign: char| !sign.is_alphanumeric()).flat_map(humps).filter(|word| !word.is_empty())
}

/// Cuts a text before each capital that follows a small letter.
fn humps(mut rest: &str) -> impl Iterator<Item = &str> {
    iter::from_fn(move || {
        let is_end = |pair: &[u8]| matches!(pair, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase());
        let end = rest.as_bytes().windows(2).position(is_end).map_or(rest.len(), |at| at + 1);
        let (hump, after) = rest.split_at(end);
        rest = after;
        (end > 0).then_some(hump)
    })
}

/// Returns a text as people see it: without invisible signs, with ASCII signs for full-width ones and with Latin letters
/// for letters that look like them.
pub(crate) fn seen(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let visible = text.chars().filter(|sign| sign.is_whitespace() || !is_invisible(*sign));
    Cow::Owned(visible.map(latin).collect())
}

fn latin(sign: char) -> char {
    let narrow = |sign: char| u32::from(sign).checked_sub(0xfee0).and_then(char::from_u32);
    match sign {
        '\u{ff01}'..='\u{ff5e}' => narrow(sign).unwrap_or(sign),
        '\u{131}' | '\u{370}'..='\u{52f}' => {
            let found = LOOK_ALIKES.binary_search_by_key(&sign, |(other, _)| *other).ok();
            found.and_then(|at| LOOK_ALIKES.get(at)).map_or(sign, |(_, latin)| *latin)
        }
        sign => sign,
    }
}

/// Returns true if a text begins with this beginning. Case does not matter.
pub(crate) fn begins(text: &str, beginning: &str) -> bool {
    text.get(..beginning.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(beginning))
}

/// Returns true if a text ends with this end. Case does not matter.
pub(crate) fn ends(text: &str, end: &str) -> bool {
    let from = text.len().checked_sub(end.len());
    from.and_then(|from| text.get(from..)).is_some_and(|last| last.eq_ignore_ascii_case(end))
}

/// Names a slip of the fingers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slip {
    Missing,
    Extra,
    Swapped,
    Wrong,
}

/// Returns the rests of a word and of a known one behind each slip that may explain where they begin to differ.
fn slips<'a>(word: &'a [u8], known: &'a [u8]) -> impl Iterator<Item = (Slip, &'a [u8], &'a [u8])> {
    let same = |(one, other): &(&u8, &u8)| one.eq_ignore_ascii_case(other);
    let first = word.iter().zip(known).take_while(same).count();
    let (word, known) = (word.get(first..).unwrap_or_default(), known.get(first..).unwrap_or_default());
    let swapped =
        matches!((word, known), ([a, b, ..], [c, d, ..]) if a.eq_ignore_ascii_case(d) && b.eq_ignore_ascii_case(c));
    let all = [(Slip::Missing, 0, 1), (Slip::Extra, 1, 0), (Slip::Wrong, 1, 1), (Slip::Swapped, 2, 2)];
    let possible = all.into_iter().filter(move |(slip, ..)| *slip != Slip::Swapped || swapped);
    possible.filter_map(move |(slip, in_word, in_known)| Some((slip, word.get(in_word..)?, known.get(in_known..)?)))
}

/// Returns true if a word begins with this stem but for one letter that is missing or superfluous, or for two neighbours
/// that changed places. Other words differ in the first or the last letter of the stem: `spending` is not `pending`.
pub(crate) fn nearly_begins(word: &str, stem: &str) -> bool {
    let is_it = |(slip, word, rest): (Slip, &[u8], &[u8])| {
        let is_inside = match slip {
            Slip::Missing => (1..stem.len().saturating_sub(1)).contains(&rest.len()),
            Slip::Extra => (1..stem.len()).contains(&rest.len()),
            Slip::Swapped => true,
            Slip::Wrong => false,
        };
        is_inside && word.get(..rest.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(rest))
    };
    slips(word.as_bytes(), stem.as_bytes()).any(is_it)
}

/// Returns true if one letter is missing or superfluous, or if two neighbours changed places. A wrong letter counts in
/// names of six letters and more; shorter names are too easily alike. Digits distinguish names: `sub_id1` is not
/// `sub_id2`.
pub(crate) fn one_slip_apart(name: &str, known: &str) -> bool {
    const SHORTEST: usize = 5;
    const SHORTEST_WITH_WRONG_LETTER: usize = 6;
    let digits = |text: &'_ str| text.bytes().filter(u8::is_ascii_digit).collect::<Vec<u8>>();
    if known.len() < SHORTEST || name.len().abs_diff(known.len()) > 1 {
        return false;
    }
    let is_it = |(slip, name, known_rest): (Slip, &[u8], &[u8])| {
        (slip != Slip::Wrong || known.len() >= SHORTEST_WITH_WRONG_LETTER) && name.eq_ignore_ascii_case(known_rest)
    };
    slips(name.as_bytes(), known.as_bytes()).any(is_it) && digits(name) == digits(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_people_see_it() {
        assert_eq!(seen("ѕtаtuѕ\u{200b}＝ｒejected"), "status=rejected");
        assert!(LOOK_ALIKES.is_sorted());
        assert!(matches!(seen("status"), Cow::Borrowed("status")));
    }

    #[test]
    fn one_slip_of_the_fingers_is_near() {
        for word in ["staus", "sttatus", "stauts", "tsatus", "statuus"] {
            assert!(nearly_begins(word, "status"), "{word}");
        }
        for word in ["statue", "state", "stat", "", "sta"] {
            assert!(!nearly_begins(word, "status"), "{word}");
        }
        assert!(nearly_begins("Refudned", "refund") && !nearly_begins("cancer", "cancel"));
        assert!(!nearly_begins("spending", "pending") && !nearly_begins("ending", "pending"));
        assert!(one_slip_apart("clik_id", "click_id") && one_slip_apart("dry_rum", "dry_run"));
        assert!(!one_slip_apart("sub_id2", "sub_id1") && !one_slip_apart("stage", "state"));
    }
}
