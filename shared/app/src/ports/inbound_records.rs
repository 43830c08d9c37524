//! Postbacks, corrections and clicks, to read.

use std::collections::BTreeSet;

use domain::{
    inbound::{click::Click, correction::Revision, transaction::History},
    values::ids::{ClickId, Provider, TransactionId},
};

use super::{StoredRefusal, Unavailable};

/// Postbacks and corrections that were found by lookups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundRevisions {
    /// The postbacks and corrections, in any order.
    pub revisions: Vec<Revision>,
    /// The keys of items that cannot be read.
    pub unreadable: Vec<String>,
}

/// The recorded postbacks, their corrections, the refusals, conflicts and clicks, to read.
pub trait InboundRecords: Send + Sync {
    /// Reads everything that is recorded of a transaction. MUST see every write that returned before.
    fn transaction(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> impl Future<Output = Result<Option<History>, Unavailable>> + Send;

    /// Reads the postbacks and corrections that the lookups name by these keys. An unreadable one MUST NOT hold up the
    /// others.
    fn revisions(&self, keys: &BTreeSet<&str>) -> impl Future<Output = Result<FoundRevisions, Unavailable>> + Send;

    /// Returns the transaction of the original that the lookups name by this key; none if the key names a correction.
    fn original_of(&self, key: &str) -> Option<TransactionId>;

    /// Reads the refusals and conflicts of these content keys, in any order, and leaves out keys under which none is kept.
    /// May return one that has expired.
    fn refusals(&self, keys: &BTreeSet<&str>) -> impl Future<Output = Result<Vec<StoredRefusal>, Unavailable>> + Send;

    /// Reads the clicks of these ids, and leaves out foreign and expired ones.
    fn clicks(&self, ids: &BTreeSet<ClickId>) -> impl Future<Output = Result<Vec<Click>, Unavailable>> + Send;
}
