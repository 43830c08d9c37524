//! Holds amounts and currencies. Amounts are exact decimals; no floating point is used anywhere.

mod amount;
mod currency;
mod iso_4217;

pub use self::{
    amount::{Amount, AmountFault, MAX_FRACTION_DIGITS, MAX_INTEGER_DIGITS},
    currency::{Currency, CurrencyFault, ExtraCurrencies},
    iso_4217::PUBLISHED as CURRENCIES_PUBLISHED,
};
