//! Reads postbacks, corrections, refusals, conflicts and clicks.

use std::collections::BTreeSet;

use domain::{
    inbound::{click::Click, correction::Revision, transaction::History},
    values::ids::{ClickId, TransactionKey},
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

/// Reads postbacks, corrections, refusals, conflicts and clicks.
pub trait InboundRecords: Send + Sync {
    /// Reads all records of a transaction. MUST see every write that returned before.
    fn transaction(&self, key: &TransactionKey) -> impl Future<Output = Result<Option<History>, Unavailable>> + Send;

    /// Reads the postbacks and corrections with these keys, which are found in lookups. If one cannot be read, the
    /// others MUST still be returned.
    fn revisions(&self, keys: &BTreeSet<&str>) -> impl Future<Output = Result<FoundRevisions, Unavailable>> + Send;

    /// Returns the transaction if this key, which is found in lookups, is the key of an original. Returns `None` for
    /// any later revision.
    fn original_of(&self, key: &str) -> Option<TransactionKey>;

    /// Reads the refusals and conflicts with these content keys, in any order. Leaves out a key if nothing is kept
    /// under it. MAY return expired items.
    fn refusals(&self, keys: &BTreeSet<&str>) -> impl Future<Output = Result<Vec<StoredRefusal>, Unavailable>> + Send;

    /// Reads the clicks with these ids. Leaves out foreign click ids and expired clicks.
    fn clicks(&self, ids: &BTreeSet<ClickId>) -> impl Future<Output = Result<Vec<Click>, Unavailable>> + Send;
}
