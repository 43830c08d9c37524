//! Sets how late and how early campaigns, catalogues and events may be.

use core::time::Duration;

use thiserror::Error;

/// Sets how old a catalogue may be, how far ahead events may be dated, and a campaign's lead from publishing to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    lead: Duration,
    max_age: Duration,
    max_ahead: Duration,
}

/// Reports a lead that is shorter than the maximum age and the allowed dating ahead together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the lead must be at least the maximum age of the catalogue plus the time that events may be dated ahead")]
pub struct LeadTooShort;

impl Timing {
    /// Checks that these three durations fit together.
    ///
    /// An event that counts for a new campaign is dated at least `lead` after the publication, so it is evaluated at
    /// least `lead - max_ahead` after it. The catalogue that it may be dropped against was loaded at most `max_age`
    /// earlier. If that is not before the publication, the catalogue contains the campaign. The same holds for an end
    /// that moves.
    pub fn try_new(lead: Duration, max_age: Duration, max_ahead: Duration) -> Result<Self, LeadTooShort> {
        let needed = max_age.checked_add(max_ahead).ok_or(LeadTooShort)?;
        if lead >= needed { Ok(Self { lead, max_age, max_ahead }) } else { Err(LeadTooShort) }
    }

    /// Returns how long before its start a campaign is published.
    pub fn lead(&self) -> Duration {
        self.lead
    }

    /// Returns how old a catalogue may be when an event is dropped against it.
    pub fn max_age(&self) -> Duration {
        self.max_age
    }

    /// Returns how far an event may be dated ahead of its arrival.
    pub fn max_ahead(&self) -> Duration {
        self.max_ahead
    }
}

impl Default for Timing {
    /// Returns 3 minutes, 2 minutes and 30 seconds.
    fn default() -> Self {
        Self { lead: Duration::from_mins(3), max_age: Duration::from_mins(2), max_ahead: Duration::from_secs(30) }
    }
}
