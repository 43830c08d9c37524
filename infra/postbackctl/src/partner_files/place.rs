//! Where something stands in a file.

use std::fmt;

use serde_json::Value;
use serde_path_to_error::{Path, Segment};

/// Where something stands in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(pub(super) Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Key(String),
    Item(usize),
}

impl Place {
    pub(super) fn of(path: &Path) -> Self {
        let step = |segment: &Segment| match segment {
            Segment::Seq { index } => Some(Step::Item(*index)),
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        };
        Self(path.iter().map_while(step).collect())
    }

    /// A place as [`fmt::Display`] writes it.
    pub(super) fn parse(text: &str) -> Self {
        let step = |part: &str| match part.strip_suffix(']').and_then(|number| number.parse().ok()) {
            Some(at) => Step::Item(at),
            None => Step::Key(part.to_owned()),
        };
        Self(text.split(['.', '[']).map(step).collect())
    }

    pub(super) fn with(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
    }

    /// Whether one of the two holds the other, or they are the same.
    pub(super) fn is_over_or_under(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0) || other.0.starts_with(&self.0)
    }

    /// Which item of this list it is, if it is one.
    pub(super) fn item_of(&self, list: &Self) -> Option<usize> {
        match self.0.split_last() {
            Some((Step::Item(at), parent)) if parent == list.0 => Some(*at),
            _ => None,
        }
    }

    pub(super) fn find<'a>(&self, value: &'a mut Value) -> Option<&'a mut Value> {
        self.0.iter().try_fold(value, |value, step| match step {
            Step::Key(key) => value.get_mut(key),
            Step::Item(at) => value.get_mut(*at),
        })
    }

    /// Whether there is something to put it into.
    pub(super) fn put(&self, value: &mut Value, new: Value) -> bool {
        let Some((last, parent)) = self.0.split_last() else { return false };
        match (Self(parent.to_vec()).find(value), last) {
            (Some(Value::Object(keys)), Step::Key(key)) => {
                keys.insert(key.clone(), new);
                true
            }
            _ => false,
        }
    }

    /// Whether there was something to take out: the file itself stays.
    pub(super) fn take_out(&self, value: &mut Value) -> bool {
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
