//! Holds the catalogue, participants, deliveries, the queues of webhooks and partners' servers in memory.

use std::{cmp::Reverse, collections::BTreeSet, time::Duration};

use domain::{
    audit::AuditRecord,
    lookup::Place,
    outbound::{
        attempt::{AnswerExcerpt, Attempt, AttemptFault, AttemptOutcome, FinishedAttempt},
        delivery::{Claim, Delivery, LateAttempt, Message, OpenedRound},
        participant::Participant,
        webhook::WebhookRequest,
    },
    values::{
        ids::{ClaimMark, DeliveryId, Provider, UserId},
        signature::Secret,
        time::UnixMillis,
    },
};

use super::{State, World};
use crate::ports::{
    Catalogues, Claimed, Deliveries, DeliveryRecords, Ended, EventQueue, FailuresPage, KeptAttempt, NewDeliveries,
    PageToken, Participants, PartnerServers, Published, Put, Replaced, ResendQueue, Rounds, StoredDelivery,
    StoredParticipant, Unavailable, UnderWay, UnderWayPage, WebhookQueue,
};

impl Catalogues for World {
    async fn current(&self, held: Option<u64>) -> Result<Published, Unavailable> {
        self.call("load catalogue", |state| match &state.catalogue {
            None => Published::Nothing,
            Some(catalogue) if held == Some(catalogue.version()) => Published::Same,
            Some(catalogue) => Published::Other(Box::new(catalogue.clone())),
        })
    }
}

impl Participants for World {
    async fn read(&self, users: &[&UserId]) -> Vec<Result<StoredParticipant, Unavailable>> {
        let read = |user_id: &UserId| {
            self.call("read participant", |state| {
                let stored = state.participants.get(user_id).cloned();
                stored.map_or_else(StoredParticipant::default, |(participant, version)| StoredParticipant {
                    participant,
                    version: Some(version),
                })
            })
        };
        users.iter().map(|user_id| read(user_id)).collect()
    }

    async fn write(
        &self,
        user_id: &UserId,
        participant: &Participant,
        read: Option<u64>,
        next: u64,
    ) -> Result<Replaced, Unavailable> {
        self.call("write participant", |state| {
            if let Some(left) = state.rival_writes.get_mut(user_id).filter(|left| **left > 0) {
                *left -= 1;
                state.participants.entry(user_id.clone()).or_default().1 += 1;
            }
            if state.participants.get(user_id).map(|(_, version)| *version) != read {
                return Replaced::Changed;
            }
            state.participants.insert(user_id.clone(), (participant.clone(), next));
            Replaced::Done
        })
    }
}

impl State {
    /// Replaces the stored delivery if it has the preceding revision.
    fn replace(&mut self, delivery: &Delivery) -> Replaced {
        let stored = self.deliveries.get(delivery.id()).map(Delivery::revision);
        if stored != delivery.revision().checked_sub(1) {
            return Replaced::Changed;
        }
        self.deliveries.insert(delivery.id().clone(), delivery.clone());
        Replaced::Done
    }

    fn stored(&self, delivery: &Delivery) -> StoredDelivery {
        let swept = self.swept.get(delivery.id()).filter(|(revision, _)| *revision == delivery.revision());
        StoredDelivery { delivery: delivery.clone(), swept_at: swept.map(|(_, at)| *at) }
    }

    fn failures(&self, provider: &Provider, ended: Ended) -> impl Iterator<Item = &Delivery> {
        let theirs = self.deliveries.values().filter(move |delivery| delivery.provider() == provider);
        theirs.filter(move |delivery| ended.failed_at(delivery).is_some())
    }
}

impl NewDeliveries for World {
    async fn put_if_absent(&self, delivery: &Delivery) -> Result<Put, Unavailable> {
        self.call("put delivery", |state| {
            if let Some(existing) = state.deliveries.get(delivery.id()) {
                return Put::Existing(Box::new(existing.clone()));
            }
            state.deliveries.insert(delivery.id().clone(), delivery.clone());
            Put::Fresh
        })
    }
}

impl Deliveries for World {
    async fn claim(&self, message: &Message, claim: &Claim) -> Result<Claimed, Unavailable> {
        self.call("claim delivery", |state| {
            let stored = state.deliveries.get(&message.delivery_id);
            let Some(as_told) = stored.filter(|stored| stored.revision() == message.revision) else {
                return Claimed::Otherwise(stored.cloned().map(Box::new));
            };
            let claimed = as_told.with_claim(claim.clone());
            state.deliveries.insert(message.delivery_id.clone(), claimed.clone());
            Claimed::Stored(Box::new(claimed))
        })
    }

    async fn read(&self, id: &DeliveryId) -> Result<Option<Delivery>, Unavailable> {
        self.call("read delivery", |state| state.deliveries.get(id).cloned())
    }

    async fn replace(&self, delivery: &Delivery) -> Result<Replaced, Unavailable> {
        self.call("write delivery", |state| state.replace(delivery))
    }

    async fn keep_late(&self, late: &LateAttempt, changed: Option<&Delivery>) -> Result<Replaced, Unavailable> {
        self.call("keep late attempt", |state| {
            if changed.is_some_and(|delivery| state.replace(delivery) == Replaced::Changed) {
                return Replaced::Changed;
            }
            let key = (late.delivery_id.clone(), late.round, format!("{} {}", late.attempt.n, late.mark));
            state.attempts.insert(key, late.attempt.clone());
            Replaced::Done
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

    async fn owe_notice(&self, notice: &Delivery, audit: &AuditRecord) -> Result<Replaced, Unavailable> {
        self.call("owe notice", |state| {
            if state.deliveries.contains_key(notice.id()) {
                return Replaced::Changed;
            }
            state.deliveries.insert(notice.id().clone(), notice.clone());
            state.audit.push(audit.clone());
            Replaced::Done
        })
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
            let kept = |((_, round, name), attempt): (&(_, u32, String), &Attempt)| KeptAttempt {
                round: *round,
                late: name.split_once(' ').and_then(|(_, mark)| ClaimMark::new(mark).ok()),
                attempt: attempt.clone(),
                expires_at: None,
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

    /// Returns two deliveries a page, so that tests cover several pages.
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

impl UnderWay for World {
    fn shards(&self) -> u32 {
        1
    }

    /// Returns two deliveries a page, so that tests cover several pages, and deliveries that share a page with a
    /// failing one.
    async fn page(
        &self,
        _shard: u32,
        opened_before: UnixMillis,
        from: Option<PageToken>,
    ) -> Result<UnderWayPage, Unavailable> {
        self.call("page of what is under way", |state| {
            let after = |id: &DeliveryId| from.as_ref().is_none_or(|PageToken(last)| id.as_str() > last.as_str());
            let under_way = |delivery: &&Delivery| {
                delivery.ending().is_none() && delivery.opened_at() < opened_before && after(delivery.id())
            };
            let swept = |delivery: &Delivery| {
                let swept = state.swept.get(delivery.id()).filter(|(revision, _)| *revision == delivery.revision());
                swept.map(|(_, at)| *at)
            };
            let found = state.deliveries.values().filter(under_way).take(2);
            let deliveries: Vec<_> = found.map(|delivery| (delivery.clone(), swept(delivery))).collect();
            let next = deliveries.last().map(|(last, _)| PageToken(last.id().to_string()));
            UnderWayPage { deliveries, unreadable: state.unreadable_under_way, next }
        })
    }

    async fn mark_swept(&self, delivery: &Delivery, at: UnixMillis) -> Result<(), Unavailable> {
        self.call("mark swept", |state| {
            state.swept.insert(delivery.id().clone(), (delivery.revision(), at));
        })
    }
}

impl EventQueue for World {
    async fn send(&self, message: &str) -> Result<(), Unavailable> {
        self.call("send event", |state| state.events.push(message.to_owned()))
    }
}

impl WebhookQueue for World {
    /// Counts each message as one call, so that each can fail alone.
    async fn send(&self, messages: &[Message]) -> Vec<Result<(), Unavailable>> {
        let send = |message: &Message| self.call("send webhook", |state| state.webhooks.push(message.clone()));
        messages.iter().map(send).collect()
    }
}

impl ResendQueue for World {
    async fn send(&self, message: &Message, delay_seconds: u16) -> Result<(), Unavailable> {
        self.call("send resend", |state| {
            let delay = Duration::from_secs(delay_seconds.into());
            let arrives = UnixMillis::from_millisecond(state.millisecond).plus(delay);
            state.resends.push((message.clone(), arrives));
        })
    }
}

impl PartnerServers for World {
    /// With `Trouble::Before`, the connection is refused. With `Trouble::After`, the request arrives and then the
    /// connection breaks.
    async fn call(
        &self,
        request: &WebhookRequest,
        id: &DeliveryId,
        _secrets: &[Secret],
        now: UnixMillis,
    ) -> FinishedAttempt {
        let arrived = self.call("call partner", |state| {
            state.requests.push((now, id.clone(), request.url().as_str().to_owned()));
            let (outcome, retry_after, took) =
                state.answers.pop_front().unwrap_or((AttemptOutcome::Status(200), None, Duration::ZERO));
            state.millisecond = UnixMillis::from_millisecond(state.millisecond).plus(took).as_millisecond();
            (outcome, retry_after)
        });
        let state = self.state();
        let broken = state.requests.last().is_some_and(|(at, of, _)| *at == now && of == id);
        let fault = if broken { AttemptFault::Disconnected } else { AttemptFault::Refused };
        let (outcome, retry_after) = arrived.unwrap_or((AttemptOutcome::Fault(fault), None));
        let ended_at = UnixMillis::from_millisecond(state.millisecond);
        FinishedAttempt { sent_at: now, ended_at, outcome, answer: AnswerExcerpt::default(), retry_after }
    }
}
