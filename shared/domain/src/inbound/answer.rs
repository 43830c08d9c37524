//! Holds the agreement with a partner whose software looks for a word in the answers to its calls.

use serde::{Deserialize, Serialize};

use crate::prelude::*;
use crate::values::config_fault::Faults;

const MAX_WORD_BYTES: usize = 64;

/// Holds the words that answer a partner's calls instead of JSON, as an operator writes them. Errors stay JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextAnswer {
    /// Says `text`.
    pub format: AnswerFormat,
    /// Answers a call that was accepted, and one whose status is agreed to be ignored. The default is `OK`.
    #[serde(default = "accepted")]
    pub accepted: String,
    /// Answers a duplicate. The default is `DUP`.
    #[serde(default = "duplicate")]
    pub duplicate: String,
}

/// Names the formats of answers that can be agreed on. Without an agreement the answers are JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerFormat {
    /// The body is one word, as `text/plain`.
    Text,
}

fn accepted() -> String {
    "OK".to_owned()
}

fn duplicate() -> String {
    "DUP".to_owned()
}

impl TextAnswer {
    /// Reports words that a plain answer cannot have.
    pub(crate) fn check(&self, faults: &mut Faults) {
        for (key, word) in [("accepted", &self.accepted), ("duplicate", &self.duplicate)] {
            let legal =
                (1..=MAX_WORD_BYTES).contains(&word.len()) && word.bytes().all(|byte| matches!(byte, b' '..=b'~'));
            let path = format!("postback.answer.{key}");
            faults.require(legal, &path, "must be 1 to 64 characters of printable ASCII");
        }
    }
}
