//! Commands that look after the running system and tell what was done to it.

pub(crate) mod audit;
