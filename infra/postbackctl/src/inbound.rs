//! Commands about what partners send: conflicts, refusals, conversions, and a partner's list against ours.

pub(crate) mod conflicts;
pub(crate) mod conversions;
pub(crate) mod reconcile;
pub(crate) mod refusals;
