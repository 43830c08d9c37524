//! States plainly what calls and decisions must lead to. It is written after the contract and shares no code with the
//! product.

use std::collections::BTreeMap;

use super::story::{Agreed, Id, Said, State};

/// Identifies a receipt by the place of the deed in its story and by the number of the try.
pub(super) type Receipt = (u8, u8);

/// Says what a record of a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Original,
    /// An original that takes its amount from `T`. `known` says if `T` was recorded and had enough left.
    Reversal {
        known: bool,
    },
    Step,
    Correction,
    /// Notes beside `T` that this transaction took an amount.
    Note(Id),
}

/// Holds one record of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Record {
    pub(super) kind: Kind,
    pub(super) state: State,
    pub(super) amount: i64,
    pub(super) correction: u32,
    pub(super) receipt: Receipt,
}

/// Says what became of a kept conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Conflict {
    Open,
    OriginalKept,
    Accepted(Receipt),
}

/// Holds an answer to a partner or to an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Answer {
    Accepted(Receipt),
    /// The answer to a duplicate, or to a repeated decision, with this receipt.
    Duplicate(Receipt),
    /// The answer to a conflict, with the receipt of the current record.
    Conflict(Receipt),
    OriginalKept,
    NoOriginal,
    /// An operator may not accept the conflict.
    Refused,
}

/// Says what a deed does if it takes effect at this instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It only gets an answer.
    Says(Answer),
    /// It adds these records.
    Adds(Vec<((Id, u32), Record)>),
}

/// Holds all records by transaction and place, and all kept conflicts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Reference {
    pub(super) records: BTreeMap<(Id, u32), Record>,
    pub(super) conflicts: BTreeMap<Said, Conflict>,
}

impl Reference {
    /// Returns the transaction's own records, the oldest first.
    fn chain(&self, id: Id) -> Vec<Record> {
        let of = self.records.range((id, 0)..=(id, u32::MAX)).map(|(_, record)| *record);
        of.filter(|record| !matches!(record.kind, Kind::Note(_))).collect()
    }

    /// Returns the current record: the highest state after the latest correction.
    pub(super) fn stands(&self, id: Id) -> Option<Record> {
        self.chain(id).into_iter().max_by_key(|record| (record.correction, record.state))
    }

    fn next_place(&self, id: Id) -> u32 {
        self.records.range((id, 0)..=(id, u32::MAX)).map(|((_, place), _)| place + 1).max().unwrap_or_default()
    }

    /// Returns the amounts that other transactions take from a transaction. The latest note of each is valid.
    fn notes(&self, id: Id) -> BTreeMap<Id, i64> {
        let records = self.records.range((id, 0)..=(id, u32::MAX)).map(|(_, record)| record);
        let note = |record: &Record| match record.kind {
            Kind::Note(by) => Some((by, record.amount)),
            _ => None,
        };
        records.filter_map(note).collect()
    }

    /// Returns the amount that would be left of a transaction with this state and amount. A rejection leaves nothing.
    fn left(&self, id: Id, state: State, amount: i64) -> i64 {
        if state == State::Rejected { 0 } else { amount + self.notes(id).values().sum::<i64>() }
    }

    /// Returns true if the notes of a transaction fit in this amount.
    fn bears(&self, Said { id, state, amount }: Said) -> bool {
        self.notes(id).values().all(|taken| *taken == 0) || self.left(id, state, amount) >= 0
    }

    /// Returns the amount that is left of `T`.
    pub(super) fn left_now(&self) -> i64 {
        self.stands(Id::T).map_or(0, |stands| self.left(Id::T, stands.state, stands.amount))
    }

    /// Says what a call does. If the call is accepted, it gets this receipt.
    pub(super) fn call(&self, agreed: Agreed, said: Said, receipt: Receipt) -> Verdict {
        let Some(stands) = self.stands(said.id) else { return self.first(said, receipt) };
        let (conflict, duplicate) = (Answer::Conflict(stands.receipt), Answer::Duplicate(stands.receipt));
        let chain = self.chain(said.id);
        let same = chain.iter().rev().find(|record| (record.state, record.amount) == (said.state, said.amount));
        if let Some(same) = same {
            // The rejection is older than an operator's approval. The partner may have decided again, so an operator
            // must look.
            let overruled = said.state == State::Rejected && stands.state < said.state;
            return Verdict::Says(if overruled && same.correction < stands.correction { conflict } else { duplicate });
        }
        if said.amount != stands.amount && !agreed.may_differ(said.state, stands.state) {
            return Verdict::Says(conflict);
        }
        if said.state <= stands.state {
            return Verdict::Says(if said.state == State::Pending { duplicate } else { conflict });
        }
        if !self.bears(said) {
            return Verdict::Says(conflict);
        }
        let Said { state, amount, .. } = said;
        let step = Record { kind: Kind::Step, state, amount, correction: stands.correction, receipt };
        Verdict::Adds(vec![((said.id, self.next_place(said.id)), step)])
    }

    fn first(&self, Said { id, state, amount }: Said, receipt: Receipt) -> Verdict {
        let record = |kind| Record { kind, state, amount, correction: 0, receipt };
        if amount >= 0 {
            return Verdict::Adds(vec![((id, 0), record(Kind::Original))]);
        }
        let Some(reversed) = self.stands(Id::T) else {
            return Verdict::Adds(vec![((id, 0), record(Kind::Reversal { known: false }))]);
        };
        if self.left_now() + amount < 0 {
            return Verdict::Says(Answer::Conflict(reversed.receipt));
        }
        let (own, note) = (record(Kind::Reversal { known: true }), record(Kind::Note(id)));
        Verdict::Adds(vec![((id, 0), own), ((Id::T, self.next_place(Id::T)), note)])
    }

    /// Says what accepting a conflict does. Returns `None` if there is no such conflict.
    pub(super) fn accept(&self, said: Said, receipt: Receipt) -> Option<Verdict> {
        if let Conflict::Accepted(receipt) = self.conflicts.get(&said)? {
            return Some(Verdict::Says(Answer::Duplicate(*receipt)));
        }
        let Said { id, state, amount } = said;
        let record = |kind, correction| Record { kind, state, amount, correction, receipt };
        let note = ((Id::T, self.next_place(Id::T)), record(Kind::Note(id), 0));
        let Some(stands) = self.stands(id) else {
            if amount >= 0 {
                return Some(Verdict::Says(Answer::NoOriginal));
            }
            let known = self.stands(Id::T).is_some() && self.left_now() + amount >= 0;
            let own = ((id, 0), record(Kind::Reversal { known }, 0));
            return Some(Verdict::Adds([own].into_iter().chain(known.then_some(note)).collect()));
        };
        let reversed = self.stands(Id::T).filter(|_| amount < 0);
        let given_back = match reversed {
            Some(reversed) if reversed.state != State::Rejected => {
                -self.notes(Id::T).get(&id).copied().unwrap_or_default()
            }
            _ => 0,
        };
        let takes_too_much = reversed.is_some() && self.left_now() + given_back + amount < 0;
        if !self.bears(said) || takes_too_much {
            return Some(Verdict::Says(Answer::Refused));
        }
        let own = ((id, self.next_place(id)), record(Kind::Correction, stands.correction + 1));
        Some(Verdict::Adds([own].into_iter().chain(reversed.map(|_| note)).collect()))
    }

    /// Says what keeping the original does. Returns `None` if there is no such conflict.
    pub(super) fn keep(&self, said: Said) -> Option<Answer> {
        Some(match self.conflicts.get(&said)? {
            Conflict::Accepted(receipt) => Answer::Duplicate(*receipt),
            Conflict::Open | Conflict::OriginalKept => Answer::OriginalKept,
        })
    }

    /// Keeps the conflict of a call.
    pub(super) fn with_conflict(&self, said: Said) -> Self {
        let mut next = self.clone();
        let kept = next.conflicts.entry(said).or_insert(Conflict::Open);
        if *kept == Conflict::OriginalKept {
            *kept = Conflict::Open;
        }
        next
    }

    pub(super) fn with_fate(&self, said: Said, fate: Conflict) -> Self {
        let mut next = self.clone();
        next.conflicts.insert(said, fate);
        next
    }

    pub(super) fn with(&self, added: &[((Id, u32), Record)]) -> Self {
        let mut next = self.clone();
        next.records.extend(added.iter().copied());
        next
    }
}
