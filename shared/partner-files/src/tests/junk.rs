//! Puts junk into a good partner file, and expects each fault once and in our words.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn good() -> Value {
    let campaign = |name: &str, goal: Value| json!({ "name": name, "goal": goal, "active_from": "on_publish", "webhook": { "url": "https://a.example/" } });
    json!({
        "provider": "acme",
        "postback": { "credential": "token", "require_click": true, "event_ids": ["a", "b"] },
        "landings": { "x": "https://a.example/" },
        "parameters": { "click_id": "aff" },
        "media_buying": {
            "ids": ["click_id", "user_id"],
            "macros": { "click_id": "{c}" },
            "campaigns": [
                campaign("first", json!({ "type": "ggstrike", "clicks": 3 })),
                campaign("second", json!({ "type": "main_quests", "quests": ["a", "b", "c"] })),
                campaign("third", json!({ "type": "main_quest", "quest": "a" })),
            ],
        },
    })
}

fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(keys) => keys.iter().for_each(|(key, value)| pointers(value, &format!("{at}/{key}"), found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| pointers(item, &format!("{at}/{n}"), found));
        }
        _ => {}
    }
}

fn junk() -> impl Strategy<Value = Value> {
    let junk = [
        json!(null),
        json!(true),
        json!(7),
        json!(-7),
        json!(1.5),
        json!("x"),
        json!([]),
        json!([1, {}]),
        json!({ "y": 1 }),
    ];
    prop::sample::select(junk.to_vec())
}

proptest! {
    #[test]
    fn junk_anywhere_is_told_once_in_our_words(
        junk in prop::collection::vec((any::<prop::sample::Index>(), junk()), 0..6),
    ) {
        let mut value = good();
        for (place, junk) in junk {
            let mut all = Vec::new();
            pointers(&value, "", &mut all);
            let pointer: &String = place.get(&all);
            if let Some(found) = value.pointer_mut(pointer) {
                *found = junk;
            }
        }
        // JSON is YAML too.
        let faults = parse("acme.yaml", &value.to_string()).err().unwrap_or_default();
        for fault in &faults {
            let libraries = ["expected", "field", "variant", "struct", "enum", "invalid", "u64", "sequence", "schema"];
            prop_assert!(!libraries.iter().any(|word| fault.contains(word)), "{}", fault);
        }
        let once: std::collections::BTreeSet<&String> = faults.iter().collect();
        prop_assert_eq!(once.len(), faults.len());
        if let Ok(document) = Document::read(&value.to_string()) {
            let mended = SCHEMA.compare(&document).mended;
            prop_assert!(serde_json::from_value::<PartnerFile>(mended).is_ok());
        }
    }
}
