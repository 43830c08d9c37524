//! Decides which changes of a published campaign are allowed.

use core::time::Duration;

use super::{Campaign, Campaigns, Terms};
use crate::prelude::*;
use crate::values::config_fault::{ConfigFault, Faults};
use crate::values::time::UnixMillis;

/// Returns the faults that forbid replacing the published campaign `old` by `new`, which has the same name.
///
/// Evaluators drop events that no campaign in their snapshot needs. The start of a new campaign, and both the old and
/// the new instant of an end that is moved, must therefore be at least `lead` after `now`. By then, every evaluator
/// that drops events has a snapshot with the change ([`crate::outbound::timing::Timing`]).
pub fn check_change(old: Option<&Campaign>, new: &Campaign, now: UnixMillis, lead: Duration) -> Vec<ConfigFault> {
    let mut faults = Faults::default();
    let soonest = now.plus(lead);
    match old {
        None => {
            check_beginning(&new.terms, soonest, &mut faults);
            faults.require(!new.archived, "archived", "needs a published campaign; remove this one from the file");
        }
        Some(old) if old.archived => {
            faults.require(new.archived, "name", "belongs to an archived campaign; choose another name");
            faults.require(new.terms == old.terms, "name", "is archived, so its goal and times are fixed");
        }
        Some(old) => check_terms(&old.terms, &new.terms, soonest, &mut faults),
    }
    faults.0
}

fn check_beginning(new: &Terms, soonest: UnixMillis, faults: &mut Faults) {
    let early = format!("is too soon after publishing; write {soonest} or later, or on_publish");
    faults.require(new.active_from >= soonest, "active_from", &early);
}

/// Reports the faults that forbid replacing the published terms `old` by `new`, or publishing `new` for the first time.
/// `soonest` is the instant at which the lead ends.
pub(crate) fn check_published_terms(old: Option<&Terms>, new: &Terms, soonest: UnixMillis, faults: &mut Faults) {
    match old {
        Some(old) => check_terms(old, new, soonest, faults),
        None => check_beginning(new, soonest, faults),
    }
}

fn check_terms(old: &Terms, new: &Terms, soonest: UnixMillis, faults: &mut Faults) {
    const FIXED: &str = "is fixed once it is published; make a new campaign instead";
    faults.require(new.goal == old.goal, "goal", FIXED);
    faults.require(new.active_from == old.active_from, "active_from", FIXED);
    let ahead = |to: Option<UnixMillis>| to.is_none_or(|to| to >= soonest);
    let may_move = ahead(old.active_to) && ahead(new.active_to);
    let late = format!("can move only while the old and the new end are at {soonest} or later");
    faults.require(new.active_to == old.active_to || may_move, "active_to", &late);
}

/// Returns the faults that forbid replacing a partner's published campaigns `old` by `new`. Every published campaign
/// must still be in `new`.
pub fn check_changes(old: &Campaigns, new: &Campaigns, now: UnixMillis, lead: Duration) -> Vec<ConfigFault> {
    let mut faults = Faults::default();
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        faults.add(&format!("campaigns.{name}"), "is missing but cannot be deleted; write archived: true");
    }
    for (name, campaign) in new {
        for fault in check_change(old.get(name), campaign, now, lead) {
            faults.add(&format!("campaigns.{name}.{}", fault.path), fault.message);
        }
    }
    faults.0
}
