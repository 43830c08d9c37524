//! What operators do, whatever tool they use: no use case here prints, asks or knows a terminal.
//!
//! Every change takes the audit record that is stored with it. The port that makes the change stores both or neither.

pub mod apply_partners;
pub mod audit;
pub mod plan_partners;
pub mod publish_campaigns;
pub mod reconcile;
pub mod resubmit_refusal;
pub mod rotate_secret;
