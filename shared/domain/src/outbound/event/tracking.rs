//! Reads the values from a partner's tracking link. Visitors can change them.

use super::{EventFault, EventFaultCode, Fields, Found, Need, Reader};
use crate::outbound::agreed_ids::{AgreedIds, PartnerIds, TrackingId};
use crate::prelude::*;
use crate::values::ids::{ClickId, IdFault, MAX_ID_BYTES, PartnerUserId, Provider};
use crate::values::placeholder::{self, Place, Placeholder};

/// Holds the partner and the ids in a tracking link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracking {
    /// Names the partner.
    pub provider: Provider,
    /// Holds the partner's ids.
    pub ids: PartnerIds,
    /// Holds the faults of ids that cannot be used. Only faults of agreed ids matter.
    pub faults: Vec<EventFault>,
}

/// Holds the reasons why a tracking attributes the user to nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoiledTracking {
    /// Names the partner, if it is known.
    pub provider: Option<Provider>,
    /// Lists the faults.
    pub faults: Vec<EventFault>,
}

impl SpoiledTracking {
    /// Returns the known partner whose tracker did not replace a macro. Its links are broken for all its users.
    pub fn broken_link_of(&self) -> Option<&Provider> {
        let is_macro = self.faults.iter().any(|fault| fault.code == EventFaultCode::MacroNotReplaced);
        self.provider.as_ref().filter(|_| is_macro)
    }
}

impl Tracking {
    /// Keeps the agreed ids. Returns all faults if one of them cannot be used or is absent.
    pub(crate) fn agree(&mut self, agreed: &AgreedIds) -> Result<(), Vec<EventFault>> {
        let given = |id| match id {
            TrackingId::ClickId => self.ids.click_id.is_some(),
            TrackingId::UserId => self.ids.user_id.is_some(),
        };
        let wanted = TrackingId::ALL.into_iter().filter(|id| agreed.contain(*id) && !given(*id));
        let fault = |id| {
            let known = self.faults.iter().find(|fault| fault.path == path_of(id)).cloned();
            let missing = || EventFault::new(path_of(id), EventFaultCode::Missing, "the id agreed with this partner");
            known.unwrap_or_else(missing)
        };
        let faults: Vec<EventFault> = wanted.map(fault).collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        self.faults.clear();
        self.ids = agreed.select(core::mem::take(&mut self.ids));
        Ok(())
    }
}

fn path_of(id: TrackingId) -> &'static str {
    match id {
        TrackingId::ClickId => "tracking.click_id",
        TrackingId::UserId => "tracking.user_id",
    }
}

impl Reader {
    /// Reads the tracking. If its partner cannot be read, the faults of all its values are kept in `spoiled`.
    pub(super) fn tracking(&mut self, object: &Fields, need: Need) -> Option<Tracking> {
        const PATH: &str = "tracking";
        if let (Found::Nothing, Some(name)) = (object.find(PATH), object.near_tracking()) {
            // Without it, a registration would be attributed to nobody, and nobody would notice.
            self.fault(PATH, EventFaultCode::Missing, format!("this name; {name} came"));
            return None;
        }
        let written = self.value(object, PATH, need)?;
        let Ok(inner) = serde_json::from_str::<Fields>(written) else {
            self.fault(PATH, EventFaultCode::WrongType, "an object");
            return None;
        };
        let (mut faults, before) = (Vec::new(), self.faults.len());
        let provider = self.typed(&inner, "tracking.provider", &mut faults, |text| {
            Provider::new(text).map_err(|fault| (EventFaultCode::NotASlug, format!("a partner's name, which {fault}")))
        });
        if provider.is_none() && faults.is_empty() && self.faults.len() == before {
            faults.push(EventFault::new("tracking.provider", EventFaultCode::Missing, "required"));
        }
        let click_id = self.typed(&inner, path_of(TrackingId::ClickId), &mut faults, |text| id(text, ClickId::new));
        let user_id = self.typed(&inner, path_of(TrackingId::UserId), &mut faults, |text| id(text, PartnerUserId::new));
        let Some(provider) = provider else {
            self.spoiled = faults;
            return None;
        };
        Some(Tracking { provider, ids: PartnerIds { click_id, user_id }, faults })
    }

    /// Reads a value that a visitor can have typed, and adds its fault to `faults`. Frameworks make lists and objects of
    /// repeated parameters. Numbers and repeated names can come only from the platform, so they are faults of the event.
    fn typed<T>(
        &mut self,
        inner: &Fields,
        path: &str,
        faults: &mut Vec<EventFault>,
        parse: impl Fn(String) -> Result<T, (EventFaultCode, String)>,
    ) -> Option<T> {
        let written = match inner.find(super::name_of(path)) {
            Found::Nothing => return None,
            Found::One(written) => written,
            Found::Several => {
                self.fault(path, EventFaultCode::Repeated, "once");
                return None;
            }
        };
        if !written.starts_with(['"', '[', '{']) {
            self.fault(path, EventFaultCode::WrongType, "a text");
            return None;
        }
        // A text with half of a surrogate pair has the wrong type too.
        let text = serde_json::from_str::<String>(written);
        let text = text.map_err(|_| (EventFaultCode::WrongType, "a text".to_owned()));
        let parsed = text.and_then(|text| match placeholder::find(text.as_bytes(), Place::Id) {
            Some(Placeholder::Macro { .. }) => {
                Err((EventFaultCode::MacroNotReplaced, "a value in place of the tracker's macro".to_owned()))
            }
            Some(Placeholder::Word { .. }) => {
                Err((EventFaultCode::PlaceholderValue, "a value in place of a word such as `undefined`".to_owned()))
            }
            None => parse(text),
        });
        parsed.map_err(|(code, expected)| faults.push(EventFault::new(path, code, expected))).ok()
    }
}

fn id<T>(text: String, parse: impl Fn(String) -> Result<T, IdFault>) -> Result<T, (EventFaultCode, String)> {
    parse(text).map_err(|fault| (fault.into(), words(fault)))
}

/// Says what an id must be, and what this one is.
pub(super) fn words(fault: IdFault) -> String {
    format!(
        "1 to {MAX_ID_BYTES} bytes of UTF-8 without control characters and white space around them; this one {fault}"
    )
}

impl From<IdFault> for EventFaultCode {
    fn from(fault: IdFault) -> Self {
        match fault {
            IdFault::Blank => Self::Missing,
            IdFault::TooLong { .. } => Self::TooLong,
            IdFault::Control => Self::ControlCharacter,
            IdFault::Begins(_) | IdFault::Ends(_) => Self::WhiteSpaceAround,
        }
    }
}
