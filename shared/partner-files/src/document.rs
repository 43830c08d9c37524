//! A partner file as YAML: the keys and values, the line of each value, and the repeated keys.

use std::{collections::BTreeMap, fmt};

use domain::values::config_fault::ConfigFault;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::{DuplicateKeyPolicy, Location, NonFiniteFloatPolicy, Spanned};

/// A file's keys and values. If a key is repeated, its last value counts.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) value: Value,
    /// The faults of repeated keys.
    pub(super) repeated: Vec<ConfigFault>,
    /// The line and the text of every value, by the place of the value, such as `postback.allow_from[2]`.
    marks: BTreeMap<String, Mark>,
}

#[derive(Debug)]
struct Mark {
    line: u64,
    text: String,
}

/// The reason why a text cannot be read as keys and values, and its line if it is known.
pub(super) struct Unreadable {
    pub(super) line: Option<u64>,
    pub(super) message: String,
}

impl Document {
    pub(super) fn read(text: &str) -> Result<Self, Unreadable> {
        // Some readers of YAML take 010 for 8 and others for 10. A number with a leading zero is therefore read as
        // text.
        let options = serde_saphyr::options! {
            duplicate_keys: DuplicateKeyPolicy::PassThrough,
            leading_zero_numbers_as_strings: true,
            non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        };
        let tree: Spanned<Node> =
            serde_saphyr::from_str_with_options(text, options).map_err(|fault| unreadable(&fault))?;
        let whole = |message: &str| Err(Unreadable { line: None, message: message.to_owned() });
        match tree.value {
            Node::Map(_) => {}
            Node::Scalar(Value::Null) => return whole("is empty. Write at least provider: and the partner's name"),
            _ => return whole("is not a partner file. Write keys and values, such as provider: acme"),
        }
        let mut document = Self { value: Value::Null, repeated: Vec::new(), marks: BTreeMap::new() };
        document.value = document.take(text, "", tree.referenced.line(), tree);
        Ok(document)
    }

    /// Returns the line of a place. If the file lacks that place, returns the line of the nearest enclosing place.
    pub(super) fn line(&self, place: &str) -> Option<u64> {
        let around = place.rmatch_indices(['.', '[']).map(|(end, _)| end);
        let mut places = [place.len()].into_iter().chain(around).chain([0]).filter_map(|end| place.get(..end));
        places.find_map(|place| self.marks.get(place)).map(|mark| mark.line)
    }

    /// Returns the text at a place. A number is returned as it was written, such as `1.50`. An empty value is `None`.
    pub(super) fn text(&self, place: &str) -> Option<&str> {
        self.marks.get(place).map(|mark| mark.text.as_str()).filter(|text| !text.is_empty())
    }

    fn take(&mut self, text: &str, place: &str, line: u64, node: Spanned<Node>) -> Value {
        let written = match &node.value {
            Node::Scalar(Value::String(text)) => text,
            Node::Scalar(_) => written(text, node.defined),
            Node::List(_) | Node::Map(_) => "",
        };
        self.marks.insert(place.to_owned(), Mark { line, text: written.to_owned() });
        match node.value {
            Node::Scalar(value) => value,
            Node::List(items) => {
                let items = items.into_iter().enumerate();
                items
                    .map(|(at, item)| self.take(text, &format!("{place}[{at}]"), item.referenced.line(), item))
                    .collect()
            }
            Node::Map(members) => {
                let mut object = Map::new();
                for (key, value) in members {
                    let (place, line) = (member(place, &key.value), key.referenced.line());
                    if let Some(first) = self.marks.get(&place).filter(|_| object.contains_key(&key.value)) {
                        let message = format!("appears twice, also in line {}. Keep one of them", first.line);
                        self.repeated.push(ConfigFault { path: place.clone(), message });
                    }
                    let value = self.take(text, &place, line, value);
                    object.insert(key.value, value);
                }
                Value::Object(object)
            }
        }
    }
}

/// Returns the place of a key inside another place.
pub(super) fn member(place: &str, key: &str) -> String {
    if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") }
}

fn written(text: &str, location: Location) -> &str {
    let span = location.span();
    let range = span.byte_offset().zip(span.byte_len()).and_then(|(start, length)| {
        let start = usize::try_from(start).ok()?;
        Some(start..start.checked_add(usize::try_from(length).ok()?)?)
    });
    range.and_then(|range| text.get(range)).unwrap_or_default().trim()
}

fn unreadable(fault: &serde_saphyr::Error) -> Unreadable {
    let fault = fault.without_snippet();
    let line = fault.location().map(|location| location.line());
    let message = match fault {
        serde_saphyr::Error::Eof { .. } => "ends too early. Close the bracket or quote that is still open".to_owned(),
        serde_saphyr::Error::MultipleDocuments { .. } => {
            "--- begins a second document. Write each partner into a file of its own".to_owned()
        }
        fault => format!("is not YAML: {fault}"),
    };
    Unreadable { line, message }
}

/// A value of the file, with the locations of everything inside it.
enum Node {
    Scalar(Value),
    List(Vec<Spanned<Node>>),
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

macro_rules! scalars {
    ($($visit:ident: $kind:ty),*) => {
        $(fn $visit<E>(self, value: $kind) -> Result<Node, E> {
            Ok(Node::Scalar(value.into()))
        })*
    };
}

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Node::Map(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string().into()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string().into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        // JSON Schema accepts 10.0 as a whole number, but serde does not, so 10.0 becomes 10. An id such as 12e4567 is
        // read as infinity, which JSON lacks, so it becomes the greatest number.
        let whole = value.to_string().parse::<i64>().ok();
        Ok(Node::Scalar(whole.map_or_else(|| value.clamp(f64::MIN, f64::MAX).into(), Value::from)))
    }

    scalars!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_str: &str);
}
