//! The deliveries under way.

use domain::{outbound::delivery::Delivery, values::time::UnixMillis};

use serde::{Deserialize, Serialize};

use super::Unavailable;

/// A page of deliveries under way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnderWayPage {
    /// The deliveries, each with the instant at which the sweep last sent for it, if it has not changed since.
    pub deliveries: Vec<(Delivery, Option<UnixMillis>)>,
    /// How many deliveries of the page cannot be read. They MUST NOT hold up the others.
    pub unreadable: u64,
    /// The start of the next page, if there is one.
    pub next: Option<PageToken>,
}

/// The start of a page. Only the port that made it can read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageToken(pub String);

/// The deliveries under way, found without reading ended ones.
pub trait UnderWay: Send + Sync {
    /// Returns the number of parts. They are numbered from 0 and can be read independently.
    fn shards(&self) -> u32;

    /// Reads a page of the deliveries of one part whose round was opened before this instant. MAY be a moment behind the
    /// latest writes.
    fn page(
        &self,
        shard: u32,
        opened_before: UnixMillis,
        from: Option<PageToken>,
    ) -> impl Future<Output = Result<UnderWayPage, Unavailable>> + Send;

    /// Stores that the sweep sent for this delivery at this instant, unless the delivery has changed since it was read.
    fn mark_swept(&self, delivery: &Delivery, at: UnixMillis) -> impl Future<Output = Result<(), Unavailable>> + Send;
}
