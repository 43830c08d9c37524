//! What was recorded on its way to GG3, to look at.

use std::collections::BTreeSet;

use domain::{
    inbound::{click::Click, correction::Revision},
    values::ids::{ClickId, Provider, TransactionId},
};

use super::{StoredRefusal, Unavailable};

/// Postbacks and corrections that entries of the lookups lead to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundRevisions {
    /// The postbacks and corrections, in any order.
    pub revisions: Vec<Revision>,
    /// The keys of those that are stored in a way that cannot be read.
    pub unreadable: Vec<String>,
}

/// The recorded postbacks, their corrections, what was refused or conflicts, and the clicks, to look at.
pub trait InboundRecords: Send + Sync {
    /// Reads the original of a transaction and all its corrections. MUST see every write that was answered before.
    fn transaction(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> impl Future<Output = Result<Vec<Revision>, Unavailable>> + Send;

    /// Reads the postbacks and corrections that the lookups name by these keys. One that cannot be read MUST hold up none of
    /// the others.
    fn revisions(&self, keys: &BTreeSet<&str>) -> impl Future<Output = Result<FoundRevisions, Unavailable>> + Send;

    /// Returns the transaction of the original that the lookups name by this key; none if the key names a correction.
    fn original_of(&self, key: &str) -> Option<TransactionId>;

    /// Reads the refusals and conflicts of these content keys, in any order, and leaves out keys under which none is kept.
    /// May return one that has expired.
    fn refusals(&self, keys: &BTreeSet<&str>) -> impl Future<Output = Result<Vec<StoredRefusal>, Unavailable>> + Send;

    /// Reads the clicks of these ids, and leaves out ids that are not ours or no longer kept.
    fn clicks(&self, ids: &BTreeSet<ClickId>) -> impl Future<Output = Result<Vec<Click>, Unavailable>> + Send;
}
