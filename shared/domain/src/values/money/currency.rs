//! Holds currencies: the current codes of ISO 4217, and codes agreed with a partner.

use alloc::collections::BTreeSet;
use core::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::iso_4217::{CURRENT, NOT_MONEY, WITHDRAWN};
use crate::prelude::*;
use crate::values::ids::is_invisible;

/// Holds a currency's code, which is in ISO 4217 or in the partner's configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Currency(String);

/// Says why a text is not a currency of this partner.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CurrencyFault {
    /// The text is a currency, but not written as its code in upper case. Holds the code.
    #[error("must be written {0}")]
    Misspelt(String),
    /// ISO 4217 has withdrawn the code. Holds its last day and the code that replaced it, if there is exactly one.
    #[error("was withdrawn on {0}")]
    Withdrawn(&'static str, Option<&'static str>),
    /// ISO 4217 has the code, but it is no money, such as a metal or the code for tests. Holds the name.
    #[error("is no money; it stands for: {0}")]
    NotMoney(&'static str),
    /// The text is a currency's sign, which several currencies may have.
    #[error("is a sign, not a code")]
    Sign,
    /// The code is neither in ISO 4217 nor agreed.
    #[error("is neither a current code of ISO 4217 nor agreed with this partner")]
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
        self.0.contains(code) || row(&CURRENT, |(known, _)| known, code).is_some()
    }
}

impl Currency {
    /// Parses a current code of ISO 4217, or a code of `extra`.
    pub fn parse(text: &str, extra: &ExtraCurrencies) -> Result<Self, CurrencyFault> {
        if extra.knows(text) {
            return Ok(Self(text.to_owned()));
        }
        let bare = text.trim_matches(|sign| is_invisible(sign) || "[](){}<>\"'".contains(sign));
        // A code has at most 10 characters.
        if bare.len() > 10 {
            return Err(CurrencyFault::Unknown);
        }
        let code = bare.to_ascii_uppercase();
        let by_number = || CURRENT.iter().find(|(_, number)| *number == code).map(|(known, _)| (*known).to_owned());
        if let Some(meant) = Some(code.clone()).filter(|code| extra.knows(code)).or_else(by_number) {
            return Err(CurrencyFault::Misspelt(meant));
        }
        if let Some((_, ended, successor)) = row(&WITHDRAWN, |(known, ..)| known, &code) {
            return Err(CurrencyFault::Withdrawn(ended, Some(successor).filter(|code| !code.is_empty())));
        }
        if let Some((_, name)) = row(&NOT_MONEY, |(known, _)| known, &code) {
            return Err(CurrencyFault::NotMoney(name));
        }
        Err(if code.contains(is_currency_sign) { CurrencyFault::Sign } else { CurrencyFault::Unknown })
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

/// Finds a code in a list that is in order.
fn row<T: Copy>(list: &[T], code_of: impl Fn(T) -> &'static str, code: &str) -> Option<T> {
    list.binary_search_by(|row| code_of(*row).cmp(code)).ok().and_then(|at| list.get(at)).copied()
}

/// Returns true for a sign such as `$` or `€`.
pub(super) fn is_currency_sign(sign: char) -> bool {
    matches!(sign, '$' | '\u{a2}'..='\u{a5}' | '\u{58f}' | '\u{60b}' | '\u{e3f}' | '\u{17db}' | '\u{20a0}'..='\u{20cf}' | '\u{fdfc}' | '\u{fe69}' | '\u{ff04}')
}

#[cfg(test)]
mod tests;
