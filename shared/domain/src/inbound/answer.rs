//! Describes plain-text answers, for partners whose software looks for a word in each answer.

use serde::{Deserialize, Serialize};

use crate::prelude::*;
use crate::values::config_fault::Faults;

const MAX_WORD_BYTES: usize = 64;

/// Holds the words that are sent instead of JSON answers, as an operator writes them. Errors are still answered in
/// JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextAnswer {
    /// Names the format, which is `text`.
    pub format: AnswerFormat,
    /// Holds the answer to an accepted call, and to a call whose status is to be ignored by agreement. The default is
    /// `OK`.
    #[serde(default = "accepted")]
    pub accepted: String,
    /// Holds the answer to a duplicate. The default is `DUP`.
    #[serde(default = "duplicate")]
    pub duplicate: String,
}

/// Names the answer formats that a partner can agree on. Without an agreement, answers are JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerFormat {
    /// The body is one word of type `text/plain`.
    Text,
}

fn accepted() -> String {
    "OK".to_owned()
}

fn duplicate() -> String {
    "DUP".to_owned()
}

impl TextAnswer {
    /// Reports each word that cannot be sent as a plain answer.
    pub(crate) fn check(&self, faults: &mut Faults) {
        for (key, word) in [("accepted", &self.accepted), ("duplicate", &self.duplicate)] {
            let legal =
                (1..=MAX_WORD_BYTES).contains(&word.len()) && word.bytes().all(|byte| matches!(byte, b' '..=b'~'));
            let path = format!("postback.answer.{key}");
            faults.require(legal, &path, "must be 1 to 64 characters of printable ASCII");
        }
    }
}
