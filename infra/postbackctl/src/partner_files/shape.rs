//! Every fault of a file's shape at once: a key that there is not, a value of another type, something that is missing.
//!
//! A deserializer stops at the first. So what is faulty is told of, taken out, and the rest is read again, until all of it
//! can be read.

use std::fmt;

use domain::partner::{ConfigFault, PartnerFile};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

/// The most faults of one file that are looked for: each reads the file again.
const MAX_FAULTS: usize = 50;

/// What a file's shape is like.
pub(super) struct Shape {
    /// What is wrong with it.
    pub(super) faults: Vec<ConfigFault>,
    /// What is left without that, if anything is.
    pub(super) rest: Option<PartnerFile>,
    taken_out: Vec<Place>,
}

/// Where something stands in the file, as it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Key(String),
    Item(usize),
}

impl Shape {
    /// Looks through a file that could not be read as a whole.
    pub(super) fn of(mut value: Value) -> Self {
        let mut shape = Self { faults: Vec::new(), rest: None, taken_out: Vec::new() };
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
        let mut written = Place(Vec::new());
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
        if message.ends_with("expected a string") && found.write_as_text(value) {
            // YAML has no quotes around a text that looks like a number; the file's own reader knows what is wanted.
            return true;
        }
        let written = self.as_written(found);
        let missing = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
        let ours = missing.is_some_and(|key| self.taken_out.contains(&written.with(key)));
        if !ours {
            self.faults.push(ConfigFault { path: written.to_string(), message: message.to_owned() });
        }
        self.taken_out.push(written);
        found.take_out(value)
    }

    /// Whether what was taken out could be why the rest has this fault.
    pub(super) fn explains(&self, fault: &ConfigFault) -> bool {
        self.taken_out.iter().any(|out| fault.path.starts_with(&out.section()))
    }

    /// The fault's place as it was written.
    pub(super) fn relocated(&self, fault: ConfigFault) -> ConfigFault {
        let path = self.as_written(&Place::parse(&fault.path)).to_string();
        ConfigFault { path, ..fault }
    }
}

impl Place {
    fn of(path: &Path) -> Self {
        let step = |segment: &Segment| match segment {
            Segment::Seq { index } => Some(Step::Item(*index)),
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        };
        Self(path.iter().map_while(step).collect())
    }

    /// A place as [`fmt::Display`] writes it.
    fn parse(text: &str) -> Self {
        let step = |part: &str| match part.strip_suffix(']').and_then(|number| number.parse().ok()) {
            Some(at) => Step::Item(at),
            None => Step::Key(part.to_owned()),
        };
        Self(text.split(['.', '[']).map(step).collect())
    }

    fn with(&self, key: &str) -> Self {
        Self(self.0.iter().cloned().chain([Step::Key(key.to_owned())]).collect())
    }

    /// Which item of this list it is, if it is one.
    fn item_of(&self, list: &Self) -> Option<usize> {
        match self.0.split_last() {
            Some((Step::Item(at), parent)) if parent == list.0 => Some(*at),
            _ => None,
        }
    }

    /// The part of the file that is judged together with it: its campaign, or all under its first key.
    fn section(&self) -> String {
        let campaign = matches!(self.0.get(1), Some(Step::Key(key)) if key == "campaigns");
        let length = if campaign && self.0.len() > 2 { 3 } else { 1 };
        Self(self.0.iter().take(length).cloned().collect()).to_string()
    }

    fn find<'a>(&self, value: &'a mut Value) -> Option<&'a mut Value> {
        self.0.iter().try_fold(value, |value, step| match step {
            Step::Key(key) => value.get_mut(key),
            Step::Item(at) => value.get_mut(*at),
        })
    }

    /// Whether a number or a truth stood there, which is a text now.
    fn write_as_text(&self, value: &mut Value) -> bool {
        let Some(found) = self.find(value).filter(|found| found.is_number() || found.is_boolean()) else {
            return false;
        };
        *found = Value::String(found.to_string());
        true
    }

    /// Whether there was something to take out: the file itself stays.
    fn take_out(&self, value: &mut Value) -> bool {
        let Some((last, parent)) = self.0.split_last() else { return false };
        match (Self(parent.to_vec()).find(value), last) {
            (Some(Value::Object(keys)), Step::Key(key)) => keys.remove(key).is_some(),
            (Some(Value::Array(items)), Step::Item(at)) if *at < items.len() => {
                items.remove(*at);
                true
            }
            _ => false,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if at == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Item(item) => write!(f, "[{item}]")?,
            }
        }
        Ok(())
    }
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
            let mut told: Vec<String> = shape.faults.iter().map(ToString::to_string).collect();
            told.sort();
            told.dedup();
            prop_assert_eq!(told.len(), shape.faults.len());
        }
    }
}
