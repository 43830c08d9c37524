use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn sample() -> Value {
    json!({
        "schema_version": 1, "type": "conversion.corrected", "provider": "acme", "transaction_id": "t-1",
        "receipt_id": "r-1", "received_at": "2026-11-23T21:33:22.275Z", "user_id": "u-1", "click_id": "c-1",
        "click": "foreign", "currency": "USD", "amount_decimal": "100.00", "event_id": "e-1", "event_name": "E",
        "extra": {"sub1": "x"}, "original_receipt_id": "r-0", "correction": 1, "corrected_at": "2026-11-24T09:00:00.000Z",
    })
}

/// Holds a validator that reads `format`, and one that ignores it.
static SCHEMAS: LazyLock<[jsonschema::Validator; 2]> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(include_str!("../../../schemas/conversion.json")).unwrap();
    [true, false].map(|formats| jsonschema::options().should_validate_formats(formats).build(&schema).unwrap())
});

fn fits(value: &Value) -> [bool; 2] {
    SCHEMAS.each_ref().map(|schema| schema.is_valid(value))
}

fn reads(value: &Value) -> bool {
    serde_json::from_value::<Conversion>(value.clone()).is_ok()
}

#[test]
fn the_schema_accepts_what_is_sent_and_refuses_odd_instants() {
    assert_eq!((fits(&sample()), reads(&sample())), ([true; 2], true));
    for bad in [
        "2026-11-30 04:00:00",
        "2026-02-29T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2026-11-30T24:00:00Z",
        "2026-11-30T04:00:00.000Z\n",
        "2026-11-30T04:00:00Z",
        "2026-11-30T04:00:00.5Z",
    ] {
        for name in ["received_at", "corrected_at"] {
            let mut changed = sample();
            changed[name] = json!(bad);
            assert_eq!(fits(&changed), [false; 2], "{name}: {bad:?}");
        }
    }
}

#[test]
fn a_conversion_has_three_decimals_as_the_schema_says() {
    let mut read = sample();
    read["received_at"] = json!("2026-11-23T21:33:22Z");
    read["corrected_at"] = json!("2026-11-24T09:00:00.5Z");
    let sent = serde_json::to_value(serde_json::from_value::<Conversion>(read).unwrap()).unwrap();
    assert_eq!(
        (&sent["received_at"], &sent["corrected_at"]),
        (&json!("2026-11-23T21:33:22.000Z"), &json!("2026-11-24T09:00:00.500Z"))
    );
    assert_eq!(fits(&sent), [true; 2]);
}

proptest! {
    #[test]
    fn the_schema_refuses_what_the_reader_refuses_in_any_validator(
        name in prop::sample::select(&[
            "provider", "transaction_id", "receipt_id", "received_at", "user_id", "click_id", "click", "currency",
            "amount_decimal", "event_id", "event_name", "original_receipt_id", "correction", "corrected_at", "state",
        ][..]),
        text in prop_oneof![
            "(2026|1900|2024)-(02|11|13)-(29|30|31)[T ](23|24):(59|60):(59|60)(\\.[0-9]{1,4})?(Z|[+-]01:00)?\n?",
            "-?[0-9]{0,17}(\\.[0-9]{0,9})?\n?",
            "[A-Za-z]{0,4}\n?",
            "[ \u{85}\u{3000}\u{fffe}\u{7f}a]{0,3}",
        ],
    ) {
        let mut changed = sample();
        changed[name] = json!(text);
        prop_assert!(reads(&changed) || fits(&changed) == [false; 2], "{}: {:?}", name, text);
    }
}
