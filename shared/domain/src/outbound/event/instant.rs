//! Reads an instant in RFC 3339, which is the meaning of `date-time` in a JSON Schema. Other forms are refused, because
//! other readers of the platform's events do not accept them.

use jiff::Timestamp;

use crate::prelude::*;

/// Sets how many digits of a second's fraction are read. Further digits mean less than a nanosecond.
const MAX_FRACTION: usize = 9;

/// Returns the instant, or `None` if the text is no date-time of RFC 3339 in the years 0001 to 9998.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let (date_and_time, rest) = text.split_at_checked("2026-11-23T12:00:00".len())?;
    let (fraction, offset) = rest.split_at_checked(rest.find(['Z', 'z', '+', '-'])?)?;
    let fraction = match fraction.strip_prefix('.') {
        Some(digits) if all_digits(digits) => digits.get(..MAX_FRACTION).unwrap_or(digits),
        None if fraction.is_empty() => "0",
        _ => return None,
    };
    let separated = has_shape(date_and_time, "0000-00-00T00:00:00") || has_shape(date_and_time, "0000-00-00t00:00:00");
    let zoned = matches!(offset, "Z" | "z") || has_shape(offset, "+00:00") || has_shape(offset, "-00:00");
    if !separated || !zoned || !is_offset(offset) {
        return None;
    }
    let is_utc = matches!(offset, "Z" | "z" | "+00:00" | "-00:00");
    // A leap second is possible only at the end of a day in UTC. It is read as the preceding second.
    let leaps = date_and_time.ends_with(":60") && !(is_utc && date_and_time.ends_with("23:59:60"));
    // The schema's pattern cannot tell which instants of the first and the last year are in the range of timestamps.
    if leaps || date_and_time.starts_with("0000") || date_and_time.starts_with("9999") {
        return None;
    }
    format!("{date_and_time}.{fraction}{offset}").parse().ok()
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns true if the text has a digit where `shape` has a 0, and equals `shape` elsewhere.
fn has_shape(text: &str, shape: &str) -> bool {
    let fits = |(byte, of): (u8, u8)| if of == b'0' { byte.is_ascii_digit() } else { byte == of };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(fits)
}

fn is_offset(offset: &str) -> bool {
    let number = |range| offset.get(range).and_then(|digits: &str| digits.parse::<u8>().ok()).unwrap_or_default();
    number(1..3) < 24 && number(4..6) < 60
}
