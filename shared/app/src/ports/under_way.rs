//! Reads the deliveries under way.

use domain::{outbound::delivery::Delivery, values::time::UnixMillis};

use serde::{Deserialize, Serialize};

use super::Unavailable;

/// A page of deliveries under way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnderWayPage {
    /// The deliveries. Each comes with the instant at which the sweep last sent a message for it, if the delivery has
    /// not changed since that instant.
    pub deliveries: Vec<(Delivery, Option<UnixMillis>)>,
    /// The number of deliveries on the page that cannot be read. The others MUST still be returned.
    pub unreadable: u64,
    /// The start of the next page, if there is one.
    pub next: Option<PageToken>,
}

/// The start of a page. Only the port that made it can read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageToken(pub String);

/// Finds the deliveries under way without reading those that have ended.
pub trait UnderWay: Send + Sync {
    /// Returns the number of shards. They are numbered from 0 and can be read independently.
    fn shards(&self) -> u32;

    /// Reads a page of one shard. It has the deliveries with a round that was opened before this instant. MAY be a
    /// moment behind the latest writes.
    fn page(
        &self,
        shard: u32,
        opened_before: UnixMillis,
        from: Option<PageToken>,
    ) -> impl Future<Output = Result<UnderWayPage, Unavailable>> + Send;

    /// Records that the sweep sent a message for this delivery at this instant, unless the delivery has changed since
    /// it was read.
    fn mark_swept(&self, delivery: &Delivery, at: UnixMillis) -> impl Future<Output = Result<(), Unavailable>> + Send;
}
