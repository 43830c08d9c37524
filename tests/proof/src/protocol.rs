//! Model-checks the protocol of deliveries. Visits every state that can be reached within a scenario's bounds, and
//! checks every law in each state.
//!
//! The model covers the world around the rules. A table replaces an item if it still has the revision that was read.
//! A queue hands out any message at any time, in any order, also to two workers at once. Workers stop between any two
//! steps, for ever or for longer than their claim. Answers to writes are lost, and the partner answers in several
//! ways. The rules themselves are not modelled. The model calls the functions of
//! [`Delivery`](domain::outbound::delivery::Delivery) and
//! [`Participant::apply`](domain::outbound::participant::Participant::apply), so it cannot drift from them.
//!
//! Time is abstracted without loss. A delivery has at most one instant ahead of it: its next attempt is due, or its
//! claim expires. "Time passes" goes to that instant, and may come between any two steps. No rule relies on the
//! queue's delay, so a message may come out at once. Drawn names (tickets, marks) are told apart but their text is
//! ignored. Two states are the same if they differ only in such names, or only by swapping equal workers.

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

/// Describes the next step of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// A sender receives a message. Others can still receive the same message.
    Receive {
        /// Gives the sender's place.
        sender: usize,
        /// Gives the message's place in the queue.
        message: usize,
    },
    /// A sender receives a message whose endpoint is down or whose rate is reached, so that it must wait.
    Hold {
        /// Gives the sender's place.
        sender: usize,
        /// Gives the message's place in the queue.
        message: usize,
    },
    /// A sender takes its next step.
    Send {
        /// Gives the sender's place.
        sender: usize,
        /// Loses the answer if the step is a write.
        lost: bool,
    },
    /// The partner answers the request of a sender with this status.
    Answer {
        /// Gives the sender's place.
        sender: usize,
        /// Gives the HTTP status.
        status: u16,
    },
    /// A sender dies.
    SenderDies {
        /// Gives the sender's place.
        sender: usize,
    },
    /// An evaluator receives an event.
    Take {
        /// Gives the evaluator's place.
        evaluator: usize,
        /// Gives the event's place in the story.
        event: usize,
    },
    /// An evaluator takes its next step.
    Evaluate {
        /// Gives the evaluator's place.
        evaluator: usize,
        /// Loses the answer if the step is a write.
        lost: bool,
    },
    /// An evaluator dies.
    EvaluatorDies {
        /// Gives the evaluator's place.
        evaluator: usize,
    },
    /// Time passes until something is due or a claim expires.
    TimePasses,
    /// An operator opens a round.
    OpenRound {
        /// Is true if the operator's command lived long enough to send the message.
        sent: bool,
    },
    /// An operator cancels the delivery.
    Cancel,
    /// The campaign is paused (true) or unpaused (false).
    Pause(bool),
    /// The campaign is archived for ever.
    Archive,
    /// An evaluator finds the goal reached again and sends the first message again.
    SendFirstAgain,
    /// The sweep runs.
    Sweep,
    /// The queue loses a message.
    Lose {
        /// Gives the message's place in the queue.
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
