//! Every fault of a file's shape at once: a key that there is not, a value of another type, something that is missing.
//!
//! A deserializer stops at the first. So what is faulty is told of, taken out or replaced by what could stand there, and the
//! whole is read again, until it can be read.

use domain::{
    campaign::ON_PUBLISH,
    partner::{ConfigFault, PartnerFile},
};
use serde_json::{Value, json};

use super::{
    place::{Place, Step},
    words,
};

/// The most faults of one file that are looked for: each reads the file again.
const MAX_FAULTS: usize = 50;

/// What a file's shape is like.
pub(super) struct Shape {
    /// What is wrong with it.
    pub(super) faults: Vec<ConfigFault>,
    /// What is left without that, if anything is.
    pub(super) rest: Option<PartnerFile>,
    /// What was taken out, where it was written.
    taken_out: Vec<Place>,
    /// What was missing, or stood in another shape, where it would be written.
    stood_in: Vec<Place>,
}

impl Shape {
    /// Looks through a file that could not be read as a whole.
    pub(super) fn of(mut value: Value) -> Self {
        let mut shape = Self { faults: Vec::new(), rest: None, taken_out: Vec::new(), stood_in: Vec::new() };
        while shape.faults.len() < MAX_FAULTS {
            let fault = match serde_path_to_error::deserialize::<_, PartnerFile>(&value) {
                Ok(file) => {
                    shape.rest = Some(file);
                    break;
                }
                Err(fault) => fault,
            };
            let found = Place::of(fault.path());
            if !shape.mend_or_tell(&mut value, &found, &fault.into_inner().to_string()) {
                break;
            }
        }
        shape
    }

    /// Where what stands there now stood at first: what was taken out of a list has moved up what came after it.
    fn as_written(&self, now: &Place) -> Place {
        let mut written = Place::default();
        for step in &now.0 {
            let step = match step {
                Step::Key(key) => Step::Key(key.clone()),
                Step::Item(at) => {
                    let mut before: Vec<usize> =
                        self.taken_out.iter().filter_map(|out| out.item_of(&written)).collect();
                    before.sort_unstable();
                    Step::Item(before.into_iter().fold(*at, |at, out| if out <= at { at + 1 } else { at }))
                }
            };
            written.0.push(step);
        }
        written
    }

    /// Whether there is more to look for.
    fn mend_or_tell(&mut self, value: &mut Value, found: &Place, message: &str) -> bool {
        if message.ends_with("expected a string") && write_as_text(found, value) {
            // YAML has no quotes around a text that looks like a number; the file's own reader knows what is wanted.
            return true;
        }
        let written = self.as_written(found);
        self.faults.push(ConfigFault { path: written.to_string(), message: words::of(message) });
        let wanted = match words::missing(message) {
            Some(key) => found.with(Step::Key(key.to_owned())),
            None => found.clone(),
        };
        if let Some((place, stand_in)) = self.stand_in(&wanted) {
            self.stood_in.push(self.as_written(&place));
            return place.put(value, stand_in);
        }
        self.taken_out.push(written);
        found.take_out(value)
    }

    /// What could stand where a file must say something, so that the rest is judged as if it did; and where.
    fn stand_in(&self, wanted: &Place) -> Option<(Place, Value)> {
        let keys: Vec<Option<&str>> =
            wanted.0.iter().map(|step| if let Step::Key(key) = step { Some(key.as_str()) } else { None }).collect();
        // None is called as another is.
        let unique = || json!(format!("stand-in-{}", self.faults.len()));
        let (length, value) = match keys.as_slice() {
            [Some("provider")] => (1, unique()),
            [Some("parameters"), Some(_)] => (2, unique()),
            [Some("media_buying"), Some("campaigns"), None, Some(key), beneath @ ..] => match (*key, beneath) {
                ("name", []) => (4, unique()),
                // What else it says is meant for another type of goal.
                ("goal", _) => (4, json!({"type": "registration"})),
                ("active_from", []) => (4, json!(ON_PUBLISH)),
                ("webhook", []) => (4, json!({"url": "https://stand-in.example/"})),
                ("webhook", [Some("url")]) => (5, json!("https://stand-in.example/")),
                _ => return None,
            },
            _ => return None,
        };
        Some((Place(wanted.0.iter().take(length).cloned().collect()), value))
    }

    /// Whether what was taken out or replaced could be why the rest has this fault.
    pub(super) fn explains(&self, fault: &ConfigFault) -> bool {
        let place = Place::parse(&fault.path);
        let ids = Place::parse("media_buying.ids");
        let needs_ids = fault.path.starts_with("media_buying.macros.") || fault.path.ends_with(".webhook.url");
        let explains = |mended: &Place| mended.is_over_or_under(&place) || (needs_ids && mended.is_over_or_under(&ids));
        self.taken_out.iter().chain(&self.stood_in).any(explains)
    }

    /// The fault's place as it was written.
    pub(super) fn relocated(&self, fault: ConfigFault) -> ConfigFault {
        let path = self.as_written(&Place::parse(&fault.path)).to_string();
        ConfigFault { path, ..fault }
    }

    /// Its partner's name, if it says one.
    pub(super) fn provider(&self) -> Option<&str> {
        let named = self.rest.as_ref().filter(|_| !self.stood_in.contains(&Place::parse("provider")))?;
        Some(&named.provider)
    }
}

/// Whether a number or a truth stood there, which is a text now.
fn write_as_text(place: &Place, value: &mut Value) -> bool {
    let Some(found) = place.find(value).filter(|found| found.is_number() || found.is_boolean()) else { return false };
    *found = Value::String(found.to_string());
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn good() -> Value {
        let campaign = |name: &str, goal: Value| json!({ "name": name, "goal": goal, "active_from": "on_publish", "webhook": { "url": "https://a.example/" } });
        json!({
            "provider": "acme",
            "postback": { "credential": "token", "require_click": true, "event_ids": ["a", "b"] },
            "landings": { "x": "https://a.example/" },
            "media_buying": {
                "ids": ["click_id", "user_id"],
                "campaigns": [
                    campaign("first", json!({ "type": "ggstrike", "clicks": 3 })),
                    campaign("second", json!({ "type": "main_quests", "quests": ["a", "b", "c"] })),
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
        let junk =
            [json!(null), json!(true), json!(7), json!(1.5), json!("x"), json!([]), json!([1, {}]), json!({ "y": 1 })];
        prop::sample::select(junk.to_vec())
    }

    proptest! {
        #[test]
        fn whatever_stands_anywhere_the_rest_is_read_and_each_fault_is_told_once(junk in prop::collection::vec((any::<prop::sample::Index>(), junk()), 0..6)) {
            let mut value = good();
            for (place, junk) in junk {
                let mut all = Vec::new();
                pointers(&value, "", &mut all);
                let pointer: &String = place.get(&all);
                if let Some(found) = value.pointer_mut(pointer) {
                    *found = junk;
                }
            }
            let readable = serde_json::from_value::<PartnerFile>(value.clone()).is_ok();
            let shape = Shape::of(value);
            if readable {
                prop_assert!(shape.faults.is_empty());
            }
            prop_assert!(shape.rest.is_some() || !shape.faults.is_empty());
            for ConfigFault { message, .. } in &shape.faults {
                let libraries = ["expected", "field", "variant", "struct", "enum", "invalid", "u64", "sequence"];
                prop_assert!(!libraries.iter().any(|word| message.contains(word)), "{}", message);
            }
            let mut told: Vec<String> = shape.faults.iter().map(ToString::to_string).collect();
            told.sort();
            told.dedup();
            prop_assert_eq!(told.len(), shape.faults.len());
        }
    }
}
