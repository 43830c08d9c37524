//! Turns GG3's events about users into the webhooks that are owed for these users.
//!
//! All users of a batch take the same steps together: one consistent read of all users; each user's events applied at
//! once; a put for each delivery owed; all messages sent in as few requests as possible; and last, one write for each
//! user. If a step fails for a user, only that user drops out. Events that change nothing cause no write.
//!
//! **A crash anywhere is harmless**, because a message is acknowledged only after all steps of its user. Until then the
//! message comes back, and applying an event is idempotent and independent of order. A worker may be killed
//!
//! - before the write: the participant is as it was, and the same events make the same deliveries owed again. Each
//!   delivery has the same id as before, so the put finds it. Its message is sent again unless its first attempt has
//!   begun, which proves that a message arrived. A delivery is therefore not lost if the worker was killed before it
//!   sent the message or before it wrote the participant. A second message finds the attempt claimed.
//! - after the write: everything owed is put and sent, and the event that comes back changes nothing.
//!
//! Therefore a goal is marked as reached only after its delivery is put and sent. An evaluator that loses a write to
//! another evaluator starts over from the participant that the other one wrote. An event is dropped only against a
//! catalogue that is still fresh after the participants were read, so an old snapshot never loses an event that a new
//! campaign needs.

mod sorting;
mod steps;

use domain::{
    outbound::{
        event::{SpoiledTracking, UnknownType},
        timing::Timing,
    },
    values::time::UnixMillis,
};
use futures_util::{StreamExt, future::join, stream};
use thiserror::Error;

use crate::{
    current_catalogue::CurrentCatalogue,
    ports::{DeadLetters, Ports, Unavailable},
};
use steps::User;

/// Limits how many users or dead letters are handled at the same time. A batch of ten is handled at once.
const AT_ONCE: usize = 10;
/// Limits how often a user is tried in a batch when rivals write the same participant. Rivals
/// cannot block each other for ever, since each write means that one of them got further.
const TRIES: usize = 8;

/// A message of `gg3-events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedEvent {
    /// The queue's id of the message.
    pub id: String,
    /// The whole body.
    pub body: String,
    /// The instant at which the queue received it.
    pub received_at: UnixMillis,
}

/// The result of handling an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventOutcome {
    /// The event was applied to its user.
    Applied {
        /// The number of deliveries that became owed by all events of this user in the batch.
        owed: usize,
    },
    /// The event says nothing new about its user.
    Unchanged,
    /// No campaign could need the event.
    NotNeeded,
    /// The event has this unknown type. It was kept, so that it can come again once the type is known.
    UnknownType(UnknownType),
    /// The event's tracking attributes its user to nobody. The event was kept with the reasons.
    SpoiledTracking(SpoiledTracking),
    /// The event is malformed and was set aside for this reason.
    SetAside(String),
    /// The event could not be handled. The queue must deliver it again.
    Failed(EventFailure),
}

/// The reason why an event must be redelivered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EventFailure {
    /// A service failed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The catalogue in memory is too old to discard events against, and a newer one cannot be read.
    #[error("the catalogue of campaigns is too old")]
    StaleCatalogue,
    /// Others wrote the same participant at each try.
    #[error("the participant was written by others {TRIES} times in a row")]
    Contended,
}

/// Evaluates events.
pub struct EvaluateEvents<P: Ports> {
    /// Reads the campaigns.
    pub catalogue: CurrentCatalogue<P::Catalogues>,
    /// Stores participants.
    pub participants: P::Participants,
    /// Stores new deliveries.
    pub deliveries: P::NewDeliveries,
    /// Sends first attempts.
    pub queue: P::Webhooks,
    /// Sets malformed events aside.
    pub dead_letters: P::DeadLetters,
    /// Tells the time.
    pub clock: P::Clock,
    /// Draws random values.
    pub randomness: P::Randomness,
    /// Keeps events whose tracking is spoiled.
    pub broken_links: P::DeadLetters,
    /// Keeps events of unknown types.
    pub unknown_types: P::DeadLetters,
    /// Limits the age of the catalogue and how far ahead events may be dated.
    pub timing: Timing,
}

impl<P: Ports> EvaluateEvents<P> {
    /// Handles a batch. Returns one outcome for each message, in order. No user's failure harms another user.
    pub async fn handle(&self, batch: &[ReceivedEvent]) -> Vec<EventOutcome> {
        let mut sorted = self.sort(batch).await;
        let users = sorted.users.into_iter().map(|(user_id, events)| User::new(user_id, events));
        let evaluated = async {
            let evaluated = self.evaluate(users.collect()).await;
            stream::iter(evaluated).map(|(user, result)| self.conclude(batch, user, result))
        };
        let aside =
            sorted.aside.into_iter().map(|(at, aside)| async move { (at, self.set_aside(batch, at, aside).await) });
        let aside = stream::iter(aside).buffer_unordered(AT_ONCE).collect::<Vec<_>>();
        let (aside, evaluated) = join(aside, evaluated).await;
        let evaluated: Vec<Vec<(usize, EventOutcome)>> = evaluated.buffer_unordered(AT_ONCE).collect().await;
        sorted.outcomes.extend(aside.into_iter().chain(evaluated.into_iter().flatten()));
        // Every message has an outcome. If one were missing, the message would safely be redelivered.
        let forgotten = || EventOutcome::Failed(EventFailure::StaleCatalogue);
        (0..batch.len()).map(|at| sorted.outcomes.remove(&at).unwrap_or_else(forgotten)).collect()
    }

    /// Returns the outcome of each event of a user.
    async fn conclude(
        &self,
        batch: &[ReceivedEvent],
        user: User,
        result: Result<(), EventFailure>,
    ) -> Vec<(usize, EventOutcome)> {
        let mut outcomes = Vec::with_capacity(user.events.len());
        for (at, event) in user.places.into_iter().zip(&user.events) {
            let outcome = match &result {
                Err(failure) => EventOutcome::Failed(failure.clone()),
                Ok(()) if user.refused.contains(event.event().id.as_str()) => {
                    self.set_aside(batch, at, Aside::Malformed(FULL.to_owned())).await
                }
                Ok(()) if user.changed => EventOutcome::Applied { owed: user.owed },
                Ok(()) => EventOutcome::Unchanged,
            };
            outcomes.push((at, outcome));
        }
        outcomes
    }

    /// Keeps the whole message in the queue for its reason.
    async fn set_aside(&self, batch: &[ReceivedEvent], at: usize, aside: Aside) -> EventOutcome {
        let whole = batch.get(at).map_or("", |message| message.body.as_str());
        let (queue, reason) = match &aside {
            Aside::Malformed(reason) => (&self.dead_letters, reason.clone()),
            Aside::SpoiledTracking(spoiled) => (&self.broken_links, sorting::words(&spoiled.faults)),
            Aside::UnknownType(UnknownType { name, meant: None }) => {
                (&self.unknown_types, format!("unknown type {name}"))
            }
            Aside::UnknownType(UnknownType { name, meant: Some(meant) }) => {
                (&self.unknown_types, format!("unknown type {name}, nearly {meant}"))
            }
        };
        if let Err(unavailable) = queue.set_aside(whole, &reason).await {
            return EventOutcome::Failed(unavailable.into());
        }
        match aside {
            Aside::Malformed(reason) => EventOutcome::SetAside(reason),
            Aside::SpoiledTracking(spoiled) => EventOutcome::SpoiledTracking(spoiled),
            Aside::UnknownType(unknown) => EventOutcome::UnknownType(unknown),
        }
    }
}

/// The reason why an event is kept in a queue instead of being evaluated.
enum Aside {
    /// The platform made a mistake.
    Malformed(String),
    /// The link that brought the user was broken or changed.
    SpoiledTracking(SpoiledTracking),
    /// The type is unknown.
    UnknownType(UnknownType),
}

/// The reason why a well-formed event is set aside if its participant is full.
const FULL: &str = "the user's participant is full: it holds more than any honest user could do";

#[cfg(test)]
mod tests;
