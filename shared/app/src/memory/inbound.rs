//! Holds postbacks, refusals, conflicts, clicks and conversions in memory.

use std::collections::BTreeSet;

use domain::{
    audit::AuditRecord,
    inbound::{
        click::Click,
        conversion::{Conversion, Receipt, RecordedPostback},
        correction::{Correction, Revision, Step},
        refusal::{Conflict, ContentKey, KeptConflict, REFUSAL_KEPT_SECONDS, Refusal},
        transaction::{Adjustment, History},
    },
    jiff::Timestamp,
    values::ids::{ClickId, Provider, ReceiptId, TransactionId},
};

use super::{State, World};
use crate::ports::{
    Added, Clicks, ConversionQueue, FoundRevisions, InboundRecords, Postbacks, Recorded, Refusals, Replaced,
    Resolutions, StoredConflict, Unavailable,
};

impl Postbacks for World {
    async fn record(&self, postback: &RecordedPostback) -> Result<Recorded, Unavailable> {
        self.call("record postback", |state| {
            let key = (postback.postback.provider.clone(), postback.receipt.transaction_id.clone());
            if let Some(original) = state.postbacks.get(&key) {
                Recorded::Existing(Box::new(original.clone()))
            } else {
                state.postbacks.insert(key, postback.clone());
                Recorded::Fresh
            }
        })
    }

    async fn find(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> Result<Option<RecordedPostback>, Unavailable> {
        self.call("find postback", |state| state.postbacks.get(&(provider.clone(), transaction_id.clone())).cloned())
    }

    async fn history(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> Result<Option<History>, Unavailable> {
        self.call("read history", |state| state.history(provider, transaction_id))
    }

    async fn add_step(&self, step: &Step) -> Result<Added, Unavailable> {
        self.call("add step", |state| {
            let key = (step.postback.provider.clone(), step.postback.transaction_id.clone());
            if let Some(receipt_id) = state.receipt_at(&key, step.place) {
                return Added::Taken(receipt_id);
            }
            state.steps.entry(key).or_default().push(step.clone());
            Added::Done
        })
    }

    async fn adjust(&self, reversed: &TransactionId, adjustment: &Adjustment) -> Result<Replaced, Unavailable> {
        self.call("adjust transaction", |state| {
            let postback = &adjustment.by.postback;
            let own = (postback.provider.clone(), postback.transaction_id.clone());
            let key = (postback.provider.clone(), reversed.clone());
            if state.postbacks.contains_key(&own) || state.receipt_at(&key, adjustment.place).is_some() {
                return Replaced::Changed;
            }
            state.postbacks.insert(own, adjustment.by.clone());
            state.adjustments.entry(key).or_default().push(adjustment.clone());
            Replaced::Done
        })
    }
}

impl State {
    /// Returns the revisions of a transaction after the original.
    fn later(&self, key: &(Provider, TransactionId)) -> impl Iterator<Item = Revision> {
        let steps = self.steps.get(key).into_iter().flatten().cloned().map(Revision::Step);
        steps.chain(self.corrections.get(key).into_iter().flatten().cloned().map(Revision::Correction))
    }

    /// Returns the receipt of what has this place in a transaction.
    fn receipt_at(&self, key: &(Provider, TransactionId), place: u32) -> Option<ReceiptId> {
        let later = self.later(key).map(|revision| (revision.place(), revision.receipt().receipt_id.clone()));
        let adjustments = self.adjustments.get(key).into_iter().flatten();
        let adjustments = adjustments.map(|it| (it.place, it.by.receipt.receipt_id.clone()));
        later.chain(adjustments).find(|(taken, _)| *taken == place).map(|(_, receipt_id)| receipt_id)
    }

    /// Returns everything that is recorded of a transaction.
    fn history(&self, provider: &Provider, transaction_id: &TransactionId) -> Option<History> {
        let key = (provider.clone(), transaction_id.clone());
        let original = self.postbacks.get(&key).cloned().map(Revision::Original);
        let adjustments = self.adjustments.get(&key).cloned().unwrap_or_default();
        History::new(original.into_iter().chain(self.later(&key)), adjustments)
    }
}

impl Refusals for World {
    async fn keep_refusal(&self, refusal: &Refusal) -> Result<(), Unavailable> {
        self.call("keep refusal", |state| {
            let key = refusal.key().as_str().to_owned();
            state.refusals.entry(key).or_insert_with(|| (refusal.clone(), 0)).1 += 1;
        })
    }

    async fn keep_conflict(&self, conflict: &Conflict) -> Result<KeptConflict, Unavailable> {
        self.call("keep conflict", |state| {
            let key = conflict.key().as_str().to_owned();
            let kept = state.conflicts.entry(key.clone()).or_insert_with(|| (conflict.clone(), 0, None));
            kept.1 += 1;
            state.kept_originals.remove(&key);
            kept.2.clone().map_or(KeptConflict::Unresolved, KeptConflict::AcceptedAs)
        })
    }

    async fn mark_recorded(&self, key: &ContentKey, receipt: &Receipt, _: Timestamp) -> Result<(), Unavailable> {
        self.call("mark refusal", |state| {
            if state.refusals.contains_key(key.as_str()) {
                state.recorded_refusals.entry(key.as_str().to_owned()).or_insert_with(|| receipt.clone());
            }
        })
    }

    async fn find_correction(&self, conflict: &Conflict) -> Result<Option<Receipt>, Unavailable> {
        self.call("find correction", |state| {
            state.conflicts.get(conflict.key().as_str()).and_then(|kept| kept.2.clone())
        })
    }
}

impl Resolutions for World {
    async fn find_conflict(&self, key: &ContentKey, now: Timestamp) -> Result<Option<StoredConflict>, Unavailable> {
        self.call("find conflict", |state| {
            let expires_at = state.kept_originals.get(key.as_str()).copied().unwrap_or(i64::MAX);
            let kept = state.conflicts.get(key.as_str()).filter(|_| now.as_second() < expires_at)?;
            Some(StoredConflict { conflict: kept.0.clone(), accepted: kept.2.clone() })
        })
    }

    async fn history(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> Result<Option<History>, Unavailable> {
        self.call("read history", |state| state.history(provider, transaction_id))
    }

    async fn accept(
        &self,
        key: &ContentKey,
        correction: &Correction,
        audit: &AuditRecord,
    ) -> Result<Replaced, Unavailable> {
        self.call("accept correction", |state| {
            let transaction = (correction.postback.provider.clone(), correction.receipt.transaction_id.clone());
            let taken = state.receipt_at(&transaction, correction.place).is_some();
            let Some(kept) = state.conflicts.get_mut(key.as_str()).filter(|kept| kept.2.is_none() && !taken) else {
                return Replaced::Changed;
            };
            kept.2 = Some(correction.receipt.clone());
            state.kept_originals.remove(key.as_str());
            state.corrections.entry(transaction).or_default().push(correction.clone());
            state.audit.push(audit.clone());
            Replaced::Done
        })
    }

    async fn keep_original(
        &self,
        key: &ContentKey,
        now: Timestamp,
        audit: &AuditRecord,
    ) -> Result<Replaced, Unavailable> {
        self.call("keep original", |state| {
            if state.conflicts.get(key.as_str()).is_none_or(|kept| kept.2.is_some()) {
                return Replaced::Changed;
            }
            state.kept_originals.insert(key.as_str().to_owned(), now.as_second() + REFUSAL_KEPT_SECONDS);
            state.audit.push(audit.clone());
            Replaced::Done
        })
    }
}

impl Clicks for World {
    async fn record(&self, click: &Click) -> Result<(), Unavailable> {
        self.call("record click", |state| state.clicks.push(click.clone()))
    }
}

impl ConversionQueue for World {
    /// Counts each conversion as one call, so that each can fail by itself.
    async fn send(&self, conversions: &[Conversion]) -> Vec<Result<(), Unavailable>> {
        let send =
            |conversion: &Conversion| self.call("send conversion", |state| state.conversions.push(conversion.clone()));
        conversions.iter().map(send).collect()
    }
}

/// The key of a revision is `place#provider#transaction`.
impl InboundRecords for World {
    async fn transaction(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> Result<Vec<Revision>, Unavailable> {
        self.call("find revisions", |state| {
            let key = (provider.clone(), transaction_id.clone());
            let original = state.postbacks.get(&key).cloned().map(Revision::Original);
            original.into_iter().chain(state.later(&key)).collect()
        })
    }

    async fn revisions(&self, keys: &BTreeSet<&str>) -> Result<FoundRevisions, Unavailable> {
        let mut found = FoundRevisions::default();
        for key in keys {
            let mut parts = key.splitn(3, '#');
            let mut part = || parts.next().unwrap_or_default();
            let (number, provider, transaction) = (part(), Provider::new(part()), TransactionId::new(part()));
            let revisions = match (provider, transaction) {
                (Ok(provider), Ok(transaction)) => self.transaction(&provider, &transaction).await?,
                _ => Vec::new(),
            };
            match revisions.into_iter().find(|revision| revision.place().to_string() == number) {
                Some(revision) => found.revisions.push(revision),
                None => found.unreadable.push((*key).to_owned()),
            }
        }
        Ok(found)
    }

    async fn clicks(&self, ids: &BTreeSet<ClickId>) -> Result<Vec<Click>, Unavailable> {
        self.call("read clicks", |state| {
            state.clicks.iter().filter(|click| ids.contains(&click.click_id)).cloned().collect()
        })
    }
}
