//! The pages. Each file serves one page, or a page and the changes that it offers.

pub(crate) mod conflicts;
mod listed;
pub(crate) mod overview;
pub(crate) mod search;
pub(crate) mod session;
pub(crate) mod style;
mod timeline;
