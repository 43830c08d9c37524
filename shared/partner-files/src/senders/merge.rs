//! Merges a preset's settings under a partner file.

use serde_json::{Map, Value};

/// Returns the file completed with the settings of the preset. A null or empty setting of the preset is not added.
pub(super) fn under(preset: &Value, file: &Value) -> Value {
    let (Value::Object(preset), Value::Object(file)) = (preset, file) else { return file.clone() };
    let mut merged = file.clone();
    for (key, setting) in preset {
        let value = match file.get(key) {
            Some(said) => under(setting, said),
            None if setting.is_object() => under(setting, &Value::Object(Map::new())),
            None => setting.clone(),
        };
        if file.contains_key(key) || !says_nothing(&value) {
            merged.insert(key.clone(), value);
        }
    }
    Value::Object(merged)
}

fn says_nothing(setting: &Value) -> bool {
    match setting {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(keys) => keys.is_empty(),
        _ => false,
    }
}
