//! Implements the operators' use cases, which `postbackctl` calls. They work over ports and have typed results.
//!
//! Nothing here prints, asks questions or uses a terminal, so that another tool can call the same use cases. Every
//! change comes with an audit record, and the port that makes the change stores both or neither.

pub mod apply_partners;
pub mod audit;
pub mod counting;
pub mod current_revision;
pub mod dead_letters;
pub mod deliveries;
pub mod doctor;
pub mod lookup_coverage;
pub mod notify;
pub mod overview;
pub mod pause_partner;
pub mod person;
pub mod plan_partners;
pub mod postbacks;
pub mod progress;
pub mod publish_campaigns;
pub mod rebuild_lookups;
pub mod reconcile;
pub mod redrive;
pub mod refusals;
pub mod replay_conversions;
pub mod report;
pub mod resend;
pub mod resubmit_refusal;
pub mod rotate_secret;
pub mod rotate_system_key;
mod segments;
pub mod send_event;
pub mod test_webhook;
pub mod trace;
pub mod view;
pub mod waiting;

use std::ops::ControlFlow;

use domain::{jiff::Timestamp, lookup::Place, values::ids::Provider};

/// Selects a page of each partner's list, the newest entries first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The first instant of the entries to list.
    pub since: Option<Timestamp>,
    /// The place at which the preceding page ended. It belongs to the list of a single partner.
    pub after: Option<Place>,
    /// Limits the number of entries of each partner.
    pub most: usize,
}

/// Names the partners that have more entries, each with the place at which this page of the partner's list ends.
pub type More = Vec<(Provider, Place)>;

/// Lets the caller of a long action limit its steps per second, and interrupt it.
pub trait Pace: Send {
    /// Returns the greatest number of steps in one turn, which is at least 1.
    fn most_at_once(&self) -> usize;

    /// Waits until the next turn may begin. Returns `Break` if the action is to end now.
    fn turn(&mut self) -> impl Future<Output = ControlFlow<()>> + Send;

    /// Takes note that this many steps were taken.
    fn taken(&mut self, steps: usize);
}

#[cfg(test)]
mod tests;
