//! What operators look at, in memory.

use std::{cmp::Reverse, collections::BTreeSet};

use domain::{
    audit::AuditRecord,
    inbound::{
        click::Click,
        conversion::{Receipt, RecordedPostback},
        correction::Revision,
        refusal::{Conflict, ContentKey, KeptConflict, REFUSAL_KEPT_SECONDS},
    },
    jiff::Timestamp,
    lookup::{Place, Subject},
    outbound::delivery::{Delivery, OpenedRound},
    values::ids::{ClaimMark, ClickId, DeliveryId, Provider, TransactionId},
};
use futures_util::{Stream, TryStreamExt, stream};

use super::{State, World};
use crate::ports::{
    DeadLetter, DeadLetterQueue, DeadLetterQueues, Deliveries, DeliveryRecords, Ended, FailuresPage, FoundRevisions,
    InboundRecords, KeptAttempt, Listings, PageToken, Range, ReceivedLetter, Recorded, Replaced, Resolutions,
    Resubmissions, Rounds, StoredDelivery, StoredRefusal, Unavailable,
};

impl Listings for World {
    fn list(
        &self,
        subject: Subject,
        range: Range,
        now: Timestamp,
    ) -> impl Stream<Item = Result<Place, Unavailable>> + Send {
        let listed = self.call("list lookups", |state| {
            let (least, greatest) = range.bounds();
            let is_listed = |place: &Place, expires_at: Option<i64>| {
                let text = place.to_string();
                least <= text
                    && text <= greatest
                    && range.after.as_ref() != Some(place)
                    && expires_at.is_none_or(|at| now.as_second() < at)
            };
            let of_subject = state.lookups.iter().filter(|((of, _), _)| *of == subject);
            let listed = of_subject.filter(|((_, place), expires_at)| is_listed(place, **expires_at));
            let mut places: Vec<Place> = listed.map(|((_, place), _)| place.clone()).collect();
            if range.newest_first {
                places.reverse();
            }
            places
        });
        stream::iter([listed.map(|places| stream::iter(places.into_iter().map(Ok)))]).try_flatten()
    }

    async fn count(&self, subject: Subject, range: Range) -> Result<usize, Unavailable> {
        self.list(subject, range, Timestamp::MIN).try_fold(0, async |count, _| Ok(count + 1)).await
    }
}

impl State {
    fn stored(&self, delivery: &Delivery) -> StoredDelivery {
        let swept = self.swept.get(delivery.id()).filter(|(revision, _)| *revision == delivery.revision());
        StoredDelivery { delivery: delivery.clone(), swept_at: swept.map(|(_, at)| *at) }
    }

    fn stored_refusal(&self, key: &str) -> Option<StoredRefusal> {
        if let Some((refusal, times)) = self.refusals.get(key) {
            let accepted = self.recorded_refusals.get(key).cloned();
            return Some(StoredRefusal { times: (*times).into(), accepted, ..refusal.into() });
        }
        let (conflict, times, accepted) = self.conflicts.get(key)?;
        let expires_at = self.kept_originals.get(key).copied();
        let kept_at = expires_at.map(|at| Timestamp::from_second(at - REFUSAL_KEPT_SECONDS));
        let original_kept_at = kept_at.and_then(Result::ok);
        let (times, accepted) = ((*times).into(), accepted.clone());
        Some(StoredRefusal { times, accepted, original_kept_at, expires_at, ..conflict.into() })
    }

    fn failures(&self, provider: &Provider, ended: Ended) -> impl Iterator<Item = &Delivery> {
        let theirs = self.deliveries.values().filter(move |delivery| delivery.provider() == provider);
        theirs.filter(move |delivery| ended.failed_at(delivery).is_some())
    }
}

impl DeliveryRecords for World {
    async fn find(&self, ids: &BTreeSet<DeliveryId>) -> Result<Vec<StoredDelivery>, Unavailable> {
        self.call("find deliveries", |state| {
            ids.iter().filter_map(|id| state.deliveries.get(id)).map(|delivery| state.stored(delivery)).collect()
        })
    }

    async fn older_attempts(&self, id: &DeliveryId) -> Result<Vec<KeptAttempt>, Unavailable> {
        self.call("read older attempts", |state| {
            let kept =
                |((_, round, name), attempt): (&(_, u32, String), &domain::outbound::attempt::Attempt)| KeptAttempt {
                    round: *round,
                    late: name.split_once(' ').and_then(|(_, mark)| ClaimMark::new(mark).ok()),
                    attempt: attempt.clone(),
                };
            state.attempts.iter().filter(|((of, ..), _)| of == id).map(kept).collect()
        })
    }

    async fn newest_failures(
        &self,
        provider: &Provider,
        ended: Ended,
        before: Option<&Place>,
        most: usize,
    ) -> Result<Vec<StoredDelivery>, Unavailable> {
        self.call("read newest failures", |state| {
            let place = |delivery: &Delivery| ended.place_of(delivery);
            let found = state.failures(provider, ended).filter(|it| before.is_none() || place(it).as_ref() < before);
            let mut found: Vec<_> = found.map(|delivery| state.stored(delivery)).collect();
            found.sort_by_key(|stored| Reverse(place(&stored.delivery)));
            found.truncate(most);
            found
        })
    }

    fn failure_shards(&self) -> u32 {
        1
    }

    /// Two deliveries a page, as for what is under way.
    async fn failures_page(
        &self,
        provider: &Provider,
        _shard: u32,
        ended: Ended,
        from: Option<PageToken>,
    ) -> Result<FailuresPage, Unavailable> {
        self.call("page of failures", |state| {
            let after = |id: &DeliveryId| from.as_ref().is_none_or(|PageToken(last)| id.as_str() > last.as_str());
            let found = state.failures(provider, ended).filter(|delivery| after(delivery.id())).take(2);
            let deliveries: Vec<_> = found.map(|delivery| state.stored(delivery)).collect();
            let next = deliveries.last().map(|last| PageToken(last.delivery.id().to_string()));
            FailuresPage { deliveries, next }
        })
    }
}

/// The key of a postback or a correction is its number, its partner and its transaction here.
impl InboundRecords for World {
    async fn transaction(
        &self,
        provider: &Provider,
        transaction_id: &TransactionId,
    ) -> Result<Vec<Revision>, Unavailable> {
        Resolutions::revisions(self, provider, transaction_id).await
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
            match revisions.into_iter().find(|revision| revision.number().to_string() == number) {
                Some(revision) => found.revisions.push(revision),
                None => found.unreadable.push((*key).to_owned()),
            }
        }
        Ok(found)
    }

    fn original_of(&self, key: &str) -> Option<TransactionId> {
        let (_, transaction) = key.strip_prefix("0#")?.split_once('#')?;
        TransactionId::new(transaction).ok()
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

impl Resubmissions for World {
    async fn record(
        &self,
        postback: &RecordedPostback,
        refusal: &ContentKey,
        audit: &AuditRecord,
    ) -> Result<Recorded, Unavailable> {
        self.call("record resubmitted postback", |state| {
            let key = (postback.postback.provider.clone(), postback.receipt.transaction_id.clone());
            if let Some(original) = state.postbacks.get(&key) {
                return Ok(Recorded::Existing(Box::new(original.clone())));
            }
            if !state.refusals.contains_key(refusal.as_str()) {
                return Err(Unavailable { service: "refusals", reason: "not kept".into() });
            }
            let marks = state.recorded_refusals.entry(refusal.as_str().to_owned());
            marks.or_insert_with(|| postback.receipt.clone());
            state.postbacks.insert(key, postback.clone());
            state.audit.push(audit.clone());
            Ok(Recorded::Fresh)
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

impl Rounds for World {
    async fn read(&self, id: &DeliveryId) -> Result<Option<Delivery>, Unavailable> {
        Deliveries::read(self, id).await
    }

    async fn open_round(&self, opened: &OpenedRound, audit: &AuditRecord) -> Result<Replaced, Unavailable> {
        self.call("open round", |state| {
            let replaced = state.replace(&opened.delivery);
            if replaced == Replaced::Done {
                for attempt in &opened.moved {
                    let key = (opened.delivery.id().clone(), opened.moved_round, attempt.n.to_string());
                    state.attempts.insert(key, attempt.clone());
                }
                state.audit.push(audit.clone());
            }
            replaced
        })
    }
}

impl State {
    fn letter(&mut self, queue: DeadLetterQueue, received: &ReceivedLetter) -> Option<&mut (DeadLetter, bool)> {
        let letters = self.dead_letter_queues.get_mut(&queue)?;
        letters.iter_mut().find(|(letter, _)| letter.message_id == received.handle)
    }
}

/// A letter's handle is its id here.
impl DeadLetterQueues for World {
    async fn depth(&self, queue: DeadLetterQueue) -> Result<Option<usize>, Unavailable> {
        self.call("count dead letters", |state| state.dead_letter_queues.get(&queue).map(Vec::len))
    }

    /// Two letters at a time.
    async fn receive(
        &self,
        queue: DeadLetterQueue,
        most: usize,
        _hidden_seconds: u16,
    ) -> Result<Vec<ReceivedLetter>, Unavailable> {
        self.call("receive dead letters", |state| {
            let letters = state.dead_letter_queues.get_mut(&queue).into_iter().flatten();
            let receive = |(letter, hidden): &mut (DeadLetter, bool)| {
                *hidden = true;
                ReceivedLetter { letter: letter.clone(), handle: letter.message_id.clone() }
            };
            letters.filter(|(_, hidden)| !hidden).take(most.min(2)).map(receive).collect()
        })
    }

    async fn put_back(&self, queue: DeadLetterQueue, letters: &[ReceivedLetter]) -> Result<(), Unavailable> {
        self.call("put dead letters back", |state| {
            for received in letters {
                if let Some((_, hidden)) = state.letter(queue, received) {
                    *hidden = false;
                }
            }
        })
    }

    async fn send_on(&self, queue: DeadLetterQueue, letter: &DeadLetter) -> Result<(), Unavailable> {
        self.call("send dead letter on", |state| state.redriven.push((queue.source(), letter.clone())))
    }

    async fn delete(&self, queue: DeadLetterQueue, letter: &ReceivedLetter) -> Result<(), Unavailable> {
        self.call("delete dead letter", |state| {
            let letters = state.dead_letter_queues.entry(queue).or_default();
            letters.retain(|(other, _)| other.message_id != letter.handle);
        })
    }
}
