//! Refuses parameters that nobody agreed on and that may say that a call must not be recorded as a conversion.

use alloc::borrow::Cow;

use super::reader::{Reader, may_contain_parameter};
use crate::inbound::astray::{self, Inner};
use crate::inbound::doubt::{self, Doubt};
use crate::inbound::fault::{Fault, FaultCode, quoted};
use crate::inbound::parameters::{DRY_RUN, MAX_VALUE_BYTES};
use crate::prelude::*;
use crate::values::parameter_names::Field;
use crate::values::spelling::seen;

/// Bounds the names inside values that are judged in one call.
const MAX_INNER_NAMES: usize = 256;

impl Reader<'_> {
    /// Refuses each parameter that is in doubt, also inside the values of others and inside JSON. `is_negative` says that
    /// the amount already takes a transaction back.
    pub(super) fn doubts(&mut self, is_negative: bool) {
        let rules = self.rules;
        let mut names_left = MAX_INNER_NAMES;
        let mut found = Vec::new();
        for (name, raw) in self.sent.unknown(|name| rules.knows(name) || rules.ignores(name)) {
            let value = astray::readable(raw);
            // A kept parameter may mean anything, but it may have swallowed another one.
            let own = if rules.keep.contains(name.as_ref()) { None } else { doubt::judge(&name, &value) };
            let own = own.map(|doubt| (None, doubt));
            let judged = own.or_else(|| inside(&name, &value, &mut names_left));
            found.extend(judged.map(|(inner, doubt)| self.doubtful(&name, inner, doubt, is_negative)));
        }
        for name in rules.names.all().filter(|name| !rules.is_status(name)) {
            let judged = self.sent.raw(name).and_then(swallowed);
            found.extend(judged.map(|(inner, doubt)| self.doubtful(name, inner, doubt, is_negative)));
        }
        self.faults.extend(found.into_iter().flatten());
    }

    /// Makes the fault of a parameter in doubt, unless it only says what a negative amount says too.
    fn doubtful(&self, name: &str, inner: Option<String>, doubt: Doubt, is_negative: bool) -> Option<Fault> {
        if is_negative && doubt == Doubt::Reversal {
            return None;
        }
        let shown = quoted(name);
        let came = match inner {
            Some(inner) => format!("; {} came inside {shown}", quoted(inner)),
            None => format!("; {shown} came"),
        };
        let ignore = format!("if {shown} says nothing about the conversion, ask GG3 to list it under ignore");
        if doubt == Doubt::DryRun {
            let expected = format!("{DRY_RUN}, written exactly so, as a parameter of its own{came}");
            let fix = format!("send dry_run=true to check the call, or leave it out to record it; {ignore}");
            return Some(Fault::of(name, FaultCode::NearDryRun, expected, fix));
        }
        let expected = format!(
            "nothing that may mean that the conversion is not valid, because no such parameter is agreed{came}"
        );
        let send = match &self.rules.status {
            Some(_) => format!("send the status as {}, as agreed", self.rules.names.of(Field::Status)),
            None => "if it is a status, ask us to agree on its words".to_owned(),
        };
        Some(Fault::of(name, FaultCode::StatusNotAgreed, expected, format!("{send}; {ignore}")))
    }
}

/// Looks for a parameter in doubt inside the value of an unknown one, and counts the names. Names in JSON belong to the
/// name around them. Links to pages carry parameters of their own.
fn inside(name: &str, value: &str, names_left: &mut usize) -> Option<(Option<String>, Doubt)> {
    let value = seen(value);
    if !value.contains(['=', ':']) {
        return None;
    }
    let (is_json, value) = (value.starts_with(['{', '[']), without_links(&value));
    let judge = |Inner { name: inner, value, .. }: &Inner| {
        if is_json { doubt::judge_within(name, inner, value) } else { doubt::judge(inner, value) }
    };
    let inner = astray::inner(&value).filter(|inner| inner.name.starts_with(char::is_alphabetic)).take(*names_left);
    let mut counted = inner.inspect(|_| *names_left = names_left.saturating_sub(1));
    counted.find_map(|inner| Some((Some(inner.name.to_owned()), judge(&inner)?)))
}

/// Looks for a status behind a sign in the value of a parameter of ours, which may be an id. All other parameters are found
/// when the value is read.
fn swallowed(raw: &[u8]) -> Option<(Option<String>, Doubt)> {
    let may_contain_one = raw.len() <= MAX_VALUE_BYTES && may_contain_parameter(raw);
    let value = may_contain_one.then(|| astray::readable(raw))?;
    let value = seen(&value);
    let mut behind = astray::inner(&value).filter(|inner| inner.before.is_some() && inner.sign == '=');
    let judged = behind.find_map(|inner| Some((Some(inner.name.to_owned()), doubt::judge(inner.name, inner.value)?)));
    judged.filter(|(_, doubt)| *doubt != Doubt::DryRun)
}

/// Returns a text without the links in it.
fn without_links(text: &str) -> Cow<'_, str> {
    let mut parts = text.split("://");
    let first = parts.next().unwrap_or_default();
    let is_end = |sign: char| sign.is_whitespace() || "\"'<>,;|\\".contains(sign);
    let rests = parts.map(|part| part.split_once(is_end).map_or("", |(_, rest)| rest));
    let rests: Vec<&str> = rests.collect();
    if rests.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(format!("{first} ,{}", rests.join(" ,"))) }
}
