//! Runs the use cases while every call of a port can fail, be killed, be repeated or be held up.
//!
//! Several actors play a [`story`] of partners' calls and GG3's events at once over the ports in memory. Each call of
//! a port waits until the scheduler gives its actor a turn. The scheduler therefore decides the order of all calls
//! and which of them go wrong: by a script, or by a seed. When the story is over and nothing goes wrong any more, the
//! ledger compares the partners' answers, the conversions that GG3 received, the deliveries that are owed, the
//! requests to partners and the recorded attempts.
//!
//! A new use case joins as another kind of [`Work`](work::Work), with its own part of the ledger.

mod attempts;
mod ledger;
mod mail;
mod play;
pub(crate) mod stage;
mod story;
mod work;

use std::collections::BTreeMap;

use self::{
    ledger::Ledger,
    play::{Chooser, Play},
    story::Story,
};

/// Says how the call of a port goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// The call fails before it does its work.
    FailsBefore,
    /// The call does its work, and its answer is lost.
    FailsAfter,
    /// The actor dies before the call does its work.
    DiesBefore,
    /// The call does its work, and then the actor dies.
    DiesAfter,
    /// The call waits until all other actors are done and minutes have passed.
    Waits,
    /// The actor's work is handed to a second actor as well.
    ComesTwice,
}

impl Mishap {
    /// Lists all mishaps.
    pub const ALL: [Self; 6] =
        [Self::FailsBefore, Self::FailsAfter, Self::DiesBefore, Self::DiesAfter, Self::Waits, Self::ComesTwice];
}

/// Names a fault that real queues, streams and tables do not have. The ledger must report each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slip {
    /// The work of an actor that died does not come again.
    TheDeadHadAcknowledged,
    /// Work that was reported as failed does not come again.
    FailuresAreAcknowledged,
    /// The table stores a claim or a replacement even if the delivery has changed since it was read.
    TheTableStoresWhatever,
    /// A step also overwrites the original of its transaction.
    StepsOverwriteTheOriginal,
    /// The table stores a later record of a transaction in place of the record that has its number.
    NumbersWithoutTheCondition,
    /// A negative transaction is stored without its note beside the transaction that it reverses.
    NotesAreForgotten,
    /// GG3 is told a step before the step is stored.
    StepsAreToldBeforeStoring,
}

/// Sums up the histories that were played.
#[derive(Debug, Default)]
pub struct Played {
    /// Counts the histories.
    pub histories: usize,
    /// Counts the calls of ports in all histories.
    pub turns: usize,
    /// Counts the requests that partners got.
    pub requests: usize,
    /// Counts the requests that were not recorded because their worker died first.
    pub cut_short: usize,
    /// Counts the attempts that were recorded after their workers had lost the claim.
    pub late: usize,
    /// Counts the rounds that were opened by hand.
    pub rounds: u32,
    /// Counts how often the sweep picked up a delivery.
    pub swept: usize,
    /// Describes the first history that went wrong: how to play it again, and the fault.
    pub wrong: Option<(String, String)>,
}

impl Played {
    fn add(&mut self, name: impl FnOnce() -> String, play: &Play, calmly: &Ledger) {
        self.histories += 1;
        self.turns += play.turns();
        let state = play.world.state();
        self.requests += state.requests.len();
        self.cut_short += play.attempts.cut_short;
        self.late += play.attempts.late();
        self.rounds += state.deliveries.values().map(|delivery| delivery.round() - 1).sum::<u32>();
        self.swept += state.swept.len();
        drop(state);
        if let (Err(wrong), None) = (Ledger::audit(play, calmly), &self.wrong) {
            self.wrong = Some((name(), wrong));
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            histories: self.histories + other.histories,
            turns: self.turns + other.turns,
            requests: self.requests + other.requests,
            cut_short: self.cut_short + other.cut_short,
            late: self.late + other.late,
            rounds: self.rounds + other.rounds,
            swept: self.swept + other.swept,
            wrong: self.wrong.or(other.wrong),
        }
    }
}

/// Plays each short story with every single mishap. With `pairs` it also plays every pair of mishaps.
pub fn exhaustively(pairs: bool) -> Played {
    story::short().iter().map(|story| play_all(story, pairs)).fold(Played::default(), Played::and)
}

/// Plays the short stories that have no sweep, with every single mishap and this slip. The ledger must report the slip
/// in each story, because no sweep repairs the damage.
pub fn with_a_slip(slip: Slip) -> Vec<Played> {
    let slipping = story::short().into_iter().filter(|story| !story.swept);
    slipping.map(|story| play_all(&Story { slip: Some(slip), ..story }, false)).collect()
}

fn calmly(story: &Story) -> Play {
    Play::of(story.clone(), Chooser::Script(BTreeMap::new()))
}

fn play_all(story: &Story, pairs: bool) -> Played {
    let mut played = Played::default();
    let scripted = |script: BTreeMap<usize, Mishap>| Play::of(story.clone(), Chooser::Script(script));
    let calm = calmly(&Story { slip: None, ..story.clone() });
    let (turns, ledger) = (calm.turns(), Ledger::of(&calm));
    played.add(|| "nothing".to_owned(), &calm, &ledger);
    for first in 0..turns {
        for mishap in Mishap::ALL {
            let play = scripted([(first, mishap)].into());
            let longer = play.turns();
            played.add(|| format!("{mishap:?} at call {first}"), &play, &ledger);
            for second in (first + 1..longer).filter(|_| pairs) {
                for other in Mishap::ALL {
                    let name = || format!("{mishap:?} at call {first}, {other:?} at call {second}");
                    played.add(name, &scripted([(first, mishap), (second, other)].into()), &ledger);
                }
            }
        }
    }
    played
}

/// Plays a long story. The seed decides the order of calls and the mishaps, so the same seed plays the same history.
pub fn from_seed(seed: u64) -> Played {
    let mut played = Played::default();
    let story = story::long(seed);
    let ledger = Ledger::of(&calmly(&story));
    let play = Play::of(story, Chooser::Seed(fastrand::Rng::with_seed(seed)));
    played.add(|| format!("PROOF_SEED={seed}"), &play, &ledger);
    played
}

/// Plays one long story for each seed.
pub fn at_random(seeds: impl IntoIterator<Item = u64>) -> Played {
    seeds.into_iter().map(from_seed).fold(Played::default(), Played::and)
}
