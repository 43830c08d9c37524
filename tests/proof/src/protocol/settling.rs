//! Plays a state to its end without further faults, to check that every delivery ends or has a message.

use domain::outbound::{campaign::CampaignState, delivery::Ending};

use super::{evaluator::Evaluator, scenario::Scenario, sender::Sender, world::World};

/// Limits the turns. A delivery needs several for each of its six attempts.
const TURNS: usize = 64;
/// Limits the steps of a worker for one message.
const STEPS: usize = 32;

impl World {
    /// Plays this world on, with all workers alive, the partner down and no further faults. Returns the end if all
    /// events are acknowledged, a reached goal has its delivery, the delivery has ended and no message is left. Returns
    /// `None` if no such end is reached.
    pub(super) fn settled(&self, scenario: &Scenario) -> Option<Self> {
        let mut world = self.clone();
        if world.standing == CampaignState::Paused {
            world.standing = CampaignState::Open;
        }
        for _ in 0..TURNS {
            world.evaluate_everything(scenario);
            world.send_everything(scenario);
            let done = world.events.is_empty() && world.queue.is_empty();
            if done && world.ending().is_some() {
                return world.broken().is_none().then_some(world);
            }
            match world.soonest() {
                Some(soonest) => world.now = soonest,
                None if done && !scenario.losses => return None,
                None => {}
            }
            if scenario.losses {
                world.sweep();
            }
        }
        None
    }

    fn evaluate_everything(&mut self, scenario: &Scenario) {
        for event in self.events.clone() {
            self.evaluators[0] = Evaluator::Read(event);
            for _ in 0..STEPS {
                self.step_evaluator(scenario, 0, false);
            }
        }
    }

    fn send_everything(&mut self, scenario: &Scenario) {
        let ids: Vec<u64> = self.queue.iter().map(|queued| queued.id).collect();
        for id in ids {
            let Some(place) = self.queue.iter().position(|queued| queued.id == id) else { continue };
            self.receive(0, place);
            for _ in 0..STEPS {
                if !matches!(self.senders[0], Sender::Idle) {
                    self.step_or_answer(scenario, 0, 500);
                }
            }
        }
    }

    /// Returns true if the delivery has ended in this way.
    pub(super) fn has_ended(&self, ending: Ending) -> bool {
        self.ending() == Some(ending)
    }
}
