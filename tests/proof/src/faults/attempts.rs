//! Checks deliveries as partners and operators see them: the requests, the recorded attempts and how each delivery
//! ends.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use app::memory::State;
use domain::{
    outbound::{
        attempt::{Attempt, Verdict},
        delivery::{Delivery, Ending},
        retry::ATTEMPTS,
    },
    values::{
        ids::{CampaignName, DeliveryId, UserId},
        time::UnixMillis,
    },
};

use super::{
    story::Story,
    work::{FUNCTION, INTERVAL, REQUEST, provider},
};

/// Remembers the attempts and requests that were seen while the story was played.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    recorded: BTreeMap<(DeliveryId, u32, u8), Attempt>,
    late: BTreeSet<(DeliveryId, u32, String)>,
    requests: usize,
    /// Counts the requests that were not recorded because their worker died first.
    pub(super) cut_short: usize,
}

/// Counts the requests that partners got and the attempts that are recorded, in this order.
pub(super) fn counts(state: &State) -> (usize, usize) {
    let current: usize = state.deliveries.values().map(|delivery| delivery.attempts().len()).sum();
    (state.requests.len(), current + state.attempts.len())
}

impl Attempts {
    /// Counts the attempts that were recorded late, outside the item of their delivery.
    pub(super) fn late(&self) -> usize {
        self.late.len()
    }

    /// Checks the laws that hold at any instant. A request starts only if the claim lasts longer than the request can
    /// take. A round has at most six attempts, numbered from 1. Recorded attempts stay unchanged. An attempt is late
    /// only if its claim can have expired.
    ///
    /// # Errors
    ///
    /// Returns the first broken law.
    pub(super) fn look(&mut self, state: &State) -> Result<(), String> {
        for (at, id, url) in &state.requests[self.requests..] {
            let claim = state.deliveries[id].claim();
            if claim.is_some_and(|claim| claim.until < at.plus(REQUEST)) {
                return Err(format!("{url} was called at {at} under {claim:?}"));
            }
        }
        self.requests = state.requests.len();
        for delivery in state.deliveries.values() {
            if delivery.attempts().len() > usize::from(ATTEMPTS) {
                return Err(format!("more than six attempts: {delivery:?}"));
            }
            for (n, attempt) in (1..).zip(delivery.attempts()) {
                let place = (delivery.id().clone(), delivery.round(), n);
                let first = self.recorded.entry(place).or_insert_with(|| attempt.clone());
                if first != attempt || attempt.n != n {
                    return Err(format!("attempt {n} changed from {first:?} to {attempt:?}"));
                }
            }
        }
        let now = UnixMillis::from_millisecond(state.millisecond);
        for (place, attempt) in state.attempts.iter().filter(|(place, _)| is_late(place)) {
            // If an operator opened another round, attempts of the earlier round are late without any other reason.
            let only_round = state.deliveries.get(&place.0).is_some_and(|delivery| delivery.round() == 1);
            if self.late.insert(place.clone()) && only_round && now < attempt.sent_at.plus(REQUEST) {
                return Err(format!("two workers made one attempt while a claim lived: {attempt:?}"));
            }
        }
        Ok(())
    }

    /// Checks the laws that hold when the story is over. Returns the first broken law as an error.
    pub(super) fn audit(&self, state: &State, story: &Story) -> Result<(), String> {
        let (requests, recorded) = counts(state);
        if requests > recorded + self.cut_short {
            return Err(format!(
                "{requests} requests, but {recorded} recorded and {} of workers that died",
                self.cut_short
            ));
        }
        // A worker that began before the campaign was archived may still make its request afterwards.
        let archived = story.open().until.map(|until| until.plus(FUNCTION));
        for (at, id, url) in &state.requests {
            if *id != of(url) {
                return Err(format!("{url} was called with the webhook-id {id}"));
            }
            if *at < story.open().from {
                return Err(format!("{url} was called while its campaign was paused"));
            }
            if archived.is_some_and(|archived| archived <= *at) {
                return Err(format!("{url} was called after its campaign was archived"));
            }
        }
        self.kept_and_on_time(state)?;
        let archived = story.archived_after.is_some();
        state.deliveries.values().try_for_each(|delivery| ended(delivery, state, archived))
    }

    fn kept_and_on_time(&self, state: &State) -> Result<(), String> {
        for ((id, round, n), attempt) in &self.recorded {
            let delivery = &state.deliveries[id];
            let kept = if delivery.round() == *round {
                delivery.attempts().get(usize::from(*n) - 1)
            } else {
                state.attempts.get(&(id.clone(), *round, n.to_string()))
            };
            if kept != Some(attempt) {
                return Err(format!("{attempt:?} is missing from round {round} of {id}"));
            }
            let before = self.recorded.get(&(id.clone(), *round, n - 1));
            let soonest = before.map_or(attempt.due_at, |before| {
                let ended = before.sent_at.plus(Duration::from_millis(before.duration_ms.into()));
                ended.plus(INTERVAL * u32::from(before.n))
            });
            if attempt.due_at < soonest || attempt.sent_at < attempt.due_at {
                return Err(format!("{attempt:?} came too soon after {before:?}"));
            }
        }
        let late = state.attempts.values().find(|attempt| attempt.sent_at < attempt.due_at);
        late.map_or(Ok(()), |attempt| Err(format!("{attempt:?} was made before it was due")))
    }
}

/// Checks that the delivery has ended, and that its recorded attempts explain the ending.
fn ended(delivery: &Delivery, state: &State, archived: bool) -> Result<(), String> {
    let verdicts =
        |verdict: Verdict| delivery.attempts().iter().any(move |attempt| attempt.outcome.verdict() == verdict);
    let beside = state.attempts.iter().filter(|((id, ..), _)| id == delivery.id());
    let mut beside = beside.filter(|(_, attempt)| attempt.outcome.verdict() == Verdict::Delivered);
    let agrees = match delivery.ending() {
        None => return Err(format!("the delivery never ends: {delivery:?}")),
        Some(Ending::Delivered) => verdicts(Verdict::Delivered) || beside.next().is_some(),
        Some(_) if verdicts(Verdict::Delivered) => false,
        Some(Ending::Gone) => verdicts(Verdict::Gone),
        Some(Ending::Unsendable) => verdicts(Verdict::Unsendable),
        Some(Ending::Exhausted) => delivery.attempts().len() == usize::from(ATTEMPTS),
        Some(Ending::Cancelled) => archived,
    };
    if agrees { Ok(()) } else { Err(format!("the delivery's ending disagrees with its attempts: {delivery:?}")) }
}

fn is_late((_, _, name): &(DeliveryId, u32, String)) -> bool {
    name.contains(' ')
}

/// Returns the delivery to which this URL of a webhook belongs.
fn of(url: &str) -> DeliveryId {
    let mut segments = url.rsplit('/');
    let user = segments.next().and_then(|click| click.strip_prefix("c-")).unwrap_or_default();
    let campaign = segments.next().unwrap_or_default();
    let (campaign, user) = (CampaignName::new(campaign).expect("a slug"), UserId::new(user).expect("an id"));
    DeliveryId::of(&provider(), &campaign, &user)
}
