//! Says how a partner's endpoints are spared.

/// Bounds the webhooks a second to one endpoint. Each reserves its place by a write to one item, and DynamoDB makes
/// about 1,000 writes a second to an item.
pub const MOST_PER_SECOND: u32 = 500;

/// Holds what a partner's file asks of its endpoints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EndpointPolicy {
    /// Says if deliveries wait while their endpoint is suspected or down.
    pub hold_while_down: bool,
    /// Limits the webhooks a second to each endpoint.
    pub max_rate: Option<u32>,
}

impl EndpointPolicy {
    /// Returns true if an endpoint's health must be known before an attempt.
    pub fn asks_first(self) -> bool {
        self.hold_while_down || self.max_rate.is_some()
    }

    /// Returns true if the rate is from 1 to [`MOST_PER_SECOND`].
    pub(crate) fn is_bounded(self) -> bool {
        self.max_rate.is_none_or(|per_second| (1..=MOST_PER_SECOND).contains(&per_second))
    }
}
