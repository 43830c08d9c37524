//! A file as YAML, before anything is made of it: what cannot be read at all, and keys that stand twice.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::DuplicateKeyPolicy;

use super::place::{Place, Step};

/// A file's keys and values; where a key stands twice, the last that was written.
pub(super) struct Document {
    pub(super) value: Value,
    /// The keys that stand more than once, where they were written.
    pub(super) repeated: Vec<Place>,
}

/// Why there are no keys and values: in a line, if it is known which.
pub(super) struct Unreadable {
    pub(super) line: Option<u64>,
    pub(super) message: String,
}

impl Document {
    pub(super) fn read(text: &str) -> Result<Self, Unreadable> {
        let mut repeated = Vec::new();
        let seed = Node { place: Place::default(), repeated: &mut repeated };
        let options = serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::PassThrough };
        let read = serde_saphyr::with_deserializer_from_str_with_options(text, options, |yaml| seed.deserialize(yaml));
        let value = read.map_err(|fault| unreadable(&fault))?;
        match value {
            Value::Object(_) => Ok(Self { value, repeated }),
            Value::Null => Err(whole("the file is empty; it must say at least provider: and the partner's name")),
            _ => Err(whole("a partner file is keys and values, provider: and the partner's name first")),
        }
    }
}

fn whole(message: &str) -> Unreadable {
    Unreadable { line: None, message: message.to_owned() }
}

/// The reader's own words are only for what is no YAML.
fn unreadable(fault: &serde_saphyr::Error) -> Unreadable {
    let fault = fault.without_snippet();
    let line = fault.location().map(|location| location.line());
    let message = match fault {
        serde_saphyr::Error::Eof { .. } => "the file ends too early: something that was begun is not closed".to_owned(),
        serde_saphyr::Error::MultipleDocuments { .. } => {
            "--- begins another document; each partner has a file of its own".to_owned()
        }
        fault => format!("this is no YAML: {fault}"),
    };
    Unreadable { line, message }
}

/// One value of the file, wherever it stands.
struct Node<'a> {
    place: Place,
    repeated: &'a mut Vec<Place>,
}

impl Node<'_> {
    fn beneath(&mut self, step: Step) -> Node<'_> {
        Node { place: self.place.with(step), repeated: self.repeated }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what YAML has")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        let mut keys = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(self.beneath(Step::Key(key.clone())))?;
            if keys.insert(key.clone(), value).is_some() {
                let place = self.place.with(Step::Key(key));
                if !self.repeated.contains(&place) {
                    self.repeated.push(place);
                }
            }
        }
        Ok(Value::Object(keys))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(self.beneath(Step::Item(items.len())))? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Value, E> {
        Ok(value.to_string().into())
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Value, E> {
        Ok(value.to_string().into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
}
