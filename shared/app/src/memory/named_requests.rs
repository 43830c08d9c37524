//! Holds named requests in memory.

use domain::{
    jiff::Timestamp,
    named_request::{NamedRequest, RequestKey, Standing},
};

use super::World;
use crate::ports::{NamedRequests, Unavailable};

impl NamedRequests for World {
    async fn begin(
        &self,
        key: &RequestKey,
        request: &NamedRequest,
        now: Timestamp,
    ) -> Result<Option<NamedRequest>, Unavailable> {
        self.call("begin request", |state| {
            let stored = state.named_requests.get(key).filter(|stored| stored.standing(request, now) != Standing::Free);
            let stored = stored.cloned();
            if stored.is_none() {
                state.named_requests.insert(key.clone(), request.clone());
            }
            stored
        })
    }

    async fn answer(&self, key: &RequestKey, request: &NamedRequest) -> Result<(), Unavailable> {
        self.call("answer request", |state| drop(state.named_requests.insert(key.clone(), request.clone())))
    }

    async fn forget(&self, key: &RequestKey) -> Result<(), Unavailable> {
        self.call("forget request", |state| drop(state.named_requests.remove(key)))
    }
}
