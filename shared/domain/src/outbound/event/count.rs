//! Reads a whole number in any JSON spelling: `10`, `10.0`, `1e1` and `100e-1` are equal.

use super::MAX_TOTAL_CLICKS;
use crate::prelude::*;

/// Counts the digits of [`MAX_TOTAL_CLICKS`].
const MAX_DIGITS: usize = 16;

/// Returns the exact count, or `None` if the number has a fraction, is negative or too large.
pub(super) fn parse(number: &str) -> Option<u64> {
    let (negative, number) = number.strip_prefix('-').map_or((false, number), |rest| (true, rest));
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: String = [whole, fraction].concat();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let shortened = significant.trim_end_matches('0');
    let dropped = significant.len() - shortened.len();
    // A number with an exponent beyond `i32` is too large or too small in any case.
    let exponent = exponent.parse::<i32>().ok()?;
    let shift = i64::from(exponent) + i64::try_from(dropped).ok()? - i64::try_from(fraction.len()).ok()?;
    let zeros = usize::try_from(shift).ok().filter(|zeros| shortened.len() + zeros <= MAX_DIGITS && !negative)?;
    let count: u64 = [shortened, &"0".repeat(zeros)].concat().parse().ok()?;
    Some(count).filter(|count| *count <= MAX_TOTAL_CLICKS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_whole_number_is_read_in_any_json_spelling() {
        for (text, count) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("-0.0e9", Some(0)),
            ("0e99999999999", Some(0)),
            ("10", Some(10)),
            ("10.0", Some(10)),
            ("1e1", Some(10)),
            ("1E+1", Some(10)),
            ("100e-1", Some(10)),
            ("0.001e4", Some(10)),
            ("9007199254740991.000", Some(MAX_TOTAL_CLICKS)),
            ("9007199254740992", None),
            ("1.5", None),
            ("1e-1", None),
            ("-1", None),
            ("1e400", None),
            ("1e99999999999", None),
            ("1e-99999999999", None),
            ("true", None),
            ("\"7\"", None),
            ("[7]", None),
        ] {
            assert_eq!(parse(text), count, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_count_is_read_in_every_spelling(count in 0..=MAX_TOTAL_CLICKS, zeros in 0u32..30) {
            let padding = "0".repeat(zeros as usize);
            prop_assert_eq!(parse(&format!("{count}.{padding}0")), Some(count));
            prop_assert_eq!(parse(&format!("{count}{padding}e-{zeros}")), Some(count));
            prop_assert_eq!(parse(&format!("0.{padding}{count:016}e{}", zeros + 16)), Some(count));
        }
    }
}
