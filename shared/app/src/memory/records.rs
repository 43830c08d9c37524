//! What operators look at, in memory.

use std::{cmp::Reverse, collections::BTreeSet};

use domain::{
    audit::AuditRecord,
    inbound::{click::Click, correction::Revision},
    jiff::Timestamp,
    lookup::{Place, Subject},
    outbound::delivery::{Delivery, OpenedRound},
    values::ids::{ClaimMark, ClickId, DeliveryId, Provider, TransactionId},
};
use futures_util::{Stream, TryStreamExt, stream};

use super::{State, World};
use crate::ports::{
    DeadLetter, DeadLetterQueue, DeadLetterQueues, Deliveries, DeliveryRecords, Ended, FailuresPage, FoundRevisions,
    InboundRecords, KeptAttempt, Listings, PageToken, Range, ReceivedLetter, Replaced, Resolutions, Rounds,
    StoredDelivery, Unavailable,
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
}

impl State {
    fn stored(&self, delivery: &Delivery) -> StoredDelivery {
        let swept = self.swept.get(delivery.id()).filter(|(revision, _)| *revision == delivery.revision());
        StoredDelivery { delivery: delivery.clone(), swept_at: swept.map(|(_, at)| *at) }
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
        most: usize,
    ) -> Result<Vec<StoredDelivery>, Unavailable> {
        self.call("read newest failures", |state| {
            let mut found: Vec<_> = state.failures(provider, ended).map(|delivery| state.stored(delivery)).collect();
            found.sort_by_key(|stored| Reverse(stored.delivery.ended_at()));
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

    async fn clicks(&self, ids: &BTreeSet<ClickId>) -> Result<Vec<Click>, Unavailable> {
        self.call("read clicks", |state| {
            state.clicks.iter().filter(|click| ids.contains(&click.click_id)).cloned().collect()
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
