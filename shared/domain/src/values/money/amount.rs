//! Holds exact amounts of money.

use core::{fmt, str::FromStr};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::currency::is_currency_sign;
use crate::prelude::*;
use crate::values::ids::is_invisible;

/// Bounds the digits before the point.
pub const MAX_INTEGER_DIGITS: usize = 15;
/// Bounds the digits after the point. Eight digits are enough for a satoshi.
pub const MAX_FRACTION_DIGITS: usize = 8;

/// Holds an amount of money: an exact decimal with an absolute value of at most 999 999 999 999 999.99999999.
///
/// Only a partner that agreed on negative amounts can send an amount below zero.
///
/// `100.00` and `100.0` are equal. An amount is printed with the decimals with which it was written, so that people
/// recognise it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Amount(Decimal);

/// Says why a text is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AmountFault {
    /// The text begins with a minus sign.
    #[error("is negative")]
    Negative,
    /// The text begins with a plus sign.
    #[error("begins with a plus sign")]
    Plus,
    /// The text has brackets around the number, as accountants write a negative one.
    #[error("is in brackets, as accountants write negative amounts")]
    Bracketed,
    /// There is no digit before the point.
    #[error("has no digit before the point")]
    NoWhole,
    /// There is no digit after the point.
    #[error("has no digit after the point")]
    NoFraction,
    /// The text has a comma, a blank or another sign between its digits.
    #[error("has a separator between its digits")]
    Separator,
    /// The text has more than one point.
    #[error("has more than one point")]
    Points,
    /// The text has an exponent.
    #[error("has an exponent")]
    Exponent,
    /// The text has white space or an invisible sign around the number.
    #[error("has white space or an invisible sign around it")]
    Around,
    /// The text has a currency or other letters beside the number.
    #[error("has a currency or other text beside the number")]
    Beside,
    /// The text has digits or signs of another script.
    #[error("has digits or signs other than 0 to 9, - and .")]
    Foreign,
    /// The text is no number.
    #[error("is not a plain decimal number")]
    NotDecimal,
    /// The number has more than [`MAX_INTEGER_DIGITS`] digits before the point.
    #[error("has more than {MAX_INTEGER_DIGITS} digits before the point")]
    TooLarge,
    /// The number has more than [`MAX_FRACTION_DIGITS`] digits after the point.
    #[error("has more than {MAX_FRACTION_DIGITS} digits after the point")]
    TooPrecise,
}

impl Amount {
    /// Parses an amount like [`parse`](Self::parse), but accepts a minus sign before it.
    pub fn parse_signed(text: &str) -> Result<Self, AmountFault> {
        let Some(digits) = text.strip_prefix('-') else { return Self::parse(text) };
        match Self::parse(digits) {
            Err(AmountFault::Negative) => Err(AmountFault::NotDecimal),
            Ok(Self(amount)) if !amount.is_zero() => Ok(Self(-amount)),
            parsed => parsed,
        }
    }

    /// Parses `digits` or `digits.digits`, without sign, exponent, separators or white space. Zeros before the first
    /// digit and after the last one do not count towards the bounds.
    pub fn parse(text: &str) -> Result<Self, AmountFault> {
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        if !is_digits(whole) || !is_digits(fraction) {
            return Err(wrong(text));
        }
        let (whole, significant) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        if whole.len() > MAX_INTEGER_DIGITS {
            return Err(AmountFault::TooLarge);
        }
        if significant.len() > MAX_FRACTION_DIGITS {
            return Err(AmountFault::TooPrecise);
        }
        // People recognise an amount by the decimals with which it was written.
        let kept = fraction.get(..MAX_FRACTION_DIGITS).unwrap_or(fraction);
        let whole = if whole.is_empty() { "0" } else { whole };
        let text = if text.contains('.') { format!("{whole}.{kept}") } else { whole.to_owned() };
        // A `Decimal` holds 28 digits, so 15 + 8 always fit exactly.
        Decimal::from_str_exact(&text).map(Self).map_err(|_| AmountFault::NotDecimal)
    }

    /// Returns true if the amount is below zero.
    pub fn is_negative(&self) -> bool {
        self.0 < Decimal::ZERO
    }

    /// Returns the amount without its sign.
    #[must_use]
    pub fn absolute(&self) -> Self {
        Self(self.0.abs())
    }

    /// Returns the exact sum of amounts. It may exceed the bounds of one amount.
    pub fn sum(amounts: impl IntoIterator<Item = Self>) -> Self {
        Self(amounts.into_iter().fold(Decimal::ZERO, |sum, Self(amount)| sum.saturating_add(amount)))
    }

    /// Returns a text for hashing, which is the same for all equal amounts. It has no trailing zeros.
    pub fn canonical(&self) -> String {
        self.0.normalize().to_string()
    }
}

/// Says what is wrong with a text that does not consist of digits and one point.
fn wrong(text: &str) -> AmountFault {
    let is_digit = |sign: char| sign.is_ascii_digit();
    let is_of_number = |sign: char| is_digit(sign) || sign == '.';
    let is_foreign = |sign: char| {
        (sign.is_numeric() && !is_digit(sign))
            || matches!(sign, '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ff0e}' | '٫')
    };
    let is_text = |sign: char| sign.is_alphabetic() || sign == '%' || is_currency_sign(sign);
    let bare = text.trim_matches(is_invisible);
    if bare.len() < text.len() && !bare.is_empty() {
        AmountFault::Around
    } else if has_exponent(text) {
        AmountFault::Exponent
    } else if text.contains(is_foreign) {
        AmountFault::Foreign
    } else if !text.contains(is_digit) {
        AmountFault::NotDecimal
    } else if text.contains(is_text) {
        AmountFault::Beside
    } else if text.starts_with('(') && text.ends_with(')') {
        AmountFault::Bracketed
    } else if text.starts_with('-') {
        AmountFault::Negative
    } else if text.starts_with('+') {
        AmountFault::Plus
    } else if !text.chars().all(is_of_number) {
        AmountFault::Separator
    } else if text.matches('.').nth(1).is_some() {
        AmountFault::Points
    } else if text.starts_with('.') {
        AmountFault::NoWhole
    } else {
        AmountFault::NoFraction
    }
}

/// Returns true for a number with an exponent, such as `1e3` or `1.5E-3`.
fn has_exponent(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return false };
    let is = |part: &str, also: &[char]| {
        let part = part.strip_prefix(['+', '-']).unwrap_or(part);
        let is_digit = |sign: char| sign.is_ascii_digit();
        part.contains(is_digit) && part.chars().all(|sign| is_digit(sign) || also.contains(&sign))
    };
    is(mantissa, &['.', ',']) && is(exponent, &[])
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Amount {
    type Err = AmountFault;
    fn from_str(text: &str) -> Result<Self, AmountFault> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Amount {
    type Error = AmountFault;
    /// Reads a stored amount, which may be negative.
    fn try_from(text: String) -> Result<Self, AmountFault> {
        Self::parse_signed(&text)
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> String {
        amount.to_string()
    }
}

#[cfg(test)]
mod tests;
