//! Describes what is wrong with a request, so that readers can mend it without asking us.

use serde::{Deserialize, Serialize};

use crate::prelude::*;

/// Names a kind of fault. Programs may rely on these names; the sentences beside them may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultCode {
    /// The query or the body is too large.
    TooLarge,
    /// The body is neither form-encoded nor one JSON object, or a GET has one.
    UnsupportedBody,
    /// A value in a JSON body is an object or an array.
    NestedValue,
    /// A value in a JSON body is null.
    NullValue,
    /// The request has too many parameters.
    TooManyParameters,
    /// A required parameter is missing or empty.
    Missing,
    /// A parameter stands twice: in the query, in the body, or once in each.
    Repeated,
    /// A `%` is not followed by two hexadecimal digits.
    BadPercentEncoding,
    /// The decoded bytes are not UTF-8.
    NotUtf8,
    /// A tracker's macro was not replaced by its value.
    MacroNotReplaced,
    /// The value is too long.
    TooLong,
    /// The value has a control character, such as a line break.
    ControlCharacter,
    /// The value is not a plain decimal number.
    NotAnAmount,
    /// The amount is below zero.
    NegativeAmount,
    /// The amount has too many digits before or after the point.
    AmountOutOfRange,
    /// The currency is neither in ISO 4217 nor agreed with the partner.
    UnknownCurrency,
    /// The `transaction_id` has the prefix that is reserved for derived ones.
    ReservedTransactionId,
    /// The `event_id` is not among those agreed with the partner.
    EventNotAgreed,
    /// The partner is set to `require_click`, and this `click_id` is not one that we made for this user.
    ClickNotOurs,
    /// The value of `dry_run` is neither `true` nor `false`.
    NotABoolean,
    /// A parameter that means a status with some senders has a value that may not mean approval, and nothing was agreed.
    StatusNotAgreed,
    /// The word is not among the statuses agreed with the partner.
    UnknownStatus,
    /// The status is agreed to be ignored. The call was answered 200 and is kept.
    StatusIgnored,
    /// The caller's address is outside the partner's allow-list.
    AddressNotAllowed,
}

/// Holds one fault of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Names the parameter in the partner's words, or is absent if the fault concerns the whole request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// Names the kind of fault.
    pub code: FaultCode,
    /// Says what was expected.
    pub expected: String,
    /// Says how to mend it.
    pub fix: String,
}

impl Fault {
    /// Makes a fault of one parameter.
    pub fn of(parameter: &str, code: FaultCode, expected: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { parameter: Some(parameter.to_owned()), code, expected: expected.into(), fix: fix.into() }
    }

    /// Makes a fault of the whole request.
    pub fn whole(code: FaultCode, expected: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { parameter: None, code, expected: expected.into(), fix: fix.into() }
    }
}
