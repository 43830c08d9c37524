//! Reads the known names of a JSON object and skips all others.
//!
//! Unknown values may be any JSON: a number that no type can hold, half of a surrogate pair, or an object of any depth.
//! They are never read.

use core::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::nearest;
use crate::prelude::*;

const NAMES: [&str; 9] =
    ["id", "type", "user_id", "occurred_at", "total_clicks", "tracking", "quest_id", "provider", "click_id"];

/// Bounds the unknown names that are compared with `tracking`, because an object may have thousands.
const COMPARED: usize = 64;

/// Holds the values of the known names as they were written.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    values: Vec<(&'static str, &'a RawValue)>,
    /// Holds the first name that is nearly `tracking`, as it was written, with its value. Only the first [`COMPARED`]
    /// unknown names are compared.
    near_tracking: Option<(&'a str, &'a RawValue)>,
}

/// Holds the result of looking for a name in an object.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found<'a> {
    /// The name is missing, or its value is `null`.
    Nothing,
    /// The name has this one value, in the text of the message.
    One(&'a str),
    /// The name occurs several times, and JSON readers differ in which value they take.
    Several,
}

impl<'a> Fields<'a> {
    pub(super) fn find(&self, name: &str) -> Found<'a> {
        let mut values = self.values.iter().filter(|(known, _)| *known == name).map(|(_, value)| value.get());
        match (values.next(), values.next()) {
            (None | Some("null"), None) => Found::Nothing,
            (Some(value), None) => Found::One(value),
            (_, Some(_)) => Found::Several,
        }
    }

    /// Returns a name that is nearly `tracking` and has a tracking as its value. Other values, such as the context of a
    /// `tracing`, mean something else.
    pub(super) fn near_tracking(&self) -> Option<&'a str> {
        let (name, value) = self.near_tracking?;
        let inner = serde_json::from_str::<Fields>(value.get()).ok()?;
        matches!(inner.find("provider"), Found::One(_)).then_some(name)
    }
}

/// Returns the known name that a key spells, or `None` if the name is unknown or the key cannot be read.
fn known(key: &RawValue) -> Option<&'static str> {
    let is = |text: &str| NAMES.into_iter().find(|name| *name == text);
    let written = key.get().strip_prefix('"')?.strip_suffix('"')?;
    if written.contains('\\') {
        serde_json::from_str::<String>(key.get()).ok().and_then(|text| is(&text))
    } else {
        is(written)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Fields::default();
                let mut unknown = 0..COMPARED;
                while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                    match known(key) {
                        Some(name) => fields.values.push((name, value)),
                        None if unknown.next().is_some() && nearest::is_near(key.get(), "tracking") => {
                            fields.near_tracking = fields.near_tracking.or(Some((key.get(), value)));
                        }
                        None => {}
                    }
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Object)
    }
}
