//! The steps that all users of a batch take together.

use std::collections::BTreeSet;

use domain::{
    outbound::{
        catalogue::Admitted,
        delivery::{Delivery, Message},
        participant::{Applied, Owed, Participant},
    },
    values::{
        ids::{DeliveryId, UserId},
        time::UnixMillis,
    },
};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{AT_ONCE, EvaluateEvents, EventFailure, TRIES};
use crate::ports::{
    Clock, NewDeliveries, Participants, Ports, Put, Randomness, Replaced, StoredParticipant, Unavailable, WebhookQueue,
};

/// Limits how many deliveries of one user are put at the same time.
const PUTS_AT_ONCE: usize = 8;

/// A user, with the user's events of the batch and the results so far.
pub(super) struct User {
    id: UserId,
    /// The place of each event in the batch.
    pub(super) places: Vec<usize>,
    pub(super) events: Vec<Admitted>,
    /// Is true if the events change the participant.
    pub(super) changed: bool,
    /// The number of deliveries that became owed by the events.
    pub(super) owed: usize,
    /// The ids of events for which the participant has no room.
    pub(super) refused: BTreeSet<String>,
    /// The deliveries that an earlier try put and sent.
    sent: BTreeSet<DeliveryId>,
}

impl User {
    pub(super) fn new(id: UserId, events: Vec<(usize, Admitted)>) -> Self {
        let (places, events) = events.into_iter().unzip();
        let (refused, sent) = (BTreeSet::new(), BTreeSet::new());
        Self { id, places, events, changed: false, owed: 0, refused, sent }
    }
}

/// A user whose participant is to be written.
struct Step {
    user: User,
    participant: Participant,
    /// The version that was read.
    read: Option<u64>,
    now: UnixMillis,
    /// The owed deliveries that are still to be stored and sent.
    new: Vec<Delivery>,
}

/// The finished users, each with the result.
type Done = Vec<(User, Result<(), EventFailure>)>;

impl<P: Ports> EvaluateEvents<P> {
    /// Takes all steps for these users.
    pub(super) async fn evaluate(&self, mut users: Vec<User>) -> Done {
        let mut done = Vec::with_capacity(users.len());
        for _ in 0..TRIES {
            if users.is_empty() {
                return done;
            }
            let changed = self.apply(users, &mut done).await;
            let put = self.put(changed, &mut done).await;
            let sent = self.send(put, &mut done).await;
            users = self.write(sent, &mut done).await;
        }
        done.extend(users.into_iter().map(|user| (user, Err(EventFailure::Contended))));
        done
    }

    /// Reads the participants and applies the events. Users whom the events do not change are finished.
    async fn apply(&self, users: Vec<User>, done: &mut Done) -> Vec<Step> {
        let ids: Vec<&UserId> = users.iter().map(|user| &user.id).collect();
        let stored = self.participants.read(&ids).await;
        let held = self.catalogue.recent(&self.clock).await;
        // The clock is read after the participants, so a catalogue that is fresh now was also fresh when they were
        // read.
        let now = self.clock.now();
        let fresh = match &held {
            Ok(held) => held.fresh(now, &self.timing).ok_or(EventFailure::StaleCatalogue),
            Err(unavailable) => Err(unavailable.clone().into()),
        };
        let mut steps = Vec::with_capacity(users.len());
        for (mut user, stored) in users.into_iter().zip(stored) {
            let stored = match (stored, &fresh) {
                (Ok(stored), Ok(fresh)) => (stored, fresh),
                (Err(unavailable), _) => {
                    done.push((user, Err(unavailable.into())));
                    continue;
                }
                (_, Err(failure)) => {
                    done.push((user, Err(failure.clone())));
                    continue;
                }
            };
            let (StoredParticipant { participant, version: read }, fresh) = stored;
            // Applying events drops the expired parts of a participant, even if the store has not deleted them yet.
            let Applied { participant, changed, owed, refused } = participant.apply(&user.events, fresh);
            user.refused = refused.iter().map(|id| id.as_str().to_owned()).collect();
            if !changed {
                done.push((user, Ok(())));
                continue;
            }
            user.changed = true;
            user.owed = owed.len();
            match self.new_deliveries(&user, owed, now) {
                Ok(new) => steps.push(Step { user, participant, read, now, new }),
                Err(unavailable) => done.push((user, Err(unavailable.into()))),
            }
        }
        steps
    }

    fn new_deliveries(&self, user: &User, owed: Vec<Owed>, now: UnixMillis) -> Result<Vec<Delivery>, Unavailable> {
        let mut new = Vec::with_capacity(owed.len());
        for owed in owed {
            let delivery = Delivery::new(user.id.clone(), owed, now, self.randomness.ticket()?);
            if !user.sent.contains(delivery.id()) {
                new.push(delivery);
            }
        }
        Ok(new)
    }

    /// Puts the deliveries owed. Returns each user's step with the messages of the first attempts.
    async fn put(&self, steps: Vec<Step>, done: &mut Done) -> Vec<(Step, Vec<Message>)> {
        let puts = stream::iter(steps).map(async |step| {
            let puts = stream::iter(&step.new).map(|delivery| self.put_one(delivery)).buffered(PUTS_AT_ONCE);
            let messages: Result<Vec<Option<Message>>, Unavailable> = puts.try_collect().await;
            (step, messages)
        });
        let mut put = Vec::new();
        for (step, messages) in puts.buffered(AT_ONCE).collect::<Vec<_>>().await {
            match messages {
                Ok(messages) => put.push((step, messages.into_iter().flatten().collect())),
                Err(unavailable) => done.push((step.user, Err(unavailable.into()))),
            }
        }
        put
    }

    /// Puts a delivery. Returns the message of the first attempt unless that attempt has begun. The message of an
    /// existing delivery is returned too, because the worker that put the delivery may have died before it sent the
    /// message.
    async fn put_one(&self, delivery: &Delivery) -> Result<Option<Message>, Unavailable> {
        let ticket = self.randomness.ticket()?;
        match self.deliveries.put_if_absent(delivery).await? {
            Put::Fresh => Ok(delivery.first_message(ticket)),
            Put::Existing(existing) => Ok(existing.first_message(ticket)),
        }
    }

    /// Sends the messages of all users together.
    async fn send(&self, put: Vec<(Step, Vec<Message>)>, done: &mut Done) -> Vec<Step> {
        let messages: Vec<Message> = put.iter().flat_map(|(_, messages)| messages).cloned().collect();
        let results = if messages.is_empty() { Vec::new() } else { self.queue.send(&messages).await };
        let mut results = results.into_iter();
        let mut sent = Vec::with_capacity(put.len());
        for (mut step, messages) in put {
            // Takes as many results as the user has messages, even after a failure, so that the next user gets the
            // right ones. A missing result means that the queue did not take the message.
            let theirs: Vec<_> = results.by_ref().take(messages.len()).collect();
            let unanswered = theirs.len() < messages.len();
            match theirs.into_iter().collect::<Result<Vec<()>, Unavailable>>() {
                Ok(_) if unanswered => {
                    let reason = "not every message was answered".into();
                    done.push((step.user, Err(Unavailable { service: "webhooks", reason }.into())));
                }
                Ok(_) => {
                    step.user.sent.extend(step.new.iter().map(|delivery| delivery.id().clone()));
                    sent.push(step);
                }
                Err(unavailable) => done.push((step.user, Err(unavailable.into()))),
            }
        }
        sent
    }

    /// Writes the participants. Returns the users that must start over, because a rival has written their participant
    /// meanwhile.
    async fn write(&self, steps: Vec<Step>, done: &mut Done) -> Vec<User> {
        let writes = stream::iter(steps).map(async |step| {
            let Step { user, participant, read, now, .. } = step;
            let written = self.participants.write(&user.id, &participant, read, next(read, now)).await;
            (user, written)
        });
        let mut again = Vec::new();
        for (user, written) in writes.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await {
            match written {
                Ok(Replaced::Done) => done.push((user, Ok(()))),
                Ok(Replaced::Changed) => again.push(user),
                Err(unavailable) => done.push((user, Err(unavailable.into()))),
            }
        }
        again
    }
}

/// Returns the next version. It is at least the present Unix millisecond, so that it differs from every version of an
/// item that was deleted before.
fn next(version: Option<u64>, now: UnixMillis) -> u64 {
    let clock = u64::try_from(now.as_millisecond()).unwrap_or_default();
    version.unwrap_or_default().saturating_add(1).max(clock)
}
