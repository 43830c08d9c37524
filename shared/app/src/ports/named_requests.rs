//! Stores the requests of the management API that their clients name.

use domain::{
    jiff::Timestamp,
    named_request::{NamedRequest, RequestKey},
};

use super::Unavailable;

/// The requests that their clients name, with their answers. Each is deleted some days after it has expired.
pub trait NamedRequests: Send + Sync {
    /// Stores a request that begins, unless another one is stored that is not
    /// [free](domain::named_request::Standing::Free) for it. Returns that one. If several callers begin the same request
    /// at the same time, exactly one of them MUST get `None`.
    fn begin(
        &self,
        key: &RequestKey,
        request: &NamedRequest,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<NamedRequest>, Unavailable>> + Send;

    /// Stores a request with its answer. MUST be durable before it returns.
    fn answer(&self, key: &RequestKey, request: &NamedRequest) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Forgets a request, so that it may begin anew.
    fn forget(&self, key: &RequestKey) -> impl Future<Output = Result<(), Unavailable>> + Send;
}
