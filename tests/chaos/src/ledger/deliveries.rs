//! Checks that deliveries are owed, attempted and ended as they must be.

use std::collections::{BTreeMap, BTreeSet};

use ::tests::partner_simulator::{Request, Signature};
use adapters::dynamodb::item::media_buying::{AttemptItem, DeliveryItem};
use domain::{
    outbound::{
        attempt::{AttemptOutcome, Verdict},
        delivery::{Delivery, Ending},
        retry::ATTEMPTS,
    },
    values::ids::{CampaignName, DeliveryId, Provider, UserId},
};

use super::{Ledger, drain, scan};
use crate::{
    events::{Owed, Story},
    world::World,
};

/// Gives the campaigns' initial interval, in milliseconds.
const INTERVAL_MS: i64 = 1000;

/// Holds all deliveries, attempts and requests after the run.
pub(crate) struct Deliveries {
    stored: BTreeMap<String, Delivery>,
    late: Vec<AttemptItem>,
    requests: BTreeMap<String, Vec<Request>>,
    dead_letters: Vec<String>,
    malformed: BTreeSet<String>,
}

impl Deliveries {
    /// Reads the deliveries and attempts from the tables and queues, and sorts the requests by delivery.
    pub(crate) async fn read(world: &World, requests: Vec<Request>) -> Self {
        let items: Vec<DeliveryItem> = scan(world, "deliveries").await;
        let stored = items.into_iter().map(|item| (item.delivery.id().to_string(), item.delivery)).collect();
        let late = scan(world, "attempts").await;
        let mut by_id: BTreeMap<String, Vec<Request>> = BTreeMap::new();
        for request in requests {
            by_id.entry(request.header("webhook-id").unwrap_or_default().to_owned()).or_default().push(request);
        }
        let mut dead_letters = drain(world, "webhooks-dead-letters").await;
        dead_letters.extend(drain(world, "webhook-retries-dead-letters").await);
        let malformed = drain(world, "gg3-events-dead-letters").await.into_iter().collect();
        Self { stored, late, requests: by_id, dead_letters, malformed }
    }

    /// Checks the deliveries against the events and the kills.
    pub(crate) fn check(&self, story: &Story, killed_with: &BTreeMap<String, u64>, ledger: &mut Ledger) {
        let ended = |ending| self.stored.values().filter(|delivery| delivery.ending() == Some(ending)).count();
        ledger.line("deliveries owed", story.owed.len());
        ledger.line("deliveries stored", self.stored.len());
        ledger.line("delivered", ended(Ending::Delivered));
        ledger.line("gone", ended(Ending::Gone));
        ledger.line("exhausted", ended(Ending::Exhausted));
        ledger.line("attempts recorded", self.stored.values().map(|delivery| delivery.attempts().len()).sum::<usize>());
        ledger.line("attempts recorded late, beside their delivery", self.late.len());
        ledger.line("requests that partners received", self.requests.values().map(Vec::len).sum::<usize>());
        ledger.line("of them repeated after a kill during the attempt", self.repeated());
        ledger.line("webhook messages in dead-letter queues", self.dead_letters.len());
        ledger.line("malformed events set aside", self.malformed.len());

        let stored: BTreeSet<Owed> = self.stored.values().map(names).collect();
        for other in stored.symmetric_difference(&story.owed) {
            ledger.law(false, || format!("{other:?} is owed or stored, but not both"));
        }
        ledger.law(self.malformed == story.malformed, || {
            format!("the events set aside are {:?} instead of {:?}", self.malformed, story.malformed)
        });
        for delivery in self.stored.values() {
            self.check_life(delivery, ledger);
            self.check_requests(delivery, killed_with, ledger);
        }
        for (id, requests) in &self.requests {
            ledger.law(self.stored.contains_key(id), || format!("the webhook-id {id} belongs to no delivery"));
            let verified = requests.iter().all(|request| request.signature == Signature::Verified);
            ledger.law(verified, || format!("the signature of a request of {id} is wrong"));
        }
    }

    fn repeated(&self) -> usize {
        let surplus = |delivery: &Delivery| self.requests_of(delivery).len().saturating_sub(self.made(delivery));
        self.stored.values().map(surplus).sum()
    }

    /// Counts the attempts of a delivery that are stored anywhere.
    fn made(&self, delivery: &Delivery) -> usize {
        delivery.attempts().len() + self.late.iter().filter(|late| late.delivery_id == *delivery.id()).count()
    }

    fn requests_of(&self, delivery: &Delivery) -> &[Request] {
        self.requests.get(delivery.id().as_str()).map_or(&[], Vec::as_slice)
    }

    /// Checks that the delivery ended or is in a dead-letter queue, that its attempts explain the ending, and that no
    /// attempt is early or too many.
    fn check_life(&self, delivery: &Delivery, ledger: &mut Ledger) {
        let id = delivery.id().as_str();
        let (attempts, shown) = (delivery.attempts(), || format!("{delivery:#?}"));
        let is_set_aside = || self.dead_letters.iter().any(|body| body.contains(id));
        ledger
            .law(delivery.ending().is_some() || is_set_aside(), || format!("the delivery has not ended: {}", shown()));
        ledger.law(attempts.len() <= ATTEMPTS.into(), || format!("too many attempts: {}", shown()));
        for (n, attempt) in (1u8..).zip(attempts) {
            ledger.law(attempt.n == n, || format!("attempts are out of order: {}", shown()));
            ledger.law(attempt.sent_at >= attempt.due_at, || format!("an attempt was early: {}", shown()));
        }
        for (failed, next) in attempts.iter().zip(attempts.iter().skip(1)) {
            let ended = failed.sent_at.as_millisecond() + i64::from(failed.duration_ms);
            let waited = next.due_at.as_millisecond() - ended;
            ledger
                .law(waited >= i64::from(failed.n) * INTERVAL_MS, || format!("a resend was due too soon: {}", shown()));
        }
        let late = self.late.iter().filter(|late| late.delivery_id == *delivery.id()).map(|late| &late.made);
        let verdicts: Vec<Verdict> = attempts.iter().chain(late).map(|attempt| attempt.outcome.verdict()).collect();
        let any = |verdict| verdicts.contains(&verdict);
        let holds = match delivery.ending() {
            Some(Ending::Delivered) => any(Verdict::Delivered),
            Some(Ending::Gone) => any(Verdict::Gone) && !any(Verdict::Delivered),
            Some(Ending::Exhausted) => attempts.len() == usize::from(ATTEMPTS) && !any(Verdict::Delivered),
            // The stories contain no value that a URL cannot take.
            Some(Ending::Cancelled | Ending::Unsendable) => false,
            None => true,
        };
        ledger.law(holds, || format!("the ending disagrees with the attempts: {}", shown()));
    }

    /// Checks that the partner's requests match the recorded attempts, with at most one more for each kill that hit
    /// the delivery.
    fn check_requests(&self, delivery: &Delivery, killed_with: &BTreeMap<String, u64>, ledger: &mut Ledger) {
        let (requests, made) = (self.requests_of(delivery), self.made(delivery));
        let answered =
            delivery.attempts().iter().filter(|attempt| matches!(attempt.outcome, AttemptOutcome::Status(_))).count();
        let kills = killed_with.get(delivery.id().as_str()).copied().unwrap_or_default();
        ledger.law(requests.len() >= answered, || {
            format!("{answered} answers to {} requests: {delivery:#?}", requests.len())
        });
        ledger.law(requests.len() as u64 <= made as u64 + kills, || {
            format!("{} requests for {made} attempts and {kills} kills: {delivery:#?}\n{requests:#?}", requests.len())
        });
        let delivered = delivery.ending() == Some(Ending::Delivered);
        let said_so = requests.iter().any(|request| request.answered.starts_with('2'));
        ledger.law(!delivered || said_so, || format!("delivered, but the partner never answered 2xx: {delivery:#?}"));
    }
}

fn names(delivery: &Delivery) -> Owed {
    let expected = DeliveryId::of(delivery.provider(), delivery.campaign(), delivery.participant());
    assert_eq!(*delivery.id(), expected, "a delivery's id is derived from its names");
    let (user, provider, campaign): (&UserId, &Provider, &CampaignName) =
        (delivery.participant(), delivery.provider(), delivery.campaign());
    (user.to_string(), provider.to_string(), campaign.to_string())
}

#[cfg(test)]
mod tests;
