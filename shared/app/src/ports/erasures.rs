//! Erases persons from the tables.

use domain::{
    archive::ArchiveKey,
    lookup::{Place, Subject},
    values::ids::{ClickId, DeliveryId, TransactionKey, UserId},
};

use super::{KeptAttempt, Unavailable};

/// Erases persons. Every method MUST be durable before it returns, and MUST be safe to repeat after it did a part of its
/// work. An item that does not exist counts as erased.
pub trait Erasures: Send + Sync {
    /// Erases the person from every record of a transaction as [`Revision::erase`] and [`Adjustment::erase`] do, and from
    /// the use of its click. MUST erase the original last, because the other records are found by it.
    ///
    /// [`Revision::erase`]: domain::inbound::correction::Revision::erase
    /// [`Adjustment::erase`]: domain::inbound::transaction::Adjustment::erase
    fn erase_transaction(
        &self,
        transaction: &TransactionKey,
        key: &ArchiveKey,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Erases the person from every note that the transaction `by` left beside the transaction `of`. MUST change no
    /// other record.
    fn erase_notes(
        &self,
        of: &TransactionKey,
        by: &TransactionKey,
        key: &ArchiveKey,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Removes what the partner answered from an attempt that is kept beside its delivery.
    fn replace_attempt(
        &self,
        delivery: &DeliveryId,
        attempt: &KeptAttempt,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Deletes a refusal or a conflict with this content key.
    fn delete_refusal(&self, content_key: &str) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Deletes a click.
    fn delete_click(&self, id: &ClickId) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Deletes a participant.
    fn delete_participant(&self, id: &UserId) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Deletes entries of the lookups.
    fn delete_entries(&self, entries: &[(Subject, Place)]) -> impl Future<Output = Result<(), Unavailable>> + Send;
}
