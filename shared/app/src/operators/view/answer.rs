//! The answer to a call that is handled again.

use domain::inbound::postback::Difference;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{accept_postback::PostbackAnswer, operators::current_revision::CurrentRevision};

/// An answer, by the name of its outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnswerView {
    /// `accepted`, `duplicate`, `ignored`, `conflict`, `transaction_erased`, `malformed`, `forbidden`, `unauthorized`,
    /// `rate_exceeded`, `paused` or `unavailable`.
    pub outcome: &'static str,
    /// The receipt, the faults, or what contradicts what.
    pub details: Value,
}

impl AnswerView {
    /// Shows an answer. `current` is the revision that stands, if the answer is a conflict and the revision is known.
    pub fn of(answer: &PostbackAnswer, current: Option<&CurrentRevision>) -> Self {
        let none = || json!({});
        let (outcome, details) = match answer {
            PostbackAnswer::Accepted(receipt) => ("accepted", json!({ "receipt": receipt })),
            PostbackAnswer::Duplicate(receipt) => ("duplicate", json!({ "receipt": receipt })),
            PostbackAnswer::Ignored => ("ignored", none()),
            PostbackAnswer::Conflict(conflict) => {
                let differences: Vec<&Difference> =
                    conflict.differences.iter().map(|(_, difference)| difference).collect();
                let mut details = json!({"original": conflict.original, "differences": differences});
                if let Some((details, current)) = details.as_object_mut().zip(current) {
                    details.insert("stands".to_owned(), json!(current));
                }
                ("conflict", details)
            }
            PostbackAnswer::Erased(_) => ("transaction_erased", none()),
            PostbackAnswer::Malformed(faults) => ("malformed", json!({ "faults": faults })),
            PostbackAnswer::Forbidden(fault) => ("forbidden", json!({ "faults": [fault] })),
            PostbackAnswer::Unauthorized | PostbackAnswer::UnauthorizedTooOften(_) => ("unauthorized", none()),
            PostbackAnswer::RateExceeded(seconds) => ("rate_exceeded", json!({ "retry_after_seconds": seconds })),
            PostbackAnswer::Paused => ("paused", none()),
            PostbackAnswer::Unavailable(_) => ("unavailable", none()),
        };
        Self { outcome, details }
    }
}
