//! The queues of webhooks: what they took comes out when its time has come, and again until it is acknowledged.

use std::{collections::BTreeSet, time::Duration};

use app::memory::World;
use domain::{outbound::delivery::Message, values::time::UnixMillis};

/// How long a message that was handed out is hidden; longer than any worker lives.
const VISIBILITY: Duration = Duration::from_mins(6);

/// Both queues as one: which of the two a message is on makes no difference to what becomes of it.
#[derive(Debug, Default)]
pub(super) struct Mail {
    first_attempts: usize,
    counted: usize,
    waiting: Vec<(Message, UnixMillis)>,
}

impl Mail {
    /// Takes what was sent since; of all that ever was, these are lost.
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

    /// Hands out what has arrived, so many at most.
    pub(super) fn hand_out(&mut self, now: UnixMillis, most: usize) -> Vec<Message> {
        self.waiting.sort_by_key(|(_, arrives)| *arrives);
        let arrived = self.waiting.iter().take(most).take_while(|(_, arrives)| *arrives <= now).count();
        self.waiting.drain(..arrived).map(|(message, _)| message).collect()
    }

    /// What was handed out at this instant is not acknowledged.
    pub(super) fn comes_again(&mut self, message: Message, handed_out: UnixMillis) {
        self.waiting.push((message, handed_out.plus(VISIBILITY)));
    }

    /// When there is something to hand out.
    pub(super) fn next(&self) -> Option<UnixMillis> {
        self.waiting.iter().map(|(_, arrives)| *arrives).min()
    }
}
