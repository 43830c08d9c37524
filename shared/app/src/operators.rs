//! The operators' use cases: what `postbackctl` does, over ports and with typed results.
//!
//! Nothing here prints, asks or knows a terminal, so that every other way of operating calls the same use cases.
//! Every change takes the audit record that is stored with it. The port that makes the change stores both or neither.

pub mod apply_partners;
pub mod audit;
pub mod dead_letters;
pub mod deliveries;
pub mod plan_partners;
pub mod progress;
pub mod publish_campaigns;
pub mod reconcile;
pub mod redrive;
pub mod resend;
pub mod resubmit_refusal;
pub mod rotate_secret;
pub mod rotate_system_key;
pub mod trace;

use std::ops::ControlFlow;

/// Paces a long action from outside: how many steps a second it takes, and when it ends early.
pub trait Pace: Send {
    /// Waits until the next step may be taken, or answers that none is to be taken any more.
    fn turn(&mut self) -> impl Future<Output = ControlFlow<()>> + Send;

    /// Hears that a step was taken.
    fn taken(&mut self);
}
