//! Plays one history: lets the deeds make their calls of ports in a chosen order, and compares everything that is
//! stored and answered with the reference.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use app::{
    accept_postback::PostbackAnswer,
    memory::{Trouble, World},
    resolve_conflict::Resolution,
};
use domain::inbound::{acceptance::Unacceptable, correction::Revision};

use super::{
    Flaw,
    deed::{CONFIGURATION_CALLS, Done, perform},
    reference::{Answer, Conflict, Kind, Record, Reference, Verdict},
    story::{Id, Op, Story},
    told, view,
};
use crate::faults::{Mishap, stage::Stage};

/// Says which deed makes its next call of a port, and how the call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    op: usize,
    pub(super) mishap: Option<Mishap>,
}

impl Choice {
    /// Returns the choice as text.
    pub(super) fn described(self, story: &Story) -> String {
        let how = self.mishap.map_or_else(String::new, |mishap| format!(": {mishap:?}"));
        format!("{} {:?}{how}", self.op, story.ops[self.op])
    }
}

/// Lists the ways in which a call goes wrong here. A delay needs no mishap of its own, because every order is played.
const MISHAPS: [Mishap; 4] = [Mishap::FailsBefore, Mishap::FailsAfter, Mishap::DiesBefore, Mishap::DiesAfter];

/// Holds the present try of a deed.
struct Actor {
    stage: Stage,
    future: Pin<Box<dyn Future<Output = Done>>>,
    /// Holds a hash of everything that the try has learnt from its calls.
    transcript: u64,
    seen: Seen,
    fate: Fate,
}

/// Holds what happened to a try.
#[derive(Debug, Default, Clone, Copy, Hash)]
struct Fate {
    /// Is true if the try changed the records.
    recorded: bool,
    /// Is true if the conflict could not be kept.
    unkept: bool,
    /// Is true if a call failed.
    failed: bool,
}

/// Holds the answers that were possible at some instant of a try.
#[derive(Debug, Default, Hash)]
struct Seen {
    allowed: BTreeSet<Answer>,
    /// Holds the record of a negative transaction that takes nothing from `T`, because `T` was unknown or too little of
    /// `T` was left.
    unknown: Option<Vec<((Id, u32), Record)>>,
    /// Is true if the deed contradicted the current record.
    contradicted: bool,
    /// Is true if the deed did so before an operator accepted the conflict.
    is_open: bool,
}

/// Holds a history.
pub(super) struct Play<'a> {
    story: &'a Story,
    flaw: Option<Flaw>,
    world: World,
    reference: Reference,
    actors: Vec<Option<Actor>>,
    tries: Vec<u8>,
    answers: Vec<Option<Answer>>,
    mishaps: u32,
    /// Counts the calls of ports.
    pub(super) calls: usize,
    /// Holds the records of the table's stream in their order.
    stream: Vec<Revision>,
    /// Describes the first fault.
    pub(super) wrong: Option<String>,
}

impl<'a> Play<'a> {
    pub(super) fn new(story: &'a Story, flaw: Option<Flaw>) -> Self {
        let count = story.ops.len();
        Self {
            story,
            flaw,
            world: World::default(),
            reference: Reference::default(),
            actors: (0..count).map(|_| None).collect(),
            tries: vec![0; count],
            answers: vec![None; count],
            mishaps: 0,
            calls: 0,
            stream: Vec::new(),
            wrong: None,
        }
    }

    /// Returns what can happen next. Returns nothing if the history is over.
    pub(super) fn choices(&self) -> Vec<Choice> {
        let mut choices = Vec::new();
        if self.wrong.is_some() {
            return choices;
        }
        for op in (0..self.story.ops.len()).filter(|op| self.can_go_on(*op)) {
            choices.push(Choice { op, mishap: None });
            if self.mishaps < self.story.mishaps {
                let has_begun = self.actors[op].is_some();
                let mishaps = MISHAPS.into_iter().filter(|mishap| has_begun || *mishap != Mishap::DiesBefore);
                choices.extend(mishaps.map(|mishap| Choice { op, mishap: Some(mishap) }));
            }
        }
        choices
    }

    fn can_go_on(&self, op: usize) -> bool {
        if self.answers[op].is_some() {
            return false;
        }
        let ops = &self.story.ops;
        // Equal deeds begin in their order, because swapping them changes nothing.
        let waits = |other: usize| ops[other] == ops[op] && self.answers[other].is_none() && self.tries[other] == 0;
        if self.actors[op].is_none() && (0..op).any(|other| waits(other) && self.actors[other].is_none()) {
            return false;
        }
        matches!(ops[op], Op::Call(_)) || self.reference.conflicts.contains_key(&ops[op].said())
    }

    /// Returns a hash of everything that can matter later.
    pub(super) fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.reference, &self.answers, self.mishaps).hash(&mut hasher);
        for actor in &self.actors {
            actor.as_ref().map(|actor| (actor.transcript, &actor.seen, actor.fate)).hash(&mut hasher);
        }
        hasher.finish()
    }

    /// Lets a deed make its next call of a port.
    pub(super) fn take(&mut self, Choice { op, mishap }: Choice) {
        self.mishaps += u32::from(mishap.is_some());
        if mishap == Some(Mishap::DiesBefore) {
            return self.again(op);
        }
        let mut actor = self.actors[op].take().unwrap_or_else(|| self.begin(op));
        let (before, calls) = (hash(&self.reference), self.world.state().calls.len());
        let trouble = match mishap {
            Some(Mishap::FailsBefore) => Some(Trouble::Before),
            Some(Mishap::FailsAfter) => Some(Trouble::After),
            _ => None,
        };
        self.world.state().trouble = trouble.map(|trouble| (calls, trouble)).into_iter().collect();
        let done = advance(&mut actor);
        self.world.state().trouble.clear();
        self.calls += 1;
        let call = self.world.state().calls.get(calls).copied();
        actor.transcript = hash(&(actor.transcript, before, call, trouble.map(|trouble| trouble as u8)));
        actor.fate.failed |= trouble.is_some();
        actor.fate.unkept |= trouble.is_some() && call == Some("keep conflict");
        self.actors[op] = Some(actor);
        self.look(op);
        match done {
            _ if mishap == Some(Mishap::DiesAfter) => self.again(op),
            Some(done) => self.settle(op, &done),
            None => {}
        }
    }

    fn begin(&mut self, op: usize) -> Actor {
        let stage = Stage::new(&self.world, self.flaw.and_then(Flaw::slip));
        let receipt_id = view::receipt_id(self.receipt(op));
        let future = Box::pin(perform(self.story.ops[op], self.story.agreed, receipt_id, self.flaw, stage.clone()));
        let mut actor = Actor { stage, future, transcript: 0, seen: Seen::default(), fate: Fate::default() };
        let is_real = !self.flaw.is_some_and(Flaw::is_a_workers) || self.story.ops[op].said().amount < 0;
        if is_real && matches!(self.story.ops[op], Op::Call(_)) {
            (0..CONFIGURATION_CALLS).for_each(|_| drop(advance(&mut actor)));
        }
        self.consider(op, &mut actor.seen);
        actor
    }

    /// Ends the present try. The deed is done again.
    fn again(&mut self, op: usize) {
        self.actors[op] = None;
        self.tries[op] += 1;
    }

    fn receipt(&self, op: usize) -> (u8, u8) {
        (u8::try_from(op).expect("few deeds"), self.tries[op])
    }

    fn wrong(&mut self, what: impl Into<String>) {
        self.wrong.get_or_insert(what.into());
    }

    /// Notes the answer that the deed could get at this instant.
    fn consider(&self, op: usize, seen: &mut Seen) {
        let (reference, receipt) = (&self.reference, self.receipt(op));
        match self.story.ops[op] {
            Op::Call(said) => {
                let fate = reference.conflicts.get(&said);
                match reference.call(self.story.agreed, said, receipt) {
                    Verdict::Says(answer) => {
                        seen.allowed.insert(answer);
                        if matches!(answer, Answer::Conflict(_)) {
                            seen.contradicted = true;
                            seen.is_open |= !matches!(fate, Some(Conflict::Accepted(_)));
                        }
                    }
                    Verdict::Adds(records) if records[0].1.kind == Kind::Reversal { known: false } => {
                        seen.unknown = Some(records);
                    }
                    Verdict::Adds(_) => {}
                }
                if let (true, Some(Conflict::Accepted(receipt))) = (seen.is_open, fate) {
                    seen.allowed.insert(Answer::Duplicate(*receipt));
                }
            }
            Op::Accept(said) => match reference.accept(said, receipt) {
                Some(Verdict::Says(answer)) => {
                    seen.allowed.insert(answer);
                }
                Some(Verdict::Adds(records)) if said.amount < 0 && records.len() == 1 => {
                    seen.unknown = Some(records);
                }
                _ => {}
            },
            Op::Keep(said) => seen.allowed.extend(reference.keep(said)),
        }
    }

    /// Compares what is stored after a call of this deed with what the reference permits.
    fn look(&mut self, op: usize) {
        let stored = match view::of(&self.world) {
            Ok(stored) => stored,
            Err(wrong) => return self.wrong(wrong),
        };
        if stored == self.reference {
            return;
        }
        let Some(actor) = &mut self.actors[op] else { return };
        if !permitted(self.story, op, self.tries[op], &self.reference, &actor.seen).contains(&stored) {
            let (story, reference) = (self.story.ops[op], &self.reference);
            let wrong = format!("{story:?} made {stored:?} of {reference:?}");
            return self.wrong(wrong);
        }
        let added = stored.records.keys().filter(|place| !self.reference.records.contains_key(place));
        let added: Vec<(Id, u32)> = added.copied().collect();
        actor.fate.recorded |= !added.is_empty();
        self.stream.extend(added.into_iter().filter_map(|place| view::revision(&self.world, place)));
        self.reference = stored;
        if self.reference.left_now() < 0 {
            self.wrong(format!("less than nothing is left: {:?}", self.reference));
        }
        for op in 0..self.actors.len() {
            if let Some(mut actor) = self.actors[op].take() {
                self.consider(op, &mut actor.seen);
                self.actors[op] = Some(actor);
            }
        }
    }

    fn settle(&mut self, op: usize, done: &Done) {
        let Some(Actor { seen, fate, .. }) = &self.actors[op] else { return };
        let receipt = |receipt: &domain::inbound::conversion::Receipt| view::receipt(&receipt.receipt_id);
        let answer = match done {
            Done::Partner(PostbackAnswer::Unavailable(_)) | Done::Operator(Err(_)) if fate.failed => {
                return self.again(op);
            }
            Done::Partner(PostbackAnswer::Accepted(accepted)) => Answer::Accepted(receipt(accepted)),
            Done::Partner(PostbackAnswer::Duplicate(stands)) => Answer::Duplicate(receipt(stands)),
            Done::Partner(PostbackAnswer::Conflict(told)) => {
                let kept = self.reference.conflicts.get(&self.story.ops[op].said());
                let is_accepted = matches!(kept, Some(Conflict::Accepted(_)));
                let is_right = if told.is_kept { kept.is_some() && !fate.unkept } else { fate.unkept || is_accepted };
                if !is_right {
                    let wrong = format!("is_kept is {}, but {kept:?} is kept", told.is_kept);
                    return self.wrong(wrong);
                }
                Answer::Conflict(receipt(&told.original))
            }
            Done::Operator(Ok(Resolution::Accepted(made))) => Answer::Accepted(receipt(made.receipt())),
            Done::Operator(Ok(Resolution::AcceptedBefore(before))) => Answer::Duplicate(receipt(before)),
            Done::Operator(Ok(Resolution::OriginalKept)) => Answer::OriginalKept,
            Done::Operator(Ok(Resolution::Unacceptable(Unacceptable::NoOriginal))) => Answer::NoOriginal,
            Done::Operator(Ok(Resolution::Unacceptable(Unacceptable::DoesNotFit(..)))) => Answer::Refused,
            other => return self.wrong(format!("{:?} was answered {other:?}", self.story.ops[op])),
        };
        let own = Answer::Accepted(self.receipt(op));
        let is_right = if fate.recorded { answer == own } else { seen.allowed.contains(&answer) };
        if !is_right {
            let (deed, reference) = (self.story.ops[op], &self.reference);
            let wrong = format!("{deed:?} was answered {answer:?} instead of one of {seen:?}; {reference:?}");
            return self.wrong(wrong);
        }
        self.answers[op] = Some(answer);
        self.actors[op] = None;
    }

    /// Checks the end of the history: the state, and the conversions that GG3 receives.
    pub(super) fn finish(&mut self) {
        if self.wrong.is_some() {
            return;
        }
        let end = told::highest_stands(self.story, &self.answers, &self.reference)
            .and_then(|()| told::conversions(&self.world, &self.stream, &self.reference));
        if let Err(wrong) = end {
            self.wrong(wrong);
        }
    }
}

/// Returns every outcome that the next call of this deed may store.
fn permitted(story: &Story, op: usize, tries: u8, reference: &Reference, seen: &Seen) -> Vec<Reference> {
    let receipt = (u8::try_from(op).expect("few deeds"), tries);
    let mut permitted = Vec::new();
    match story.ops[op] {
        Op::Call(said) => {
            if let Verdict::Adds(records) = reference.call(story.agreed, said, receipt) {
                permitted.push(reference.with(&records));
            }
            if let (Some(unknown), None) = (&seen.unknown, reference.stands(said.id)) {
                permitted.push(reference.with(unknown));
            }
            if seen.contradicted {
                permitted.push(reference.with_conflict(said));
            }
        }
        Op::Accept(said) => {
            if let Some(Verdict::Adds(records)) = reference.accept(said, receipt) {
                permitted.push(reference.with(&records).with_fate(said, Conflict::Accepted(receipt)));
            }
            // The deed may store a decision that it made before `T` changed, unless the conflict was accepted
            // meanwhile.
            let is_open = !matches!(reference.conflicts.get(&said), Some(Conflict::Accepted(_)));
            let is_free =
                |unknown: &&Vec<((Id, u32), Record)>| is_open && !reference.records.contains_key(&unknown[0].0);
            permitted.extend(
                seen.unknown
                    .iter()
                    .filter(is_free)
                    .map(|unknown| reference.with(unknown).with_fate(said, Conflict::Accepted(receipt))),
            );
        }
        Op::Keep(said) => {
            if reference.keep(said) == Some(Answer::OriginalKept) {
                permitted.push(reference.with_fate(said, Conflict::OriginalKept));
            }
        }
    }
    permitted
}

/// Lets an actor make one call of a port. Returns its result if it has ended.
fn advance(actor: &mut Actor) -> Option<Done> {
    actor.stage.give_turn();
    match actor.future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => Some(done),
        Poll::Pending => None,
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
