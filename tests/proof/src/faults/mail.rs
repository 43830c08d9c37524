//! Models the queues of webhooks. A message is handed out when it is due. It is handed out again until it is
//! acknowledged.

use std::{collections::BTreeSet, time::Duration};

use app::memory::World;
use domain::{outbound::delivery::Message, values::time::UnixMillis};

/// Limits how long a received message is hidden. It is longer than any worker lives.
const VISIBILITY: Duration = Duration::from_mins(6);

/// Holds the messages of both queues together, because the result does not depend on the queue of a message.
#[derive(Debug, Default)]
pub(super) struct Mail {
    first_attempts: usize,
    counted: usize,
    waiting: Vec<(Message, UnixMillis)>,
}

impl Mail {
    /// Takes the messages that were sent since the last call. `lost` holds the numbers of the messages to lose.
    /// Messages are numbered from the beginning of the story.
    pub(super) fn collect(&mut self, world: &World, lost: &BTreeSet<usize>) {
        let mut state = world.state();
        let now = UnixMillis::from_millisecond(state.millisecond);
        let resends = core::mem::take(&mut state.resends);
        let first = state.webhooks[self.first_attempts..].iter().map(|message| (message.clone(), now));
        for sent in first.chain(resends) {
            if !lost.contains(&self.counted) {
                self.waiting.push(sent);
            }
            self.counted += 1;
        }
        self.first_attempts = state.webhooks.len();
    }

    /// Hands out at most `most` messages that have arrived.
    pub(super) fn hand_out(&mut self, now: UnixMillis, most: usize) -> Vec<Message> {
        self.waiting.sort_by_key(|(_, arrives)| *arrives);
        let arrived = self.waiting.iter().take(most).take_while(|(_, arrives)| *arrives <= now).count();
        self.waiting.drain(..arrived).map(|(message, _)| message).collect()
    }

    /// Puts back a message that was handed out at this instant and was not acknowledged.
    pub(super) fn comes_again(&mut self, message: Message, handed_out: UnixMillis) {
        self.waiting.push((message, handed_out.plus(VISIBILITY)));
    }

    /// Returns the next instant at which a message can be handed out.
    pub(super) fn next(&self) -> Option<UnixMillis> {
        self.waiting.iter().map(|(_, arrives)| *arrives).min()
    }
}
