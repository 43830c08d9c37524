use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Currency, CurrencyFault> {
    Currency::parse(text, &ExtraCurrencies::default())
}

#[test]
fn a_currency_is_current_or_agreed() {
    let mut extra = ExtraCurrencies::default();
    assert_eq!(Currency::parse("USDT", &extra), Err(CurrencyFault::Unknown));
    assert_eq!(extra.add("USDT"), Ok(true));
    assert_eq!(extra.add("XAU"), Ok(true));
    for good in ["USD", "EUR", "PLN", "JPY", "XOF", "XCG", "ZWG", "VES", "USDT", "XAU"] {
        assert_eq!(Currency::parse(good, &extra).unwrap().as_str(), good);
    }
    assert_eq!(Currency::parse("usdt", &extra), Err(CurrencyFault::Misspelt("USDT".into())));
    assert!(extra.add("usdt").is_err());
}

#[test]
fn each_kind_of_wrong_currency_is_told_by_name() {
    let misspelt = |code: &str| CurrencyFault::Misspelt(code.to_owned());
    for (text, fault) in [
        ("usd", misspelt("USD")),
        ("Usd", misspelt("USD")),
        (" USD", misspelt("USD")),
        ("USD\u{200b}", misspelt("USD")),
        ("840", misspelt("USD")),
        ("008", misspelt("ALL")),
        ("HRK", CurrencyFault::Withdrawn("2023-01-14", Some("EUR"))),
        ("hrk", CurrencyFault::Withdrawn("2023-01-14", Some("EUR"))),
        ("SLL", CurrencyFault::Withdrawn("2023-12-31", Some("SLE"))),
        ("ZWL", CurrencyFault::Withdrawn("2024-08-31", Some("ZWG"))),
        ("CUC", CurrencyFault::Withdrawn("2021-06-01", Some("CUP"))),
        ("BGN", CurrencyFault::Withdrawn("2026-01-31", Some("EUR"))),
        ("ANG", CurrencyFault::Withdrawn("2025-06-30", Some("XCG"))),
        ("YUM", CurrencyFault::Withdrawn("2002-05-15", None)),
        ("XTS", CurrencyFault::NotMoney("Codes specifically reserved for testing purposes")),
        ("XXX", CurrencyFault::NotMoney("The codes assigned for transactions where no currency is involved")),
        ("XAU", CurrencyFault::NotMoney("Gold")),
        ("XDR", CurrencyFault::NotMoney("SDR (Special Drawing Right)")),
        ("$", CurrencyFault::Sign),
        ("US$", CurrencyFault::Sign),
        ("€", CurrencyFault::Sign),
        ("zł", CurrencyFault::Unknown),
        ("US", CurrencyFault::Unknown),
        ("QQQ", CurrencyFault::Unknown),
        ("", CurrencyFault::Unknown),
    ] {
        assert_eq!(parse(text), Err(fault), "{text:?}");
    }
}

#[test]
fn the_lists_are_in_order_and_share_no_code() {
    let is_current = |code: &str| row(&CURRENT, |(known, _)| known, code).is_some();
    assert!(CURRENT.is_sorted() && NOT_MONEY.is_sorted() && WITHDRAWN.is_sorted());
    for (code, ended, successor) in WITHDRAWN {
        assert!(!is_current(code) && row(&NOT_MONEY, |(known, _)| known, code).is_none());
        assert!(ended.parse::<jiff::civil::Date>().is_ok(), "{ended}");
        assert!(successor.is_empty() || is_current(successor), "{successor}");
    }
    let published = crate::values::money::CURRENCIES_PUBLISHED;
    assert!(published.parse::<jiff::civil::Date>().is_ok());
    let page = include_str!("../../../../../../docs/partners.md");
    assert!(page.contains(&std::format!("our list is that of {published}")), "docs/partners.md tells another date");
}

proptest! {
    #[test]
    fn a_text_is_a_currency_only_as_its_code(text in "\\PC{0,6}|[A-Z]{3}|[0-9]{3}") {
        match parse(&text) {
            Ok(currency) => prop_assert_eq!(currency.as_str(), text),
            Err(CurrencyFault::Misspelt(code)) => prop_assert!(code != text && parse(&code).is_ok()),
            Err(_) => prop_assert!(!CURRENT.iter().any(|(code, _)| *code == text)),
        }
    }
}
