//! Describes the stories: partners' calls about one transaction and its reversals, and operators' decisions.

use fastrand::Rng;

/// Names a transaction: the one that rises through states, or one that takes an amount from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Id {
    /// Rises through states.
    T,
    /// Takes an amount from `T`.
    R1,
    /// Takes an amount from `T`.
    R2,
}

impl Id {
    /// Lists all transactions.
    pub(super) const ALL: [Self; 3] = [Self::T, Self::R1, Self::R2];

    pub(super) fn as_str(self) -> &'static str {
        ["t", "r-1", "r-2"][self as usize]
    }
}

/// Names a state. The order is that of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Is the lowest state.
    Pending,
    /// Is above pending.
    Approved,
    /// Is the highest state. The transaction counts as nothing.
    Rejected,
}

impl State {
    pub(super) fn word(self) -> &'static str {
        ["pending", "approved", "rejected"][self as usize]
    }
}

/// Holds the content of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Said {
    /// Names the transaction.
    pub id: Id,
    /// Names the state.
    pub state: State,
    /// Gives the amount in whole units. It is negative if the call takes it from `T`.
    pub amount: i64,
}

/// Names a deed, which is repeated until its answer is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// A partner makes a call.
    Call(Said),
    /// An operator accepts the conflict of this call.
    Accept(Said),
    /// An operator keeps the original in spite of this call.
    Keep(Said),
}

impl Op {
    pub(super) fn said(self) -> Said {
        let (Self::Call(said) | Self::Accept(said) | Self::Keep(said)) = self;
        said
    }
}

/// Says which steps may change the amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Agreed {
    /// No step may change the amount.
    Nothing,
    /// A step to approved may change the amount.
    Approved,
    /// Every step may change the amount.
    All,
}

impl Agreed {
    /// Returns true if the amount may differ between these states. The agreement about the higher state decides.
    pub(super) fn may_differ(self, one: State, other: State) -> bool {
        let agreed: &[State] = match self {
            Self::Nothing => &[],
            Self::Approved => &[State::Approved],
            Self::All => &[State::Approved, State::Rejected],
        };
        one != other && agreed.contains(&one.max(other))
    }
}

/// Holds the deeds, which go on at the same time, and the limit of mishaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// Says what the partner agreed on.
    pub agreed: Agreed,
    /// Lists the deeds. An operator decides as soon as the conflict exists.
    pub ops: Vec<Op>,
    /// Limits the mishaps.
    pub mishaps: u32,
}

fn call(id: Id, state: State, amount: i64) -> Said {
    Said { id, state, amount }
}

/// Returns the calls from which the sets are made.
pub(super) fn calls() -> [Said; 8] {
    use State::{Approved, Pending, Rejected};
    [
        call(Id::T, Pending, 100),
        call(Id::T, Approved, 100),
        call(Id::T, Rejected, 100),
        call(Id::T, Approved, 90),
        call(Id::T, Rejected, 90),
        call(Id::R1, Approved, -60),
        call(Id::R2, Approved, -60),
        call(Id::R1, Approved, -50),
    ]
}

/// Returns every set of this number of calls, repetitions included.
fn sets(size: usize) -> Vec<Vec<Said>> {
    let mut sets = vec![Vec::new()];
    for _ in 0..size {
        let with = |set: &Vec<Said>| -> Vec<Vec<Said>> {
            let not_before = |call: &Said| set.last().is_none_or(|last| last <= call);
            let mut calls = calls();
            calls.sort_unstable();
            calls.into_iter().filter(not_before).map(|call| [&set[..], &[call]].concat()).collect()
        };
        sets = sets.iter().flat_map(with).collect();
    }
    sets
}

/// Returns a story for every set of this number of calls and every agreement.
pub(super) fn of_calls(size: usize, mishaps: u32) -> Vec<Story> {
    let mut stories = Vec::new();
    for set in sets(size) {
        for agreed in [Agreed::Nothing, Agreed::Approved, Agreed::All] {
            stories.push(Story { agreed, ops: set.iter().copied().map(Op::Call).collect(), mishaps });
        }
    }
    stories
}

/// Returns a story for every set of this number of calls and each decision about one of them.
pub(super) fn with_decisions(size: usize, mishaps: u32) -> Vec<Story> {
    let mut stories = Vec::new();
    for Story { agreed, ops, .. } in of_calls(size, mishaps) {
        let mut about: Vec<Said> = ops.iter().map(|op| op.said()).collect();
        about.dedup();
        for decision in about.iter().flat_map(|said| [Op::Accept(*said), Op::Keep(*said)]) {
            stories.push(Story { agreed, ops: [&ops[..], &[decision]].concat(), mishaps });
        }
    }
    stories
}

/// Draws a story of three to nine calls and up to four decisions.
pub(super) fn drawn(dice: &mut Rng) -> Story {
    let alphabet = calls();
    let said: Vec<Said> = (0..dice.usize(3..10)).map(|_| alphabet[dice.usize(..alphabet.len())]).collect();
    let decisions = (0..dice.usize(..5)).map(|_| {
        let about = said[dice.usize(..said.len())];
        if dice.usize(..4) == 0 { Op::Keep(about) } else { Op::Accept(about) }
    });
    let decisions: Vec<Op> = decisions.collect();
    let agreed = [Agreed::Nothing, Agreed::Approved, Agreed::All][dice.usize(..3)];
    let ops = said.into_iter().map(Op::Call).chain(decisions).collect();
    Story { agreed, ops, mishaps: [0, 2, 6][dice.usize(..3)] }
}
