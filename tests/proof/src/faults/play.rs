//! Schedules the actors: gives turns, and decides what goes wrong at each turn.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use app::{
    accept_postback::PostbackAnswer,
    deliver_webhooks, evaluate_events,
    memory::{Trouble, World},
};
use domain::{
    inbound::conversion::RecordedPostback,
    values::{ids::TransactionKey, time::UnixMillis},
};
use fastrand::Rng;

use super::{
    Mishap, Slip,
    attempts::{self, Attempts},
    mail::Mail,
    stage::Stage,
    story::{Story, catalogue, noon},
    work::{Done, FUNCTION, OPERATION, Work, perform},
};

/// Limits the turns of a story. A story with more does not end.
const MOST_TURNS: usize = 20_000;
/// Counts the turns of a drawn history in which something may go wrong. After these turns, nothing goes wrong.
const TROUBLED_TURNS: usize = 600;
/// Gives the time between two sweeps when nothing else is left to wait for.
const SWEEP_EVERY: Duration = Duration::from_mins(61);

/// Decides the order of turns and their mishaps.
#[derive(Debug)]
pub(super) enum Chooser {
    /// The actors take turns, and the mishaps happen at these turns.
    Script(BTreeMap<usize, Mishap>),
    /// The order and the mishaps are drawn.
    Seed(Rng),
}

struct Actor {
    stage: Stage,
    work: Work,
    future: Pin<Box<dyn Future<Output = Done>>>,
    began: UnixMillis,
    /// Counts the requests that the actor has made and not recorded.
    unrecorded: usize,
    /// Makes the actor wait until all others are done.
    held: bool,
}

/// Holds a history: its state, and the answers, requests and attempts that were seen from outside.
pub(super) struct Play {
    pub(super) world: World,
    pub(super) story: Story,
    /// Holds each answer that a partner got, with its query.
    pub(super) answers: Vec<(String, PostbackAnswer)>,
    /// Describes the first fault that was found while the story was played.
    pub(super) at_once_wrong: Option<String>,
    /// Holds the postbacks as they were first recorded.
    pub(super) recorded: BTreeMap<TransactionKey, RecordedPostback>,
    pub(super) attempts: Attempts,
    mail: Mail,
    by_hand: VecDeque<usize>,
    turns: usize,
    started: u64,
    actors: Vec<Actor>,
    calls: VecDeque<String>,
    events: VecDeque<Vec<String>>,
    stream: VecDeque<RecordedPostback>,
}

impl Play {
    /// Plays this story to its end.
    pub(super) fn of(story: Story, mut chooser: Chooser) -> Self {
        let world = World::default();
        world.state().millisecond = noon().as_millisecond();
        world.state().catalogue = Some(catalogue());
        world.state().answers.clone_from(&story.answers);
        let (calls, events, by_hand) = (story.calls.clone(), story.events.clone(), story.by_hand.clone());
        let mut play = Self {
            world,
            story,
            answers: Vec::new(),
            at_once_wrong: None,
            recorded: BTreeMap::new(),
            attempts: Attempts::default(),
            mail: Mail::default(),
            by_hand,
            turns: 0,
            started: 0,
            actors: Vec::new(),
            calls,
            events,
            stream: VecDeque::new(),
        };
        while play.goes_on() {
            play.take_turn(&mut chooser);
            if play.turns > MOST_TURNS {
                play.wrong("the story does not end");
                break;
            }
        }
        play
    }

    /// Counts the calls of ports.
    pub(super) fn turns(&self) -> usize {
        self.turns
    }

    fn wrong(&mut self, what: impl Into<String>) {
        self.at_once_wrong.get_or_insert(what.into());
    }

    /// Gives work to every free actor. If there is no work, lets time pass until there is some. Returns false when the
    /// story is over.
    fn goes_on(&mut self) -> bool {
        self.mail.collect(&self.world, &self.story.lost);
        self.start_actors();
        if self.actors.is_empty() {
            self.wait();
            self.start_actors();
        }
        !self.actors.is_empty()
    }

    fn wait(&mut self) {
        if let Some(arrives) = self.mail.next() {
            let mut state = self.world.state();
            state.millisecond = state.millisecond.max(arrives.as_millisecond());
            return;
        }
        let stranded = self.world.state().deliveries.values().any(|delivery| delivery.ending().is_none());
        if stranded && self.story.swept {
            self.world.state().millisecond = self.now().plus(SWEEP_EVERY).as_millisecond();
            self.start(Work::Sweep(self.story.open()));
        }
    }

    fn now(&self) -> UnixMillis {
        UnixMillis::from_millisecond(self.world.state().millisecond)
    }

    fn start_actors(&mut self) {
        let busy = |actors: &[Actor], of: fn(&Work) -> bool| actors.iter().filter(|actor| of(&actor.work)).count();
        while busy(&self.actors, |work| matches!(work, Work::Call(_))) < self.story.at_once {
            let Some(query) = self.calls.pop_front() else { break };
            self.start(Work::Call(query));
        }
        while busy(&self.actors, |work| matches!(work, Work::Evaluate(_))) < self.story.at_once {
            let Some(bodies) = self.events.pop_front() else { break };
            self.start(Work::Evaluate(bodies));
        }
        // A shard of a stream is read by one worker at a time.
        if !self.stream.is_empty() && busy(&self.actors, |work| matches!(work, Work::Relay(_))) == 0 {
            let records = self.stream.drain(..).collect();
            self.start(Work::Relay(records));
        }
        while busy(&self.actors, |work| matches!(work, Work::Send(..))) < self.story.at_once {
            let messages = self.mail.hand_out(self.now(), self.story.batch);
            if messages.is_empty() {
                break;
            }
            self.start(Work::Send(messages, self.story.open()));
        }
        let requests = self.world.state().requests.clone();
        while self.by_hand.front().is_some_and(|after| *after <= requests.len())
            && let Some((_, id, _)) = requests.last()
        {
            self.by_hand.pop_front();
            self.start(Work::OpenRound(id.clone()));
        }
    }

    fn start(&mut self, work: Work) {
        self.started += 1;
        let stage = Stage::new(&self.world, self.story.slip);
        let future = Box::pin(perform(work.clone(), stage.clone(), self.started));
        self.actors.push(Actor { stage, work, future, began: self.now(), unrecorded: 0, held: false });
    }

    fn take_turn(&mut self, chooser: &mut Chooser) {
        if self.actors.iter().all(|actor| actor.held) {
            self.world.state().millisecond += 150_000;
            self.actors.iter_mut().for_each(|actor| actor.held = false);
        }
        let free: Vec<usize> = (0..self.actors.len()).filter(|at| !self.actors[*at].held).collect();
        let (at, mishap) = match chooser {
            Chooser::Script(script) => (free[self.turns % free.len()], script.get(&self.turns).copied()),
            Chooser::Seed(dice) => {
                let most = [200, 2_000, 20_000][dice.usize(..3)];
                self.world.state().millisecond += dice.i64(0..most);
                let troubled = self.turns < TROUBLED_TURNS && dice.usize(..6) == 0;
                (free[dice.usize(..free.len())], troubled.then(|| Mishap::ALL[dice.usize(..Mishap::ALL.len())]))
            }
        };
        self.turns += 1;
        match mishap {
            None => self.advance(at, None),
            Some(Mishap::FailsBefore) => self.advance(at, Some(Trouble::Before)),
            Some(Mishap::FailsAfter) => self.advance(at, Some(Trouble::After)),
            Some(Mishap::DiesBefore) => self.die(at),
            Some(Mishap::DiesAfter) => {
                let living = self.actors.len();
                self.advance(at, None);
                if self.actors.len() == living {
                    self.die(at);
                }
            }
            Some(Mishap::Waits) => self.actors[at].held = true,
            Some(Mishap::ComesTwice) => self.start(self.actors[at].work.clone()),
        }
        self.look();
    }

    /// Lets an actor make one call. The actor then goes on until its next call or its end.
    fn advance(&mut self, at: usize, trouble: Option<Trouble>) {
        let calls = self.world.state().calls.len();
        if let Some(trouble) = trouble {
            self.world.state().trouble.insert(calls, trouble);
        }
        let (requests, recorded) = attempts::counts(&self.world.state());
        let actor = &mut self.actors[at];
        actor.stage.give_turn();
        let mut context = Context::from_waker(Waker::noop());
        let mut done = None;
        // An actor that works on several users at once polls each of them in turn, and may pause in between.
        for _ in 0..64 {
            if let Poll::Ready(all) = actor.future.as_mut().poll(&mut context) {
                done = Some(all);
                break;
            }
            if self.world.state().calls.len() > calls {
                actor.stage.took_turn();
                break;
            }
        }
        self.world.state().trouble.clear();
        let (asked, kept) = attempts::counts(&self.world.state());
        actor.unrecorded = (actor.unrecorded + asked - requests).saturating_sub(kept - recorded);
        if let Some(done) = done {
            let actor = self.actors.remove(at);
            self.settle(done, &actor);
        }
    }

    /// Removes the actor. Its work comes again after all other work. Only the records of a stream come again before
    /// later records.
    fn die(&mut self, at: usize) {
        let Actor { work, began, unrecorded, .. } = self.actors.remove(at);
        self.attempts.cut_short += unrecorded;
        if self.story.slip == Some(Slip::TheDeadHadAcknowledged) {
            return;
        }
        match work {
            Work::Call(query) => self.calls.push_back(query),
            Work::Evaluate(bodies) => self.events.push_back(bodies),
            Work::Relay(records) => records.into_iter().rev().for_each(|record| self.stream.push_front(record)),
            Work::Send(messages, _) => messages.into_iter().for_each(|message| self.mail.comes_again(message, began)),
            // Neither work is repeated. The next sweep completes the unfinished deliveries.
            Work::OpenRound(_) | Work::Sweep(_) => {}
        }
    }

    fn settle(&mut self, done: Done, actor: &Actor) {
        if actor.unrecorded > 0 && self.now().plus(2 * OPERATION) < actor.began.plus(FUNCTION) {
            self.wrong("a worker did not record its attempt although it had time");
        }
        self.attempts.cut_short += actor.unrecorded;
        match done {
            Done::Relay(..) | Done::Evaluate(..) | Done::Send(..)
                if self.story.slip == Some(Slip::FailuresAreAcknowledged) => {}
            Done::Call(query, PostbackAnswer::Unavailable(_)) => self.calls.push_back(query),
            Done::Call(query, answer) => self.answers.push((query, answer)),
            Done::Relay(records, relayed) => {
                let failed: BTreeSet<String> = relayed.failed.into_iter().collect();
                let again =
                    records.into_iter().filter(|record| failed.contains(record.receipt.transaction_id.as_str()));
                again.for_each(|record| self.stream.push_back(record));
            }
            Done::Evaluate(bodies, outcomes) => {
                if bodies.len() != outcomes.len() {
                    self.wrong("a message has no outcome");
                }
                let failed = bodies
                    .into_iter()
                    .zip(outcomes)
                    .filter(|(_, outcome)| matches!(outcome, evaluate_events::EventOutcome::Failed(_)));
                let failed: Vec<String> = failed.map(|(body, _)| body).collect();
                if !failed.is_empty() {
                    self.events.push_back(failed);
                }
            }
            Done::Send(messages, outcomes) => {
                if messages.len() != outcomes.len() {
                    self.wrong("a message has no outcome");
                }
                for (message, outcome) in messages.into_iter().zip(outcomes) {
                    use deliver_webhooks::MessageOutcome::{Failed, Waits};
                    if matches!(outcome, Failed(_) | Waits { .. }) {
                        self.mail.comes_again(message, actor.began);
                    }
                }
            }
            Done::OpenRound | Done::Sweep => {}
        }
    }

    /// Passes new records of the postbacks' table to its stream, and checks that no recorded postback has changed.
    fn look(&mut self) {
        let seen = self.attempts.look(&self.world.state());
        if let Err(wrong) = seen {
            self.wrong(wrong);
        }
        let stored = self.world.state().postbacks.clone();
        for (key, postback) in stored {
            match self.recorded.get(&key) {
                None => {
                    self.stream.push_back(postback.clone());
                    self.recorded.insert(key, postback);
                }
                Some(first) if *first != postback => self.wrong(format!("{key:?} was overwritten")),
                Some(_) => {}
            }
        }
        let Some((query, answer)) = self.answers.last() else { return };
        if let PostbackAnswer::Accepted(receipt) | PostbackAnswer::Duplicate(receipt) = answer
            && !self.recorded.values().any(|recorded| recorded.receipt == *receipt)
        {
            let wrong = format!("a call was answered 200 before it was durable: {query}");
            self.wrong(wrong);
        }
    }
}
