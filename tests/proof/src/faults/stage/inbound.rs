//! Puts the ports of postbacks and conflicts on the stage.

use app::ports::{Added, Postbacks, Recorded, Refusals, Replaced, Resolutions, StoredConflict, Unavailable};
use domain::{
    audit::AuditRecord,
    inbound::{
        acceptance::Acceptance,
        conversion::{Receipt, RecordedPostback},
        correction::Step,
        postback::Postback,
        refusal::{Conflict, ContentKey, KeptConflict, KeptRefusal, Refusal},
        transaction::{Adjustment, History},
    },
    jiff::Timestamp,
    values::ids::{Provider, TransactionId, TransactionKey},
};

use super::{Slip, Stage};

impl Postbacks for Stage {
    async fn record(&self, postback: &RecordedPostback) -> Result<Recorded, Unavailable> {
        self.turn().await;
        Postbacks::record(&self.world, postback).await
    }

    async fn record_once(&self, postback: &RecordedPostback) -> Result<Recorded, Unavailable> {
        self.turn().await;
        Postbacks::record_once(&self.world, postback).await
    }

    async fn find_use(&self, postback: &Postback) -> Result<Option<Receipt>, Unavailable> {
        self.turn().await;
        self.world.find_use(postback).await
    }

    async fn find(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> Result<Option<RecordedPostback>, Unavailable> {
        self.turn().await;
        self.world.find(provider, transaction_id).await
    }

    async fn history(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> Result<Option<History>, Unavailable> {
        self.turn().await;
        Postbacks::history(&self.world, provider, transaction_id).await
    }

    async fn add_step(&self, step: &Step) -> Result<Added, Unavailable> {
        self.turn().await;
        self.break_steps(step);
        self.world.add_step(step).await
    }

    async fn adjust(&self, reversed: &TransactionId, adjustment: &Adjustment) -> Result<Replaced, Unavailable> {
        self.turn().await;
        self.free(&adjustment.by.postback.provider, reversed, adjustment.place);
        let adjusted = self.world.adjust(reversed, adjustment).await;
        if self.slip == Some(Slip::NotesAreForgotten) {
            self.world.state().adjustments.clear();
        }
        adjusted
    }
}

impl Stage {
    /// Removes the record that has this number in a transaction, so that the next write takes its place. Does this only
    /// if the story asks for this slip.
    fn free(&self, provider: &Provider, transaction_id: &TransactionId, place: u32) {
        if self.slip == Some(Slip::NumbersWithoutTheCondition) {
            let (mut state, key) = (self.world.state(), TransactionKey::of(provider, transaction_id));
            state.steps.entry(key.clone()).or_default().retain(|step| step.place != place);
            state.corrections.entry(key.clone()).or_default().retain(|made| made.place != place);
            state.adjustments.entry(key).or_default().retain(|note| note.place != place);
        }
    }

    fn break_steps(&self, step: &Step) {
        let (provider, transaction_id) = (&step.postback.provider, &step.postback.transaction_id);
        self.free(provider, transaction_id, step.place);
        let mut state = self.world.state();
        if self.slip == Some(Slip::StepsAreToldBeforeStoring) {
            state.conversions.push(step.clone().into());
        }
        if self.slip == Some(Slip::StepsOverwriteTheOriginal)
            && let Some(original) = state.postbacks.get_mut(&TransactionKey::of(provider, transaction_id))
        {
            original.postback = step.postback.clone();
        }
    }
}

impl Resolutions for Stage {
    async fn find_conflict(&self, key: &ContentKey, now: Timestamp) -> Result<Option<StoredConflict>, Unavailable> {
        self.turn().await;
        self.world.find_conflict(key, now).await
    }

    async fn history(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> Result<Option<History>, Unavailable> {
        Postbacks::history(self, provider, transaction_id).await
    }

    async fn accept(
        &self,
        key: &ContentKey,
        acceptance: &Acceptance,
        audit: &AuditRecord,
    ) -> Result<Replaced, Unavailable> {
        self.turn().await;
        let revision = &acceptance.revision;
        let postback = revision.postback();
        self.free(&postback.provider, &postback.transaction_id, revision.place());
        for (reversed, adjustment) in &acceptance.adjustments {
            self.free(&postback.provider, reversed, adjustment.place);
        }
        self.world.accept(key, acceptance, audit).await
    }

    async fn keep_original(
        &self,
        key: &ContentKey,
        now: Timestamp,
        audit: &AuditRecord,
    ) -> Result<Replaced, Unavailable> {
        self.turn().await;
        self.world.keep_original(key, now, audit).await
    }
}

impl Refusals for Stage {
    async fn keep_refusal(&self, refusal: &Refusal, most: u32) -> Result<KeptRefusal, Unavailable> {
        self.turn().await;
        self.world.keep_refusal(refusal, most).await
    }

    async fn keep_conflict(&self, conflict: &Conflict, most: u32) -> Result<KeptConflict, Unavailable> {
        self.turn().await;
        self.world.keep_conflict(conflict, most).await
    }

    async fn find_correction(&self, conflict: &Conflict) -> Result<Option<Receipt>, Unavailable> {
        self.turn().await;
        self.world.find_correction(conflict).await
    }
}
