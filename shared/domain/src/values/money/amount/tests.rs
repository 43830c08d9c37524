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
    fn zeros_around_never_change_an_amount(whole in "[0-9]{1,15}", fraction in "[0-9]{1,4}", zeros in 0usize..40, before in 0usize..40) {
        let short = Amount::parse(&format!("{whole}.{fraction}")).unwrap();
        let long = format!("{}{whole}.{fraction}{}", "0".repeat(before), "0".repeat(zeros));
        let long = Amount::parse(&long).unwrap();
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
    fn no_text_makes_the_parser_panic(text in "[-+0-9.,eE $x]{0,12}|.*") {
        let _ = (Amount::parse(&text), Amount::parse_signed(&text));
    }
}

#[test]
fn a_text_that_is_no_plain_decimal_is_told_exactly() {
    for (text, fault) in [
        ("", AmountFault::NotDecimal),
        (".", AmountFault::NotDecimal),
        ("NaN", AmountFault::NotDecimal),
        ("inf", AmountFault::NotDecimal),
        ("1.", AmountFault::NoFraction),
        ("100.", AmountFault::NoFraction),
        (".5", AmountFault::NoWhole),
        ("+1", AmountFault::Plus),
        ("1e3", AmountFault::Exponent),
        ("1.5E-3", AmountFault::Exponent),
        ("+1e3", AmountFault::Exponent),
        ("1,00", AmountFault::Separator),
        ("1,000.00", AmountFault::Separator),
        ("1 000", AmountFault::Separator),
        ("1_000", AmountFault::Separator),
        ("1'000", AmountFault::Separator),
        ("1\u{a0}000", AmountFault::Separator),
        (" 1", AmountFault::Around),
        ("1\u{200b}", AmountFault::Around),
        ("\u{feff}1.00", AmountFault::Around),
        ("USD 1", AmountFault::Beside),
        ("1.00USD", AmountFault::Beside),
        ("$1", AmountFault::Beside),
        ("1€", AmountFault::Beside),
        ("0x1", AmountFault::Beside),
        ("1.2.3", AmountFault::Points),
        ("1..2", AmountFault::Points),
        ("١", AmountFault::Foreign),
        ("１", AmountFault::Foreign),
        ("\u{2212}1", AmountFault::Foreign),
        ("-0.01", AmountFault::Negative),
        ("0.123456789", AmountFault::TooPrecise),
        (&"9".repeat(16), AmountFault::TooLarge),
    ] {
        assert_eq!(Amount::parse(text), Err(fault), "{text:?}");
    }
    assert_eq!(Amount::parse_signed("--1"), Err(AmountFault::NotDecimal));
    assert_eq!(Amount::parse_signed("-.5"), Err(AmountFault::NoWhole));
    assert_eq!(Amount::parse_signed("-0.00").unwrap().to_string(), "0.00");
    assert_eq!(Amount::parse_signed("-100.00").unwrap().to_string(), "-100.00");
    assert_eq!(Amount::parse("999999999999999.99999999").unwrap().to_string(), "999999999999999.99999999");
}

#[test]
fn zeros_around_an_amount_are_free() {
    for (text, shown) in [
        ("1.5000000000", "1.50000000"),
        ("1.000000000000000000", "1.00000000"),
        ("0000000000000000000001.50", "1.50"),
        ("0.000000000", "0.00000000"),
        ("00", "0"),
        ("999999999999999.9999999900", "999999999999999.99999999"),
    ] {
        assert_eq!(Amount::parse(text).map(|amount| amount.to_string()).as_deref(), Ok(shown), "{text}");
    }
}
