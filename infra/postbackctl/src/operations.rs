//! Commands that run a stack: traces, dead letters, lookups, audit records, costs, versions, and checks from outside.

pub(crate) mod api;
pub(crate) mod audit;
pub(crate) mod completion;
pub(crate) mod cost;
pub(crate) mod dead_letters;
pub(crate) mod doctor;
pub(crate) mod lookups;
pub(crate) mod person;
pub(crate) mod redrive;
pub(crate) mod report;
pub(crate) mod smoke;
pub(crate) mod timeline;
pub(crate) mod trace;
pub(crate) mod version;
