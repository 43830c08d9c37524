//! Models an event-evaluator step by step. It may stop between any two steps.

use std::sync::{Arc, OnceLock};

use domain::outbound::{
    catalogue::{Admitted, Catalogue, Fresh},
    delivery::{Delivery, Message},
    event::{Event, Parsed},
    participant::{Owed, Participant},
    timing::Timing,
};
use serde_json::{Value, json};

use super::{
    laws::Law,
    scenario::{Flaw, Scenario},
    world::{World, campaign, instant, provider, user},
};

/// Holds the state of an evaluator between two steps, and the event that it works on. An evaluator that dies loses this
/// state.
#[derive(Debug, Clone)]
pub(super) enum Evaluator {
    Idle,
    /// It is about to read the participant.
    Read(usize),
    /// It has applied the event and is about to put the owed deliveries.
    Put(usize, Arc<Applied>),
    /// It is about to send the first message.
    Send(usize, Arc<Applied>, Arc<Message>),
    /// It is about to write the participant.
    Write(usize, Arc<Applied>),
    /// It is about to acknowledge the event.
    Acknowledge(usize),
}

/// Holds the result of applying an event to this version of the participant.
#[derive(Debug)]
pub(super) struct Applied {
    pub(super) participant: Arc<Participant>,
    pub(super) version: u64,
    pub(super) owed: Option<Owed>,
}

/// Holds the events by which one user reaches one goal.
#[derive(Debug)]
pub(super) struct Story {
    catalogue: Catalogue,
    events: Vec<Admitted>,
}

impl Story {
    /// Returns the story: a link is opened, and the quest that the partner's campaign asks for is completed.
    pub(super) fn of_one_goal() -> &'static Self {
        static STORY: OnceLock<Story> = OnceLock::new();
        STORY.get_or_init(|| {
            let goal = json!({"type": "main_quest", "quest": "q1"});
            let from = instant(-60_000).as_millisecond();
            let campaigns = json!({campaign().as_str(): {"goal": goal, "active_from": from}});
            let partners = json!({provider().as_str(): {"campaigns": campaigns}});
            let snapshot = json!({"version": 1, "published_at": from, "partners": partners});
            let catalogue: Catalogue = serde_json::from_value(snapshot).expect("a catalogue");
            let opened = json!({"id": "evt-1", "type": "tracking_link.opened", "total_clicks": 0,
                "tracking": {"provider": provider().as_str(), "click_id": "c-1"}});
            let completed = json!({"id": "evt-2", "type": "main_quest.completed", "quest_id": "q1"});
            let events = [opened, completed].map(|event| {
                let fresh = fresh(&catalogue);
                fresh.admit(parsed(event)).expect("the catalogue knows its partner")
            });
            Self { events: events.into(), catalogue }
        })
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }
}

fn parsed(mut event: Value) -> Event {
    event["user_id"] = user().as_str().into();
    event["occurred_at"] = instant(-5_000).to_string().into();
    match Event::parse(event.to_string().as_bytes(), instant(0), &Timing::default()) {
        Ok(Parsed::Event(event)) => event,
        other => panic!("an event of the story: {other:?}"),
    }
}

/// Returns the catalogue at its first instant, because its age does not matter here.
fn fresh(catalogue: &Catalogue) -> Fresh<'_> {
    catalogue.fresh(instant(0), instant(0), &Timing::default()).expect("as fresh as can be")
}

impl Evaluator {
    /// Returns true if the next step is a write. The answer to a write can be lost.
    pub(super) fn writes(&self) -> bool {
        matches!(self, Self::Put(..) | Self::Send(..) | Self::Write(..))
    }
}

impl World {
    /// Makes an evaluator take its next step. If the answer to a write is lost, the event comes again.
    pub(super) fn step_evaluator(&mut self, scenario: &Scenario, evaluator: usize, lost: bool) {
        let flaw = scenario.flaw;
        let next = match core::mem::replace(&mut self.evaluators[evaluator], Evaluator::Idle) {
            Evaluator::Idle => Evaluator::Idle,
            Evaluator::Read(event) => self.apply(event, flaw),
            Evaluator::Put(event, applied) => self.put(event, applied, flaw),
            Evaluator::Send(event, applied, message) => {
                self.enqueue_shared(message);
                after_sending(event, applied, flaw)
            }
            Evaluator::Write(event, applied) => self.write(event, applied, flaw),
            Evaluator::Acknowledge(event) => {
                self.events.retain(|waiting| *waiting != event);
                Evaluator::Idle
            }
        };
        self.evaluators[evaluator] = if lost { Evaluator::Idle } else { next };
        self.expect_the_mark_stands_for_something();
    }

    fn apply(&mut self, event: usize, flaw: Option<Flaw>) -> Evaluator {
        let story = Scenario::story();
        let (stored, version) = self.participant.clone();
        let applied = stored.apply([&story.events[event]], &fresh(&story.catalogue));
        if !applied.changed {
            return Evaluator::Acknowledge(event);
        }
        let owed = applied.owed.into_iter().next();
        let applied = Arc::new(Applied { participant: Arc::new(applied.participant), version, owed });
        if flaw == Some(Flaw::ParticipantBeforeDelivery) {
            Evaluator::Write(event, applied)
        } else {
            before_writing(event, applied)
        }
    }

    /// Puts the delivery if it does not exist, and returns the next step.
    fn put(&mut self, event: usize, applied: Arc<Applied>, flaw: Option<Flaw>) -> Evaluator {
        let Some(owed) = applied.owed.clone() else { return Evaluator::Write(event, applied) };
        let ticket = self.ticket();
        let message = match &self.delivery {
            None => {
                let delivery = Delivery::new(user(), owed, self.now, ticket.clone());
                let message = delivery.first_message(ticket);
                self.delivery = Some(Arc::new(delivery));
                message
            }
            Some(_) if flaw == Some(Flaw::SendOnlyIfFresh) => None,
            Some(existing) => existing.first_message(ticket),
        };
        match message {
            Some(message) => Evaluator::Send(event, applied, Arc::new(message)),
            None => after_sending(event, applied, flaw),
        }
    }

    fn write(&mut self, event: usize, applied: Arc<Applied>, flaw: Option<Flaw>) -> Evaluator {
        if self.participant.1 != applied.version && flaw != Some(Flaw::OverwriteParticipant) {
            return Evaluator::Read(event);
        }
        self.participant = (applied.participant.clone(), self.participant.1 + 1);
        if flaw == Some(Flaw::ParticipantBeforeDelivery) {
            return if applied.owed.is_some() { Evaluator::Put(event, applied) } else { Evaluator::Acknowledge(event) };
        }
        Evaluator::Acknowledge(event)
    }

    fn expect_the_mark_stands_for_something(&mut self) {
        let reached = self.participant.0.has_reached(&provider(), &campaign());
        self.expect(!reached || self.delivery.is_some(), Law::EveryReachedGoalHasItsDelivery);
    }
}

fn before_writing(event: usize, applied: Arc<Applied>) -> Evaluator {
    if applied.owed.is_some() { Evaluator::Put(event, applied) } else { Evaluator::Write(event, applied) }
}

fn after_sending(event: usize, applied: Arc<Applied>, flaw: Option<Flaw>) -> Evaluator {
    if flaw == Some(Flaw::ParticipantBeforeDelivery) {
        Evaluator::Acknowledge(event)
    } else {
        Evaluator::Write(event, applied)
    }
}
