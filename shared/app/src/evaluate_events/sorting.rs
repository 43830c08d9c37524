//! Separates the messages of a batch that need work from the messages that need none.

use std::collections::BTreeMap;

use domain::{
    outbound::{
        catalogue::Admitted,
        event::{Event, EventFault, Parsed},
    },
    values::ids::UserId,
};

use super::{EvaluateEvents, EventFailure, EventOutcome, ReceivedEvent};
use crate::{
    current_catalogue::HeldCatalogue,
    ports::{Clock, Ports, Unavailable},
};

/// A sorted batch: outcomes of finished messages, messages to set aside, and events by user.
#[derive(Default)]
pub(super) struct Sorted {
    pub(super) outcomes: BTreeMap<usize, EventOutcome>,
    pub(super) refused: Vec<(usize, String)>,
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
                Ok(Parsed::UnknownType(name)) => {
                    sorted.outcomes.insert(at, EventOutcome::UnknownType(name));
                }
                Err(faults) => sorted.refused.push((at, words(&faults))),
            }
        }
        if events.is_empty() {
            return sorted;
        }
        let doubtful = self.ask(&self.catalogue.recent(&self.clock).await, events, &mut sorted);
        if !doubtful.is_empty() {
            // A partner may have been published meanwhile, so an event is refused only by a catalogue that was loaded
            // after the batch began.
            let loaded = self.catalogue.loaded_since(began, &self.clock).await;
            let doubtful = doubtful.into_iter().map(|(at, event, _)| (at, event)).collect();
            let faulty = self.ask(&loaded, doubtful, &mut sorted);
            sorted.refused.extend(faulty.into_iter().map(|(at, _, faults)| (at, words(&faults))));
        }
        sorted
    }

    /// Puts each event where this catalogue says: among the users' events or among the outcomes of `sorted`. Returns the
    /// events that the catalogue does not admit, with their faults.
    fn ask(
        &self,
        held: &Result<HeldCatalogue, Unavailable>,
        events: Vec<(usize, Event)>,
        sorted: &mut Sorted,
    ) -> Vec<(usize, Event, Vec<EventFault>)> {
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
        let mut refused = Vec::new();
        for (at, event) in events {
            match fresh.admit(event.clone()) {
                Ok(admitted) if fresh.could_need(&admitted) => {
                    sorted.users.entry(event.user_id).or_default().push((at, admitted));
                }
                Ok(_) => {
                    sorted.outcomes.insert(at, EventOutcome::NotNeeded);
                }
                Err(faults) => refused.push((at, event, faults)),
            }
        }
        refused
    }
}

fn words(faults: &[EventFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
