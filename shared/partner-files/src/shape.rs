//! Compares a partner file with the published schema, and says in our words what is wrong.

use anyhow::{Result, anyhow};
use domain::{outbound::campaign::ON_PUBLISH, values::config_fault::ConfigFault};
use jsonschema::{
    JsonType, Validator,
    error::{TypeKind, ValidationError, ValidationErrorKind as Kind},
    paths::{Location, LocationSegment},
};
use serde_json::{Map, Value, json};

use super::{
    document::{Document, member},
    suggestion,
};

/// The most characters of a faulty value that are repeated to the operator.
const MAX_SHOWN: usize = 60;

const INSTANT: &str = "2026-11-23T12:00:00Z";

/// The published schema of partner files.
pub struct Schema {
    json: Value,
    pub(super) validator: Validator,
}

/// A file, compared with the schema.
pub(super) struct Shape {
    /// The faults that make the file unreadable.
    pub(super) faults: Vec<ConfigFault>,
    /// The faults of single values. The domain finds these faults too, and explains them better.
    pub(super) refused: Vec<ConfigFault>,
    /// The file with the values at fault replaced or removed, so that the domain can check the rest of the file.
    pub(super) mended: Value,
}

impl Schema {
    /// Builds the schema. Fails only where the schema itself is wrong.
    pub fn published() -> Result<Self> {
        let json = serde_json::from_str(include_str!("../../domain/schemas/partner.json"))?;
        let options = jsonschema::options().should_validate_formats(true);
        let validator = options.build(&json).map_err(|fault| anyhow!("the schema of partner files: {fault}"))?;
        Ok(Self { json, validator })
    }

    /// Compares a file with the schema.
    pub(super) fn compare(&self, document: &Document) -> Shape {
        let mut shape = Shape { faults: Vec::new(), refused: Vec::new(), mended: document.value.clone() };
        for error in self.validator.iter_errors(&document.value) {
            let (place, pointer) = (place_of(error.instance_path()), error.instance_path().as_str());
            let fault = |path: String, message: String| ConfigFault { path, message };
            match error.kind() {
                Kind::Type { kind }
                    if wants_text(kind)
                        && is_plain(error.instance())
                        && let Some(text) = document.text(&place) =>
                {
                    // YAML needs no quotes around text that looks like a number.
                    shape.mended.pointer_mut(pointer).into_iter().for_each(|value| *value = text.into());
                }
                Kind::Required { property } => {
                    let key = property.as_str().unwrap_or_default();
                    shape.faults.push(fault(member(&place, key), format!("is missing. Add {key}: here")));
                    replace(&mut shape.mended, &format!("{pointer}/{key}"));
                }
                Kind::AdditionalProperties { unexpected } => {
                    for key in unexpected {
                        shape.faults.push(fault(member(&place, key), unknown(key, &self.known_beside(&error))));
                        remove(&mut shape.mended, pointer, key);
                    }
                }
                Kind::PropertyNames { error } if matches!(error.kind(), Kind::Enum { .. }) => {
                    let key = error.instance().as_str().unwrap_or_default();
                    shape.faults.push(fault(member(&place, key), unknown(key, &options(error.kind()))));
                    remove(&mut shape.mended, pointer, key);
                }
                _ => match wanted(&error) {
                    Some(wanted) => {
                        shape.faults.push(fault(place, wanted));
                        replace(&mut shape.mended, pointer);
                    }
                    None => shape.refused.push(fault(place, format!("is refused by the schema: {error}"))),
                },
            }
        }
        if !shape.faults.is_empty() {
            complete(&mut shape.mended);
        }
        shape
    }

    /// Returns the keys that are allowed at the place where this error found an unknown key.
    fn known_beside(&self, error: &ValidationError<'_>) -> Vec<String> {
        let around = error.schema_path().as_str().rsplit_once('/').map_or("", |(around, _)| around);
        let known = self.json.pointer(&format!("{around}/properties")).and_then(Value::as_object);
        known.into_iter().flat_map(Map::keys).cloned().collect()
    }
}

/// Returns a place as people write it: `/postback/allow_from/2` is `postback.allow_from[2]`.
fn place_of(location: &Location) -> String {
    location.segments().fold(String::new(), |place, segment| match segment {
        LocationSegment::Property(key) => member(&place, &key),
        LocationSegment::Index(at) => format!("{place}[{at}]"),
    })
}

fn types(kind: &TypeKind) -> Vec<JsonType> {
    match kind {
        TypeKind::Single(one) => vec![*one],
        TypeKind::Multiple(several) => several.iter().collect(),
    }
}

fn wants_text(kind: &TypeKind) -> bool {
    types(kind).contains(&JsonType::String)
}

fn is_plain(value: &Value) -> bool {
    value.is_number() || value.is_boolean()
}

fn unknown(key: &str, known: &[String]) -> String {
    let cure = suggestion(key, known).unwrap_or_else(|| format!(". Allowed here: {}", known.join(", ")));
    format!("unknown key{cure}")
}

fn any_of(names: &[String]) -> String {
    match names {
        [all_but_last @ .., last] if !all_but_last.is_empty() => format!("{} or {last}", all_but_last.join(", ")),
        names => names.concat(),
    }
}

fn options(kind: &Kind) -> Vec<String> {
    let Kind::Enum { options } = kind else { return Vec::new() };
    options.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Returns the message for an error that makes a file unreadable, and `None` for other errors. The message says which
/// value is expected.
fn wanted(error: &ValidationError<'_>) -> Option<String> {
    let given = shown(error.instance());
    let wanted = match error.kind() {
        Kind::Type { kind } => match types(kind).first()? {
            JsonType::Array => "a list".to_owned(),
            JsonType::Boolean => "true or false".to_owned(),
            JsonType::Object => "keys and values".to_owned(),
            JsonType::String => "text".to_owned(),
            _ => "a whole number".to_owned(),
        },
        Kind::Enum { .. } => {
            let known = options(error.kind());
            let suggestion = error.instance().as_str().and_then(|written| suggestion(written, &known));
            return Some(format!("must be {}, not {given}{}", any_of(&known), suggestion.unwrap_or_default()));
        }
        // The domain has better messages for numbers that fit a `u64`.
        Kind::Minimum { limit } if error.instance().as_u64().is_none() => format!("at least {limit}"),
        Kind::Maximum { limit } if error.instance().as_u64().is_none() => format!("at most {limit}"),
        Kind::Format { .. } if error.instance_path().as_str().ends_with("/active_from") => {
            format!("an instant such as {INSTANT} or {ON_PUBLISH}")
        }
        Kind::Format { .. } if error.instance_path().as_str().ends_with("/active_to") => {
            return Some(format!("must be an instant such as {INSTANT}, not {given}. Leave it out for no end"));
        }
        Kind::Format { .. } => format!("an instant such as {INSTANT}"),
        _ => return None,
    };
    Some(format!("must be {wanted}, not {given}"))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "keys and values".to_owned(),
        value => format!("{:.MAX_SHOWN$}", value.to_string()),
    }
}

fn remove(file: &mut Value, around: &str, key: &str) {
    if let Some(Value::Object(members)) = file.pointer_mut(around) {
        members.remove(key);
    }
}

/// Replaces a faulty value by a readable one, or removes the value if its key is optional.
fn replace(file: &mut Value, pointer: &str) {
    let Some((around, key)) = pointer.rsplit_once('/') else { return };
    let steps: Vec<&str> = pointer.split('/').skip(1).collect();
    let (depth, stand_in) = match steps.as_slice() {
        // The stand-in is deliberately an unknown id. While the ids are wrong, the domain checks no macros, so it
        // reports no faults that only follow from this one.
        ["media_buying", "ids"] => (2, json!(["stand-in"])),
        ["media_buying", "campaigns", _] => (3, json!({})),
        ["media_buying", "campaigns", _, "goal", ..] => (4, json!({ "type": "registration" })),
        ["parameters" | "landings", _] | ["media_buying", "macros", _] => (steps.len(), json!("stand-in")),
        [.., at] if at.parse::<usize>().is_ok() => (steps.len(), json!("stand-in")),
        _ => return remove(file, around, key),
    };
    let pointer = steps.iter().take(depth).fold(String::new(), |pointer, step| pointer + "/" + step);
    file.pointer_mut(&pointer).into_iter().for_each(|value| *value = stand_in.clone());
}

/// Adds a stand-in for each required key that the file lacks.
fn complete(file: &mut Value) {
    let add = |value: &mut Value, key: &str, stand_in: Value| {
        value.as_object_mut().into_iter().for_each(|members| {
            members.entry(key).or_insert_with(|| stand_in.clone());
        });
    };
    add(file, "provider", json!("stand-in"));
    let campaigns = file.pointer_mut("/media_buying/campaigns").and_then(Value::as_array_mut);
    for (at, campaign) in campaigns.into_iter().flatten().enumerate() {
        add(campaign, "name", format!("stand-in-{at}").into());
        add(campaign, "goal", json!({ "type": "registration" }));
        add(campaign, "active_from", json!(ON_PUBLISH));
        add(campaign, "webhook", json!({}));
        campaign
            .get_mut("webhook")
            .into_iter()
            .for_each(|webhook| add(webhook, "url", json!("https://stand-in.example/")));
    }
}
