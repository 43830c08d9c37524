//! Erases persons from the tables in memory.

use domain::{
    archive::ArchiveKey,
    inbound::correction::Revision,
    lookup::{Place, Subject},
    values::ids::{ClickId, DeliveryId, TransactionKey, UserId},
};

use super::{State, World};
use crate::ports::{Erasures, KeptAttempt, Unavailable};

impl State {
    fn erase(&mut self, transaction: &TransactionKey, key: &ArchiveKey) {
        for step in self.steps.entry(transaction.clone()).or_default() {
            if let Revision::Step(erased) = Revision::Step(step.clone()).erase(key) {
                *step = erased;
            }
        }
        for made in self.corrections.entry(transaction.clone()).or_default() {
            if let Revision::Correction(erased) = Revision::Correction(made.clone()).erase(key) {
                *made = erased;
            }
        }
        for note in self.adjustments.entry(transaction.clone()).or_default() {
            *note = note.erase(key);
        }
        let Some(original) = self.postbacks.get_mut(transaction) else { return };
        let erased = original.erase(key);
        let used = (original.postback.provider.clone(), original.postback.click_use());
        if let Some(receipt) = self.click_uses.get_mut(&used).filter(|it| it.receipt_id == erased.receipt.receipt_id) {
            *receipt = erased.receipt.clone();
        }
        *original = erased;
    }
}

impl Erasures for World {
    async fn erase_transaction(&self, transaction: &TransactionKey, key: &ArchiveKey) -> Result<(), Unavailable> {
        self.call("erase transaction", |state| state.erase(transaction, key))
    }

    async fn erase_notes(&self, of: &TransactionKey, by: &TransactionKey, key: &ArchiveKey) -> Result<(), Unavailable> {
        self.call("erase notes", |state| {
            let notes = state.adjustments.entry(of.clone()).or_default();
            notes.iter_mut().filter(|note| note.by.postback.key() == *by).for_each(|note| *note = note.erase(key));
        })
    }

    async fn replace_attempt(&self, delivery: &DeliveryId, kept: &KeptAttempt) -> Result<(), Unavailable> {
        self.call("replace attempt", |state| {
            let n = kept.attempt.n;
            let name = kept.late.as_ref().map_or_else(|| n.to_string(), |mark| format!("{n} {mark}"));
            if let Some(attempt) = state.attempts.get_mut(&(delivery.clone(), kept.round, name)) {
                attempt.clone_from(&kept.attempt);
            }
        })
    }

    async fn delete_refusal(&self, content_key: &str) -> Result<(), Unavailable> {
        self.call("delete refusal", |state| {
            state.refusals.remove(content_key);
            state.recorded_refusals.remove(content_key);
            state.conflicts.remove(content_key);
            state.kept_originals.remove(content_key);
        })
    }

    async fn delete_click(&self, id: &ClickId) -> Result<(), Unavailable> {
        self.call("delete click", |state| state.clicks.retain(|click| click.click_id != *id))
    }

    async fn delete_participant(&self, id: &UserId) -> Result<(), Unavailable> {
        self.call("delete participant", |state| drop(state.participants.remove(id)))
    }

    async fn delete_entries(&self, entries: &[(Subject, Place)]) -> Result<(), Unavailable> {
        self.call("delete lookups", |state| {
            for entry in entries {
                state.lookups.remove(entry);
            }
        })
    }
}
