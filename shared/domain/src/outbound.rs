//! Follows a partner's user through GG3 and tells the partner by webhook when the user reaches a goal.
//!
//! GG3 reports an [`event`]. The [`catalogue`] of all partners' [`campaign`]s admits the event, and applying it to the
//! [`participant`] decides which webhooks are owed. [`progress`] explains to people how far a participant is. Each owed
//! webhook is a [`delivery`] with rounds of [`attempt`]s, which [`retry`] schedules; they show the health of the
//! partner's [`endpoint`]; a [`notice`] tells the partner of it. A [`webhook`] is filled with the
//! values of its [`macros`], and the [`address`] guard decides which servers may be called. A [`test_webhook`] is no
//! delivery.

pub mod address;
pub mod agreed_ids;
pub mod attempt;
pub mod campaign;
pub mod catalogue;
pub mod delivery;
pub mod endpoint;
pub mod event;
pub mod macros;
pub mod notice;
pub mod participant;
pub mod progress;
pub mod retry;
pub mod test_webhook;
pub mod timing;
pub mod webhook;
