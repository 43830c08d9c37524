//! Converts amounts by rates of days.

use std::collections::BTreeMap;

use domain::jiff::civil::Date;
use rust_decimal::Decimal;

use super::ReportFault;

/// The digits after the point to which each converted sum is rounded, half away from zero. An amount of a partner has
/// as many.
const CONVERTED_DIGITS: u32 = 8;

/// Rates into one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rates {
    into: String,
    rates: BTreeMap<(Date, String), Decimal>,
}

impl Rates {
    /// Makes rates into a currency. None are known yet, except that of the currency itself, which is 1.
    pub fn new(into: String) -> Self {
        Self { into, rates: BTreeMap::new() }
    }

    /// Adds the rate of a day: how much of the target currency a unit of this currency is worth. Returns false if the
    /// day already has a rate of the currency.
    pub fn add(&mut self, day: Date, currency: String, rate: Decimal) -> bool {
        self.rates.insert((day, currency), rate).is_none()
    }

    /// Returns the currency into which the rates convert.
    pub fn into_currency(&self) -> &str {
        &self.into
    }

    /// Converts a sum of one day. The product is exact, and then rounded to [`CONVERTED_DIGITS`].
    pub(super) fn convert(&self, day: Date, currency: &str, amount: Decimal) -> Result<Decimal, ReportFault> {
        if currency == self.into {
            return Ok(amount);
        }
        let rate = self.rates.get(&(day, currency.to_owned()));
        let rate = rate.ok_or_else(|| ReportFault::NoRate { currency: currency.to_owned(), day })?;
        product(amount, *rate).ok_or_else(|| ReportFault::TooLarge(currency.to_owned()))
    }
}

/// Multiplies exactly and rounds once. Returns `None` if the product has too many digits.
///
/// The operator of `Decimal` would round a long product to 28 digits without a word.
fn product(amount: Decimal, rate: Decimal) -> Option<Decimal> {
    let (amount, rate) = (amount.normalize(), rate.normalize());
    let mantissa = amount.mantissa().checked_mul(rate.mantissa())?;
    let scale = amount.scale() + rate.scale();
    let excess = scale.saturating_sub(CONVERTED_DIGITS);
    let divisor = 10_i128.checked_pow(excess)?;
    let (quotient, rest) = (mantissa / divisor, mantissa % divisor);
    let away = if rest.abs() >= divisor - rest.abs() && excess > 0 { mantissa.signum() } else { 0 };
    Decimal::try_from_i128_with_scale(quotient + away, scale - excess).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates() -> Rates {
        let mut rates = Rates::new("USD".to_owned());
        assert!(rates.add("2026-11-01".parse().unwrap(), "EUR".to_owned(), "1.0837".parse().unwrap()));
        assert!(rates.add("2026-11-02".parse().unwrap(), "EUR".to_owned(), "1.1".parse().unwrap()));
        rates
    }

    #[test]
    fn a_sum_is_converted_at_the_rate_of_its_day() {
        let convert = |day: &str, currency: &str, amount: &str| {
            rates().convert(day.parse().unwrap(), currency, amount.parse().unwrap())
        };
        let decimal = |text: &str| Ok(text.parse().unwrap());
        assert_eq!(convert("2026-11-01", "EUR", "100.00"), decimal("108.37"));
        assert_eq!(convert("2026-11-02", "EUR", "100.00"), decimal("110"));
        assert_eq!(convert("2026-11-09", "USD", "0.10"), decimal("0.10"));
        let missing = convert("2026-11-03", "EUR", "1").unwrap_err().to_string();
        assert!(missing.contains("no rate of EUR on 2026-11-03"), "{missing}");
        assert!(matches!(convert("2026-11-02", "PLN", "1"), Err(ReportFault::NoRate { .. })));
    }

    #[test]
    fn a_second_rate_of_a_day_is_told() {
        assert!(!rates().add("2026-11-02".parse().unwrap(), "EUR".to_owned(), "1.2".parse().unwrap()));
    }

    #[test]
    fn a_product_is_exact_and_rounded_half_away_from_zero() {
        for (amount, rate, expected) in [
            ("0.00000001", "0.5", Some("0.00000001")),
            ("0.00000001", "0.4999999", Some("0")),
            ("-0.00000001", "0.5", Some("-0.00000001")),
            ("-0.00000003", "0.5", Some("-0.00000002")),
            ("99999999999999.99999999", "1.23456789", Some("123456788999999.99999999")),
            ("3", "0.333333333333", Some("1.00000000")),
            ("79228162514264337593543950335", "10", None),
        ] {
            let product = product(amount.parse().unwrap(), rate.parse().unwrap());
            assert_eq!(product, expected.map(|text| text.parse().unwrap()), "{amount} × {rate}");
        }
    }
}
