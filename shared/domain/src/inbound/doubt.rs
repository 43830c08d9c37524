//! Judges a parameter that nobody agreed on: it may say that the conversion is not valid, or that the call is a test.
//!
//! Doubt is refused. A conversion that is recorded although the partner meant "rejected" is paid and lost; a refused one
//! is kept, its fault says how to send it, and a name that means nothing can be listed in the partner's file. The name
//! gives the parameter a role, and the role says which values are in doubt.

mod words;

use self::words::Word;
use crate::prelude::*;
use crate::values::placeholder::{self, Place, Placeholder};
use crate::values::spelling::{letters, one_slip_apart, seen, words as split};

/// Bounds the names that are judged, in bytes. No sender has longer names.
const MAX_NAME_BYTES: usize = 128;
/// Bounds the beginning of a value that is read, in bytes.
const MAX_VALUE_BYTES: usize = 64;

/// Says what a parameter may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The conversion may not be valid, or not yet.
    Status,
    /// The conversion may have been taken back, which a negative amount says too.
    Reversal,
    /// The call may ask that nothing be recorded.
    DryRun,
}

/// Judges a parameter by its name and its decoded value. Returns `None` if it says nothing against the conversion.
pub fn judge(name: &str, value: &str) -> Option<Doubt> {
    let (name, value) = (seen(name), seen(value));
    let role = Role::of(&name);
    if role == Role::DryRun {
        return Some(Doubt::DryRun);
    }
    let said = Said::of(&value, role != Role::Other);
    let in_doubt = match (role, said) {
        (_, Said::DryRun) => return Some(Doubt::DryRun),
        (Role::Matter, _)
        | (_, Said::Nothing)
        | (Role::Refuses | Role::Reverses, Said::None | Said::No)
        | (Role::Status, Said::True | Said::Yes) => false,
        (Role::Refuses | Role::Reverses | Role::Status, _) => true,
        (Role::Test, said) => {
            matches!(said, Said::True | Said::One | Said::Rejected | Said::Reversed | Said::Test | Said::Macro)
        }
        (Role::State, said) => !matches!(said, Said::None | Said::True | Said::Yes | Said::Other),
        (Role::Kind, said) => matches!(said, Said::Rejected | Said::Reversed | Said::Test),
        (Role::Approves, Said::Other) => !value.contains(|sign: char| sign.is_ascii_digit()),
        (Role::Approves, said) => !matches!(said, Said::True | Said::One | Said::Yes),
        (Role::ApprovesPart, said) => {
            matches!(said, Said::No | Said::Rejected | Said::Reversed | Said::Test | Said::Macro)
        }
        // A value of such words alone means the same under any name.
        (Role::Other | Role::DryRun, said) => {
            matches!(said, Said::Rejected | Said::Reversed) && words::only_reject(&name, &value)
        }
    };
    let reverses = role == Role::Reverses || said == Said::Reversed;
    in_doubt.then_some(if reverses { Doubt::Reversal } else { Doubt::Status })
}

/// Judges a member of a JSON object, or of an object in it. A bare `status` belongs to what the names around it say.
pub fn judge_within(outer: &str, name: &str, value: &str) -> Option<Doubt> {
    let alone = if Role::of(&seen(name)) == Role::Status { None } else { judge(name, value) };
    alone.or_else(|| judge(&format!("{outer}.{name}"), value))
}

/// Returns true if some senders use a parameter of this name for a status.
pub fn is_status_name(name: &str) -> bool {
    !matches!(Role::of(&seen(name)), Role::Other | Role::Matter | Role::Kind | Role::ApprovesPart | Role::DryRun)
}

/// Returns true if a value stands for no value, as `0` or `null` does where a transaction could be named.
pub fn says_nothing(value: &str) -> bool {
    matches!(Said::of(&seen(value), true), Said::Nothing | Said::None | Said::No)
}

/// Returns true if a name is nearly `dry_run`, has it among its words, as in `is_dry_run`, or has the word `dry`, as in
/// `dry-mode`. Such a parameter is never ignored, because the call could be recorded against the sender's wish.
pub fn is_near_dry_run(name: &str) -> bool {
    const KNOWN: &str = "dryrun";
    // In base64 that ends in `Dry==`, the text before the padding is no name.
    const MAX_DRY_BYTES: usize = 16;
    let has = |letter: u8| name.bytes().any(|byte| byte.eq_ignore_ascii_case(&letter));
    if !(has(b'd') && has(b'r')) {
        return false;
    }
    let is_nearly = |text: &str| text.eq_ignore_ascii_case(KNOWN) || one_slip_apart(text, KNOWN);
    let whole: String = letters(name).take(MAX_NAME_BYTES).map(char::from).collect();
    let mut before = "";
    is_nearly(&whole)
        || split(name).any(|part| {
            let pair = [before, part];
            let is_pair = pair.iter().map(|part| part.len()).sum::<usize>().abs_diff(KNOWN.len()) <= 1;
            before = part;
            let glued = || part.len() > KNOWN.len() && part.to_ascii_lowercase().contains(KNOWN);
            (name.len() <= MAX_DRY_BYTES && words::parts(part).any(|part| part.eq_ignore_ascii_case("dry")))
                || glued()
                || (is_pair && is_nearly(&pair.concat()))
        })
}

/// Says what a parameter of some name tells about a conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Anything but a no means that the conversion is not valid, as in `is_rejected`, `unpaid` and `test_order`.
    Refuses,
    /// Anything but a no means that the conversion was taken back, as in `refund_amount`.
    Reverses,
    /// Anything but a yes may mean that the conversion is not valid, as in `order_status`.
    Status,
    /// A yes means that the call is a test; other values name something, as in `test_variant`.
    Test,
    /// A word or a number for a decision counts, and nothing else, as in `state` and `http_status`.
    State,
    /// A word for a decision counts, as in `type` and `payment_mode`.
    Kind,
    /// A no, or a word that is no yes, means that the conversion is not valid, as in `is_approved`.
    Approves,
    /// A no means that the conversion is not valid, as in `paid_amount`.
    ApprovesPart,
    /// The call may ask that nothing be recorded.
    DryRun,
    /// The name belongs to the user or to the advertisement, as in `consent_status`, and the value tells nothing.
    Matter,
    /// The name says nothing.
    Other,
}

impl Role {
    /// Finds the role by the words of a name, so that `order_status`, `orderStatus` and `refunded_at` are recognised, and
    /// `contest` and `prefunded` are not.
    fn of(name: &str) -> Self {
        if name.len() > MAX_NAME_BYTES {
            return Self::Other;
        }
        if is_near_dry_run(name) {
            return Self::DryRun;
        }
        let found: Vec<Word> = words::of_name(name);
        let has = |kind: Word| found.contains(&kind);
        // The last word says what is named: a `cancel_url` is a URL.
        let is_thing = found.last() == Some(&Word::Thing);
        let is_plain = found.iter().all(|word| !matches!(word, Word::Other | Word::Thing | Word::Matter));
        let is_first = |kind: Word| found.iter().find(|word| !matches!(word, Word::Aux | Word::Deal)) == Some(&kind);
        match () {
            () if is_thing => Self::Other,
            () if has(Word::Reversal) => Self::Reverses,
            () if has(Word::Rejected) || has(Word::Bad) || (has(Word::Not) && has(Word::Yes)) => Self::Refuses,
            () if is_first(Word::Test) || has(Word::Sandbox) => {
                if is_plain {
                    Self::Refuses
                } else {
                    Self::Test
                }
            }
            () if has(Word::Matter) && !has(Word::Deal) => Self::Matter,
            () if is_plain && (has(Word::Status) || has(Word::Stage)) => Self::Status,
            () if has(Word::Status) || found.last() == Some(&Word::State) => Self::State,
            () if has(Word::Yes) && is_plain => Self::Approves,
            () if has(Word::Yes) => Self::ApprovesPart,
            () if has(Word::Kind) || has(Word::Stage) => Self::Kind,
            () => Self::Other,
        }
    }
}

/// Says what a value tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    /// The value is empty or a link.
    Nothing,
    /// The value stands for no value: `null`, `n/a`.
    None,
    /// The value is a no or zero.
    No,
    /// The value is a yes.
    True,
    /// The value is 1, which means yes, or pending with some senders.
    One,
    /// The value is another number of one digit, by which some senders number their states.
    Digit,
    /// The value says that the conversion is valid.
    Yes,
    /// The value has a word for a conversion that is not valid, or not yet.
    Rejected,
    /// The value has a word for a conversion that was taken back.
    Reversed,
    /// The value has a word for a test.
    Test,
    /// The value asks that nothing be recorded.
    DryRun,
    /// The value is a macro that was not replaced.
    Macro,
    /// The value is something else.
    Other,
}

impl Said {
    /// Reads a value. Macros are looked for only if they matter.
    fn of(value: &str, macros_matter: bool) -> Self {
        const NONE: [&str; 12] =
            ["[]", "{}", "none", "null", "nil", "na", "n/a", "notset", "not set", "undefined", "never", "-"];
        let value = value.trim_matches(|sign: char| sign.is_whitespace() || "\"'`".contains(sign));
        let is = |known: &[&str]| known.iter().any(|known| value.eq_ignore_ascii_case(known));
        if value.is_empty() || value.contains("://") || value.starts_with('/') {
            return Self::Nothing;
        }
        let value = value.get(..value.floor_char_boundary(MAX_VALUE_BYTES)).unwrap_or(value);
        if let Some(number) = Self::number(value) {
            return number;
        }
        match () {
            () if is(&NONE) => Self::None,
            () if is(&["false", "no", "off", "n", "f"]) => Self::No,
            () if is(&["true", "yes", "on", "y", "t"]) => Self::True,
            () if letters(value).eq(b"dryrun".iter().copied()) => Self::DryRun,
            () if macros_matter && is_macro(value) => Self::Macro,
            () => words::of_value(value),
        }
    }

    /// Reads a number. `200` and `12.50` name something; a number of one digit may stand for a state.
    fn number(value: &str) -> Option<Self> {
        let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
        if !digits.contains(|sign: char| sign.is_ascii_digit()) || digits.contains(|sign: char| !is_of_number(sign)) {
            return None;
        }
        Some(match digits.trim_start_matches('0') {
            digits if digits.bytes().all(|digit| !matches!(digit, b'1'..=b'9')) => Self::No,
            "1" if !value.starts_with('-') => Self::One,
            digits if digits.len() == 1 => Self::Digit,
            _ => Self::Other,
        })
    }
}

fn is_of_number(sign: char) -> bool {
    sign.is_ascii_digit() || matches!(sign, '.' | ',')
}

fn is_macro(value: &str) -> bool {
    matches!(placeholder::find(value.as_bytes(), Place::Id), Some(Placeholder::Macro(_)))
}
