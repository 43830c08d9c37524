//! What is wrong with a request, said so that whoever reads it can mend it without asking us.

use serde::{Deserialize, Serialize};

use crate::prelude::*;

/// The stable name of a kind of fault. Programs may rely on these; the sentences beside them may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultCode {
    /// The query or the body is larger than we take.
    TooLarge,
    /// The body is not form-encoded, or a GET has one.
    UnsupportedBody,
    /// More parameters than we take.
    TooManyParameters,
    /// A required parameter is not there, or is empty.
    Missing,
    /// A parameter stands twice, in the query, in the body or once in each.
    Repeated,
    /// A `%` is not followed by two hexadecimal digits.
    BadPercentEncoding,
    /// The decoded bytes are not UTF-8.
    NotUtf8,
    /// A tracker's macro was not replaced by its value.
    MacroNotReplaced,
    /// Longer than the bound.
    TooLong,
    /// A control character, such as a line break.
    ControlCharacter,
    /// Not a plain decimal number.
    NotAnAmount,
    /// An amount below zero.
    NegativeAmount,
    /// An amount with too many digits, on either side of the point.
    AmountOutOfRange,
    /// Neither ISO 4217's nor agreed with the partner.
    UnknownCurrency,
    /// A `transaction_id` under the prefix that is kept for derived ones.
    ReservedTransactionId,
    /// An `event_id` outside those agreed with the partner.
    EventNotAgreed,
    /// The partner is set to `require_click`, and this `click_id` is not one of ours for this user.
    ClickNotOurs,
    /// `dry_run` is neither `true` nor `false`.
    NotABoolean,
    /// The caller's address is outside the partner's allow-list.
    AddressNotAllowed,
}

/// One fault: where, what, what was expected, how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The parameter by the name that the partner uses; absent when it concerns the request as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// Its stable name.
    pub code: FaultCode,
    /// What would have been right.
    pub expected: String,
    /// What to do about it.
    pub fix: String,
}

impl Fault {
    /// A fault of one parameter.
    pub fn of(parameter: &str, code: FaultCode, expected: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { parameter: Some(parameter.to_owned()), code, expected: expected.into(), fix: fix.into() }
    }

    /// A fault of the request as a whole.
    pub fn whole(code: FaultCode, expected: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { parameter: None, code, expected: expected.into(), fix: fix.into() }
    }
}
