//! The entries of a trace, of a list of refusals and of a list of conflicts, as text and as JSON.

use std::{collections::BTreeMap, fmt};

use app::{
    operators::{
        current_revision::{CurrentRevision, FromCurrent},
        refusals::{Refused, ToAgree, UnreadTransaction},
        trace::{Attempted, Due, Event, EventKind, InVain, Opening, Owed, Recorded},
        view::EventView,
    },
    ports::{RefusalKind, Unavailable},
};
use domain::{
    inbound::{
        click::Click,
        conversion::{Conversion, Reversed},
        correction::{Correction, Revision, RevisionKind},
        fault::Fault,
        postback::{Content, Difference, Postback},
    },
    outbound::{agreed_ids::PartnerIds, attempt::Attempt},
    values::ids::Provider,
};
use serde::Serialize;

use crate::{
    outbound::{progress, waits, webhook},
    terminal::printable,
};

/// An entry of a timeline.
#[derive(Debug, Serialize)]
pub(crate) struct TimelineEntry {
    #[serde(flatten)]
    pub(crate) event: EventView,
    /// The words for people.
    pub(crate) what: String,
    pub(crate) details: Vec<String>,
}

/// Holds entries in the order in which they were added.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Timeline(Vec<TimelineEntry>);

impl Timeline {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds an event of a trace.
    pub(crate) fn event(&mut self, event: &Event) {
        let view = EventView::from(event);
        match &event.kind {
            EventKind::Click(click) => self.click(view, click),
            EventKind::Recorded(recorded) => self.postback(view, recorded),
            EventKind::Conversion(conversion) => self.conversion(view, conversion),
            EventKind::Refused(refused) => self.refused(refused),
            EventKind::Opening(opening) => self.opening(view, opening),
            EventKind::InVain(InVain { user, campaigns }) => {
                let details: Vec<String> = campaigns.iter().map(progress::line).collect();
                let what = format!("{user} opened no partner's link, so nothing counts");
                self.add(view, &what, &details);
            }
            EventKind::Delivery(owed) => self.delivery(view, owed),
            EventKind::Attempt(made) => self.attempt(view, made),
            EventKind::Due(due) => {
                let Due { delivery_id, provider, round, n, wait, .. } = due;
                let waits = waits(*wait);
                let what = format!("attempt {n} of round {round} to {provider}{waits}");
                self.add(view, &what, &[format!("webhook-id {delivery_id}")]);
            }
        }
    }

    fn click(&mut self, view: EventView, Click { provider, landing, user_id, click_id, .. }: &Click) {
        self.add(
            view,
            &format!("user {user_id} went to {provider}'s landing page {landing}"),
            &[format!("click_id {click_id}")],
        );
    }

    fn postback(&mut self, view: EventView, Recorded { revision, is_current }: &Recorded) {
        let receipt = revision.receipt();
        let Postback { provider, transaction_id, content, click, state, extra, .. } = revision.postback();
        let mut details = vec![
            format!("user_id {}, click_id {} ({click})", content.user_id, content.click_id),
            format!("receipt {}", receipt.receipt_id),
        ];
        if let Some(event) = &content.event_id {
            let name = content.event_name.as_ref().map_or("", |name| name.as_str());
            details.push(format!("event {event} {name}"));
        }
        details.extend(state.map(|state| format!("state {state}")));
        if let Some(reversed) = revision.reversed() {
            details.push(match reversed {
                Reversed::Known { transaction_id, receipt_id } => {
                    format!("takes its amount from transaction {transaction_id}, receipt {receipt_id}")
                }
                Reversed::Unknown => "takes its amount from a transaction that is not recorded".to_owned(),
            });
        }
        details.extend(extra.iter().map(|(name, value)| format!("kept {name}: {value}")));
        if !receipt.ignored.is_empty() {
            details.push(format!("ignored: {}", receipt.ignored.join(", ")));
        }
        if *is_current == Some(true) {
            details.push("in force".to_owned());
        }
        let key = format!("{provider}, transaction {transaction_id}");
        let amount = format!("{} {}", content.amount_decimal, content.currency);
        match revision {
            Revision::Correction(Correction { number, original_receipt_id, .. }) => {
                details.push(format!(
                    "correction {number} of the postback with receipt {original_receipt_id}: the highest correction is current"
                ));
                self.add(view, &format!("accepted of {key}: {amount}"), &details);
            }
            Revision::Original(_) | Revision::Step(_) => {
                details.extend(receipt.original_receipt_id.iter().map(|original| {
                    format!("a step of the postback with receipt {original}: the highest state is current")
                }));
                self.add(view, &format!("accepted from {key}: {amount}"), &details);
            }
        }
    }

    /// Adds a refusal or a conflict.
    pub(crate) fn refused(&mut self, refused: &Refused) {
        let Refused { stored: item, current, to_agree } = refused;
        let current = current.as_ref();
        let provider = &item.provider;
        let seen = if item.times == 1 { String::new() } else { format!(", seen {} times", item.times) };
        let (what, details): (String, Vec<String>) = match item.kind {
            RefusalKind::Refusal => {
                let sent = item.request.as_deref().unwrap_or_default();
                let sent = match item.request_bytes {
                    Some(bytes) => format!("sent {bytes} bytes, of which the beginning is kept: {sent}"),
                    None => format!("sent: {sent}"),
                };
                let details = item.faults.iter().map(fault).chain(to_agree.iter().map(agreement)).chain([sent]);
                (format!("of {provider}'s call{seen}"), details.collect())
            }
            RefusalKind::Conflict => {
                let transaction = item.transaction_id.as_ref().map_or("", |id| id.as_str());
                let mut details = differences(item.differences.iter().map(|it| (it.field, it)), current);
                details.extend(item.extra.iter().map(|(name, value)| format!("kept {name}: {value}")));
                let state = item.state.map_or_else(String::new, |state| format!(" as {state}"));
                (format!("{provider}, transaction {transaction}{state}{seen}"), details)
            }
        };
        let state = match (&item.accepted, item.original_kept_at) {
            (Some(receipt), _) if item.kind == RefusalKind::Refusal => {
                let at = item.accepted_at.map_or_else(String::new, |at| format!(" at {at:.3}"));
                Some(format!("sent again{at} and recorded: receipt {}", receipt.receipt_id))
            }
            (Some(receipt), _) => Some(format!("accepted as a correction: receipt {}", receipt.receipt_id)),
            (None, Some(at)) => {
                let kept = if current.is_some() { "the revision that was current" } else { "the original" };
                Some(format!("{kept} was kept at {at:.3}"))
            }
            (None, None) => None,
        };
        let details: Vec<String> =
            details.into_iter().chain(state).chain([format!("content id {}", item.provider_content)]).collect();
        self.add(refused.into(), &what, &details);
    }

    /// Adds the conversion of a postback or a correction. Only GG3 knows if the conversion has arrived.
    fn conversion(&mut self, view: EventView, conversion: &Conversion) {
        let Conversion { provider, transaction_id, receipt_id, state, .. } = conversion;
        let state = state.map_or_else(String::new, |state| format!(", {state}"));
        self.add(
            view,
            &format!("for GG3, put on gg3-conversions: {provider}, transaction {transaction_id}{state}"),
            &[format!("receipt {receipt_id}; to send it again: postbackctl conversions replay")],
        );
    }

    /// Adds a GG3 user's openings of a partner's links, and the user's progress since the first opening.
    fn opening(&mut self, view: EventView, opening: &Opening) {
        let Opening { user, provider, attribution, campaigns } = opening;
        let details = [
            format!("by the ids {}, reported by event {}", ids(&attribution.latest.ids), attribution.latest.event),
            format!("the latest at {:.3}", attribution.latest.at.timestamp()),
        ];
        let details: Vec<String> = details.into_iter().chain(campaigns.iter().map(progress::line)).collect();
        let what = format!("{user} opened {provider}'s link to GG3; since then its deeds count for {provider}");
        self.add(view, &what, &details);
    }

    fn delivery(&mut self, view: EventView, Owed { stored, request, wait }: &Owed) {
        let delivery = &stored.delivery;
        let waits = waits(*wait);
        let (provider, campaign) = (delivery.provider(), delivery.campaign());
        let details = [
            format!("for {} by the ids {}", delivery.participant(), ids(delivery.ids())),
            format!("the goal was reached at {:.3}", delivery.occurred_at().timestamp()),
            format!("webhook-id {}, {}{waits}", delivery.id(), delivery.status()),
            webhook::as_curl(request, delivery.id().as_str()),
        ];
        self.add(view, &format!("owed to {provider} for its campaign {campaign}"), &details);
    }

    fn attempt(&mut self, view: EventView, made: &Attempted) {
        let Attempted { provider, campaign, kept, .. } = made;
        let Attempt { n, due_at, duration_ms, outcome, answer, .. } = &kept.attempt;
        let mut details = vec![format!("due {:.3}, took {duration_ms} ms", due_at.timestamp())];
        if !answer.is_empty() {
            details.push(format!("its answer began: {answer}"));
        }
        if kept.late.is_some() {
            details.push("recorded after its claim had expired, or another round was opened".to_owned());
        }
        let what = format!("{provider}, {campaign}, {n} of round {}: {outcome}", kept.round);
        self.add(view, &what, &details);
    }

    fn add(&mut self, event: EventView, what: &str, details: &[String]) {
        let what = printable(&format!("{:10} {what}", event.kind));
        self.0.push(TimelineEntry { event, what, details: details.iter().map(|text| printable(text)).collect() });
    }
}

/// Prints a warning for each transaction of a conflict that could not be read.
pub(crate) fn warn_unread(unread: &[UnreadTransaction]) {
    for UnreadTransaction { provider, transaction_id, fault } in unread {
        let transaction = printable(transaction_id.as_str());
        eprintln!("{provider}, transaction {transaction}: the current revision cannot be read: {fault}");
    }
}

/// Prints a warning for each partner that could not be read, so that it is unknown if its campaigns are paused.
pub(crate) fn warn_unread_partners(unread: &BTreeMap<Provider, Unavailable>) {
    for (provider, fault) in unread {
        eprintln!("{provider} cannot be read, so it is unknown if its campaigns are paused: {fault}");
    }
}

/// Returns lines about the differences between a sent postback and the revision that counts now, and about the
/// differences at the time when the postback came. `when_it_came` holds the latter with their names.
pub(crate) fn differences<'a>(
    when_it_came: impl IntoIterator<Item = (impl fmt::Display, &'a Difference)>,
    current: Option<&CurrentRevision>,
) -> Vec<String> {
    let still_holds = |it: &Difference| {
        let mut now = current.into_iter().flat_map(|current| &current.differences);
        now.any(|now| now.field == it.field && now.current == it.original)
    };
    let before = when_it_came.into_iter().filter(|(_, it)| !still_holds(it));
    let before = before.map(|(name, Difference { original, sent, .. })| match current {
        None => difference(&name, original, sent),
        Some(CurrentRevision { state: None, .. }) => format!("{name}: the original said {original}, {sent} came"),
        Some(_) => format!("{name}: {original} was current when {sent} came"),
    });
    current.map(lines).unwrap_or_default().into_iter().chain(before).collect()
}

/// Returns a line about a value that is recorded and another one that came.
pub(crate) fn difference(name: impl fmt::Display, recorded: &str, came: &str) -> String {
    format!("{name}: {recorded} is recorded, {came} came")
}

/// Names the revision that counts now.
pub(crate) fn named(CurrentRevision { kind, correction, state, .. }: &CurrentRevision) -> String {
    let revision = match kind {
        RevisionKind::Original => "the original".to_owned(),
        RevisionKind::Step => "the step".to_owned(),
        RevisionKind::Correction => format!("correction {correction}"),
    };
    state.map_or(revision.clone(), |state| format!("{revision} ({state})"))
}

/// Returns lines that show the revision that counts now, and the differences of the sent postback from that revision.
fn lines(current: &CurrentRevision) -> Vec<String> {
    let CurrentRevision { receipt_id, since, content, differences, .. } = current;
    let Content { user_id, click_id, currency, amount_decimal, event_id, event_name } = content;
    let event = event_id.as_ref().map_or_else(String::new, |id| format!(", event {id}"));
    let name = event_name.as_ref().map_or_else(String::new, |name| format!(" {name}"));
    let itself = [
        format!("{} has been current since {since:.3}: receipt {receipt_id}", named(current)),
        format!("it says user_id {user_id}, click_id {click_id}, {amount_decimal} {currency}{event}{name}"),
    ];
    let difference =
        |FromCurrent { field, current, sent }: &FromCurrent| format!("{field}: {current} is current, {sent} came");
    itself.into_iter().chain(differences.iter().map(difference)).collect()
}

/// Returns a line that says which setting of the partner's file would make the call acceptable.
fn agreement(ToAgree { parameter, word }: &ToAgree) -> String {
    format!(
        "to accept it: agree on postback.status with parameter: {parameter}, and list {word:?} as pending, approved, rejected or ignored"
    )
}

/// Returns the ids by which a partner knows a user.
fn ids(ids: &PartnerIds) -> String {
    let click = ids.click_id.as_ref().map(|id| format!("click_id {id}"));
    let user = ids.user_id.as_ref().map(|id| format!("user_id {id}"));
    click.into_iter().chain(user).collect::<Vec<_>>().join(", ")
}

/// Returns a fault in a line.
pub(crate) fn fault(fault: &Fault) -> String {
    format!("{}: {}", fault.parameter.as_deref().unwrap_or("request"), fault.expected)
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for TimelineEntry { event, what, details } in &self.0 {
            writeln!(f, "  {:.3}  {what}", event.at)?;
            for detail in details {
                writeln!(f, "  {:24}  {:11}{detail}", "", "")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partners_text_cannot_forge_a_line_or_colour_a_terminal() {
        let mut timeline = Timeline::default();
        let (at, record) = (domain::jiff::Timestamp::UNIX_EPOCH, serde_json::Value::Null);
        let event = EventView { at, kind: "click", record, in_force: None };
        timeline.add(event, "a\u{1b}[31m\nforged", &["b\rc\u{202e}".to_owned()]);
        let shown = timeline.to_string();
        assert_eq!(shown.lines().count(), 2);
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{shown:?}");
    }
}
