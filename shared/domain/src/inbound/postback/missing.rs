//! Reports required parameters that are missing, and says where they seem to have gone.

use super::reader::Reader;
use crate::inbound::astray::{self, Swallowed};
use crate::inbound::fault::{self, FaultCode, MAX_QUOTE_BYTES};
use crate::inbound::parameters::MAX_VALUE_BYTES;
use crate::inbound::rules::TransactionIdRule;
use crate::prelude::*;
use crate::values::parameter_names::Field;

impl Reader<'_> {
    pub(super) fn missing(&mut self) {
        let derived = self.rules.transaction_id == TransactionIdRule::Derived;
        let sent_transaction = self.present(Field::TransactionId);
        let required = Field::ALL.into_iter().filter(|field| match field {
            Field::TransactionId => !derived,
            Field::EventId => derived && !sent_transaction,
            Field::EventName => false,
            _ => true,
        });
        let missing: Vec<Field> = required.filter(|field| !self.present(*field)).collect();
        // Without these, a call means something else. Their sender must not be misunderstood.
        let optional = [
            (Field::TransactionId, derived),
            (Field::Status, self.rules.status.is_some()),
            (Field::Reference, self.rules.names.has(Field::Reference)),
        ];
        let agreed = optional.into_iter().filter(|(field, is_agreed)| *is_agreed && !self.present(*field));
        let agreed: Vec<Field> = agreed.map(|(field, _)| field).collect();
        // Nobody knows what an unreadable body has.
        if (missing.is_empty() && agreed.is_empty()) || self.sent.has_unreadable_body() {
            return;
        }
        let cut = self.looks_cut(&missing);
        let sent: Vec<(String, String)> = self.sent.searchable().collect();
        for field in agreed {
            if let Some(found) = self.found_elsewhere(field, &sent, astray::has_letters_of) {
                let expected = format!("{}, written exactly so", self.rules.names.of(field));
                self.fault(field, FaultCode::Missing, expected, found);
            }
        }
        for field in missing {
            let name = self.rules.names.of(field);
            let mut fix = format!("add {name}={}", field.example());
            if field == Field::EventId {
                fix.push_str(", or send a transaction_id of your own");
            }
            if let Some(found) = self.found_elsewhere(field, &sent, astray::is_near) {
                fix = found;
            } else if cut {
                fix.push_str("; if your URL has it, a raw # before it may have cut the URL: write # as %23");
            }
            self.fault(field, FaultCode::Missing, format!("the required parameter {name}"), fix);
        }
    }

    /// Returns how a missing parameter came, and how it must come. `is_near` compares a name that came with the right one.
    fn found_elsewhere(
        &self,
        field: Field,
        sent: &[(String, String)],
        is_near: impl Fn(&str, &str) -> bool,
    ) -> Option<String> {
        let name = self.rules.names.of(field);
        let quoted = |text: &str| fault::cut(text.to_owned(), MAX_QUOTE_BYTES);
        if name != field.as_str() && self.sent.raw(field.as_str()).is_some() {
            return Some(format!("it came as {field}; send it as {name}, as agreed with you"));
        }
        let is_free = |other: &str| !self.rules.known().any(|known| known == other);
        let near = sent.iter().find(|(other, _)| is_free(other) && is_near(other, name));
        if let Some((came, _)) = near {
            let cause = match came {
                came if came.contains("amp;") || came.contains("38;") => "; separate parameters by &, not by &amp;",
                came if came.starts_with('?') => "; a URL has one ?, and & before each further parameter",
                _ => "; names compare letter by letter",
            };
            return Some(format!("`{}` came; it must be `{name}`{cause}", quoted(came)));
        }
        // A longer value of ours is refused unread.
        sent.iter().filter(|(_, value)| value.len() <= MAX_VALUE_BYTES).find_map(|(other, value)| {
            let whole = format!("{other}={value}");
            let sought = |inner: &str| is_near(inner, name);
            Some(match astray::swallowed(&whole, None, sought, [name].into_iter())? {
                Swallowed::After(sign, came) => format!(
                    "`{}` came inside the value of {}, after {sign:?}; separate parameters by & alone",
                    quoted(&came),
                    quoted(other)
                ),
                Swallowed::Entity(entity, came) => format!(
                    "`{}` came inside the value of {}: HTML read &{entity} of &{name} as one character; write & in HTML as &amp;, or put {name} first in the URL",
                    quoted(&came),
                    quoted(other)
                ),
            })
        })
    }

    pub(super) fn present(&self, field: Field) -> bool {
        let name = self.rules.names.of(field);
        self.sent.is_unreadable(name) || self.sent.raw(name).is_some_and(|raw| !raw.is_empty())
    }

    /// Returns true if the missing parameters were probably cut off by a raw `#` in the URL.
    pub(super) fn looks_cut(&self, missing: &[Field]) -> bool {
        let last_present = Field::ALL.into_iter().filter(|field| self.present(*field)).max();
        let later = missing.iter().any(|field| last_present.is_some_and(|last| *field > last));
        !self.sent.is_empty() && (later || self.sent.ends_empty())
    }
}
