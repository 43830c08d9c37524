//! Tests calls whose parameters have nearly the right names, or stand inside other values.

use super::*;
use crate::inbound::body::{Body, JSON};

#[test]
fn an_optional_parameter_under_another_spelling_is_told() {
    let kept = rules(r#"{"provider":"acme","postback":{"keep":["sub1"]}}"#);
    for (more, name) in [
        ("Event_ID=1", "event_id"),
        ("eventid=1", "event_id"),
        ("amp;event_name=a", "event_name"),
        ("event%255Fname=a", "event_name"),
        ("SUB1=a", "sub1"),
        ("x=1;event_id=2", "event_id"),
        ("x=1%255Cu0026event_id%253D2", "event_id"),
        ("x;event_id=2", "event_id"),
    ] {
        let told = codes(parse_by(&kept, &format!("{SAMPLE}&{more}")));
        assert_eq!(told, [(name.to_owned(), FaultCode::Missing)], "{more}");
    }
    for more in ["Event_ID=", "sub2=1", "event=1", "page=https://a.example/%3Fevent_id%3D1", "event_id=1&Event_ID=1"] {
        assert!(parse_by(&kept, &format!("{SAMPLE}&{more}")).is_ok(), "{more}");
    }
}

#[test]
fn two_spellings_of_a_name_with_two_values_are_told() {
    let kept = rules(r#"{"provider":"acme","postback":{"keep":["sub1","ClickID"]}}"#);
    for (more, name) in [("Click_ID=1", "click_id"), ("USER-ID=2", "user_id"), ("sub1=1&Sub1=2", "sub1")] {
        let told = codes(parse_by(&kept, &format!("{SAMPLE}&{more}")));
        assert_eq!(told, [(name.to_owned(), FaultCode::Repeated)], "{more}");
    }
    for more in ["Click_ID=67890", "ClickID=1", "click_id2=1", "clickid="] {
        assert!(parse_by(&kept, &format!("{SAMPLE}&{more}")).is_ok(), "{more}");
    }
}

#[test]
fn a_swallowed_parameter_is_found_after_any_sign() {
    for sign in ["/", ":", "%23", "%5Cu0026", "%25252526", "%26%23x26;", "&amp%3B"] {
        let faults = codes(parse(&SAMPLE.replace("&transaction_id", &format!("{sign}transaction_id"))));
        assert!(faults.contains(&("transaction_id".to_owned(), FaultCode::Missing)), "{sign}: {faults:?}");
        let swallowed = ("click_id".to_owned(), FaultCode::SwallowedParameter);
        assert!(sign == "&amp%3B" || faults.contains(&swallowed), "{sign}: {faults:?}");
    }
    for value in ["123123123?cy=USD", "123123123%26curren%3Bcy=USD", "123123123%EF%BF%BDcy=USD"] {
        assert_eq!(one_fault(&with("transaction_id", value)).code, FaultCode::HtmlEntity, "{value}");
    }
    assert_eq!(one_fault(&format!("{SAMPLE}&curren%3Bcy=EUR")).code, FaultCode::Repeated);
}

#[test]
fn a_name_near_dry_run_is_found_however_it_is_encoded() {
    for more in [
        "dry%255Frun=true",
        "dry_test=1",
        "dry-mode=1",
        "x=1/dry_run=true",
        "x=1:dry_run=true",
        "x=1%23dry_run=true",
        "x=1%252526dry_run%25253Dtrue",
        "x/dry_run=true",
    ] {
        assert_eq!(one_fault(&format!("{SAMPLE}&{more}")).code, FaultCode::NearDryRun, "{more}");
    }
    assert!(parse(&format!("{SAMPLE}&laundry_rundown=1")).is_ok());
}

#[test]
fn an_unknown_json_value_is_ignored_however_it_looks() {
    let call = |more: &str| {
        let object = format!(
            r#"{{"user_id":"1","click_id":"2","transaction_id":"3","currency":"USD","amount_decimal":"1"{more}}}"#
        );
        let body = Body::read(object.as_bytes(), Some(JSON), true);
        ParsedPostback::parse(&Parameters::of(b"", &body), &acme(), &PostbackRules::default(), &keys())
    };
    for more in [r#","tags":["a"]"#, r#","user":{"click_id":"9"}"#, r#","x":null"#, r#","refunded_at":null"#] {
        assert_eq!(call(more).unwrap().ignored.len(), 1, "{more}");
    }
    for (more, code) in [
        (r#","event_id":["a"]"#, FaultCode::NestedValue),
        (r#","event_id":null"#, FaultCode::NullValue),
        (r#","status":["rejected"]"#, FaultCode::NestedValue),
        (r#","dryRun":{}"#, FaultCode::NestedValue),
    ] {
        assert_eq!(codes(call(more))[0].1, code, "{more}");
    }
}

#[test]
fn a_name_of_an_event_may_be_in_brackets_and_an_id_too() {
    for event in ["(Purchase)", "[Sale]", "True"] {
        assert!(parse(&format!("{SAMPLE}&event_name={event}")).is_ok(), "{event}");
    }
    for id in ["(INV-77)", "[INV-2024-001]", "[deadbeef]", "{aGVsbG8gd29ybGQ=}", "Nan", "Nil"] {
        for name in ["user_id", "click_id", "transaction_id"] {
            assert!(parse(&with(name, id)).is_ok(), "{name}={id}");
        }
    }
}

#[test]
fn a_value_that_is_a_name_of_a_parameter_is_refused() {
    let renamed = rules(r#"{"provider":"acme","parameters":{"event_id":"goal"}}"#);
    for (name, value) in [("user_id", "click_id"), ("click_id", "ClickId"), ("transaction_id", "goal")] {
        let told = codes(parse_by(&renamed, &with(name, value)));
        assert_eq!(told, [(name.to_owned(), FaultCode::PlaceholderValue)], "{name}={value}");
    }
    assert!(parse_by(&renamed, &format!("{SAMPLE}&goal=goal")).is_ok());
}

#[test]
fn an_amount_and_a_currency_are_told_more_exactly_than_a_macro() {
    for (name, raw, code, told) in [
        ("currency", "[USD]", FaultCode::UnknownCurrency, "[USD] must be written USD"),
        ("currency", "(usd)", FaultCode::UnknownCurrency, "(usd) must be written USD"),
        ("currency", "[currency]", FaultCode::MacroNotReplaced, "[currency]"),
        ("currency", "XXX", FaultCode::PlaceholderValue, "XXX came"),
        ("amount_decimal", "%E2%80%931.00", FaultCode::NotAnAmount, "signs other than 0 to 9, - and ."),
        ("amount_decimal", "(1.00)", FaultCode::NegativeAmount, "is in brackets"),
        ("amount_decimal", "$1", FaultCode::NotAnAmount, "a currency"),
        ("amount_decimal", "1.2E%2B17", FaultCode::NotAnAmount, "an exponent"),
        ("amount_decimal", "[amount1]", FaultCode::MacroNotReplaced, "[amount1]"),
        ("amount_decimal", "{0}", FaultCode::PlaceholderValue, "{0} came"),
    ] {
        let fault = one_fault(&with(name, raw));
        assert!(fault.code == code && fault.expected.contains(told), "{name}={raw}: {fault:?}");
    }
}
