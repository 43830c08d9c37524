//! Decides by an endpoint's health and rate which webhooks may be sent, and stores what attempts show of its health.
//!
//! A worker remembers what it has read for [`FRESH`]. A partner that neither holds webhooks back nor limits their rate
//! costs no read before an attempt.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{
    outbound::{
        delivery::Delivery,
        endpoint::{
            Admission, Endpoint, EndpointPolicy, FRESH, Health, Observation, Place, Places, Rate, Run, Transition,
        },
        notice::Notice,
    },
    values::{ids::ChainTicket, time::UnixMillis},
};
use lru::LruCache;
use tracing::warn;

use crate::ports::{EndpointKey, Endpoints, Replaced, Reservation, Reserved, StoredEndpoint, Unavailable};

/// Limits the endpoints that are remembered.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
/// Limits how often an endpoint that others change is read and written again.
const TRIES: usize = 3;

/// The endpoints, with what this worker knows of them.
pub struct KnownEndpoints<E> {
    endpoints: E,
    known: Mutex<LruCache<EndpointKey, Known>>,
}

#[derive(Debug, Clone, Default)]
struct Known {
    stored: StoredEndpoint,
    /// The instant of the read, if there was one.
    read_at: Option<UnixMillis>,
    run: Run,
}

/// A message that is due, as far as its endpoint matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The number of the attempt within its round.
    pub(super) n: u8,
    /// True if the message's place in the rate has come.
    pub(super) has_place: bool,
    /// The time between two trials of an endpoint that is down.
    pub(super) between_trials: Duration,
}

/// What may be done about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// The attempt may be made.
    Go,
    /// The attempt may be made as the trial of an endpoint that is suspected or down.
    Trial,
    /// The message waits, because the endpoint is suspected or down.
    Held,
    /// The message waits until its place has come.
    At(UnixMillis),
    /// The message waits at least until this instant, because all places before it are taken.
    Full(UnixMillis),
}

/// What the attempts of a batch show of an endpoint.
#[derive(Debug, Default)]
pub(super) struct Shown<'a> {
    /// The attempts, the earliest first.
    pub(super) seen: &'a [Observation],
    /// True if a trial was claimed and then not made.
    pub(super) unused_trial: bool,
    /// True if the partner's webhooks wait while the endpoint is down.
    pub(super) is_held: bool,
    /// A fresh ticket for the message of a notice, if the partner wants notices.
    pub(super) ticket: Option<ChainTicket>,
}

/// The result of storing what was shown.
enum Told {
    /// Everything is stored, with this notice.
    Stored(Option<Box<Delivery>>),
    /// Another worker has changed the endpoint.
    Changed,
}

impl<E: Endpoints> KnownEndpoints<E> {
    /// Returns the endpoints, of which nothing is known yet.
    pub fn new(endpoints: E) -> Self {
        Self { endpoints, known: Mutex::new(LruCache::new(REMEMBERED)) }
    }

    /// Says for each of these messages of an endpoint if its attempt may be made now. Makes at most one write: the claim
    /// of a trial, or a reservation of places for all of them.
    pub(super) async fn admit(
        &self,
        key: &EndpointKey,
        policy: EndpointPolicy,
        wanted: &[Wanted],
        now: UnixMillis,
    ) -> Result<Vec<Pass>, Unavailable> {
        let stored = self.recent(key, now).await?;
        if policy.hold_while_down && *stored.endpoint.health() != Health::Up {
            return self.admit_trial(key, &stored, wanted, now).await;
        }
        let Some(rate) = stored.endpoint.rate(policy, now) else { return Ok(vec![Pass::Go; wanted.len()]) };
        let placeless = wanted.iter().filter(|wanted| !wanted.has_place).count();
        let places = match u32::try_from(placeless).unwrap_or(u32::MAX) {
            0 => None,
            count => self.reserve(key, &stored, rate, count, now).await?,
        };
        let mut number = 0;
        let pass = |wanted: &Wanted| match places {
            _ if wanted.has_place => Pass::Go,
            None => Pass::Full(rate.until()),
            Some(places) => {
                number += 1;
                match places.place(number - 1, now) {
                    Place::Now => Pass::Go,
                    Place::At(at) => Pass::At(at),
                }
            }
        };
        Ok(wanted.iter().map(pass).collect())
    }

    /// Lets the first message that may be a trial be it, if this worker gets it.
    async fn admit_trial(
        &self,
        key: &EndpointKey,
        stored: &StoredEndpoint,
        wanted: &[Wanted],
        now: UnixMillis,
    ) -> Result<Vec<Pass>, Unavailable> {
        let mut passes = vec![Pass::Held; wanted.len()];
        let trial = wanted.iter().zip(&mut passes).find_map(|(wanted, pass)| {
            match stored.endpoint.admit(wanted.n, wanted.between_trials, now) {
                Admission::Trial(claimed) => Some((claimed, pass)),
                Admission::Open | Admission::Held => None,
            }
        });
        if let Some((claimed, pass)) = trial
            && self.replace(key, stored, &claimed, None).await? == Replaced::Done
        {
            *pass = Pass::Trial;
        }
        Ok(passes)
    }

    /// Reserves places in a row. Returns `None` if all of them are taken.
    async fn reserve(
        &self,
        key: &EndpointKey,
        stored: &StoredEndpoint,
        rate: Rate,
        count: u32,
        now: UnixMillis,
    ) -> Result<Option<Places>, Unavailable> {
        let [from, until] = [now, rate.until()].map(|at| at.as_millisecond().saturating_mul(1000));
        // Places are never given back, so what was full is full.
        if stored.next_place.is_some_and(|next| next >= until) {
            return Ok(None);
        }
        let wanted = Reservation { now: from, count, step: rate.step(), until };
        let (places, next) = match self.endpoints.reserve(key, wanted).await? {
            Reserved::Done(places) => (Some(places), places.first + places.step * i64::from(count)),
            Reserved::Full(next) => (None, next),
        };
        if let Some(known) = self.lock().get_mut(key) {
            known.stored.next_place = known.stored.next_place.max(Some(next));
        }
        Ok(places)
    }

    /// Stores what these attempts show of the endpoint. A failure costs no attempt, since the next attempt shows the same
    /// again. If that is a transition of which the partner is told, returns the delivery of the notice, which is stored
    /// with it.
    pub(super) async fn tell(&self, key: &EndpointKey, shown: &Shown<'_>, now: UnixMillis) -> Option<Delivery> {
        let mut notice = None;
        for _ in 0..TRIES {
            match self.try_tell(key, shown, now).await {
                Ok(Told::Stored(owed)) => {
                    notice = owed;
                    break;
                }
                Ok(Told::Changed) => {}
                Err(reason) => {
                    let (provider, host) = (&key.provider, &key.host);
                    warn!(%provider, host, %reason, "the health of an endpoint cannot be stored");
                    break;
                }
            }
        }
        // Only once, however often it was tried.
        self.with_known(key, |known| {
            for seen in shown.seen {
                known.run.add(seen);
            }
        });
        notice.map(|notice| *notice)
    }

    async fn try_tell(&self, key: &EndpointKey, shown: &Shown<'_>, now: UnixMillis) -> Result<Told, Unavailable> {
        let (seen, unused_trial) = (shown.seen, shown.unused_trial);
        let mut run = self.with_known(key, |known| known.run);
        for seen in seen {
            run.add(seen);
        }
        let failed = seen.iter().any(Observation::is_failure);
        if failed && !run.is_suspicious(now) && !unused_trial {
            return Ok(Told::Stored(None));
        }
        let stored = self.recent(key, now).await?;
        let before = &stored.endpoint;
        let after = before.after_all(seen).or_else(|| before.without_trial(now).filter(|_| unused_trial));
        let Some(after) = after else { return Ok(Told::Stored(None)) };
        let transition = after.transition_from(before);
        let notice = match (transition, &shown.ticket) {
            (Some(_), Some(ticket)) => {
                let notice = notice(key, shown.is_held, before, &after);
                notice.map(|notice| Delivery::of_notice(key.provider.clone(), notice, now, ticket.clone()))
            }
            _ => None,
        };
        match self.replace(key, &stored, &after, notice.as_ref()).await? {
            Replaced::Changed => Ok(Told::Changed),
            Replaced::Done => {
                if let Some(transition) = transition {
                    log(key, transition, &after);
                }
                Ok(Told::Stored(notice.map(Box::new)))
            }
        }
    }

    /// Stores an endpoint in place of the one that was read, and remembers it. Forgets it if another worker was faster.
    async fn replace(
        &self,
        key: &EndpointKey,
        read: &StoredEndpoint,
        next: &Endpoint,
        notice: Option<&Delivery>,
    ) -> Result<Replaced, Unavailable> {
        let replaced = self.endpoints.replace(key, next, notice).await;
        self.with_known(key, |known| match replaced {
            Ok(Replaced::Done) => known.stored = StoredEndpoint { endpoint: next.clone(), ..read.clone() },
            Ok(Replaced::Changed) | Err(_) => known.read_at = None,
        });
        replaced
    }

    /// Returns the endpoint as it was at most [`FRESH`] ago.
    async fn recent(&self, key: &EndpointKey, now: UnixMillis) -> Result<StoredEndpoint, Unavailable> {
        let known = self.with_known(key, |known| known.clone());
        if known.read_at.is_some_and(|at| at <= now && now < at.plus(FRESH)) {
            return Ok(known.stored);
        }
        let stored = self.endpoints.find(key).await?;
        self.with_known(key, |known| {
            known.stored = stored.clone();
            known.read_at = Some(now);
        });
        Ok(stored)
    }

    fn with_known<T>(&self, key: &EndpointKey, work: impl FnOnce(&mut Known) -> T) -> T {
        work(self.lock().get_or_insert_mut(key.clone(), Known::default))
    }

    /// Locks, even after a panic, because every critical section leaves the memory consistent.
    fn lock(&self) -> MutexGuard<'_, LruCache<EndpointKey, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns what the partner is told if the endpoint changes in this way.
fn notice(key: &EndpointKey, held: bool, before: &Endpoint, after: &Endpoint) -> Option<Notice> {
    let (host, version) = (key.host.clone(), after.version());
    match (before.down_since(), after.health()) {
        (None, Health::Down { since, fault, .. }) => {
            Some(Notice::EndpointDown { host, since: *since, fault: fault.clone(), held, version })
        }
        (Some(down_since), Health::Up) => {
            let since = after.recovered_at()?;
            Some(Notice::EndpointUp { host, since, down_since, held, version })
        }
        _ => None,
    }
}

/// Writes one line for a transition, which is counted by partner.
fn log(key: &EndpointKey, transition: Transition, endpoint: &Endpoint) {
    let EndpointKey { provider, host } = key;
    let outcome = transition.as_str();
    let (since, fault) = match endpoint.health() {
        Health::Down { since, fault, .. } => (Some(since), Some(fault.as_str())),
        Health::Up | Health::Suspected { .. } => (None, None),
    };
    let since = since.map(tracing::field::display);
    warn!(%provider, host, outcome, since, fault, endpoint_changes = 1, "the health of an endpoint has changed");
}

#[cfg(test)]
mod tests;
