//! The use cases themselves, killed, failed, repeated and held up at every call of a port.
//!
//! A [`story`] of partners' calls and GG3's events is played by several actors at once over the ports in memory. Each
//! call of a port waits until the scheduler gives its actor a turn, so that the order of all calls, and what goes wrong at
//! which, is the scheduler's: laid down turn by turn, or drawn from a seed. When the story is over and nothing goes wrong
//! any more, the ledger is compared: what was answered, what GG3 received, what is owed, what partners were asked and what is
//! recorded of it.
//!
//! A new use case joins as another kind of [`Work`](work::Work), with its own part of the ledger.

mod attempts;
mod ledger;
mod mail;
mod play;
mod stage;
mod story;
mod work;

use std::collections::BTreeMap;

use self::{
    ledger::Ledger,
    play::{Chooser, Play},
    story::Story,
};

/// What happens to the call of a port that has its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// It fails, and has done nothing.
    FailsBefore,
    /// It does its work, and its answer is lost.
    FailsAfter,
    /// Whoever makes it dies before.
    DiesBefore,
    /// It does its work, and whoever makes it dies.
    DiesAfter,
    /// It waits until everybody else is done, and minutes have passed.
    Waits,
    /// What its actor works on is handed to another one as well.
    ComesTwice,
}

impl Mishap {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::FailsBefore, Self::FailsAfter, Self::DiesBefore, Self::DiesAfter, Self::Waits, Self::ComesTwice];
}

/// What queues, streams and tables never do. Each must be found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slip {
    /// What an actor worked on when it died does not come again.
    TheDeadHadAcknowledged,
    /// What an actor reported as failed does not come again.
    FailuresAreAcknowledged,
    /// A delivery is claimed and replaced whatever has become of it since it was read.
    TheTableStoresWhatever,
}

/// What so many histories came to.
#[derive(Debug, Default)]
pub struct Played {
    /// How many histories.
    pub histories: usize,
    /// How many calls of ports in all of them.
    pub turns: usize,
    /// How many requests partners got.
    pub requests: usize,
    /// How many requests were never recorded, since their worker died before.
    pub cut_short: usize,
    /// How many attempts were recorded too late, their claim lost.
    pub late: usize,
    /// How many rounds were opened by hand.
    pub rounds: u32,
    /// How often something was swept.
    pub swept: usize,
    /// The first that went wrong: how to play it again, and what was wrong.
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

/// Each short story with every single mishap; with `pairs`, with every pair of them as well.
pub fn exhaustively(pairs: bool) -> Played {
    story::short().iter().map(|story| play_all(story, pairs)).fold(Played::default(), Played::and)
}

/// The short stories that no sweep mends, with every single mishap, where this slip is to be found out in each.
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

/// A long story in an order and with mishaps that are drawn from this seed: the same seed, the same history.
pub fn from_seed(seed: u64) -> Played {
    let mut played = Played::default();
    let story = story::long(seed);
    let ledger = Ledger::of(&calmly(&story));
    let play = Play::of(story, Chooser::Seed(fastrand::Rng::with_seed(seed)));
    played.add(|| format!("PROOF_SEED={seed}"), &play, &ledger);
    played
}

/// Many of them.
pub fn at_random(seeds: impl IntoIterator<Item = u64>) -> Played {
    seeds.into_iter().map(from_seed).fold(Played::default(), Played::and)
}
