//! Sends GG3 the conversions of a period again, for an operator.
//!
//! A replay changes no table, so its audit record is stored before the first conversion is sent. GG3 ignores
//! conversions that it has already received, so a replay can be interrupted and repeated.

use std::pin::pin;

use domain::{
    audit::{Action, Operation, Subject as Audited},
    inbound::conversion::Conversion,
    jiff::Timestamp,
    lookup::{Origin, Place, Subject},
    values::ids::Provider,
};
use futures_util::{TryStreamExt, future::join_all};

use super::{
    Pace,
    lookup_coverage::{Gap, LookupFault, check},
};
use crate::ports::{AuditTrail, ConversionQueue, InboundRecords, Listings, Range, Unavailable};

/// Limits how many conversions are read and sent at the same time.
const AT_ONCE: usize = 100;
/// Limits how many conversions one request sends.
const REQUEST: usize = 10;

/// The use case, over its ports.
pub struct ReplayConversions<L, I, Q, A> {
    /// The lookups.
    pub listings: L,
    /// The recorded postbacks.
    pub inbound: I,
    /// The queue that GG3 reads.
    pub queue: Q,
    /// The audit records.
    pub trail: A,
}

/// The conversions that a replay sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The partners that have conversions.
    pub partners: Vec<Provider>,
    /// The number of conversions.
    pub total: usize,
    /// The first instant of the period.
    pub from: Timestamp,
    /// The first instant after the period.
    pub to: Timestamp,
    /// The gaps in the lookups, because of which conversions may be missing from the plan.
    pub gaps: Vec<Gap>,
}

impl Plan {
    fn range(&self) -> Range {
        Range { from: Some(self.from), to: Some(self.to), wanted: 10 * AT_ONCE, ..Range::default() }
    }
}

/// The result of a replay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// How many conversions were sent.
    pub sent: usize,
    /// How many were left out because their person was erased.
    pub erased: usize,
    /// The keys of postbacks and corrections that cannot be read. The others are still sent.
    pub unreadable: Vec<String>,
    /// The place where the replay ended, if it ended early.
    pub stopped: Option<Stopped>,
    /// The partners for which nothing was sent because the replay ended early.
    pub left: Vec<Provider>,
}

/// The place where a replay ended early. Everything that the partner has before this place is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The partner.
    pub provider: Provider,
    /// The instant from which another replay continues.
    pub at: Timestamp,
    /// The fault of a service, or `None` if the operator interrupted the replay.
    pub fault: Option<Unavailable>,
}

impl<L: Listings, I: InboundRecords, Q: ConversionQueue, A: AuditTrail> ReplayConversions<L, I, Q, A> {
    /// Counts the conversions of these partners that were recorded from `from` to before `to`.
    pub async fn plan(
        &self,
        providers: Vec<Provider>,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Plan, LookupFault> {
        let gaps = check(&self.listings, &[Origin::Postbacks], Some(from)).await?;
        let mut plan = Plan { partners: Vec::new(), total: 0, from, to, gaps };
        for provider in providers {
            let count = self.listings.count(Subject::Postbacks(provider.clone()), plan.range()).await?;
            plan.total += count;
            plan.partners.extend((count > 0).then_some(provider));
        }
        Ok(plan)
    }

    /// Stores the audit record, then sends the conversions of the plan. Fails only if nothing was sent.
    pub async fn run(
        &self,
        plan: &Plan,
        (operation, now): (&Operation, Timestamp),
        pace: &mut impl Pace,
    ) -> Result<Replayed, Unavailable> {
        let Plan { partners, total, from, to, .. } = plan.clone();
        let subject = Audited::Conversions { providers: partners.clone(), from, to };
        let record = operation.record(now, Action::ReplayConversions, subject).with("conversions", total);
        self.trail.append(&record).await?;
        let (mut replayed, mut left) = (Replayed::default(), partners.into_iter());
        while let (Some(provider), None) = (left.next(), &replayed.stopped) {
            let mut at = from;
            let done = self.partner(&provider, (plan.range(), now), pace, (&mut replayed, &mut at)).await;
            replayed.stopped = done.err().map(|fault| Stopped { provider, at, fault });
            if replayed.stopped.is_some() {
                break;
            }
        }
        replayed.left = left.collect();
        Ok(replayed)
    }

    /// Sends one partner's conversions. Sets `at` to the time of the first conversion that is being sent. The error is
    /// the fault of a service, or `None` if the operator interrupted the replay.
    async fn partner(
        &self,
        provider: &Provider,
        (range, now): (Range, Timestamp),
        pace: &mut impl Pace,
        (replayed, at): (&mut Replayed, &mut Timestamp),
    ) -> Result<(), Option<Unavailable>> {
        let places = self.listings.list(Subject::Postbacks(provider.clone()), range, now);
        let chunks = places.try_chunks(pace.most_at_once().clamp(1, AT_ONCE)).map_err(|broken| broken.1);
        let mut chunks = pin!(chunks);
        while let Some(places) = chunks.try_next().await.map_err(Some)? {
            *at = places.first().map_or(*at, Place::at);
            if pace.turn().await.is_break() {
                return Err(None);
            }
            self.send(&places, replayed).await.map_err(Some)?;
            pace.taken(places.len());
        }
        Ok(())
    }

    async fn send(&self, places: &[Place], replayed: &mut Replayed) -> Result<(), Unavailable> {
        let found = self.inbound.revisions(&places.iter().map(Place::key).collect()).await?;
        replayed.unreadable.extend(found.unreadable);
        let all = found.revisions.len();
        let kept = found.revisions.into_iter().filter(|revision| !revision.postback().is_erased());
        let conversions: Vec<Conversion> = kept.map(Conversion::from).collect();
        replayed.erased += all - conversions.len();
        for answer in
            join_all(conversions.chunks(REQUEST).map(|some| self.queue.send(some))).await.into_iter().flatten()
        {
            answer?;
        }
        replayed.sent += conversions.len();
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
