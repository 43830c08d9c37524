//! Commands that set up partners and hand them what they need.

pub(crate) mod apply;
pub(crate) mod kit;
pub(crate) mod link;
mod partner_files;
pub(crate) mod rotate;
pub(crate) mod senders;
