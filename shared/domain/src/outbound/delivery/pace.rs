//! Sets the times of a sender: how long a claim is held, and how often a paused delivery is looked at.

use core::time::Duration;

use thiserror::Error;

use crate::outbound::retry::MAX_HOP_SECONDS;
use crate::values::time::UnixMillis;

/// Sets how long a claim is held and how often a paused delivery is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryPace {
    claim_hold: Duration,
    paused_hop_seconds: u16,
}

/// Says why a claim hold or a paused hop is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DeliveryPaceFault {
    /// The claim would expire too early to protect anything.
    #[error("the claim hold must be at least 1 second")]
    ClaimHold,
    /// SQS delays messages by 1 to 900 seconds.
    #[error("the paused hop must be 1 to {MAX_HOP_SECONDS} seconds")]
    PausedHop,
}

impl Default for DeliveryPace {
    /// Holds claims for a minute and looks at paused deliveries every five minutes.
    fn default() -> Self {
        Self { claim_hold: Duration::from_mins(1), paused_hop_seconds: 300 }
    }
}

impl DeliveryPace {
    /// Checks the bounds of these times. The caller must choose a claim hold that is longer than an attempt can take.
    pub fn try_new(claim_hold: Duration, paused_hop_seconds: u16) -> Result<Self, DeliveryPaceFault> {
        if claim_hold < Duration::from_secs(1) {
            return Err(DeliveryPaceFault::ClaimHold);
        }
        if !(1..=MAX_HOP_SECONDS).contains(&paused_hop_seconds) {
            return Err(DeliveryPaceFault::PausedHop);
        }
        Ok(Self { claim_hold, paused_hop_seconds })
    }

    /// Returns how long a claim is held. No attempt lasts longer.
    pub fn claim_hold(&self) -> Duration {
        self.claim_hold
    }

    /// Returns the instant at which a claim that is made now expires.
    pub(super) fn claimed_until(&self, now: UnixMillis) -> UnixMillis {
        now.plus(self.claim_hold)
    }

    /// Returns the delay of a message whose campaign is paused, in seconds.
    pub fn paused_hop_seconds(&self) -> u16 {
        self.paused_hop_seconds
    }
}
