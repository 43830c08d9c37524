//! The protocol of deliveries, model-checked: every reachable state within a scenario's bounds is visited, and every law
//! is asked of each.
//!
//! What is modelled is the world around the rules: a table that replaces what has the revision that was read, a queue
//! that hands out any message at any time, to two workers at once and in any order, workers that stop for ever or for
//! longer than their claim between any two steps, answers to writes that are lost, a partner that answers one way or the
//! other. The rules are not modelled: the model calls [`Delivery`](domain::outbound::delivery::Delivery)'s own functions and
//! [`Participant::apply`](domain::outbound::participant::Participant::apply), so it cannot drift from them.
//!
//! Time is abstracted and nothing is lost by it: of one delivery at most one instant lies ahead at any time (its next
//! attempt is due, or its claim expires), so "time passes" goes to that instant, and may come between any two steps.
//! Waits in the queue are not promises that anybody relies on: a message may come out at once. Names that are drawn
//! (tickets, marks) are told apart but not by what they are; two states that differ only in such names, or in which of two
//! equal workers is which, are one.

mod canonical;
mod evaluator;
mod laws;
mod report;
mod scenario;
mod sender;
mod settling;
mod world;

use stateright::{Model, Property};

pub use self::{
    laws::Law,
    report::{Report, check, explore},
    scenario::{Flaw, Scenario},
    world::World,
};

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// A sender receives a message. Nobody else is kept from receiving it.
    Receive {
        /// Which sender.
        sender: usize,
        /// The message's place in the queue.
        message: usize,
    },
    /// A sender takes its next step.
    Send {
        /// Which.
        sender: usize,
        /// Whether, if the step is a write, its answer is lost.
        lost: bool,
    },
    /// The partner answers the request of a sender with this status.
    Answer {
        /// Which.
        sender: usize,
        /// The status.
        status: u16,
    },
    /// A sender dies.
    SenderDies {
        /// Which.
        sender: usize,
    },
    /// An evaluator receives an event.
    Take {
        /// Which evaluator.
        evaluator: usize,
        /// Which event.
        event: usize,
    },
    /// An evaluator takes its next step.
    Evaluate {
        /// Which.
        evaluator: usize,
        /// Whether, if the step is a write, its answer is lost.
        lost: bool,
    },
    /// An evaluator dies.
    EvaluatorDies {
        /// Which.
        evaluator: usize,
    },
    /// Time passes until something is due or a claim expires.
    TimePasses,
    /// An operator opens a round; with `sent`, its message is sent as well.
    OpenRound {
        /// Whether the operator's command lived to send the message.
        sent: bool,
    },
    /// An operator cancels.
    Cancel,
    /// The campaign is paused, or no longer.
    Pause(bool),
    /// The campaign is archived, for ever.
    Archive,
    /// An evaluator that found the goal reached once more sends the first message once more.
    SendFirstAgain,
    /// The sweep runs.
    Sweep,
    /// The queue loses a message.
    Lose {
        /// Its place in the queue.
        message: usize,
    },
}

impl Model for Scenario {
    type State = World;
    type Action = Happening;

    fn init_states(&self) -> Vec<World> {
        vec![World::begin(self)]
    }

    fn actions(&self, world: &World, happenings: &mut Vec<Happening>) {
        if world.broken().is_none() {
            world.possible(self, happenings);
        }
    }

    fn next_state(&self, world: &World, happening: Happening) -> Option<World> {
        let mut next = world.clone();
        next.happen(self, happening);
        Some(next)
    }

    fn within_boundary(&self, world: &World) -> bool {
        world.queued() <= self.messages
    }

    fn properties(&self) -> Vec<Property<Self>> {
        laws::properties(self)
    }
}
