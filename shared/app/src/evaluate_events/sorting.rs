//! Separates the messages of a batch that need work from the messages that need none.

use std::collections::BTreeMap;

use domain::{
    outbound::{
        catalogue::Admitted,
        event::{Event, EventFault, Parsed, SpoiledTracking},
    },
    values::ids::UserId,
};

use super::{Aside, EvaluateEvents, EventFailure, EventOutcome, ReceivedEvent};
use crate::{
    current_catalogue::HeldCatalogue,
    ports::{Clock, Ports, Unavailable},
};

/// A sorted batch: outcomes of finished messages, messages to set aside, and events by user.
#[derive(Default)]
pub(super) struct Sorted {
    pub(super) outcomes: BTreeMap<usize, EventOutcome>,
    pub(super) aside: Vec<(usize, Aside)>,
    pub(super) users: BTreeMap<UserId, Vec<(usize, Admitted)>>,
}

impl<P: Ports> EvaluateEvents<P> {
    /// Reads each message by itself and compares its event with the catalogue.
    pub(super) async fn sort(&self, batch: &[ReceivedEvent]) -> Sorted {
        let began = self.clock.now();
        let mut sorted = Sorted::default();
        let mut events = Vec::new();
        for (at, message) in batch.iter().enumerate() {
            match Event::parse(message.body.as_bytes(), message.received_at, &self.timing) {
                Ok(Parsed::Event(event)) => events.push((at, event)),
                Ok(Parsed::UnknownType(unknown)) => sorted.aside.push((at, Aside::UnknownType(unknown))),
                Ok(Parsed::Spoiled(spoiled)) => sorted.aside.push((at, Aside::SpoiledTracking(spoiled))),
                Err(faults) => sorted.aside.push((at, Aside::Malformed(words(&faults)))),
            }
        }
        if events.is_empty() {
            return sorted;
        }
        let doubtful = self.ask(&self.catalogue.recent(&self.clock).await, events, &mut sorted);
        if !doubtful.is_empty() {
            // A partner may have been published meanwhile, so a tracking is spoiled only by a catalogue that was loaded
            // after the batch began.
            let loaded = self.catalogue.loaded_since(began, &self.clock).await;
            let doubtful = doubtful.into_iter().map(|(at, event, _)| (at, event)).collect();
            let spoiled = self.ask(&loaded, doubtful, &mut sorted);
            sorted.aside.extend(spoiled.into_iter().map(|(at, _, spoiled)| (at, Aside::SpoiledTracking(spoiled))));
        }
        sorted
    }

    /// Sorts each event by this catalogue: into the users' events, or into the outcomes of `sorted`. Returns the events
    /// that the catalogue does not admit, with the reasons.
    fn ask(
        &self,
        held: &Result<HeldCatalogue, Unavailable>,
        events: Vec<(usize, Event)>,
        sorted: &mut Sorted,
    ) -> Vec<(usize, Event, SpoiledTracking)> {
        let fresh = match held {
            Ok(held) => held.fresh(self.clock.now(), &self.timing).ok_or(EventFailure::StaleCatalogue),
            Err(unavailable) => Err(unavailable.clone().into()),
        };
        let fresh = match fresh {
            Ok(fresh) => fresh,
            Err(failure) => {
                sorted.outcomes.extend(events.into_iter().map(|(at, _)| (at, EventOutcome::Failed(failure.clone()))));
                return Vec::new();
            }
        };
        let mut spoiled = Vec::new();
        for (at, event) in events {
            match fresh.admit(event.clone()) {
                Ok(admitted) if fresh.could_need(&admitted) => {
                    sorted.users.entry(event.user_id).or_default().push((at, admitted));
                }
                Ok(_) => {
                    sorted.outcomes.insert(at, EventOutcome::NotNeeded);
                }
                Err(reasons) => spoiled.push((at, event, reasons)),
            }
        }
        spoiled
    }
}

/// Returns all faults in one line.
pub(super) fn words(faults: &[EventFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
