//! Holds endpoints in memory.

use domain::{
    outbound::{
        delivery::Delivery,
        endpoint::{Endpoint, Places},
    },
    values::ids::Provider,
};

use super::World;
use crate::ports::{EndpointKey, Endpoints, Replaced, Reservation, Reserved, StoredEndpoint, Unavailable};

impl Endpoints for World {
    async fn find(&self, key: &EndpointKey) -> Result<StoredEndpoint, Unavailable> {
        self.call("read endpoint", |state| state.endpoints.get(key).cloned().unwrap_or_default())
    }

    async fn replace(
        &self,
        key: &EndpointKey,
        endpoint: &Endpoint,
        notice: Option<&Delivery>,
    ) -> Result<Replaced, Unavailable> {
        self.call("write endpoint", |state| {
            let stored = state.endpoints.entry(key.clone()).or_default();
            if stored.endpoint.version() + 1 != endpoint.version() {
                return Replaced::Changed;
            }
            stored.endpoint = endpoint.clone();
            if let Some(notice) = notice {
                state.deliveries.insert(notice.id().clone(), notice.clone());
            }
            Replaced::Done
        })
    }

    async fn reserve(&self, key: &EndpointKey, wanted: Reservation) -> Result<Reserved, Unavailable> {
        self.call("reserve places", |state| {
            let stored = state.endpoints.entry(key.clone()).or_default();
            let first = stored.next_place.unwrap_or(i64::MIN).max(wanted.now);
            if first >= wanted.until {
                return Reserved::Full(first);
            }
            stored.next_place = Some(first + wanted.step * i64::from(wanted.count));
            Reserved::Done(Places { first, step: wanted.step })
        })
    }

    async fn of_partner(&self, provider: &Provider) -> Result<Vec<(EndpointKey, StoredEndpoint)>, Unavailable> {
        self.call("read endpoints of a partner", |state| {
            let theirs = state.endpoints.iter().filter(|(key, _)| key.provider == *provider);
            theirs.map(|(key, stored)| (key.clone(), stored.clone())).collect()
        })
    }
}
