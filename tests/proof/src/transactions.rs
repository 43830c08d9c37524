//! Plays partners' calls about one transaction and operators' decisions in every order, with crashes and failures at
//! every call of a port.
//!
//! A [`Story`] is a set of deeds that all go on at once: partners' calls, and operators' decisions on conflicts. The
//! use cases themselves run, over the ports in memory. Each deed waits before each of its calls of a port, so a history
//! is a list of choices: which deed makes its next call, and how the call goes wrong. A deed whose try failed or died
//! is done again.
//!
//! The explorer visits every state that can be reached. Two states are the same if they agree in what is stored, what
//! was answered and what is left to do, and if each try under way has learnt the same. After each call, everything that
//! is stored and answered is compared with a plain [`reference`], which says what a deed may do at that instant. When a
//! history is over, its records go through the relay, and the conversions are read by GG3's rule.

mod deed;
mod play;
mod reference;
mod story;
mod told;
mod view;

use std::{
    collections::HashSet,
    sync::atomic::{AtomicUsize, Ordering},
};

use fastrand::Rng;

use self::play::{Choice, Play};
pub use self::story::{Agreed, Id, Op, Said, State, Story};
use crate::faults::Slip;

/// Names a rule that a broken part breaks. The product has none of them; the explorer must find each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// A worker compares only the content, and answers a higher state as a duplicate.
    AnswersHigherStatesAsDuplicates,
    /// A worker decides by the original alone, and treats a taken place as a duplicate.
    DecidesByTheOriginal,
    /// A worker that finds its step's place taken does not decide again.
    GivesUpWhenTheNumberIsTaken,
    /// A worker that finds its step's place taken tries the next place with the same decision.
    StoresWithoutDecidingAgain,
    /// A worker answers 200 although its step is not stored.
    AnswersBeforeStoring,
    /// A worker makes the last call current, whatever its state.
    LetsTheLastCallStand,
    /// An operator accepts a conflict without checking what negative transactions have taken.
    CorrectsWithoutChecking,
    /// A step overwrites the original.
    StepsOverwriteTheOriginal,
    /// The table stores a later record without the condition that its place is free.
    NumbersWithoutTheCondition,
    /// A negative transaction is stored without its note beside the other transaction.
    NotesAreForgotten,
    /// GG3 is told a step before it is stored.
    StepsAreToldBeforeStoring,
}

impl Flaw {
    /// Lists all flaws.
    pub const ALL: [Self; 11] = [
        Self::AnswersHigherStatesAsDuplicates,
        Self::DecidesByTheOriginal,
        Self::GivesUpWhenTheNumberIsTaken,
        Self::StoresWithoutDecidingAgain,
        Self::AnswersBeforeStoring,
        Self::LetsTheLastCallStand,
        Self::CorrectsWithoutChecking,
        Self::StepsOverwriteTheOriginal,
        Self::NumbersWithoutTheCondition,
        Self::NotesAreForgotten,
        Self::StepsAreToldBeforeStoring,
    ];

    /// Returns the rule that ports break.
    fn slip(self) -> Option<Slip> {
        match self {
            Self::StepsOverwriteTheOriginal => Some(Slip::StepsOverwriteTheOriginal),
            Self::NumbersWithoutTheCondition => Some(Slip::NumbersWithoutTheCondition),
            Self::NotesAreForgotten => Some(Slip::NotesAreForgotten),
            Self::StepsAreToldBeforeStoring => Some(Slip::StepsAreToldBeforeStoring),
            _ => None,
        }
    }

    /// Returns true if a worker that handles calls breaks the rule.
    fn is_a_workers(self) -> bool {
        self.slip().is_none() && self != Self::CorrectsWithoutChecking
    }
}

/// Sums up what was explored.
#[derive(Debug, Default)]
pub struct Explored {
    /// Counts the stories.
    pub stories: usize,
    /// Counts the distinct states, over all stories.
    pub states: usize,
    /// Counts the calls of ports that lead from one state to another.
    pub calls: usize,
    /// Counts the distinct ends.
    pub ends: usize,
    /// Describes the first fault: the story, the choices that lead there, and what is wrong.
    pub wrong: Option<String>,
}

impl Explored {
    fn and(self, other: Self) -> Self {
        Self {
            stories: self.stories + other.stories,
            states: self.states + other.states,
            calls: self.calls + other.calls,
            ends: self.ends + other.ends,
            wrong: self.wrong.or(other.wrong),
        }
    }

    fn note(&mut self, story: &Story, way: &[Choice], wrong: &str) {
        let way: Vec<String> = way.iter().map(|choice| choice.described(story)).collect();
        let describe = || format!("{story:?}\n      {}\n      {wrong}", way.join("\n      "));
        self.wrong.get_or_insert_with(describe);
    }
}

/// Returns the stories of every set of up to two calls: once with one mishap, and once with one decision and no mishap.
pub fn small() -> Vec<Story> {
    [story::of_calls(1, 1), story::of_calls(2, 1), story::with_decisions(2, 0)].concat()
}

/// Returns the stories of every set of three calls without a mishap.
pub fn of_three_calls() -> Vec<Story> {
    story::of_calls(3, 0)
}

/// Returns the sets of stories that `make prove` explores.
pub fn large() -> Vec<(&'static str, Vec<Story>)> {
    vec![
        ("every set of 2 calls, 2 mishaps", story::of_calls(2, 2)),
        ("every set of 3 calls, a mishap", story::of_calls(3, 1)),
        ("every set of 2 calls, a decision, 2 mishaps", story::with_decisions(2, 2)),
        ("every set of 3 calls, a decision", story::with_decisions(3, 0)),
    ]
}

/// Returns the sets of stories that `make soak` explores.
pub fn largest() -> Vec<(&'static str, Vec<Story>)> {
    vec![
        ("every set of 3 calls, 2 mishaps", story::of_calls(3, 2)),
        ("every set of 3 calls, a decision, a mishap", story::with_decisions(3, 1)),
        ("every set of 4 calls", story::of_calls(4, 0)),
    ]
}

/// Returns the stories in which each flaw must be found.
pub fn for_flaws() -> Vec<Story> {
    [small(), of_three_calls()].concat()
}

/// Explores these stories on all cores, until a fault is found.
pub fn explore(stories: &[Story], flaw: Option<Flaw>) -> Explored {
    let (next, found) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        let mut all = Explored::default();
        while found.load(Ordering::Relaxed) == 0
            && let Some(story) = stories.get(next.fetch_add(1, Ordering::Relaxed))
        {
            all = all.and(explore_one(story, flaw));
            found.fetch_add(usize::from(all.wrong.is_some()), Ordering::Relaxed);
        }
        all
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let explored = workers.into_iter().map(|worker| worker.join().expect("no worker panics"));
        explored.fold(Explored::default(), Explored::and)
    })
}

/// Visits every state of a story.
fn explore_one(story: &Story, flaw: Option<Flaw>) -> Explored {
    let mut explored = Explored { stories: 1, ..Explored::default() };
    let (mut seen, mut left) = (HashSet::new(), vec![Vec::new()]);
    while let Some(mut way) = left.pop() {
        let mut play = Play::new(story, flaw);
        for choice in &way {
            play.take(*choice);
        }
        while seen.insert(play.key()) && play.wrong.is_none() {
            explored.states += 1;
            let choices = play.choices();
            let Some((first, others)) = choices.split_first() else {
                explored.ends += 1;
                play.finish();
                break;
            };
            explored.calls += choices.len();
            left.extend(others.iter().map(|other| [&way[..], &[*other]].concat()));
            way.push(*first);
            play.take(*first);
        }
        if let Some(wrong) = &play.wrong {
            explored.note(story, &way, wrong);
            break;
        }
    }
    explored
}

/// Plays one history of a drawn story. The seed decides the story, the order and the mishaps.
pub fn from_seed(seed: u64) -> Explored {
    let mut dice = Rng::with_seed(seed ^ 0x57e9);
    let story = story::drawn(&mut dice);
    let (mut play, mut way) = (Play::new(&story, None), Vec::new());
    loop {
        let choices = play.choices();
        let (well, badly): (Vec<Choice>, Vec<Choice>) = choices.into_iter().partition(|choice| choice.mishap.is_none());
        let some = if badly.is_empty() || dice.usize(..6) > 0 { well } else { badly };
        if some.is_empty() {
            break;
        }
        let choice = some[dice.usize(..some.len())];
        way.push(choice);
        play.take(choice);
    }
    play.finish();
    let mut explored = Explored { stories: 1, ends: 1, calls: play.calls, ..Explored::default() };
    if let Some(wrong) = &play.wrong {
        explored.note(&story, &way, &format!("PROOF_SEED={seed}: {wrong}"));
    }
    explored
}

/// Plays one history for each seed, until a fault is found.
pub fn at_random(seeds: impl IntoIterator<Item = u64>) -> Explored {
    let mut all = Explored::default();
    for seed in seeds {
        all = all.and(from_seed(seed));
        if all.wrong.is_some() {
            break;
        }
    }
    all
}
