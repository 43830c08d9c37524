//! Commands that set up partners: files, secrets, links and integration guides.

pub(crate) mod apply;
pub(crate) mod kit;
pub(crate) mod link;
pub(crate) mod notify;
pub(crate) mod pause;
pub(crate) mod portal;
pub(crate) mod rotate;
pub(crate) mod senders;
