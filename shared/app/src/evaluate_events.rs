//! From what GG3 reports about its users to the webhooks that are owed for it.
//!
//! For each user of a batch: one consistent read, everything the batch says about that user applied at once, each
//! delivery owed put and sent, and one write, last. What changes nothing writes nothing.
//!
//! **Why a crash anywhere is harmless.** A message is acknowledged only after all of its user's steps are done; until
//! then it comes back, and applying an event is idempotent and independent of order. Killed
//!
//! - before the write, the participant is as it was: the same events make the same deliveries owed again. Each has the
//!   same id, so the put finds the one that is there, and it is sent again unless its first attempt has begun, which is
//!   when a message has certainly arrived. Put and not sent, sent and not written: neither is lost, and a second message
//!   finds the attempt claimed;
//! - after the write, everything owed is put and sent already, and the event that comes back changes nothing.
//!
//! That is why the mark "reached" is written after what it stands for, never before. A write that lost against another
//! evaluator starts over from what that one wrote. And since nothing is dropped but for a fresh catalogue, asked after the
//! participant was read, an event that a new campaign needs is never lost to an old snapshot.

mod sorting;

use std::collections::BTreeSet;

use domain::{
    catalogue::{Admitted, Timing},
    delivery::{Delivery, Message},
    ids::{DeliveryId, UserId},
    moment::Moment,
    participant::Owed,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use thiserror::Error;

use crate::{
    current_catalogue::CurrentCatalogue,
    ports::{
        Catalogues, DeadLetters, NewDeliveries, Participants, Put, Replaced, Surroundings, Unavailable, WebhookQueue,
    },
};

/// How many users, and dead letters, of a batch are handled at the same time: all of a batch of ten, so that none waits for
/// another's slow service.
const USERS_AT_ONCE: usize = 10;
/// How many deliveries of one user are put at the same time.
const PUTS_AT_ONCE: usize = 8;
/// How often a user is read again in a batch because somebody else has written. Each time somebody has got on.
const TRIES: usize = 8;

/// A message of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// What it is called when it must come again.
    pub id: String,
    /// What it says, whole.
    pub body: String,
    /// When the queue received it.
    pub received_at: Moment,
}

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is applied; with the other events of its user it made so many deliveries owed.
    Applied {
        /// How many.
        owed: usize,
    },
    /// It says nothing new of its user.
    Unchanged,
    /// No campaign could need it.
    NotNeeded,
    /// It is of a type, named here, that means nothing.
    UnknownType(String),
    /// It is malformed, and has been set aside for this reason.
    SetAside(String),
    /// It must come again.
    Failed(Failure),
}

/// Why a message must come again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// A service failed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The catalogue in memory is too old to drop anything for, and its source is down.
    #[error("the catalogue of campaigns is too old")]
    StaleCatalogue,
    /// Others wrote the same participant all the time.
    #[error("the participant was written by others {TRIES} times in a row")]
    Contended,
}

/// The use case, over its ports.
#[derive(Debug)]
pub struct EvaluateEvents<C, P, D, Q, L, S> {
    /// The campaigns.
    pub catalogue: CurrentCatalogue<C>,
    /// The participants.
    pub participants: P,
    /// The deliveries.
    pub deliveries: D,
    /// The queue of first attempts.
    pub queue: Q,
    /// Where malformed events go.
    pub dead_letters: L,
    /// The clock and the dice.
    pub surroundings: S,
    /// How old the catalogue may be, and how far ahead an event.
    pub timing: Timing,
}

/// Something to do that no other part of the batch waits for.
enum Work {
    SetAside { at: usize, reason: String },
    User { user_id: UserId, events: Vec<(usize, Admitted)> },
}

impl<C, P, D, Q, L, S> EvaluateEvents<C, P, D, Q, L, S>
where
    C: Catalogues,
    P: Participants,
    D: NewDeliveries,
    Q: WebhookQueue,
    L: DeadLetters,
    S: Surroundings,
{
    /// Handles a batch: one outcome for each message, in order. None waits for, or fails with, another user's.
    pub async fn handle(&self, batch: &[Received]) -> Vec<Outcome> {
        let mut sorted = self.sort(batch).await;
        let refused = sorted.refused.into_iter().map(|(at, reason)| Work::SetAside { at, reason });
        let users = sorted.users.into_iter().map(|(user_id, events)| Work::User { user_id, events });
        let done =
            stream::iter(refused.chain(users)).map(|work| self.work(batch, work)).buffer_unordered(USERS_AT_ONCE);
        let done: Vec<Vec<(usize, Outcome)>> = done.collect().await;
        sorted.outcomes.extend(done.into_iter().flatten());
        // Every message has an outcome. If one had none, coming again would be the safe thing.
        let forgotten = || Outcome::Failed(Failure::StaleCatalogue);
        (0..batch.len()).map(|at| sorted.outcomes.remove(&at).unwrap_or_else(forgotten)).collect()
    }

    async fn work(&self, batch: &[Received], work: Work) -> Vec<(usize, Outcome)> {
        match work {
            Work::SetAside { at, reason } => vec![(at, self.set_aside(batch, at, reason).await)],
            Work::User { user_id, events } => {
                let (places, events): (Vec<usize>, Vec<Admitted>) = events.into_iter().unzip();
                match self.evaluate(&user_id, &events).await {
                    Err(failure) => places.into_iter().map(|at| (at, Outcome::Failed(failure.clone()))).collect(),
                    Ok(evaluated) => {
                        let mut outcomes = Vec::with_capacity(places.len());
                        for (at, event) in places.into_iter().zip(&events) {
                            let full = evaluated.refused.contains(event.event().id.as_str());
                            let outcome = if full {
                                self.set_aside(batch, at, FULL.to_owned()).await
                            } else if evaluated.changed {
                                Outcome::Applied { owed: evaluated.owed }
                            } else {
                                Outcome::Unchanged
                            };
                            outcomes.push((at, outcome));
                        }
                        outcomes
                    }
                }
            }
        }
    }

    async fn set_aside(&self, batch: &[Received], at: usize, reason: String) -> Outcome {
        let whole = batch.get(at).map_or("", |message| message.body.as_str());
        match self.dead_letters.set_aside(whole, &reason).await {
            Ok(()) => Outcome::SetAside(reason),
            Err(unavailable) => Outcome::Failed(unavailable.into()),
        }
    }

    /// Everything that a batch says about one user.
    async fn evaluate(&self, user_id: &UserId, events: &[Admitted]) -> Result<Evaluated, Failure> {
        let mut evaluated = Evaluated::default();
        let mut sent = BTreeSet::new();
        for _ in 0..TRIES {
            let stored = self.participants.read(user_id).await?;
            let held = self.catalogue.recent(&self.surroundings).await?;
            // After the participant was read: what was dropped for its sake then had a fresh catalogue too.
            let now = self.surroundings.now();
            let fresh = held.fresh(now, &self.timing).ok_or(Failure::StaleCatalogue)?;
            let version = stored.version;
            // What has expired of it, deleted or not, counts for nothing any more: applying drops it.
            let applied = stored.participant.apply(events, &fresh);
            evaluated.refused = applied.refused.iter().map(|id| id.as_str().to_owned()).collect();
            if !applied.changed {
                return Ok(evaluated);
            }
            evaluated.changed = true;
            evaluated.owed = applied.owed.len();
            self.deliver(user_id, applied.owed, now, &mut sent).await?;
            match self.participants.write(user_id, &applied.participant, version, next(version, now)).await? {
                Replaced::Done => return Ok(evaluated),
                Replaced::Changed => {}
            }
        }
        Err(Failure::Contended)
    }

    /// Puts what is owed and sends it. Over the tries of one batch, nothing is put or sent a second time.
    async fn deliver(
        &self,
        user_id: &UserId,
        owed: Vec<Owed>,
        now: Moment,
        sent: &mut BTreeSet<DeliveryId>,
    ) -> Result<(), Failure> {
        let mut new = Vec::with_capacity(owed.len());
        for owed in owed {
            let delivery = Delivery::new(user_id.clone(), owed, now, self.surroundings.ticket()?);
            if !sent.contains(delivery.id()) {
                new.push(delivery);
            }
        }
        let puts = stream::iter(&new).map(|delivery| self.put(delivery)).buffered(PUTS_AT_ONCE);
        let messages: Vec<Option<Message>> = puts.try_collect().await?;
        let messages: Vec<Message> = messages.into_iter().flatten().collect();
        if !messages.is_empty() {
            self.queue.send(&messages).await.into_iter().collect::<Result<Vec<()>, Unavailable>>()?;
        }
        sent.extend(new.iter().map(|delivery| delivery.id().clone()));
        Ok(())
    }

    /// Puts a delivery; answers the message of its first attempt. Also where the put was not fresh, since whoever put it
    /// may have died before sending it; but not once it has begun.
    async fn put(&self, delivery: &Delivery) -> Result<Option<Message>, Unavailable> {
        let ticket = self.surroundings.ticket()?;
        match self.deliveries.put_if_absent(delivery).await? {
            Put::Fresh => Ok(delivery.first_message(ticket)),
            Put::Existing(standing) => Ok(standing.first_message(ticket)),
        }
    }
}

/// Why an event that says nothing wrong is set aside all the same.
const FULL: &str = "its user's participant is full: it holds more than any honest user could do";

/// What came of one user's events.
#[derive(Default)]
struct Evaluated {
    changed: bool,
    owed: usize,
    refused: BTreeSet<String>,
}

/// The version after this one. Never one that an item deleted meanwhile has had: it is not behind the clock.
fn next(version: Option<u64>, now: Moment) -> u64 {
    let clock = u64::try_from(now.as_millisecond()).unwrap_or_default();
    version.unwrap_or_default().saturating_add(1).max(clock)
}

#[cfg(test)]
mod tests;
