//! From what GG3 reports about its users to the webhooks that are owed for it.
//!
//! The users of a batch take the same steps side by side: one consistent read of all, everything that the batch says about
//! each applied at once, each delivery owed put, all of them sent in as few requests as there can be, and for each user one
//! write, last. Who fails at a step drops out alone. What changes nothing writes nothing.
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
//! participants were read, an event that a new campaign needs is never lost to an old snapshot.

mod sorting;
mod steps;

use domain::{outbound::timing::Timing, values::time::UnixMillis};
use futures_util::{StreamExt, future::join, stream};
use thiserror::Error;

use crate::{
    current_catalogue::CurrentCatalogue,
    ports::{DeadLetters, Ports, Unavailable},
};
use steps::User;

/// How many users, or dead letters, of a batch are handled at the same time: all of a batch of ten.
const AT_ONCE: usize = 10;
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
    pub received_at: UnixMillis,
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
pub struct EvaluateEvents<P: Ports> {
    /// The campaigns.
    pub catalogue: CurrentCatalogue<P::Catalogues>,
    /// The participants.
    pub participants: P::Participants,
    /// The deliveries.
    pub deliveries: P::NewDeliveries,
    /// The queue of first attempts.
    pub queue: P::Webhooks,
    /// Where malformed events go.
    pub dead_letters: P::DeadLetters,
    /// The clock and the dice.
    pub surroundings: P::Surroundings,
    /// How old the catalogue may be, and how far ahead an event.
    pub timing: Timing,
}

impl<P: Ports> EvaluateEvents<P> {
    /// Handles a batch: one outcome for each message, in order. None fails with another user's.
    pub async fn handle(&self, batch: &[Received]) -> Vec<Outcome> {
        let mut sorted = self.sort(batch).await;
        let users = sorted.users.into_iter().map(|(user_id, events)| User::new(user_id, events));
        let evaluated = async {
            let evaluated = self.evaluate(users.collect()).await;
            stream::iter(evaluated).map(|(user, result)| self.conclude(batch, user, result))
        };
        let refused =
            sorted.refused.into_iter().map(|(at, reason)| async move { (at, self.set_aside(batch, at, reason).await) });
        let refused = stream::iter(refused).buffer_unordered(AT_ONCE).collect::<Vec<_>>();
        let (refused, evaluated) = join(refused, evaluated).await;
        let evaluated: Vec<Vec<(usize, Outcome)>> = evaluated.buffer_unordered(AT_ONCE).collect().await;
        sorted.outcomes.extend(refused.into_iter().chain(evaluated.into_iter().flatten()));
        // Every message has an outcome. If one had none, coming again would be the safe thing.
        let forgotten = || Outcome::Failed(Failure::StaleCatalogue);
        (0..batch.len()).map(|at| sorted.outcomes.remove(&at).unwrap_or_else(forgotten)).collect()
    }

    /// What came of each of a user's events.
    async fn conclude(&self, batch: &[Received], user: User, result: Result<(), Failure>) -> Vec<(usize, Outcome)> {
        let mut outcomes = Vec::with_capacity(user.events.len());
        for (at, event) in user.places.into_iter().zip(&user.events) {
            let outcome = match &result {
                Err(failure) => Outcome::Failed(failure.clone()),
                Ok(()) if user.refused.contains(event.event().id.as_str()) => {
                    self.set_aside(batch, at, FULL.to_owned()).await
                }
                Ok(()) if user.changed => Outcome::Applied { owed: user.owed },
                Ok(()) => Outcome::Unchanged,
            };
            outcomes.push((at, outcome));
        }
        outcomes
    }

    async fn set_aside(&self, batch: &[Received], at: usize, reason: String) -> Outcome {
        let whole = batch.get(at).map_or("", |message| message.body.as_str());
        match self.dead_letters.set_aside(whole, &reason).await {
            Ok(()) => Outcome::SetAside(reason),
            Err(unavailable) => Outcome::Failed(unavailable.into()),
        }
    }
}

/// Why an event that says nothing wrong is set aside all the same.
const FULL: &str = "its user's participant is full: it holds more than any honest user could do";

#[cfg(test)]
mod tests;
