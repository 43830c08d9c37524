//! Defines the port of the endpoints to which partners' webhooks go.

use domain::{
    outbound::{
        delivery::Delivery,
        endpoint::{Endpoint, EndpointPolicy, Places},
    },
    values::{ids::Provider, time::UnixMillis},
};
use serde::{Deserialize, Serialize};

use super::{Replaced, Source, Unavailable};

/// The key of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointKey {
    /// The partner.
    pub provider: Provider,
    /// The host, with its port if that is not 443.
    pub host: String,
}

/// An endpoint as it is stored. The default is an endpoint of which nothing is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEndpoint {
    /// The endpoint.
    #[serde(flatten)]
    pub endpoint: Endpoint,
    /// The next place that is free, in microseconds of the Unix epoch. Absent if no place was ever reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_place: Option<i64>,
}

impl StoredEndpoint {
    /// Returns true if webhooks to the endpoint wait, by this policy: for a trial of the endpoint, or until their places have
    /// come. If nobody has tried the endpoint for long, the messages are lost, and nothing waits.
    pub fn makes_wait(&self, policy: EndpointPolicy, now: UnixMillis) -> bool {
        let held = policy.hold_while_down && self.endpoint.is_tried(now);
        let limited = self.endpoint.rate(policy, now).is_some();
        held || (limited && self.next_place.is_some_and(|next| next / 1000 > now.as_millisecond()))
    }
}

/// A request for places in an endpoint's rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation {
    /// The first instant that may be a place, in microseconds.
    pub now: i64,
    /// The number of places, at least 1.
    pub count: u32,
    /// The time between two places, in microseconds.
    pub step: i64,
    /// The instant from which no place may begin, in microseconds.
    pub until: i64,
}

/// The result of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved {
    /// The places are reserved. The last of them may lie after [`Reservation::until`].
    Done(Places),
    /// All places before [`Reservation::until`] are taken; this one is the next. Nothing changed.
    Full(i64),
}

/// The endpoints.
pub trait Endpoints: Send + Sync {
    /// Reads an endpoint. MUST see every write that returned before.
    fn find(&self, key: &EndpointKey) -> impl Future<Output = Result<StoredEndpoint, Unavailable>> + Send;

    /// Stores an endpoint if the stored one has the preceding version, and with it the delivery of a notice, if there is
    /// one. MUST do both or neither, MUST decide atomically among simultaneous calls, and MUST leave the places as they
    /// are.
    fn replace(
        &self,
        key: &EndpointKey,
        endpoint: &Endpoint,
        notice: Option<&Delivery>,
    ) -> impl Future<Output = Result<Replaced, Unavailable>> + Send;

    /// Reserves places in a row from the first one that is free. MUST give no place twice, and MUST leave the endpoint's
    /// health as it is. If the call fails, the places MAY be lost.
    fn reserve(
        &self,
        key: &EndpointKey,
        wanted: Reservation,
    ) -> impl Future<Output = Result<Reserved, Unavailable>> + Send;

    /// Reads all stored endpoints of a partner, by host.
    fn of_partner(
        &self,
        provider: &Provider,
    ) -> impl Future<Output = Result<Vec<(EndpointKey, StoredEndpoint)>, Unavailable>> + Send;
}

/// Reads all stored endpoints of a partner. There is a value for every partner.
#[derive(Debug, Clone)]
pub struct EndpointsOfPartner<E>(pub E);

impl<E: Endpoints> Source for EndpointsOfPartner<E> {
    type Key = Provider;
    type Value = Vec<(EndpointKey, StoredEndpoint)>;

    async fn load(&self, provider: &Provider) -> Result<Option<Self::Value>, Unavailable> {
        self.0.of_partner(provider).await.map(Some)
    }
}
