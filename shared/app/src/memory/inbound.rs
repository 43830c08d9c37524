//! Holds postbacks, refusals, conflicts, clicks and conversions in memory.

use std::collections::{BTreeSet, HashMap};

use domain::{
    audit::AuditRecord,
    inbound::{
        acceptance::Acceptance,
        click::Click,
        conversion::{Conversion, Receipt, RecordedPostback},
        correction::{Revision, Step},
        postback::Postback,
        refusal::{Conflict, ContentKey, KeptConflict, KeptRefusal, Refusal},
        transaction::{Adjustment, History},
    },
    jiff::Timestamp,
    values::ids::{ClickId, Provider, ReceiptId, TransactionId, TransactionKey},
};

use super::{REFUSALS, State, World};
use crate::ports::{
    Added, Clicks, ConversionQueue, FoundRevisions, InboundRecords, Postbacks, Recorded, RecordedRevisions, Refusals,
    Replaced, Resolutions, Resubmissions, StoredConflict, StoredRefusal, Unavailable,
};

impl Postbacks for World {
    async fn record(&self, postback: &RecordedPostback) -> Result<Recorded, Unavailable> {
        self.call("record postback", |state| state.record(postback))
    }

    async fn record_once(&self, postback: &RecordedPostback) -> Result<Recorded, Unavailable> {
        self.call("record postback once", |state| state.record_once(postback))
    }

    async fn find_use(&self, postback: &Postback) -> Result<Option<Receipt>, Unavailable> {
        self.call("find use of click", |state| state.click_uses.get(&use_of(postback)).cloned())
    }

    async fn find(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> Result<Option<RecordedPostback>, Unavailable> {
        self.call("find postback", |state| state.postbacks.get(&TransactionKey::of(provider, transaction_id)).cloned())
    }

    async fn history(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> Result<Option<History>, Unavailable> {
        self.call("read history", |state| state.history(&TransactionKey::of(provider, transaction_id)))
    }

    async fn add_step(&self, step: &Step) -> Result<Added, Unavailable> {
        self.call("add step", |state| state.add_step(step))
    }

    async fn adjust(&self, reversed: &TransactionId, adjustment: &Adjustment) -> Result<Replaced, Unavailable> {
        self.call("adjust transaction", |state| state.adjust(reversed, adjustment))
    }
}

fn use_of(postback: &Postback) -> (Provider, String) {
    (postback.provider.clone(), postback.click_use())
}

impl State {
    fn record(&mut self, postback: &RecordedPostback) -> Recorded {
        let key = postback.postback.key();
        if let Some(original) = self.postbacks.get(&key) {
            return Recorded::Existing(Box::new(original.clone()));
        }
        self.postbacks.insert(key, postback.clone());
        Recorded::Fresh
    }

    fn record_once(&mut self, postback: &RecordedPostback) -> Recorded {
        let key = postback.postback.key();
        let used = self.click_uses.get(&use_of(&postback.postback));
        if let Some(first) = used.filter(|_| !self.postbacks.contains_key(&key)) {
            return Recorded::Used(Box::new(first.clone()));
        }
        self.click_uses.entry(use_of(&postback.postback)).or_insert_with(|| postback.receipt.clone());
        self.record(postback)
    }

    fn add_step(&mut self, step: &Step) -> Added {
        let key = step.postback.key();
        if let Some(receipt_id) = self.receipt_at(&key, step.place) {
            return Added::Taken(receipt_id);
        }
        self.steps.entry(key).or_default().push(step.clone());
        Added::Done
    }

    fn adjust(&mut self, reversed: &TransactionId, adjustment: &Adjustment) -> Replaced {
        let postback = &adjustment.by.postback;
        let (own, key) = (postback.key(), TransactionKey::of(&postback.provider, reversed));
        if self.postbacks.contains_key(&own) || self.receipt_at(&key, adjustment.place).is_some() {
            return Replaced::Changed;
        }
        self.postbacks.insert(own, adjustment.by.clone());
        self.adjustments.entry(key).or_default().push(adjustment.clone());
        Replaced::Done
    }

    /// Returns the revisions of a transaction after the original.
    pub(super) fn later(&self, key: &TransactionKey) -> impl Iterator<Item = Revision> {
        let steps = self.steps.get(key).into_iter().flatten().cloned().map(Revision::Step);
        steps.chain(self.corrections.get(key).into_iter().flatten().cloned().map(Revision::Correction))
    }

    /// Returns the receipt of the revision or adjustment with this place in a transaction.
    fn receipt_at(&self, key: &TransactionKey, place: u32) -> Option<ReceiptId> {
        let later = self.later(key).map(|revision| (revision.place(), revision.receipt().receipt_id.clone()));
        let adjustments = self.adjustments.get(key).into_iter().flatten();
        let adjustments = adjustments.map(|it| (it.place, it.by.receipt.receipt_id.clone()));
        later.chain(adjustments).find(|(taken, _)| *taken == place).map(|(_, receipt_id)| receipt_id)
    }

    /// Returns all records of a transaction.
    fn history(&self, key: &TransactionKey) -> Option<History> {
        let original = self.postbacks.get(key).cloned().map(Revision::Original);
        let adjustments = self.adjustments.get(key).cloned().unwrap_or_default();
        History::new(original.into_iter().chain(self.later(key)), adjustments)
    }

    /// Returns the revisions of all transactions by the keys that lookups have for them.
    pub(super) fn revisions(&self) -> impl Iterator<Item = (String, Revision)> {
        self.postbacks.iter().flat_map(|(key, original)| {
            let all = std::iter::once(Revision::Original(original.clone())).chain(self.later(key));
            all.map(|revision| (lookup_key(key, revision.place()), revision))
        })
    }
}

impl RecordedRevisions for World {
    async fn recorded(
        &self,
        keys: &BTreeSet<String>,
    ) -> Result<HashMap<String, Result<Revision, String>>, Unavailable> {
        self.call("read revisions", |state| {
            state.revisions().filter(|(key, _)| keys.contains(key)).map(|(key, revision)| (key, Ok(revision))).collect()
        })
    }
}

/// Returns the key that lookups have for a revision: its place, `#`, and the key of its transaction.
pub fn lookup_key(transaction: &TransactionKey, place: u32) -> String {
    format!("{place}#{}", transaction.as_str())
}

impl Refusals for World {
    async fn keep_refusal(&self, refusal: &Refusal, most: u32) -> Result<KeptRefusal, Unavailable> {
        self.call("keep refusal", |state| {
            let key = refusal.key.as_str().to_owned();
            if !state.refusals.contains_key(&key) && !state.has_room(&refusal.provider, refusal.received_at, most) {
                return KeptRefusal::BoundReached;
            }
            state.refusals.entry(key).or_insert_with(|| (refusal.clone(), 0)).1 += 1;
            KeptRefusal::Kept
        })
    }

    async fn keep_conflict(&self, conflict: &Conflict, most: u32) -> Result<KeptConflict, Unavailable> {
        self.call("keep conflict", |state| {
            let is_kept = state.conflicts.contains_key(conflict.key().as_str());
            if !is_kept && !state.has_room(&conflict.provider, conflict.received_at, most) {
                return KeptConflict::BoundReached;
            }
            state.keep_conflict(conflict)
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
        self.call("read history", |state| state.history(&TransactionKey::of(provider, transaction_id)))
    }

    async fn accept(
        &self,
        key: &ContentKey,
        acceptance: &Acceptance,
        audit: &AuditRecord,
    ) -> Result<Replaced, Unavailable> {
        self.call("accept conflict", |state| {
            let Acceptance { revision, adjustments } = acceptance;
            let postback = revision.postback();
            let of = |id: &TransactionId| TransactionKey::of(&postback.provider, id);
            let transaction = of(&postback.transaction_id);
            let is_taken = |at: &TransactionKey, place: u32| match place {
                0 => state.postbacks.contains_key(at),
                place => state.receipt_at(at, place).is_some(),
            };
            let taken = is_taken(&transaction, revision.place())
                || adjustments.iter().any(|(id, adjustment)| is_taken(&of(id), adjustment.place));
            let Some(kept) = state.conflicts.get_mut(key.as_str()).filter(|kept| kept.2.is_none() && !taken) else {
                return Replaced::Changed;
            };
            kept.2 = Some(revision.receipt().clone());
            state.kept_originals.remove(key.as_str());
            for (id, adjustment) in adjustments {
                state.adjustments.entry(of(id)).or_default().push(adjustment.clone());
            }
            match revision.clone() {
                Revision::Original(original) => _ = state.postbacks.insert(transaction, original),
                Revision::Step(step) => state.steps.entry(transaction).or_default().push(step),
                Revision::Correction(correction) => state.corrections.entry(transaction).or_default().push(correction),
            }
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
            state.kept_originals.insert(key.as_str().to_owned(), REFUSALS.end(now));
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
    /// Counts each conversion as one call, so that each can fail alone.
    async fn send(&self, conversions: &[Conversion]) -> Vec<Result<(), Unavailable>> {
        let send =
            |conversion: &Conversion| self.call("send conversion", |state| state.conversions.push(conversion.clone()));
        conversions.iter().map(send).collect()
    }
}

/// Uses the keys of [`lookup_key`] for revisions.
impl InboundRecords for World {
    async fn transaction(&self, key: &TransactionKey) -> Result<Option<History>, Unavailable> {
        self.call("find revisions", |state| state.history(key))
    }

    async fn revisions(&self, keys: &BTreeSet<&str>) -> Result<FoundRevisions, Unavailable> {
        self.call("read revisions", |state| {
            let mut stored: HashMap<String, Revision> = state.revisions().collect();
            let mut found = FoundRevisions::default();
            for key in keys {
                match stored.remove(*key) {
                    Some(revision) => found.revisions.push(revision),
                    None => found.unreadable.push((*key).to_owned()),
                }
            }
            found
        })
    }

    fn original_of(&self, key: &str) -> Option<TransactionKey> {
        TransactionKey::parse(key.strip_prefix("0#")?)
    }

    async fn refusals(&self, keys: &BTreeSet<&str>) -> Result<Vec<StoredRefusal>, Unavailable> {
        self.call("read refusals", |state| keys.iter().filter_map(|key| state.stored_refusal(key)).collect())
    }

    async fn clicks(&self, ids: &BTreeSet<ClickId>) -> Result<Vec<Click>, Unavailable> {
        self.call("read clicks", |state| {
            state.clicks.iter().filter(|click| ids.contains(&click.click_id)).cloned().collect()
        })
    }
}

impl State {
    pub(super) fn stored_refusal(&self, key: &str) -> Option<StoredRefusal> {
        if let Some((refusal, times)) = self.refusals.get(key) {
            let accepted = self.recorded_refusals.get(key).cloned();
            let stored = StoredRefusal::of_refusal(refusal, REFUSALS);
            return Some(StoredRefusal { times: (*times).into(), accepted, ..stored });
        }
        let (conflict, times, accepted) = self.conflicts.get(key)?;
        let expires_at = self.kept_originals.get(key).copied();
        let kept_at = expires_at.and_then(|at| Timestamp::from_second(at).ok());
        let original_kept_at = kept_at.map(|at| REFUSALS.oldest(at));
        let (times, accepted) = ((*times).into(), accepted.clone());
        Some(StoredRefusal { times, accepted, original_kept_at, expires_at, ..conflict.into() })
    }

    /// Counts a new item of a partner and day, if there may be one more.
    fn has_room(&mut self, provider: &Provider, at: Timestamp, most: u32) -> bool {
        let kept = self.kept_on.entry((provider.clone(), at.as_second().div_euclid(24 * 60 * 60))).or_default();
        let has_room = *kept < most;
        *kept += u32::from(has_room);
        has_room
    }

    fn is_kept(&self, refusal: &ContentKey) -> Result<(), Unavailable> {
        let is_kept = self.refusals.contains_key(refusal.as_str());
        if is_kept { Ok(()) } else { Err(Unavailable { service: "refusals", reason: "not kept".into() }) }
    }

    /// Records a resubmitted postback and marks the refusal. If the refusal is not kept, a new postback is not recorded.
    fn resubmitted(
        &mut self,
        (refusal, receipt, audit): (&ContentKey, &Receipt, &AuditRecord),
        record: impl Fn(&mut Self) -> Recorded,
    ) -> Result<Recorded, Unavailable> {
        let before = (self.postbacks.clone(), self.click_uses.clone());
        let recorded = record(self);
        if recorded == Recorded::Fresh {
            if let Err(unavailable) = self.is_kept(refusal) {
                (self.postbacks, self.click_uses) = before;
                return Err(unavailable);
            }
            self.mark_resubmitted(refusal, receipt, audit);
        }
        Ok(recorded)
    }

    fn mark_resubmitted(&mut self, refusal: &ContentKey, receipt: &Receipt, audit: &AuditRecord) {
        self.recorded_refusals.entry(refusal.as_str().to_owned()).or_insert_with(|| receipt.clone());
        self.audit.push(audit.clone());
    }

    fn keep_conflict(&mut self, conflict: &Conflict) -> KeptConflict {
        let key = conflict.key().as_str().to_owned();
        let kept = self.conflicts.entry(key.clone()).or_insert_with(|| (conflict.clone(), 0, None));
        kept.1 += 1;
        self.kept_originals.remove(&key);
        kept.2.clone().map_or(KeptConflict::Unresolved, KeptConflict::AcceptedAs)
    }
}

impl Resubmissions for World {
    async fn record(
        &self,
        postback: &RecordedPostback,
        refusal: &ContentKey,
        audit: &AuditRecord,
    ) -> Result<Recorded, Unavailable> {
        self.call("record resubmitted postback", |state| {
            state.resubmitted((refusal, &postback.receipt, audit), |state| state.record(postback))
        })?
    }

    async fn record_once(
        &self,
        postback: &RecordedPostback,
        refusal: &ContentKey,
        audit: &AuditRecord,
    ) -> Result<Recorded, Unavailable> {
        self.call("record resubmitted postback once", |state| {
            state.resubmitted((refusal, &postback.receipt, audit), |state| state.record_once(postback))
        })?
    }

    async fn add_step(&self, step: &Step, refusal: &ContentKey, audit: &AuditRecord) -> Result<Added, Unavailable> {
        self.call("add resubmitted step", |state| {
            state.is_kept(refusal)?;
            let added = state.add_step(step);
            if added == Added::Done {
                state.mark_resubmitted(refusal, &step.receipt, audit);
            }
            Ok(added)
        })?
    }

    async fn adjust(
        &self,
        reversed: &TransactionId,
        adjustment: &Adjustment,
        refusal: &ContentKey,
        audit: &AuditRecord,
    ) -> Result<Replaced, Unavailable> {
        self.call("adjust by resubmitted transaction", |state| {
            state.is_kept(refusal)?;
            let adjusted = state.adjust(reversed, adjustment);
            if adjusted == Replaced::Done {
                state.mark_resubmitted(refusal, &adjustment.by.receipt, audit);
            }
            Ok(adjusted)
        })?
    }

    async fn mark(&self, refusal: &ContentKey, receipt: &Receipt, audit: &AuditRecord) -> Result<(), Unavailable> {
        self.call("mark resubmitted refusal", |state| {
            let key = refusal.as_str();
            if state.refusals.contains_key(key) && !state.recorded_refusals.contains_key(key) {
                state.recorded_refusals.insert(key.to_owned(), receipt.clone());
                state.audit.push(audit.clone());
            }
        })
    }

    async fn keep_conflict(&self, conflict: &Conflict, audit: &AuditRecord) -> Result<KeptConflict, Unavailable> {
        self.call("keep resubmitted conflict", |state| {
            state.audit.push(audit.clone());
            state.keep_conflict(conflict)
        })
    }
}
