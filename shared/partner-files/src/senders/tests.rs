use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use domain::{outbound::webhook::Allowance, partner::Partner, values::parameter_names::Field};
use proptest::prelude::*;
use serde_json::{Map, json};

use super::{merge::under, preset::Form, *};
use crate::resolved_file;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/senders")
}

fn schema() -> jsonschema::Validator {
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(folder().join("sender.schema.json")).unwrap()).unwrap();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

fn resolved_by(yaml: &str) -> Partner {
    let file = resolved_file(&serde_saphyr::from_str(yaml).unwrap()).unwrap();
    Partner::check(file, Allowance::PublicOnly).unwrap()
}

#[test]
fn every_file_of_the_folder_is_a_preset() {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let yaml = files.filter(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    let names: BTreeSet<String> = yaml.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert!(names.iter().map(String::as_str).eq(FILES.iter().map(|(name, _)| *name)), "in alphabetical order");
    assert!(all().unwrap().iter().zip(FILES).all(|(preset, (name, _))| preset.name == name));
}

#[test]
fn every_preset_matches_its_schema() {
    let schema = schema();
    for (name, text) in FILES {
        let value: Value = serde_saphyr::from_str(text).unwrap();
        let faults: Vec<String> =
            schema.iter_errors(&value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
        assert!(faults.is_empty(), "{name}: {faults:?}");
    }
}

#[test]
fn a_typed_preset_says_all_that_its_file_says() {
    for (preset, (name, text)) in all().unwrap().iter().zip(FILES) {
        let value: Value = serde_saphyr::from_str(text).unwrap();
        assert_eq!(json!(preset), value, "{name}");
    }
}

#[test]
fn the_schema_refuses_what_a_preset_must_not_say() {
    let schema = schema();
    let good = json!({
        "sender": "x", "title": "X", "kind": "tracker", "form": "braces",
        "sources": {"page": {"url": "https://x.example/", "read": "2026-11-30", "first_hand": true}},
        "answer": {"source": "page", "format": "text", "accepted": "OK", "duplicate": "DUP"},
    });
    assert!(schema.is_valid(&good));
    assert!(serde_json::from_value::<Sender>(good.clone()).is_ok());
    for (key, bad) in [
        ("form", json!("brackets")),
        ("sources", json!({})),
        ("sources", json!({"page": {"url": "https://x.example/", "first_hand": true}})),
        ("sources", json!({"page": {"url": "https://x.example/", "read": "November", "first_hand": true}})),
        ("macros", json!({"click_id": "{x}"})),
        ("macros", json!({"clik_id": {"is": "{x}", "source": "page"}})),
        ("parameters", json!({"click_id": {"is": "a b", "source": "page"}})),
        ("amount_may_change", json!(["approved"])),
        ("reference", json!("ref")),
        ("answer", json!({"format": "text", "accepted": "OK", "duplicate": "DUP"})),
        ("answer", json!({"source": "page", "format": "text", "accepted": "", "duplicate": "DUP"})),
        ("notes", json!(["no sentence"])),
        ("unknown", json!(1)),
    ] {
        let mut value = good.clone();
        value[key] = bad;
        assert!(!schema.is_valid(&value), "{value}");
    }
}

#[test]
fn every_name_says_where_it_was_read() {
    for preset in all().unwrap() {
        let status = preset.status.iter().map(|status| &status.source);
        let answer = preset.answer.iter().map(|answer| &answer.source);
        let named: BTreeSet<&String> = preset.names().map(|name| &name.source).chain(status).chain(answer).collect();
        for source in &named {
            assert!(preset.sources.contains_key(*source), "{}: {source}", preset.name);
        }
    }
}

#[test]
fn every_macro_has_its_senders_form() {
    for preset in all().unwrap() {
        let (before, after) = match preset.form {
            Form::Braces => ("{", "}"),
            Form::Parentheses => ("(", ")"),
            Form::PercentBrackets => ("[%", "%]"),
        };
        for name in preset.macros.values() {
            let inner = name.is.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).unwrap_or_default();
            let legal = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
            assert!(!inner.is_empty() && inner.chars().all(legal), "{}: {}", preset.name, name.is);
        }
        for name in preset.parameters.values().chain(preset.fixed.values()) {
            assert!(name.is.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{}: {}", preset.name, name.is);
        }
    }
}

#[test]
fn a_minimal_file_with_any_preset_is_a_partner() {
    for preset in all().unwrap() {
        let rules = resolved_by(&format!("provider: acme\nsender: {}\n", preset.name)).rules().clone();
        let agreed = [
            preset.status.is_some() == rules.status.is_some(),
            preset.negative_amounts.unwrap_or_default() == rules.negative_amounts,
            preset.status.as_ref().is_none_or(|status| rules.names.of(Field::Status) == status.words.parameter),
            preset.reference.as_ref().is_none_or(|reference| rules.names.of(Field::Reference) == reference),
            preset.answer.as_ref().map(|answer| &answer.words) == rules.answer.as_ref(),
        ];
        assert_eq!(agreed, [true; 5], "{}", preset.name);
    }
}

#[test]
fn a_presets_answer_stands_where_the_file_says_nothing() {
    let answer = json!({"source": "page", "format": "text", "accepted": "1", "duplicate": "0"});
    let preset = Sender { answer: serde_json::from_value(answer).unwrap(), ..find("cpx").unwrap().clone() };
    for (file, expected) in [
        (json!({}), json!({"format": "text", "accepted": "1", "duplicate": "0"})),
        (json!({"answer": {"duplicate": "SEEN"}}), json!({"format": "text", "accepted": "1", "duplicate": "SEEN"})),
        (json!({"answer": null}), json!(null)),
    ] {
        let merged = under(&preset.settings(), &json!({"provider": "acme", "postback": file}));
        assert_eq!(merged["postback"]["answer"], expected, "{file}");
    }
}

#[test]
fn a_file_can_turn_off_its_senders_statuses() {
    let off = "postback: {status: null, amount_may_change: [], negative_amounts: refused, reference: null}";
    for sender in ["everflow", "bitlabs"] {
        let partner = resolved_by(&format!("provider: acme\nsender: {sender}\n{off}\n"));
        assert_eq!((partner.rules().status.is_some(), partner.rules().names.has(Field::Reference)), (false, false));
    }
}

#[test]
fn a_parameter_is_not_both_appended_and_a_macro() {
    for preset in all().unwrap() {
        let twice: Vec<_> = preset.appended.iter().filter(|field| preset.value(**field).is_some()).collect();
        assert!(twice.is_empty(), "{}: {twice:?}", preset.name);
    }
}

#[test]
fn a_file_gets_its_senders_names_and_its_own_win() {
    let names = resolved_by("provider: acme\nsender: everflow\nparameters: {user_id: sub5}\n").rules().names.clone();
    assert_eq!([names.of(Field::ClickId), names.of(Field::UserId)], ["sub1", "sub5"]);
    let required = resolved_by("provider: acme\nsender: appsflyer\npostback: {transaction_id: required}\n");
    let derived = resolved_by("provider: acme\nsender: appsflyer\n");
    assert_ne!(required.rules().transaction_id, derived.rules().transaction_id);
}

#[test]
fn the_stored_file_names_its_sender_and_its_settings() {
    let file = resolved_file(&json!({"provider": "acme", "sender": "affise"})).unwrap();
    let stored = serde_json::to_value(&file).unwrap();
    assert_eq!(stored["sender"], "affise");
    assert_eq!(stored["parameters"], json!({"click_id": "sub1", "user_id": "sub2"}));
    let again = resolved_file(&stored).unwrap();
    assert_eq!(again, file, "a stored file is resolved already");
}

#[test]
fn an_unknown_sender_is_told_with_the_nearest_name() {
    let unknown = |sender: &str| {
        let faults =
            resolved_file(&json!({"provider": "acme", "sender": sender, "landings": {"a": "http://a.example"}}));
        faults.unwrap_err()
    };
    let faults = unknown("keitarro");
    assert_eq!(faults.len(), 2, "the other fault is told as well: {faults:?}");
    assert_eq!(faults[0].to_string(), "sender: Unknown sender `keitarro`. Did you mean `keitaro`?");
    let known = "Known: adgate, adgem, affise, appsflyer, ayet, binom, bitlabs, cpx, everflow, keitaro, redtrack, \
                 tapjoy, tune, voluum";
    assert_eq!(unknown("zzz")[0].message, format!("Unknown sender `zzz`. {known}"));
}

/// Returns JSON like that of settings and files. There are only few keys, so that both sides often have the same ones.
fn settings() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(json!(null)), any::<bool>().prop_map(Value::from), "[a-c]{0,2}".prop_map(Value::from)];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop::collection::btree_map("[a-d]", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect()))
    })
    .prop_map(|value| if value.is_object() { value } else { Value::Object(Map::new()) })
}

fn leaves(value: &Value, at: &str, found: &mut Vec<(String, Value)>) {
    match value.as_object() {
        Some(keys) if !keys.is_empty() => {
            keys.iter().for_each(|(key, value)| leaves(value, &format!("{at}/{key}"), found));
        }
        _ => found.push((at.to_owned(), value.clone())),
    }
}

proptest! {
    #[test]
    fn the_file_wins(preset in settings(), file in settings()) {
        let merged = under(&preset, &file);
        let mut said = Vec::new();
        leaves(&file, "", &mut said);
        for (place, value) in said.into_iter().filter(|(_, value)| !value.is_object()) {
            prop_assert_eq!(merged.pointer(&place), Some(&value));
        }
    }

    #[test]
    fn an_empty_preset_changes_nothing(file in settings()) {
        prop_assert_eq!(under(&json!({}), &file), file.clone());
        prop_assert_eq!(under(&json!({"a": null, "b": {}, "c": {"d": null}, "e": []}), &json!({})), json!({}));
    }

    #[test]
    fn a_setting_stands_wherever_the_file_says_nothing(preset in settings()) {
        let merged = under(&preset, &json!({}));
        let mut said = Vec::new();
        leaves(&preset, "", &mut said);
        for (place, value) in said.into_iter().filter(|(_, value)| !value.is_null() && !value.is_object()) {
            prop_assert_eq!(merged.pointer(&place), Some(&value));
        }
    }

    #[test]
    fn merging_twice_is_merging_once(preset in settings(), file in settings()) {
        let merged = under(&preset, &file);
        prop_assert_eq!(under(&preset, &merged), merged);
    }
}
