//! Erases a person, and leaves the amounts, states and receipts of what happened.
//!
//! Every step can be repeated. The entries under an item's ids are deleted before the ids are erased, and the user's own
//! entries last. An interrupted erasure therefore finds everything that is left when it runs again.

use domain::{
    archive::ArchiveKey,
    audit::{Action, AuditRecord, Operation, Subject as Audited},
    values::{ids::DeliveryId, time::UnixMillis},
};

use super::{Person, letters};
use crate::ports::{AuditTrail, DeadLetterQueues, Deliveries, Erasures, KeptAttempt, Replaced, Unavailable};

/// Limits how often a delivery is erased while workers change it at the same time.
const TRIES: usize = 10;

/// The use case, over its ports.
pub struct ErasePerson<E, D, Q, A> {
    /// Erases records.
    pub erasures: E,
    /// Changes deliveries.
    pub deliveries: D,
    /// The dead-letter queues.
    pub queues: Q,
    /// The audit records.
    pub trail: A,
    /// The key of erased ids.
    pub key: ArchiveKey,
}

impl<E: Erasures, D: Deliveries, Q: DeadLetterQueues, A: AuditTrail> ErasePerson<E, D, Q, A> {
    /// Stores the audit record, then erases the person. After a fault, the person must be found and erased again.
    pub async fn run(&self, person: &Person, operation: &Operation, now: UnixMillis) -> Result<(), Unavailable> {
        self.trail.append(&self.record(person, operation, now)).await?;
        letters::delete(&self.queues, &person.names()).await?;
        self.erasures.delete_entries(&person.entries.iter().cloned().collect::<Vec<_>>()).await?;
        for refusal in &person.refusals {
            self.erasures.delete_refusal(&refusal.provider_content).await?;
        }
        self.erasures.delete_entries(&person.listed_refusals.iter().cloned().collect::<Vec<_>>()).await?;
        for (of, by) in &person.notes {
            self.erasures.erase_notes(of, by, &self.key).await?;
        }
        for transaction in person.transactions.keys() {
            self.erasures.erase_transaction(transaction, &self.key).await?;
        }
        for click in &person.clicks {
            self.erasures.delete_click(&click.click_id).await?;
        }
        for user in person.participants.keys() {
            self.erasures.delete_participant(user).await?;
        }
        for (stored, attempts) in &person.deliveries {
            self.delivery(stored.delivery.id(), attempts, now).await?;
        }
        self.erasures.delete_entries(&person.own_entries.iter().cloned().collect::<Vec<_>>()).await
    }

    /// Erases the person from a delivery and from the attempts that are kept beside it.
    pub(super) async fn delivery(
        &self,
        id: &DeliveryId,
        attempts: &[KeptAttempt],
        now: UnixMillis,
    ) -> Result<(), Unavailable> {
        for kept in attempts.iter().filter(|kept| !kept.attempt.answer.is_empty()) {
            let kept = KeptAttempt { attempt: kept.attempt.without_answer(), ..kept.clone() };
            self.erasures.replace_attempt(id, &kept).await?;
        }
        for _ in 0..TRIES {
            let Some(delivery) = self.deliveries.read(id).await? else { return Ok(()) };
            let Some(erased) = delivery.erase(&self.key, now) else { return Ok(()) };
            if self.deliveries.replace(&erased).await? == Replaced::Done {
                return Ok(());
            }
        }
        Err(Unavailable { service: "deliveries", reason: format!("changed by others {TRIES} times in a row") })
    }

    /// Makes the audit record. It has the keyed hashes of the user ids, by which the erasure can be repeated on a
    /// restored table, and names nobody.
    fn record(&self, person: &Person, operation: &Operation, now: UnixMillis) -> AuditRecord {
        let users: Vec<String> = person.users.iter().map(|user| self.key.user(user).as_str().to_owned()).collect();
        let record = operation.record(now.timestamp(), Action::ErasePerson, Audited::Person);
        let record = record.with("users", users.join(", ")).with("transactions", person.transactions.len());
        let record = record.with("refusals", person.refusals.len()).with("clicks", person.clicks.len());
        let record = record.with("participants", person.participants.len());
        record.with("deliveries", person.deliveries.len()).with("dead_letters", person.letters.len())
    }
}
