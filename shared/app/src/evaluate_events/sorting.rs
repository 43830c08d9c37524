//! Which messages of a batch need work, and which are done with as they are read.

use std::collections::BTreeMap;

use domain::{
    outbound::{
        catalogue::Admitted,
        event::{Event, EventFault, Parsed},
    },
    values::ids::UserId,
};

use super::{EvaluateEvents, Failure, Outcome, Received};
use crate::{
    current_catalogue::Held,
    ports::{Ports, Surroundings, Unavailable},
};

/// A batch, sorted into what is done already and what there is to do.
#[derive(Default)]
pub(super) struct Sorted {
    pub(super) outcomes: BTreeMap<usize, Outcome>,
    pub(super) refused: Vec<(usize, String)>,
    pub(super) users: BTreeMap<UserId, Vec<(usize, Admitted)>>,
}

impl<P: Ports> EvaluateEvents<P> {
    /// Reads every message by itself and asks the catalogue about it.
    pub(super) async fn sort(&self, batch: &[Received]) -> Sorted {
        let began = self.surroundings.now();
        let mut sorted = Sorted::default();
        let mut events = Vec::new();
        for (at, message) in batch.iter().enumerate() {
            match Event::parse(message.body.as_bytes(), message.received_at, &self.timing) {
                Ok(Parsed::Event(event)) => events.push((at, event)),
                Ok(Parsed::UnknownType(name)) => {
                    sorted.outcomes.insert(at, Outcome::UnknownType(name));
                }
                Err(faults) => sorted.refused.push((at, words(&faults))),
            }
        }
        if events.is_empty() {
            return sorted;
        }
        let doubtful = self.ask(&self.catalogue.recent(&self.surroundings).await, events, &mut sorted);
        if !doubtful.is_empty() {
            // A partner may have been published since: what only the catalogue finds fault with is asked of one that was
            // current when this batch was here already.
            let loaded = self.catalogue.loaded_since(began, &self.surroundings).await;
            let doubtful = doubtful.into_iter().map(|(at, event, _)| (at, event)).collect();
            let faulty = self.ask(&loaded, doubtful, &mut sorted);
            sorted.refused.extend(faulty.into_iter().map(|(at, _, faults)| (at, words(&faults))));
        }
        sorted
    }

    /// Sorts events by what this catalogue says; answers those that it finds fault with.
    fn ask(
        &self,
        held: &Result<Held, Unavailable>,
        events: Vec<(usize, Event)>,
        sorted: &mut Sorted,
    ) -> Vec<(usize, Event, Vec<EventFault>)> {
        let fresh = match held {
            Ok(held) => held.fresh(self.surroundings.now(), &self.timing).ok_or(Failure::StaleCatalogue),
            Err(unavailable) => Err(unavailable.clone().into()),
        };
        let fresh = match fresh {
            Ok(fresh) => fresh,
            Err(failure) => {
                sorted.outcomes.extend(events.into_iter().map(|(at, _)| (at, Outcome::Failed(failure.clone()))));
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
                    sorted.outcomes.insert(at, Outcome::NotNeeded);
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
