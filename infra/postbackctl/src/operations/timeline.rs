//! The entries of a trace, of a list of refusals and of a list of conflicts, as text and as JSON.

use std::{collections::BTreeMap, fmt};

use app::{
    operators::{
        current_revision::{CurrentRevision, FromCurrent},
        refusals::{Refused, ToAgree, UnreadTransaction},
        trace::{Attempted, Due, Event, EventKind, InVain, Opening, Owed, Recorded},
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
    jiff::Timestamp,
    outbound::{agreed_ids::PartnerIds, attempt::Attempt},
    values::ids::Provider,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    outbound::{progress, webhook},
    terminal::printable,
    view::{AttemptView, ClickView, DeliveryView, DueView, OpeningView, PostbackView, RefusalView},
};

/// An entry of a timeline.
#[derive(Debug, Serialize)]
pub(crate) struct TimelineEntry {
    #[serde(serialize_with = "domain::values::time::three_decimals::serialize")]
    pub(crate) at: Timestamp,
    /// `click`, `postback`, `correction`, `refusal`, `conflict`, `conversion`, `opening`, `progress`, `delivery`, `attempt`
    /// or `due`.
    pub(crate) kind: &'static str,
    /// The thing that happened, for programs, in the form of [`crate::view`].
    pub(crate) record: Value,
    /// Is true for the record of a transaction that is in force, and false for its other records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) in_force: Option<bool>,
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
    pub(crate) fn event(&mut self, Event { at, kind }: &Event) {
        match kind {
            EventKind::Click(click) => self.click(click),
            EventKind::Recorded(recorded) => self.postback(*at, recorded),
            EventKind::Conversion(conversion) => self.conversion(*at, conversion),
            EventKind::Refused(refused) => self.refused(refused),
            EventKind::Opening(opening) => self.opening(*at, opening),
            EventKind::InVain(InVain { user, campaigns }) => {
                let details: Vec<String> = campaigns.iter().map(progress::line).collect();
                let what = format!("{user} opened no partner's link, so nothing counts");
                self.add(("progress", *at, &json!({"user_id": user, "campaigns": campaigns})), &what, &details);
            }
            EventKind::Delivery(owed) => self.delivery(*at, owed),
            EventKind::Attempt(made) => self.attempt(*at, made),
            EventKind::Due(due) => {
                let Due { delivery_id, provider, round, n, is_paused, .. } = due;
                let paused = if *is_paused { ", paused: it waits for its campaign" } else { "" };
                let what = format!("attempt {n} of round {round} to {provider}{paused}");
                self.add(("due", *at, &DueView::from(due)), &what, &[format!("webhook-id {delivery_id}")]);
            }
        }
    }

    fn click(&mut self, click: &Click) {
        let Click { provider, landing, user_id, click_id, clicked_at } = click;
        self.add(
            ("click", *clicked_at, &ClickView::from(click)),
            &format!("user {user_id} went to {provider}'s landing page {landing}"),
            &[format!("click_id {click_id}")],
        );
    }

    fn postback(&mut self, at: Timestamp, Recorded { revision, is_current }: &Recorded) {
        let (view, receipt) = (PostbackView::from(revision), revision.receipt());
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
                self.record(("correction", at, &view, *is_current), &format!("accepted of {key}: {amount}"), &details);
            }
            Revision::Original(_) | Revision::Step(_) => {
                details.extend(receipt.original_receipt_id.iter().map(|original| {
                    format!("a step of the postback with receipt {original}: the highest state is current")
                }));
                self.record(("postback", at, &view, *is_current), &format!("accepted from {key}: {amount}"), &details);
            }
        }
    }

    /// Adds a refusal or a conflict.
    pub(crate) fn refused(&mut self, refused: &Refused) {
        let Refused { stored: item, current, to_agree } = refused;
        let current = current.as_ref();
        let provider = &item.provider;
        let seen = if item.times == 1 { String::new() } else { format!(", seen {} times", item.times) };
        let (kind, what, details): (_, String, Vec<String>) = match item.kind {
            RefusalKind::Refusal => {
                let sent = item.request.as_deref().unwrap_or_default();
                let sent = match item.request_bytes {
                    Some(bytes) => format!("sent {bytes} bytes, of which the beginning is kept: {sent}"),
                    None => format!("sent: {sent}"),
                };
                let details = item.faults.iter().map(fault).chain(to_agree.iter().map(agreement)).chain([sent]);
                ("refusal", format!("of {provider}'s call{seen}"), details.collect())
            }
            RefusalKind::Conflict => {
                let transaction = item.transaction_id.as_ref().map_or("", |id| id.as_str());
                let mut details = differences(item.differences.iter().map(|it| (it.field, it)), current);
                details.extend(item.extra.iter().map(|(name, value)| format!("kept {name}: {value}")));
                let state = item.state.map_or_else(String::new, |state| format!(" as {state}"));
                ("conflict", format!("{provider}, transaction {transaction}{state}{seen}"), details)
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
        self.add((kind, item.last_received_at, &RefusalView::from(refused)), &what, &details);
    }

    /// Adds the conversion of a postback or a correction. Only GG3 knows if the conversion has arrived.
    fn conversion(&mut self, at: Timestamp, conversion: &Conversion) {
        let Conversion { provider, transaction_id, receipt_id, state, .. } = conversion;
        let state = state.map_or_else(String::new, |state| format!(", {state}"));
        self.add(
            ("conversion", at, conversion),
            &format!("for GG3, put on gg3-conversions: {provider}, transaction {transaction_id}{state}"),
            &[format!("receipt {receipt_id}; to send it again: postbackctl conversions replay")],
        );
    }

    /// Adds a GG3 user's openings of a partner's links, and the user's progress since the first opening.
    fn opening(&mut self, at: Timestamp, opening: &Opening) {
        let Opening { user, provider, attribution, campaigns } = opening;
        let details = [
            format!("by the ids {}, reported by event {}", ids(&attribution.latest.ids), attribution.latest.event),
            format!("the latest at {:.3}", attribution.latest.at.timestamp()),
        ];
        let details: Vec<String> = details.into_iter().chain(campaigns.iter().map(progress::line)).collect();
        let what = format!("{user} opened {provider}'s link to GG3; since then its deeds count for {provider}");
        self.add(("opening", at, &OpeningView::from(opening)), &what, &details);
    }

    fn delivery(&mut self, at: Timestamp, Owed { stored, request, is_paused }: &Owed) {
        let delivery = &stored.delivery;
        let paused = if *is_paused { ", paused with its campaign" } else { "" };
        let (provider, campaign) = (delivery.provider(), delivery.campaign());
        let details = [
            format!("for {} by the ids {}", delivery.participant(), ids(delivery.ids())),
            format!("the goal was reached at {:.3}", delivery.occurred_at().timestamp()),
            format!("webhook-id {}, {}{paused}", delivery.id(), delivery.status()),
            webhook::as_curl(request, delivery.id().as_str()),
        ];
        self.add(
            ("delivery", at, &DeliveryView::of(delivery, *is_paused)),
            &format!("owed to {provider} for its campaign {campaign}"),
            &details,
        );
    }

    fn attempt(&mut self, at: Timestamp, made: &Attempted) {
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
        self.add(("attempt", at, &AttemptView::from(made)), &what, &details);
    }

    /// Adds a revision of a transaction, and says if it is in force.
    fn record(
        &mut self,
        (kind, at, record, in_force): (&'static str, Timestamp, &impl Serialize, Option<bool>),
        what: &str,
        details: &[String],
    ) {
        self.add((kind, at, record), what, details);
        if let Some(entry) = self.0.last_mut() {
            entry.in_force = in_force;
        }
    }

    fn add(&mut self, (kind, at, record): (&'static str, Timestamp, &impl Serialize), what: &str, details: &[String]) {
        let record = serde_json::to_value(record).unwrap_or_default();
        let what = printable(&format!("{kind:10} {what}"));
        self.0.push(TimelineEntry {
            at,
            kind,
            record,
            in_force: None,
            what,
            details: details.iter().map(|text| printable(text)).collect(),
        });
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
        for TimelineEntry { at, what, details, .. } in &self.0 {
            writeln!(f, "  {at:.3}  {what}")?;
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
        timeline.add(("click", Timestamp::UNIX_EPOCH, &()), "a\u{1b}[31m\nforged", &["b\rc\u{202e}".to_owned()]);
        let shown = timeline.to_string();
        assert_eq!(shown.lines().count(), 2);
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{shown:?}");
    }
}
