//! Reads the events about users that GG3's platform sends to the queue `gg3-events`.
//!
//! The bytes of a message become an [`Event`], an unknown type, a spoiled tracking, or a list of all faults. The published
//! form is `schemas/event.json`; `examples/events` has one example of every type.
//!
//! Visitors can change the values in a link, so a bad value in `tracking` is no fault of the platform. It spoils the
//! tracking, and a tracking that is spoiled attributes the user to nobody.

mod count;
mod fields;
mod instant;
mod nearest;
mod tracking;

use core::fmt;

use serde::{Deserialize, Serialize};

use self::fields::{Fields, Found};
pub use self::{
    nearest::TYPES,
    tracking::{SpoiledTracking, Tracking},
};

use crate::outbound::timing::Timing;
use crate::prelude::*;
use crate::values::ids::{IdFault, MAX_ID_BYTES, QuestId, ReportId, UserId};
use crate::values::placeholder::{self, Place, Placeholder};
use crate::values::time::UnixMillis;

/// Bounds the running total of clicks to the greatest number that every JSON reader can hold exactly.
pub const MAX_TOTAL_CLICKS: u64 = (1 << 53) - 1;

/// Holds something that a GG3 user did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Identifies the event. Events are ordered by time, then by this id.
    pub id: ReportId,
    /// Identifies the GG3 user.
    pub user_id: UserId,
    /// Says when the event occurred. The time of arrival does not matter.
    pub occurred_at: UnixMillis,
    /// Says what the user did.
    pub kind: EventKind,
}

/// Names the things that a GG3 user can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// `tracking_link.opened`: the user arrived through a partner's link.
    LinkOpened {
        /// Holds the partner and its ids.
        tracking: Tracking,
        /// Holds the user's running total of clicks at that instant.
        total_clicks: u64,
    },
    /// `user.registered`: the user registered, in any way.
    Registered {
        /// Holds the partner whose link brought the user, and the partner's ids. If it is present, the registration is
        /// also an opening.
        tracking: Option<Tracking>,
        /// Holds the user's running total of clicks at that instant, or 0 if none is given.
        total_clicks: u64,
    },
    /// `gg_button.clicked`: the user clicked the GG-button.
    ButtonClicked {
        /// Holds the user's running total of clicks, including this click.
        total_clicks: u64,
    },
    /// `main_quest.completed`: the user completed a main quest.
    QuestCompleted {
        /// Identifies the quest.
        quest: QuestId,
    },
}

/// The result of reading a message of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// The event's type is known.
    Event(Event),
    /// The event has a tracking that attributes its user to nobody. Nothing else in it could change anything.
    Spoiled(SpoiledTracking),
    /// The event's type is unknown. Such a message is acknowledged, counted and kept.
    UnknownType(UnknownType),
}

/// Holds the type of an event that this system does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownType {
    /// Holds the first [`MAX_ID_BYTES`] bytes of the type's name.
    pub name: String,
    /// Holds the known type that was most likely meant, if the name is nearly a known one.
    pub meant: Option<&'static str>,
}

/// Names a kind of fault of an event. These names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventFaultCode {
    /// The message is not JSON in UTF-8.
    NotJson,
    /// The name occurs more than once, and JSON readers differ in which value they take.
    Repeated,
    /// The value has another JSON type than expected.
    WrongType,
    /// A required value is missing or empty.
    Missing,
    /// The value is longer than the bound.
    TooLong,
    /// The value has a control character, such as a line break.
    ControlCharacter,
    /// The partner's name is not a slug.
    NotASlug,
    /// The value is not an instant in RFC 3339.
    NotAnInstant,
    /// The value is not a whole number from 0 to 2^53 - 1.
    NotACount,
    /// The event's time is later than its arrival, by more than clocks can differ.
    InTheFuture,
    /// The partner is not in a fresh catalogue.
    UnknownProvider,
    /// The value is a macro that the partner's tracker did not replace.
    MacroNotReplaced,
    /// The value is a word for no value, such as `undefined`.
    PlaceholderValue,
    /// The id begins or ends with white space or an invisible sign.
    WhiteSpaceAround,
}

/// Holds one fault of an event. The platform's developers see it; partners never do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFault {
    /// Gives the place of the fault, as in `tracking.provider`. It is empty if the fault concerns the whole message.
    pub path: String,
    /// Names the kind of fault.
    pub code: EventFaultCode,
    /// Says what was expected.
    pub expected: String,
}

impl EventFault {
    pub(crate) fn new(path: &str, code: EventFaultCode, expected: impl Into<String>) -> Self {
        Self { path: path.to_owned(), code, expected: expected.into() }
    }
}

impl fmt::Display for EventFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "the message" } else { &self.path };
        write!(f, "{path}: {:?}, expected {}", self.code, self.expected)
    }
}

impl Event {
    /// Reads a message that the queue received at `received_at`. Returns every fault if there are any.
    pub fn parse(message: &[u8], received_at: UnixMillis, timing: &Timing) -> Result<Parsed, Vec<EventFault>> {
        let whole = |code, expected: &str| Vec::from([EventFault::new("", code, expected)]);
        let object: Fields = serde_json::from_slice(message).map_err(|fault| {
            if fault.is_data() {
                whole(EventFaultCode::WrongType, "a JSON object")
            } else {
                whole(EventFaultCode::NotJson, "JSON in UTF-8")
            }
        })?;
        let mut reader = Reader::default();
        let kind = match reader.text(&object, "type", Need::Required).as_deref() {
            None => None,
            Some("tracking_link.opened") => reader.opened(&object),
            Some("user.registered") => Some(reader.registered(&object)),
            Some("gg_button.clicked") => {
                let total_clicks = reader.count(&object, Need::Required);
                total_clicks.map(|total_clicks| EventKind::ButtonClicked { total_clicks })
            }
            Some("main_quest.completed") => {
                let quest = reader.id(&object, "quest_id", Need::Required, quest_id);
                quest.map(|quest| EventKind::QuestCompleted { quest })
            }
            Some(unknown) => {
                let (name, meant) = (cut(unknown), nearest::nearest(&cut(unknown)));
                return Ok(Parsed::UnknownType(UnknownType { name, meant }));
            }
        };
        let id = reader.id(&object, "id", Need::Required, ReportId::try_from);
        let user_id = reader.id(&object, "user_id", Need::Required, UserId::try_from);
        let occurred_at = reader.occurred_at(&object, received_at.plus(timing.max_ahead()));
        let Reader { mut faults, spoiled } = reader;
        match (id, user_id, occurred_at, kind) {
            (Some(id), Some(user_id), Some(occurred_at), Some(kind)) if faults.is_empty() && spoiled.is_empty() => {
                Ok(Parsed::Event(Self { id, user_id, occurred_at, kind }))
            }
            _ if faults.is_empty() => Ok(Parsed::Spoiled(SpoiledTracking { provider: None, faults: spoiled })),
            _ => {
                faults.extend(spoiled);
                Err(faults)
            }
        }
    }

    /// Returns the partner and the ids of the tracking link if the event is an opening.
    pub fn tracking(&self) -> Option<&Tracking> {
        match &self.kind {
            EventKind::LinkOpened { tracking, .. } => Some(tracking),
            EventKind::Registered { tracking, .. } => tracking.as_ref(),
            EventKind::ButtonClicked { .. } | EventKind::QuestCompleted { .. } => None,
        }
    }
}

/// Reads a quest's id. With white space around it, it would equal no id that a campaign names.
fn quest_id(text: String) -> Result<QuestId, IdFault> {
    let id = QuestId::try_from(text)?;
    let is_white = |sign: &char| sign.is_whitespace();
    let (first, last) = (id.as_str().chars().next(), id.as_str().chars().next_back());
    let fault = first.filter(is_white).map(IdFault::Begins).or_else(|| last.filter(is_white).map(IdFault::Ends));
    fault.map_or(Ok(id), Err)
}

fn cut(text: &str) -> String {
    text.get(..text.floor_char_boundary(MAX_ID_BYTES)).unwrap_or_default().to_owned()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Required,
    Optional,
}

/// Reads values and collects faults. It continues after each fault.
#[derive(Default)]
struct Reader {
    faults: Vec<EventFault>,
    /// Holds the faults of a tracking whose partner cannot be read.
    spoiled: Vec<EventFault>,
}

impl Reader {
    fn opened(&mut self, object: &Fields) -> Option<EventKind> {
        let tracking = self.tracking(object, Need::Required);
        // Every opening may be the earliest opening of its partner, and a GGStrike counts from the total of the
        // earliest opening.
        let total_clicks = self.count(object, Need::Required);
        Some(EventKind::LinkOpened { tracking: tracking?, total_clicks: total_clicks? })
    }

    fn registered(&mut self, object: &Fields) -> EventKind {
        let tracking = self.tracking(object, Need::Optional);
        let total_clicks = self.count(object, Need::Optional).unwrap_or_default();
        EventKind::Registered { tracking, total_clicks }
    }

    /// Returns the text of a value. `null` counts as a missing value.
    fn value<'a>(&mut self, object: &Fields<'a>, path: &str, need: Need) -> Option<&'a str> {
        match object.find(name_of(path)) {
            Found::One(written) => return Some(written),
            Found::Nothing => self.missing(need, path),
            Found::Several => self.fault(path, EventFaultCode::Repeated, "once"),
        }
        None
    }

    /// Returns a text that is not empty. `null` and an empty text count as a missing text.
    fn text(&mut self, object: &Fields, path: &str, need: Need) -> Option<String> {
        match serde_json::from_str::<String>(self.value(object, path, need)?) {
            Ok(text) if !text.is_empty() => return Some(text),
            Ok(_) => self.missing(need, path),
            // A text with half of a surrogate pair has the wrong type too.
            Err(_) => self.fault(path, EventFaultCode::WrongType, "a text"),
        }
        None
    }

    fn id<T>(
        &mut self,
        object: &Fields,
        path: &str,
        need: Need,
        parse: impl Fn(String) -> Result<T, IdFault>,
    ) -> Option<T> {
        let text = self.text(object, path, need)?;
        if let Some(Placeholder::Word { text, cause }) = placeholder::find(text.as_bytes(), Place::Event) {
            self.fault(path, EventFaultCode::PlaceholderValue, format!("an id; {} came, {cause}", cut(&text)));
            return None;
        }
        let fault = match parse(text) {
            Ok(id) => return Some(id),
            Err(fault) => fault,
        };
        self.fault(path, fault.into(), tracking::words(fault));
        None
    }

    fn count(&mut self, object: &Fields, need: Need) -> Option<u64> {
        const PATH: &str = "total_clicks";
        let count = count::parse(self.value(object, PATH, need)?);
        if count.is_none() {
            self.fault(PATH, EventFaultCode::NotACount, "a whole number from 0 to 9007199254740991");
        }
        count
    }

    fn occurred_at(&mut self, object: &Fields, latest: UnixMillis) -> Option<UnixMillis> {
        const PATH: &str = "occurred_at";
        let text = self.text(object, PATH, Need::Required)?;
        let Some(timestamp) = instant::parse(&text) else {
            self.fault(PATH, EventFaultCode::NotAnInstant, "an instant of RFC 3339 such as 2026-11-23T12:00:00Z");
            return None;
        };
        let moment = UnixMillis::from(timestamp);
        if moment > latest {
            self.fault(PATH, EventFaultCode::InTheFuture, format!("an instant up to {latest}; this one is {moment}"));
        }
        Some(moment)
    }

    fn missing(&mut self, need: Need, path: &str) {
        if need == Need::Required {
            self.fault(path, EventFaultCode::Missing, "required");
        }
    }

    fn fault(&mut self, path: &str, code: EventFaultCode, expected: impl Into<String>) {
        self.faults.push(EventFault::new(path, code, expected));
    }
}

/// Returns the value's name in its object: the part of the path after the last point.
fn name_of(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

#[cfg(test)]
pub(crate) mod tests;
