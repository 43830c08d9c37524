//! The fields of a line, put into its JSON one by one.

use std::{error::Error, fmt};

use serde::{Serialize, ser::SerializeMap};
use tracing::field::{Field, Visit};

use super::counted::{self, Counted};

/// A line under way.
pub(super) struct Fields<M: SerializeMap> {
    json: M,
    counted: Option<u64>,
    /// The first field that could not be written.
    fault: Option<M::Error>,
}

impl<M: SerializeMap> Fields<M> {
    pub(super) fn new(json: M) -> Self {
        Self { json, counted: None, fault: None }
    }

    /// Nothing more is written once something could not be: no part of such a line is used.
    pub(super) fn put(&mut self, name: &'static str, value: &(impl Serialize + ?Sized)) {
        if self.fault.is_none() {
            self.fault = self.json.serialize_entry(name, value).err();
        }
    }

    /// What the line is counted as.
    pub(super) fn counted(&self) -> Option<usize> {
        self.counted.and_then(|index| usize::try_from(index).ok())
    }

    pub(super) fn count(&mut self, counted: Counted) {
        self.counted = Some(counted.id());
    }

    pub(super) fn end(self) -> Result<M::Ok, M::Error> {
        self.fault.map_or_else(|| self.json.end(), Err)
    }
}

impl<M: SerializeMap> Visit for Fields<M> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == counted::FIELD {
            self.counted = Some(value);
        } else {
            self.put(field.name(), &value);
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field.name(), &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), &format_args!("{value:?}"));
    }
}
