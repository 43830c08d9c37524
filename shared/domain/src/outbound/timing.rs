//! Sets the time limits of campaigns, catalogues and events that depend on each other.

use core::time::Duration;

use thiserror::Error;

/// Sets three times: the greatest age of a catalogue, how far ahead of its arrival an event may be dated, and how long
/// before its start a campaign must be published, which is the lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    lead: Duration,
    max_age: Duration,
    max_ahead: Duration,
}

/// Reports a lead that is shorter than the other two times together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the lead must be at least the maximum age of the catalogue plus the time that events may be dated ahead")]
pub struct LeadTooShort;

impl Timing {
    /// Checks that these three durations fit together.
    ///
    /// An event that counts for a new campaign is dated at least `lead` after the publication, so the event is
    /// evaluated at least `lead - max_ahead` after the publication. It can be dropped only against a catalogue that was
    /// loaded at most `max_age` before the evaluation. If `lead` is at least `max_age + max_ahead`, that catalogue was
    /// not loaded before the publication, so it contains the campaign. The same holds for an end that moves.
    pub fn try_new(lead: Duration, max_age: Duration, max_ahead: Duration) -> Result<Self, LeadTooShort> {
        let needed = max_age.checked_add(max_ahead).ok_or(LeadTooShort)?;
        if lead >= needed { Ok(Self { lead, max_age, max_ahead }) } else { Err(LeadTooShort) }
    }

    /// Returns how long before its start a campaign must be published.
    pub fn lead(&self) -> Duration {
        self.lead
    }

    /// Returns the greatest age of a catalogue against which events are dropped.
    pub fn max_age(&self) -> Duration {
        self.max_age
    }

    /// Returns how far ahead of its arrival an event may be dated.
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
