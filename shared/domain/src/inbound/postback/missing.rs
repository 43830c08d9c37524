//! Reports required parameters that are missing, and says where they seem to have gone.

use alloc::borrow::Cow;
use core::cell::OnceCell;

use super::reader::{Reader, may_contain_parameter};
use crate::inbound::astray::{self, Swallowed};
use crate::inbound::fault::{Fault, FaultCode, quoted};
use crate::inbound::parameters::MAX_VALUE_BYTES;
use crate::inbound::rules::TransactionIdRule;
use crate::prelude::*;
use crate::values::escapes;
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
        // Nobody knows what an unreadable body has.
        if self.sent.has_unreadable_body() {
            return;
        }
        self.misspelt(&missing);
        if missing.is_empty() {
            return;
        }
        let cut = self.looks_cut(&missing);
        let sent: Vec<(Cow<'_, str>, Cow<'_, str>)> = self.sent.searchable().collect();
        let rules = self.rules;
        let unknown = || self.sent.unknown(|name| rules.reads(name) || rules.ignores(name));
        for field in missing {
            let name = self.rules.names.of(field);
            let mut fix = format!("add {name}={}", field.example());
            if field == Field::EventId {
                fix.push_str(", or send a transaction_id of your own");
            }
            if name != field.as_str() && self.sent.raw(field.as_str()).is_some() {
                fix = format!("it came as {field}; send it as {name}, as agreed with you");
            } else if let Some((came, _)) = unknown().find(|(came, _)| astray::is_near(came, name)) {
                fix = respelt(name, &came);
            } else if let Some(found) = sent.iter().find_map(|(came, value)| inside(name, came, value)) {
                fix = found;
            } else if cut {
                fix.push_str("; if your URL has it, a raw # before it may have cut the URL: write # as %23");
            }
            self.fault(field, FaultCode::Missing, format!("the required parameter {name}"), fix);
        }
    }

    /// Reports parameters that need not be sent and came under another spelling, because a call without them means
    /// something else, and parameters that came under two spellings with two values. Decodes only names and values that
    /// may matter, because this is done for each call.
    fn misspelt(&mut self, missing: &[Field]) {
        let rules = self.rules;
        let names = || rules.names.all().chain(rules.keep.iter().map(String::as_str));
        let is_required = |name: &str| missing.iter().any(|field| rules.names.of(*field) == name);
        let is_absent = |name: &&str| !is_required(name) && !self.is_present(name);
        // It is computed once at most, because each name is compared with every parameter.
        let absent: OnceCell<Vec<&str>> = OnceCell::new();
        // Links to pages carry parameters of their own.
        let is_link = |value: &str| value.contains("://");
        let mut faults = Vec::new();
        let unknown = self.sent.unknown(|name| rules.knows(name) || rules.ignores(name));
        for (came, raw) in unknown.filter(|(_, raw)| !raw.is_empty()) {
            let is_kept = rules.keep.contains(came.as_ref());
            let is_near = |name: &&str| !is_kept && astray::is_near(&came, name) && !is_required(name);
            // A name with a wrong letter beside the right one is another parameter.
            let is_twin = |name: &&str| astray::has_letters_of(&came, name) || !self.is_present(name);
            let twin = names().filter(is_near).find(is_twin);
            if let Some(name) =
                twin.filter(|name| self.sent.raw(name).is_some_and(|other| !other.is_empty() && other != raw))
            {
                let expected = format!("{name} once; {} came beside it, with another value", quoted(came.as_ref()));
                let fix = format!("send {name} alone, or give the other parameter another name");
                faults.push(Fault::of(name, FaultCode::Repeated, expected, fix));
                continue;
            }
            let has_inner = may_contain_parameter(raw) || may_separate(&came);
            if twin.is_none() && !has_inner {
                continue;
            }
            let value = if has_inner { astray::readable(raw) } else { Cow::Borrowed("") };
            let absent = absent.get_or_init(|| names().filter(is_absent).collect()).iter().copied();
            for name in absent.filter(|name| twin == Some(name) || (has_inner && !is_link(&value))) {
                let respelt = (twin == Some(name)).then(|| respelt(name, &came));
                if let Some(found) = respelt.or_else(|| inside(name, &came, &value)) {
                    let expected = format!("{name}, written exactly so");
                    let fix = format!("{found}; if it means something else, ask GG3 to list it under ignore");
                    faults.push(Fault::of(name, FaultCode::Missing, expected, fix));
                }
            }
        }
        self.faults.extend(faults);
    }

    fn is_present(&self, name: &str) -> bool {
        self.sent.is_unreadable(name) || self.sent.raw(name).is_some_and(|raw| !raw.is_empty())
    }

    pub(super) fn present(&self, field: Field) -> bool {
        self.is_present(self.rules.names.of(field))
    }

    /// Returns true if the missing parameters were probably cut off by a raw `#` in the URL.
    pub(super) fn looks_cut(&self, missing: &[Field]) -> bool {
        let last_present = Field::ALL.into_iter().filter(|field| self.present(*field)).max();
        let later = missing.iter().any(|field| last_present.is_some_and(|last| *field > last));
        !self.sent.is_empty() && (later || self.sent.ends_empty())
    }
}

/// Says that a parameter came under this other spelling, and how it must come.
fn respelt(name: &str, came: &str) -> String {
    let cause = match came {
        came if matches!(escapes::entity(came.trim_start_matches('&')), Some(('&', _))) => {
            "; separate parameters by &, not by &amp;"
        }
        came if came.starts_with('?') => "; a URL has one ?, and & before each further parameter",
        _ => "; names compare letter by letter",
    };
    format!("`{}` came; it must be `{name}`{cause}", quoted(came))
}

/// Looks for a parameter inside another one. Returns how it came, and how it must come.
fn inside(name: &str, came: &str, value: &str) -> Option<String> {
    // A longer value of ours is refused unread.
    if value.len() > MAX_VALUE_BYTES {
        return None;
    }
    let sought = |inner: &str| astray::is_near(inner, name);
    Some(match astray::swallowed(&format!("{came}={value}"), None, sought, [name].into_iter())? {
        Swallowed::After(sign, inner) => format!(
            "`{}` came inside the value of {}, after {sign:?}; separate parameters by & alone",
            quoted(inner),
            quoted(came)
        ),
        Swallowed::Entity(entity, inner) => format!(
            "`{}` came inside the value of {}: HTML read &{entity} of &{name} as one character; write & in HTML as &amp;, or put {name} first in the URL",
            quoted(inner),
            quoted(came)
        ),
    })
}

/// Returns true if a name may contain a parameter of its own, as in `sub;status=1`.
fn may_separate(name: &str) -> bool {
    name.contains(|sign: char| !(sign.is_ascii_alphanumeric() || matches!(sign, '_' | '-' | '.')))
}
