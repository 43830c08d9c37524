//! What GG3's platform reports about its users, on the queue `gg3-events`.
//!
//! The bytes of a message become an [`Event`], an unknown type, or every fault of it at once. The published form is
//! `schemas/event.json`; `examples/events` has one of every type.

mod count;
mod fields;
mod instant;

use core::fmt;

use serde::{Deserialize, Serialize};

use self::fields::{Fields, Found};

use crate::{
    catalogue::Timing,
    ids::{ClickId, IdFault, MAX_ID_BYTES, PartnerUserId, Provider, QuestId, ReportId, UserId},
    moment::Moment,
    prelude::*,
};

/// The greatest running total of clicks: what every JSON reader can hold exactly.
pub const MAX_TOTAL_CLICKS: u64 = (1 << 53) - 1;

/// Something that a GG3 user did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What it is called; together with when it occurred, what events order by.
    pub id: ReportId,
    /// The GG3 user.
    pub user_id: UserId,
    /// When it occurred, which is all that counts: never when it came.
    pub occurred_at: Moment,
    /// What was done.
    pub kind: EventKind,
}

/// What a GG3 user did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// `tracking_link.opened`: arrived through a partner's link.
    LinkOpened {
        /// The partner, and its ids.
        tracking: Tracking,
        /// The user's running total of clicks then.
        total_clicks: u64,
    },
    /// `user.registered`: in any way.
    Registered {
        /// The partner whose link brought the user, if one did: for that partner an opening as well.
        tracking: Option<Tracking>,
        /// The user's running total of clicks then, 0 where none is given.
        total_clicks: u64,
    },
    /// `gg_button.clicked`.
    ButtonClicked {
        /// The user's running total of clicks, this one included.
        total_clicks: u64,
    },
    /// `main_quest.completed`.
    QuestCompleted {
        /// Which.
        quest: QuestId,
    },
}

/// What a partner's tracking link brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracking {
    /// The partner.
    pub provider: Provider,
    /// Its ids.
    pub ids: Ids,
}

/// A partner's identifiers of the user it sent. Which of them there must be was agreed with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ids {
    /// The partner's click.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub click_id: Option<ClickId>,
    /// The partner's user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<PartnerUserId>,
}

/// A message of the queue, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// An event of a type that means something here.
    Event(Event),
    /// An event of another type: acknowledged and counted, by its name's first [`MAX_ID_BYTES`] bytes.
    UnknownType(String),
}

/// The stable name of a kind of fault of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventFaultCode {
    /// Not JSON in UTF-8.
    NotJson,
    /// More than once: readers of JSON differ in which of them holds.
    Repeated,
    /// Of another JSON type than it should be.
    WrongType,
    /// Required, and not there or empty.
    Missing,
    /// Longer than the bound.
    TooLong,
    /// A control character, such as a line break.
    ControlCharacter,
    /// Not a slug, which a partner's name is.
    NotASlug,
    /// Not an instant in RFC 3339.
    NotAnInstant,
    /// Not a whole number from 0 to 2^53 - 1.
    NotACount,
    /// Dated further ahead of its arrival than clocks can differ.
    InTheFuture,
    /// Of a partner that a fresh catalogue does not know.
    UnknownProvider,
}

/// One fault of an event: where, what, what was expected. Shown to the platform's developers, never to partners.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFault {
    /// The place, as in `tracking.provider`; empty for the message as a whole.
    pub path: String,
    /// Its stable name.
    pub code: EventFaultCode,
    /// What would have been right.
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
    /// Reads a message that the queue received at that instant, or tells every fault of it at once.
    pub fn parse(message: &[u8], received_at: Moment, timing: &Timing) -> Result<Parsed, Vec<EventFault>> {
        let whole = |code, expected: &str| Vec::from([EventFault::new("", code, expected)]);
        let object: Fields = serde_json::from_slice(message).map_err(|fault| {
            if fault.is_data() {
                whole(EventFaultCode::WrongType, "a JSON object")
            } else {
                whole(EventFaultCode::NotJson, "JSON in UTF-8")
            }
        })?;
        let mut reader = Reader { faults: Vec::new() };
        let kind = match reader.text(&object, "type", Need::Required).as_deref() {
            None => None,
            Some("tracking_link.opened") => reader.opened(&object),
            Some("user.registered") => Some(reader.registered(&object)),
            Some("gg_button.clicked") => {
                let total_clicks = reader.count(&object, Need::Required);
                total_clicks.map(|total_clicks| EventKind::ButtonClicked { total_clicks })
            }
            Some("main_quest.completed") => {
                let quest = reader.id(&object, "quest_id", Need::Required, QuestId::new);
                quest.map(|quest| EventKind::QuestCompleted { quest })
            }
            Some(unknown) => return Ok(Parsed::UnknownType(cut(unknown))),
        };
        let id = reader.id(&object, "id", Need::Required, ReportId::new);
        let user_id = reader.id(&object, "user_id", Need::Required, UserId::new);
        let occurred_at = reader.occurred_at(&object, received_at.plus(timing.max_ahead()));
        match (id, user_id, occurred_at, kind) {
            (Some(id), Some(user_id), Some(occurred_at), Some(kind)) if reader.faults.is_empty() => {
                Ok(Parsed::Event(Self { id, user_id, occurred_at, kind }))
            }
            _ => Err(reader.faults),
        }
    }

    /// The partner whose link it came through, if it is an opening.
    pub fn tracking(&self) -> Option<&Tracking> {
        match &self.kind {
            EventKind::LinkOpened { tracking, .. } => Some(tracking),
            EventKind::Registered { tracking, .. } => tracking.as_ref(),
            EventKind::ButtonClicked { .. } | EventKind::QuestCompleted { .. } => None,
        }
    }
}

fn cut(text: &str) -> String {
    text.get(..text.floor_char_boundary(MAX_ID_BYTES)).unwrap_or_default().to_owned()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Required,
    Optional,
}

/// Reads values and gathers faults; everything that is asked for is answered, whatever went wrong before.
struct Reader {
    faults: Vec<EventFault>,
}

impl Reader {
    fn opened(&mut self, object: &Fields) -> Option<EventKind> {
        let tracking = self.tracking(object, Need::Required);
        // Any opening may turn out to be its partner's earliest, from whose total a GGStrike counts.
        let total_clicks = self.count(object, Need::Required);
        Some(EventKind::LinkOpened { tracking: tracking?, total_clicks: total_clicks? })
    }

    fn registered(&mut self, object: &Fields) -> EventKind {
        let tracking = self.tracking(object, Need::Optional);
        let total_clicks = self.count(object, Need::Optional).unwrap_or_default();
        EventKind::Registered { tracking, total_clicks }
    }

    fn tracking(&mut self, object: &Fields, need: Need) -> Option<Tracking> {
        const PATH: &str = "tracking";
        let written = self.value(object, PATH, need)?;
        let Ok(inner) = serde_json::from_str::<Fields>(written) else {
            self.fault(PATH, EventFaultCode::WrongType, "an object");
            return None;
        };
        let inner = &inner;
        let provider = self.text(inner, "tracking.provider", Need::Required);
        let provider = provider.and_then(|text| match Provider::new(text) {
            Ok(provider) => Some(provider),
            Err(fault) => {
                self.fault("tracking.provider", EventFaultCode::NotASlug, format!("a partner's name: it {fault}"));
                None
            }
        });
        let click_id = self.id(inner, "tracking.click_id", Need::Optional, ClickId::new);
        let user_id = self.id(inner, "tracking.user_id", Need::Optional, PartnerUserId::new);
        Some(Tracking { provider: provider?, ids: Ids { click_id, user_id } })
    }

    /// A value as it was written. Nothing and `null` are the same.
    fn value<'a>(&mut self, object: &Fields<'a>, path: &str, need: Need) -> Option<&'a str> {
        match object.find(name_of(path)) {
            Found::One(written) => return Some(written),
            Found::Nothing => self.missing(need, path),
            Found::Several => self.fault(path, EventFaultCode::Repeated, "once"),
        }
        None
    }

    /// A text that is not empty. Nothing, `null` and an empty one are the same.
    fn text(&mut self, object: &Fields, path: &str, need: Need) -> Option<String> {
        match serde_json::from_str::<String>(self.value(object, path, need)?) {
            Ok(text) if !text.is_empty() => return Some(text),
            Ok(_) => self.missing(need, path),
            // Half of a surrogate pair is none either.
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
        let fault = match parse(self.text(object, path, need)?) {
            Ok(id) => return Some(id),
            Err(fault) => fault,
        };
        let code = match fault {
            IdFault::Blank => EventFaultCode::Missing,
            IdFault::TooLong { .. } => EventFaultCode::TooLong,
            IdFault::Control => EventFaultCode::ControlCharacter,
        };
        let expected = format!("1 to {MAX_ID_BYTES} bytes of UTF-8 without control characters; this one {fault}");
        self.fault(path, code, expected);
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

    fn occurred_at(&mut self, object: &Fields, latest: Moment) -> Option<Moment> {
        const PATH: &str = "occurred_at";
        let text = self.text(object, PATH, Need::Required)?;
        let Some(timestamp) = instant::parse(&text) else {
            self.fault(PATH, EventFaultCode::NotAnInstant, "an instant of RFC 3339 such as 2026-11-23T12:00:00Z");
            return None;
        };
        let moment = Moment::from(timestamp);
        if moment > latest {
            self.fault(PATH, EventFaultCode::InTheFuture, format!("at the latest {latest}; it says {moment}"));
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

/// The name of a value in its object: what stands after the last point of its path.
fn name_of(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

#[cfg(test)]
pub(crate) mod tests;
