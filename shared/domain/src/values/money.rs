//! Holds amounts and currencies. Amounts are exact decimals; no floating point is used anywhere.

use alloc::collections::BTreeSet;
use core::{fmt, str::FromStr};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::prelude::*;

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
    /// The text does not consist of digits, with or without a point and further digits.
    #[error("is not a plain decimal number")]
    NotDecimal,
    /// The text has more than [`MAX_INTEGER_DIGITS`] digits before the point.
    #[error("has more than {MAX_INTEGER_DIGITS} digits before the point")]
    TooLarge,
    /// The text has more than [`MAX_FRACTION_DIGITS`] digits after the point.
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

    /// Parses `digits` or `digits.digits`, without sign, exponent, separators or white space.
    pub fn parse(text: &str) -> Result<Self, AmountFault> {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if text.starts_with('-') {
            return Err(AmountFault::Negative);
        }
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) if digits(fraction) => (whole, fraction),
            Some(_) => return Err(AmountFault::NotDecimal),
            None => (text, ""),
        };
        if !digits(whole) {
            return Err(AmountFault::NotDecimal);
        }
        if whole.len() > MAX_INTEGER_DIGITS {
            return Err(AmountFault::TooLarge);
        }
        if fraction.len() > MAX_FRACTION_DIGITS {
            return Err(AmountFault::TooPrecise);
        }
        // A `Decimal` holds 28 digits, so 15 + 8 always fit exactly.
        Decimal::from_str_exact(text).map(Self).map_err(|_| AmountFault::NotDecimal)
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

/// Holds a currency's code, which is in ISO 4217 or in the partner's configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Currency(String);

/// Says why a text is not a currency of this partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CurrencyFault {
    /// The text is a currency, but is not in upper case.
    #[error("must be in upper case")]
    LowerCase,
    /// The code is neither in ISO 4217 nor agreed.
    #[error("is neither an ISO 4217 code nor one agreed with this partner")]
    Unknown,
}

/// Holds the currencies that a partner's configuration adds to ISO 4217, such as `USDT`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExtraCurrencies(BTreeSet<String>);

impl ExtraCurrencies {
    /// Adds one code of 2 to 10 characters from `A-Z` and `0-9`. Returns true if it was new.
    pub fn add(&mut self, code: &str) -> Result<bool, &'static str> {
        let legal = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        if !(2..=10).contains(&code.len()) || !code.bytes().all(legal) {
            return Err("must be 2 to 10 characters of A-Z and 0-9");
        }
        Ok(self.0.insert(code.to_owned()))
    }

    /// Returns the added codes in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    fn knows(&self, code: &str) -> bool {
        self.0.contains(code) || iso_currency::Currency::from_code(code).is_some()
    }
}

impl Currency {
    /// Parses an upper-case code of ISO 4217 or of `extra`.
    pub fn parse(code: &str, extra: &ExtraCurrencies) -> Result<Self, CurrencyFault> {
        if extra.knows(code) {
            Ok(Self(code.to_owned()))
        } else if extra.knows(&code.to_ascii_uppercase()) {
            Err(CurrencyFault::LowerCase)
        } else {
            Err(CurrencyFault::Unknown)
        }
    }

    /// Returns the code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written_amount() -> impl Strategy<Value = String> {
        ("[0-9]{1,15}", prop::option::of("[0-9]{1,8}"))
            .prop_map(|(whole, fraction)| fraction.map_or(whole.clone(), |fraction| format!("{whole}.{fraction}")))
    }

    proptest! {
        #[test]
        fn every_amount_within_the_bounds_survives_printing(text in written_amount()) {
            let amount = Amount::parse(&text).unwrap();
            prop_assert_eq!(Amount::parse(&amount.to_string()).unwrap(), amount);
            prop_assert_eq!(Amount::parse(&amount.canonical()).unwrap(), amount);
        }

        #[test]
        fn a_signed_amount_survives_printing_and_sums_to_zero(text in written_amount()) {
            let (amount, negative) = (Amount::parse(&text).unwrap(), Amount::parse_signed(&format!("-{text}")).unwrap());
            prop_assert_eq!(Amount::parse_signed(&negative.to_string()).unwrap(), negative);
            prop_assert_eq!(Amount::sum([amount, negative]), Amount::parse("0").unwrap());
            prop_assert_eq!(negative.is_negative(), amount != negative);
            prop_assert!(!amount.is_negative());
        }

        #[test]
        fn trailing_zeros_never_change_an_amount(whole in "[0-9]{1,15}", fraction in "[0-9]{1,4}", zeros in 0usize..4) {
            let short = Amount::parse(&format!("{whole}.{fraction}")).unwrap();
            let long = Amount::parse(&format!("{whole}.{fraction}{}", "0".repeat(zeros))).unwrap();
            prop_assert_eq!(short, long);
            prop_assert_eq!(short.canonical(), long.canonical());
        }

        #[test]
        fn different_digits_are_different_amounts(a in 0u64..1_000_000_000, b in 0u64..1_000_000_000) {
            let amount = |n: u64| Amount::parse(&format!("{}.{:08}", n / 100_000_000, n % 100_000_000)).unwrap();
            prop_assert_eq!(amount(a) == amount(b), a == b);
            prop_assert_eq!(amount(a).canonical() == amount(b).canonical(), a == b);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*") {
            let _ = Amount::parse(&text);
        }
    }

    #[test]
    fn a_text_that_is_no_plain_decimal_is_refused() {
        for bad in ["", ".", "1.", ".5", "+1", "1e3", "1,00", "1 000", " 1", "0x1", "NaN", "inf", "1.2.3", "١"] {
            assert_eq!(Amount::parse(bad), Err(AmountFault::NotDecimal), "{bad:?}");
        }
        assert_eq!(Amount::parse("-0.01"), Err(AmountFault::Negative));
        assert_eq!(Amount::parse_signed("--1"), Err(AmountFault::NotDecimal));
        assert_eq!(Amount::parse_signed("-0.00").unwrap().to_string(), "0.00");
        assert_eq!(Amount::parse_signed("-100.00").unwrap().to_string(), "-100.00");
        assert_eq!(Amount::parse(&"9".repeat(16)), Err(AmountFault::TooLarge));
        assert_eq!(Amount::parse("0.123456789"), Err(AmountFault::TooPrecise));
        assert_eq!(Amount::parse("999999999999999.99999999").unwrap().to_string(), "999999999999999.99999999");
    }

    #[test]
    fn a_currency_is_iso_4217_or_agreed() {
        let mut extra = ExtraCurrencies::default();
        assert_eq!(Currency::parse("USDT", &extra), Err(CurrencyFault::Unknown));
        assert_eq!(extra.add("USDT"), Ok(true));
        for good in ["USD", "EUR", "PLN", "JPY", "USDT"] {
            assert_eq!(Currency::parse(good, &extra).unwrap().as_str(), good);
        }
        assert_eq!(Currency::parse("usd", &extra), Err(CurrencyFault::LowerCase));
        assert_eq!(Currency::parse("US", &extra), Err(CurrencyFault::Unknown));
        assert!(extra.add("usdt").is_err());
    }
}
