//! Says what an operator has paused of a partner.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Gives the seconds after which a caller of a paused postback URL is asked to call again.
pub const PAUSED_RETRY_SECONDS: u32 = 300;

/// Names the parts of a partner that an operator can pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The webhooks of all campaigns. They wait, and spend no attempt.
    Webhooks,
    /// The postback URL. Calls are answered 503, and are welcome later.
    Postbacks,
}

impl Side {
    /// Returns the name of the part for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Webhooks => "webhooks",
            Self::Postbacks => "postbacks",
        }
    }
}

/// Holds since when each part of a partner is paused. The pauses are stored beside the partner's file, so that applying
/// the file does not end them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pauses {
    /// Says since when the webhooks of all campaigns wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhooks_since: Option<Timestamp>,
    /// Says since when calls of the postback URL are answered 503.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postbacks_since: Option<Timestamp>,
}

impl Pauses {
    /// Returns true if nothing is paused.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Returns since when this part is paused.
    pub fn since(&self, side: Side) -> Option<Timestamp> {
        match side {
            Side::Webhooks => self.webhooks_since,
            Side::Postbacks => self.postbacks_since,
        }
    }

    /// Pauses this part from an instant, or resumes it. A part that is paused already keeps its instant.
    #[must_use]
    pub fn with(mut self, side: Side, paused_at: Option<Timestamp>) -> Self {
        let since = match side {
            Side::Webhooks => &mut self.webhooks_since,
            Side::Postbacks => &mut self.postbacks_since,
        };
        *since = paused_at.map(|at| since.unwrap_or(at));
        self
    }
}
