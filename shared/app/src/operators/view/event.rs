//! Events of a trace.

use domain::{inbound::correction::Revision, jiff::Timestamp, values::time::three_decimals};
use serde::Serialize;
use serde_json::{Value, json};

use super::{AttemptView, ClickView, DeliveryView, DueView, OpeningView, PostbackView, RefusalView};
use crate::{
    operators::{
        refusals::Refused,
        trace::{Event, EventKind, InVain, Owed, Recorded},
    },
    ports::RefusalKind,
};

/// An event of a trace.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventView {
    /// The instant.
    #[serde(serialize_with = "three_decimals::serialize")]
    pub at: Timestamp,
    /// `click`, `postback`, `correction`, `refusal`, `conflict`, `conversion`, `opening`, `progress`, `delivery`, `attempt`
    /// or `due`.
    pub kind: &'static str,
    /// The thing that happened.
    pub record: Value,
    /// Is true for the record of a transaction that is in force, and false for its other records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_force: Option<bool>,
}

impl EventView {
    fn new(at: Timestamp, kind: &'static str, record: impl Serialize) -> Self {
        Self { at, kind, record: serde_json::to_value(record).unwrap_or_default(), in_force: None }
    }
}

impl From<&Event> for EventView {
    fn from(Event { at, kind }: &Event) -> Self {
        let at = *at;
        match kind {
            EventKind::Click(click) => Self::new(click.clicked_at, "click", ClickView::from(click)),
            EventKind::Recorded(recorded) => {
                let Recorded { revision, is_current } = &**recorded;
                let kind = match revision {
                    Revision::Correction(_) => "correction",
                    Revision::Original(_) | Revision::Step(_) => "postback",
                };
                Self { in_force: *is_current, ..Self::new(at, kind, PostbackView::from(revision)) }
            }
            EventKind::Conversion(conversion) => Self::new(at, "conversion", conversion),
            EventKind::Refused(refused) => (&**refused).into(),
            EventKind::Opening(opening) => Self::new(at, "opening", OpeningView::from(&**opening)),
            EventKind::InVain(InVain { user, campaigns }) => {
                Self::new(at, "progress", json!({"user_id": user, "campaigns": campaigns}))
            }
            EventKind::Delivery(owed) => {
                let Owed { stored, wait, .. } = &**owed;
                Self::new(at, "delivery", DeliveryView::of(&stored.delivery, *wait))
            }
            EventKind::Attempt(made) => Self::new(at, "attempt", AttemptView::from(&**made)),
            EventKind::Due(due) => Self::new(at, "due", DueView::from(due)),
        }
    }
}

impl From<&Refused> for EventView {
    fn from(refused: &Refused) -> Self {
        let kind = match refused.stored.kind {
            RefusalKind::Refusal => "refusal",
            RefusalKind::Conflict => "conflict",
        };
        Self::new(refused.stored.last_received_at, kind, RefusalView::from(refused))
    }
}
