//! The operators' use cases: what `postbackctl` does, over ports and with typed results.
//!
//! Nothing here prints, asks or knows a terminal, so that every other way of operating calls the same use cases.
//! Every change takes the audit record that is stored with it. The port that makes the change stores both or neither.

pub mod apply_partners;
pub mod audit;
pub mod dead_letters;
pub mod deliveries;
pub mod lookup_coverage;
pub mod plan_partners;
pub mod progress;
pub mod publish_campaigns;
pub mod rebuild_lookups;
pub mod reconcile;
pub mod redrive;
pub mod refusals;
pub mod replay_conversions;
pub mod resend;
pub mod resubmit_refusal;
pub mod rotate_secret;
pub mod rotate_system_key;
pub mod standing;
pub mod trace;

use std::ops::ControlFlow;

use domain::{jiff::Timestamp, lookup::Place, values::ids::Provider};

/// Selects a page of each partner's list, the newest entries first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The first instant that counts.
    pub since: Option<Timestamp>,
    /// The place at which an earlier page of one partner's list has ended.
    pub after: Option<Place>,
    /// Limits the entries of each partner.
    pub most: usize,
}

/// Names the partners whose list has more, each with the place at which this page of it ends.
pub type More = Vec<(Provider, Place)>;

/// Paces a long action from outside: how many steps a second it takes, and when it ends early.
pub trait Pace: Send {
    /// Returns how many steps may be taken in one turn at most, which is at least 1.
    fn most_at_once(&self) -> usize;

    /// Waits until the next step may be taken, or answers that none is to be taken any more.
    fn turn(&mut self) -> impl Future<Output = ControlFlow<()>> + Send;

    /// Hears that this many steps were taken.
    fn taken(&mut self, steps: usize);
}

#[cfg(test)]
mod tests;
