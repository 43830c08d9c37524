//! What happened, in the order it happened, read back from what was stored.

use std::fmt;

use adapters::dynamodb::item::{
    ClickItem, PostbackItem, RefusalItem, RefusalKind,
    media_buying::{AttemptItem, DeliveryItem},
};
use app::operators::trace::{Attempted, Due, Event, EventKind, Opening, Owed};
use domain::{
    inbound::{
        click::Click,
        conversion::Conversion,
        correction::{Correction, Revision},
        fault::Fault,
        postback::Postback,
    },
    jiff::Timestamp,
    outbound::{agreed_ids::PartnerIds, attempt::Attempt},
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    outbound::{progress, webhook},
    standing::{self, Standing},
    terminal::printable,
};

/// One thing that happened.
#[derive(Debug, Serialize)]
pub(crate) struct TimelineEntry {
    pub(crate) at: Timestamp,
    /// `click`, `postback`, `correction`, `refusal`, `conflict`, `conversion`, `opening`, `delivery`, `attempt` or `due`.
    pub(crate) kind: &'static str,
    /// As it is stored, for programs.
    pub(crate) record: Value,
    /// For people.
    pub(crate) what: String,
    pub(crate) details: Vec<String>,
}

/// A list of them.
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
            EventKind::Recorded(revision) => self.postback(*at, revision),
            EventKind::Conversion(conversion) => self.owed_conversion(*at, conversion),
            EventKind::Opening(opening) => self.opening(*at, opening),
            EventKind::Delivery(owed) => self.delivery(*at, owed),
            EventKind::Attempt(made) => self.attempt(*at, made),
            EventKind::Due(Due { delivery_id, provider, round, n, next }) => {
                let what = format!("attempt {n} of round {round} to {provider}");
                self.add(("due", *at, next), &what, &[format!("webhook-id {delivery_id}")]);
            }
        }
    }

    fn click(&mut self, click: &Click) {
        let Click { provider, landing, user_id, click_id, clicked_at } = click;
        self.add(
            ("click", *clicked_at, &ClickItem::from(click)),
            &format!("user {user_id} went to {provider}'s landing page {landing}"),
            &[format!("click_id {click_id}")],
        );
    }

    fn postback(&mut self, at: Timestamp, revision: &Revision) {
        let item = PostbackItem::from(revision);
        let Postback { provider, transaction_id, content, click, state, .. } = revision.postback();
        let mut details = vec![
            format!("user_id {}, click_id {} ({click})", content.user_id, content.click_id),
            format!("receipt {}", item.receipt_id),
        ];
        if let Some(event) = &content.event_id {
            let name = content.event_name.as_ref().map_or("", |name| name.as_str());
            details.push(format!("event {event} {name}"));
        }
        details.extend(state.map(|state| format!("state {state}")));
        if !item.ignored.is_empty() {
            details.push(format!("ignored: {}", item.ignored.join(", ")));
        }
        let key = format!("{provider}, transaction {transaction_id}");
        let amount = format!("{} {}", content.amount_decimal, content.currency);
        match revision {
            Revision::Correction(Correction { number, original_receipt_id, .. }) => {
                details.push(format!(
                    "correction {number} of the postback with receipt {original_receipt_id}: the highest stands"
                ));
                self.add(("correction", at, &item), &format!("accepted of {key}: {amount}"), &details);
            }
            Revision::Original(_) | Revision::Step(_) => {
                self.add(("postback", at, &item), &format!("accepted from {key}: {amount}"), &details);
            }
        }
    }

    /// A refusal, or a conflict beside the correction that stands of its transaction, if there is one.
    pub(crate) fn refusal(&mut self, item: &RefusalItem, standing: Option<&Standing>) {
        let provider = &item.provider;
        let seen = if item.times == 1 { String::new() } else { format!(", seen {} times", item.times) };
        let (kind, what, details): (_, String, Vec<String>) = match item.kind {
            RefusalKind::Refusal => {
                let sent = item.request.as_deref().unwrap_or_default();
                let details = item.faults.iter().map(fault).chain([format!("sent: {sent}")]);
                ("refusal", format!("of {provider}'s call{seen}"), details.collect())
            }
            RefusalKind::Conflict => {
                let transaction = item.transaction_id.as_ref().map_or("", |id| id.as_str());
                let details = standing::differences(item.differences.iter().map(|it| (it.field, it)), standing);
                ("conflict", format!("{provider}, transaction {transaction}{seen}"), details)
            }
        };
        let state = match (&item.accepted, item.original_kept_at) {
            (Some(receipt), _) if item.kind == RefusalKind::Refusal => {
                let at = item.accepted_at.map_or_else(String::new, |at| format!(" at {at:.3}"));
                Some(format!("sent again{at} and recorded: receipt {}", receipt.receipt_id))
            }
            (Some(receipt), _) => Some(format!("accepted as a correction: receipt {}", receipt.receipt_id)),
            (None, Some(at)) => {
                let kept = if standing.is_some() { "what stood then" } else { "the original" };
                Some(format!("{kept} was kept at {at:.3}"))
            }
            (None, None) => None,
        };
        let details: Vec<String> =
            details.into_iter().chain(state).chain([format!("content id {}", item.provider_content)]).collect();
        self.add((kind, item.last_received_at, &Beside { item, standing }), &what, &details);
    }

    /// The conversion that something recorded becomes. Whether GG3 has it by now, only GG3 knows.
    fn owed_conversion(&mut self, at: Timestamp, conversion: &Conversion) {
        let Conversion { provider, transaction_id, receipt_id, .. } = conversion;
        self.add(
            ("conversion", at, conversion),
            &format!("owed to GG3, by the stream: {provider}, transaction {transaction_id}"),
            &[format!("receipt {receipt_id}; to send it again: postbackctl conversions replay")],
        );
    }

    /// Adds the links of a partner that a GG3 user opened, and the user's progress since.
    fn opening(&mut self, at: Timestamp, Opening { user, provider, attribution, campaigns }: &Opening) {
        let details = [
            format!("by the ids {}, told by event {}", ids(&attribution.latest.ids), attribution.latest.event),
            format!("the latest at {:.3}", attribution.latest.at.timestamp()),
        ];
        let details: Vec<String> = details.into_iter().chain(campaigns.iter().map(progress::line)).collect();
        let what = format!("{user} opened {provider}'s link to GG3; since then its deeds count for {provider}");
        self.add(("opening", at, attribution), &what, &details);
    }

    fn delivery(&mut self, at: Timestamp, Owed { stored, request }: &Owed) {
        let delivery = &stored.delivery;
        let item = DeliveryItem { swept_at: stored.swept_at, ..DeliveryItem::from(delivery) };
        let (provider, campaign) = (delivery.provider(), delivery.campaign());
        let details = [
            format!("for {} by the ids {}", delivery.participant(), ids(delivery.ids())),
            format!("the goal was reached at {:.3}", delivery.occurred_at().timestamp()),
            format!("webhook-id {}, {}", delivery.id(), delivery.status()),
            webhook::as_curl(request, delivery.id().as_str()),
        ];
        self.add(("delivery", at, &item), &format!("owed to {provider} for its campaign {campaign}"), &details);
    }

    fn attempt(&mut self, at: Timestamp, made: &Attempted) {
        let Attempted { delivery_id, provider, campaign, kept, is_current } = made;
        let Attempt { n, due_at, duration_ms, outcome, answer, .. } = &kept.attempt;
        let mut details = vec![format!("due {:.3}, took {duration_ms} ms", due_at.timestamp())];
        if !answer.is_empty() {
            details.push(format!("its answer began: {answer}"));
        }
        if kept.late.is_some() {
            details.push("recorded after its claim had expired, or another round was opened".to_owned());
        }
        let what = format!("{provider}, {campaign}, {n} of round {}: {outcome}", kept.round);
        if *is_current {
            self.add(("attempt", at, &kept.attempt), &what, &details);
        } else {
            self.add(("attempt", at, &AttemptItem::of_kept(delivery_id, kept)), &what, &details);
        }
    }

    fn add(&mut self, (kind, at, record): (&'static str, Timestamp, &impl Serialize), what: &str, details: &[String]) {
        let record = serde_json::to_value(record).unwrap_or_default();
        let what = printable(&format!("{kind:10} {what}"));
        self.0.push(TimelineEntry {
            at,
            kind,
            record,
            what,
            details: details.iter().map(|text| printable(text)).collect(),
        });
        // Stable: what happened at one instant stays in the order it was found.
        self.0.sort_by_key(|entry| entry.at);
    }
}

/// A refusal or conflict as programs read it: as it is stored, and the correction that stands of its transaction, if there is
/// one.
#[derive(Debug, Serialize)]
pub(crate) struct Beside<'a> {
    #[serde(flatten)]
    pub(crate) item: &'a RefusalItem,
    #[serde(rename = "standing_correction", skip_serializing_if = "Option::is_none")]
    pub(crate) standing: Option<&'a Standing>,
}

/// The ids that a partner knows a user by.
fn ids(ids: &PartnerIds) -> String {
    let click = ids.click_id.as_ref().map(|id| format!("click_id {id}"));
    let user = ids.user_id.as_ref().map(|id| format!("user_id {id}"));
    click.into_iter().chain(user).collect::<Vec<_>>().join(", ")
}

/// A fault in a line.
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
    fn what_a_partner_wrote_cannot_forge_a_line_or_colour_a_terminal() {
        let mut timeline = Timeline::default();
        timeline.add(("click", Timestamp::UNIX_EPOCH, &()), "a\u{1b}[31m\nforged", &["b\rc\u{202e}".to_owned()]);
        let shown = timeline.to_string();
        assert_eq!(shown.lines().count(), 2);
        assert!(shown.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{shown:?}");
    }
}
