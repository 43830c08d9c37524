//! Holds the states of a transaction and the words that a partner sends for them, and recognises statuses that nobody
//! agreed on.

use alloc::collections::{BTreeMap, BTreeSet};
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::prelude::*;
use crate::values::config_fault::Faults;
use crate::values::spelling::{same_letters, words};

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
        let lists = [
            ("pending", &file.pending, StatusMeaning::State(State::Pending)),
            ("approved", &file.approved, StatusMeaning::State(State::Approved)),
            ("rejected", &file.rejected, StatusMeaning::State(State::Rejected)),
            ("ignored", &file.ignored, StatusMeaning::Ignored),
        ];
        for (list, words, meaning) in lists {
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

/// Says what a parameter tells about a conversion, going by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StatusName {
    /// The value names the state, as in `order_status=approved`.
    State,
    /// A yes means that the conversion is valid, as in `is_approved=1`.
    Approves,
    /// A yes means that the conversion is not valid, or not yet, as in `test_mode=1`.
    Rejects,
    /// A yes means that the conversion was taken back, as in `is_chargeback=1`.
    Reverses,
}

/// Lists how the words begin that say that a conversion was taken back.
const REVERSES: [&str; 5] = ["chargeback", "chargedback", "reversal", "reversed", "refund"];
/// Lists how the words begin that say that a conversion is not valid, or not yet.
const REJECTS: [&str; 9] =
    ["reject", "declin", "cancel", "pending", "invalid", "sandbox", "unapprov", "disapprov", "void"];

impl StatusName {
    /// Returns the meaning of a name, or `None` if the name means no status. The words of the name decide, so that
    /// `order_status`, `orderStatus` and `refunded_at` are recognised, and `contest` and `prefunded` are not.
    ///
    /// Some of these names may mean something else to a partner, such as `billing_state`. They count as statuses all
    /// the same: a refused conversion is kept and can be sent again, but a rejected one that is paid is lost.
    fn of(name: &str) -> Option<Self> {
        let begins = |stems: &[&str]| words(name).any(|word| stems.iter().any(|stem| has_stem(word, stem)));
        let is = |word: &str| words(name).any(|other| without_is(other).eq_ignore_ascii_case(word));
        let split = ["charge_back", "is_charge_back", "charged_back", "reverse"];
        if begins(&REVERSES) || split.iter().any(|known| same_letters(name, known)) {
            Some(Self::Reverses)
        } else if begins(&REJECTS) || is_test(name) || is("not") && is("approved") {
            Some(Self::Rejects)
        } else if words(name).any(|word| has_stem(word, "status") || ends_in(word, "status")) || is_state(name) {
            Some(Self::State)
        } else {
            (is("approve") || is("approved")).then_some(Self::Approves)
        }
    }
}

/// Returns true if a word begins with this stem, with or without a glued `is`: `refunded`, `isrefunded`. `refundable`
/// says only that something may happen.
fn has_stem(word: &str, stem: &str) -> bool {
    let begins = |word: &str| word.get(..stem.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(stem));
    (begins(word) || begins(without_is(word))) && !ends_in(word, "ble")
}

fn ends_in(word: &str, end: &str) -> bool {
    let from = word.len().checked_sub(end.len());
    from.and_then(|from| word.get(from..)).is_some_and(|last| last.eq_ignore_ascii_case(end))
}

fn without_is(word: &str) -> &str {
    let is = word.get(..2).is_some_and(|begin| begin.eq_ignore_ascii_case("is"));
    word.get(2..).filter(|rest| is && !rest.is_empty()).unwrap_or(word)
}

/// Returns true for `test`, `is_test` and `test_mode`. In `ab_test`, the word before says which test is meant, and it is
/// not about the conversion.
fn is_test(name: &str) -> bool {
    let first = words(name).find(|word| !word.eq_ignore_ascii_case("is"));
    first.is_some_and(|word| without_is(word).eq_ignore_ascii_case("test"))
}

/// Returns true if the last word is `state`. The `state_code` of an address is none.
fn is_state(name: &str) -> bool {
    words(name).last().is_some_and(|word| word.eq_ignore_ascii_case("state"))
}

/// Returns true if some senders use a parameter of this name for a status.
pub fn is_status_name(name: &str) -> bool {
    StatusName::of(name).is_some()
}

/// Returns true if a parameter with the name of a status clearly says that the conversion is valid. A bare number in
/// `status` or `state` is not clear, because 1 means pending with some senders.
pub fn says_it_stands(name: &str, value: &str) -> bool {
    const VALID: [&str; 9] =
        ["", "approved", "accepted", "confirmed", "complete", "completed", "success", "paid", "sale"];
    // A link, as in `cancel_url`, is no status.
    if value.contains("://") {
        return true;
    }
    // An amount of nothing was refunded.
    let is_zero = || value.contains('0') && value.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    match StatusName::of(name) {
        Some(StatusName::Approves) => is_among(value, &["1", "true", "yes"]) || is_among(value, &VALID),
        Some(StatusName::State) => is_among(value, &VALID),
        _ => is_among(value, &["", "false", "no", "none", "null"]) || is_zero(),
    }
}

/// Returns true if a parameter belongs to a call that reverses a conversion by a negative amount, such as
/// `is_chargeback=1` or `chargeback_reason=fraud`.
pub fn says_it_reverses(name: &str) -> bool {
    StatusName::of(name) == Some(StatusName::Reverses)
}

/// Returns true if the text is one of the known names. Case does not matter, and `-` counts as `_`. Allocates nothing,
/// because every parameter of every call is compared.
fn is_among(text: &str, known: &[&str]) -> bool {
    let canonical = |byte: u8| if byte == b'-' { b'_' } else { byte.to_ascii_lowercase() };
    known.iter().any(|known| text.len() == known.len() && text.bytes().map(canonical).eq(known.bytes()))
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

    #[test]
    fn only_unmistakable_values_say_that_a_conversion_stands() {
        for (name, value, stands) in [
            ("status", "", true),
            ("Status", "Approved", true),
            ("STATE", "complete", true),
            ("conversion-status", "sale", true),
            ("status", "1", false),
            ("state", "pending", false),
            ("status", "rejected", false),
            ("approve", "1", true),
            ("approved", "yes", true),
            ("approve", "0", false),
            ("is-rejected", "false", true),
            ("is_chargeback", "1", false),
            ("refund", "approved", false),
            ("test", "0", true),
            ("is_test", "true", false),
            ("payment_status", "paid", true),
            ("orderStatus", "declined", false),
            ("paymentstatus", "failed", false),
            ("status_code", "2", false),
            ("order-state", "rejected", false),
            ("is_approved", "1", true),
            ("isApproved", "0", false),
            ("not_approved", "1", false),
            ("unapproved", "1", false),
            ("refunded", "1", false),
            ("refund_amount", "0.00", true),
            ("refund_status", "approved", false),
            ("declined", "yes", false),
            ("cancelled", "true", false),
            ("canceled", "false", true),
            ("chargeback_reason", "", true),
            ("test_mode", "1", false),
            ("isTestOrder", "true", false),
            ("istest", "1", false),
            ("sandbox", "true", false),
            ("SANDBOX_MODE", "0", true),
            ("pending", "1", false),
            ("charged_back", "1", false),
            ("voided", "true", false),
            ("reverse", "1", false),
            ("cancel_url", "https://a.example/", true),
        ] {
            assert!(is_status_name(name), "{name}");
            assert_eq!(says_it_stands(name, value), stands, "{name}={value}");
        }
        for name in [
            "user_id",
            "event",
            "state_code",
            "statement",
            "real_estate",
            "contest",
            "latest",
            "testimonial",
            "ab_test",
            "prefunded",
            "refundable",
            "traverse",
            "reverse_ip",
            "avoid",
            "approval_code",
            "is",
            "",
        ] {
            assert!(!is_status_name(name), "{name}");
        }
    }
}
