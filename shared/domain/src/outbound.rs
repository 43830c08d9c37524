//! Follows a partner's user through GG3 and tells the partner by webhook when the user reaches a goal.
//!
//! GG3 reports an [`event`]. The [`catalogue`] of all partners' [`campaign`]s admits it, and applying it to its
//! [`participant`] says what is owed; [`progress`] explains it to people. Each owed webhook is a [`delivery`] with rounds of
//! [`attempt`]s, repeated as [`retry`] says. A [`webhook`] is filled with the values of its [`macros`], and the [`address`]
//! guard decides where it may lead.

pub mod address;
pub mod agreed_ids;
pub mod attempt;
pub mod campaign;
pub mod catalogue;
pub mod delivery;
pub mod event;
pub mod macros;
pub mod participant;
pub mod progress;
pub mod retry;
pub mod timing;
pub mod webhook;
