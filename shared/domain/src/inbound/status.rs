//! Holds the states of a transaction and the words that a partner sends for them.

use alloc::collections::{BTreeMap, BTreeSet};
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::prelude::*;
use crate::values::config_fault::Faults;

/// Bounds an agreed word for a status, in bytes.
const MAX_WORD_BYTES: usize = 64;

/// Names the state of a transaction. States are ordered, and the transaction is in the highest state that was reported.
/// A correction by an operator sets the state anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The partner has not confirmed the transaction yet.
    Pending,
    /// The partner owes the amount. A postback without a status means this state.
    #[default]
    Approved,
    /// The partner declined, reversed, refunded or charged back the transaction.
    Rejected,
}

impl State {
    /// Lists all states from the lowest to the highest.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Approved, Self::Rejected];

    /// Returns our word for the state.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Holds the agreed words for statuses as an operator writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusFile {
    /// Names the partner's parameter that carries the status.
    pub parameter: String,
    /// Lists the words for [`State::Pending`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<String>,
    /// Lists the words for [`State::Approved`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approved: Vec<String>,
    /// Lists the words for [`State::Rejected`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<String>,
    /// Lists the words for calls that are answered but never become conversions, such as test calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
}

impl StatusFile {
    /// Returns the lists of words by their names.
    pub(crate) fn lists(&self) -> [(&'static str, &Vec<String>); 4] {
        [
            ("pending", &self.pending),
            ("approved", &self.approved),
            ("rejected", &self.rejected),
            ("ignored", &self.ignored),
        ]
    }
}

/// Says what a partner's word for a status means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusMeaning {
    /// The transaction is in this state.
    State(State),
    /// The call is answered but never becomes a conversion.
    Ignored,
}

/// Holds the agreement with a partner about statuses. The name of the parameter is among the partner's names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatusAgreement {
    /// Maps words in lower case to their meanings.
    words: BTreeMap<String, StatusMeaning>,
    amount_may_change: BTreeSet<State>,
}

impl StatusAgreement {
    /// Checks the agreed words, and the states whose postbacks may bring another amount. Reports every fault.
    pub(crate) fn parse(file: &StatusFile, amount_may_change: &[State], faults: &mut Faults) -> Self {
        let mut agreement = Self::default();
        let meanings = State::ALL.map(StatusMeaning::State).into_iter().chain([StatusMeaning::Ignored]);
        for ((list, words), meaning) in file.lists().into_iter().zip(meanings) {
            for (at, word) in words.iter().enumerate() {
                let path = format!("postback.status.{list}[{at}]");
                let legal = (1..=MAX_WORD_BYTES).contains(&word.len())
                    && !word.chars().any(char::is_control)
                    && word.trim() == word;
                faults.require(legal, &path, "must be 1 to 64 bytes without control characters or blanks around them");
                if agreement.words.insert(word.to_lowercase(), meaning).is_some() {
                    faults.add(&path, format!("{word} is repeated; words compare without case, so remove one"));
                }
            }
        }
        let words = "agrees on no words; list the partner's words under pending, approved, rejected or ignored";
        faults.require(!agreement.words.is_empty(), "postback.status", words);
        for (at, state) in amount_may_change.iter().enumerate() {
            let path = format!("postback.amount_may_change[{at}]");
            let words = "is the lowest state, to which no step leads; use approved or rejected";
            faults.require(*state != State::Pending, &path, words);
            faults.require(agreement.amount_may_change.insert(*state), &path, "is repeated; remove one");
        }
        agreement
    }

    /// Returns the meaning of a word, or `None` if the word is not agreed. Case does not matter. An empty word means
    /// approved.
    pub fn meaning(&self, word: &str) -> Option<StatusMeaning> {
        if word.is_empty() {
            return Some(StatusMeaning::State(State::Approved));
        }
        self.words.get(&word.to_lowercase()).copied()
    }

    /// Returns the agreed words with their meanings as text for people.
    pub fn listed(&self) -> String {
        let of =
            |meaning| self.words.iter().filter(move |(_, other)| **other == meaning).map(|(word, _)| word.as_str());
        let meanings = State::ALL.map(StatusMeaning::State).into_iter().chain([StatusMeaning::Ignored]);
        let told = meanings.filter_map(|meaning| {
            let words = of(meaning).collect::<Vec<_>>().join(", ");
            let means = match meaning {
                StatusMeaning::State(state) => state.as_str(),
                StatusMeaning::Ignored => "ignored",
            };
            (!words.is_empty()).then(|| format!("{words} ({means})"))
        });
        told.collect::<Vec<_>>().join(", ")
    }

    /// Returns true if the amount may differ between these two states. The agreement about the higher state decides.
    pub fn amount_may_change(&self, one: State, other: State) -> bool {
        one != other && self.amount_may_change.contains(&one.max(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str, amount_may_change: &[State]) -> (StatusAgreement, Vec<String>) {
        let mut faults = Faults::default();
        let agreement = StatusAgreement::parse(&serde_json::from_str(json).unwrap(), amount_may_change, &mut faults);
        (agreement, faults.0.into_iter().map(|fault| fault.path).collect())
    }

    #[test]
    fn words_compare_without_case_and_an_empty_one_is_approved() {
        let json =
            r#"{"parameter":"s","pending":["Pending","2"],"approved":["1"],"rejected":["3"],"ignored":["Test"]}"#;
        let (agreement, faults) = parsed(json, &[State::Approved]);
        assert!(faults.is_empty());
        for (word, meaning) in [
            ("PENDING", Some(StatusMeaning::State(State::Pending))),
            ("2", Some(StatusMeaning::State(State::Pending))),
            ("", Some(StatusMeaning::State(State::Approved))),
            ("3", Some(StatusMeaning::State(State::Rejected))),
            ("tesT", Some(StatusMeaning::Ignored)),
            ("approved", None),
        ] {
            assert_eq!(agreement.meaning(word), meaning, "{word}");
        }
        assert_eq!(agreement.listed(), "2, pending (pending), 1 (approved), 3 (rejected), test (ignored)");
        assert!(agreement.amount_may_change(State::Pending, State::Approved));
        assert!(!agreement.amount_may_change(State::Approved, State::Approved));
        assert!(!agreement.amount_may_change(State::Approved, State::Rejected));
    }

    #[test]
    fn every_fault_of_an_agreement_is_reported() {
        let (_, faults) = parsed(
            r#"{"parameter":"s","pending":["a",""],"approved":["A"," b"],"rejected":["c","c"]}"#,
            &[State::Pending, State::Approved, State::Approved],
        );
        assert_eq!(
            faults,
            [
                "postback.status.pending[1]",
                "postback.status.approved[0]",
                "postback.status.approved[1]",
                "postback.status.rejected[1]",
                "postback.amount_may_change[0]",
                "postback.amount_may_change[2]",
            ]
        );
        assert_eq!(parsed(r#"{"parameter":"s"}"#, &[]).1, ["postback.status"]);
    }
}
