//! Describes the faults of a request, so that the sender can correct the request without asking us.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::prelude::*;

/// Bounds the number of faults that are reported and kept for one request. If there are more, the last reported fault
/// says how many. Only a request with many kept parameters or many status names can have more.
pub const MAX_FAULTS: usize = 16;
/// Bounds each sentence of a fault, in bytes. Only a sentence that lists agreed values could be longer; such a sentence
/// is cut.
pub const MAX_SENTENCE_BYTES: usize = 256;
/// Bounds a quotation from the request in a fault, in bytes: a parameter's name or a macro.
pub const MAX_QUOTE_BYTES: usize = 64;

/// Names a kind of fault. Programs may rely on these names; the sentences beside them may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultCode {
    /// The query or the body is too large.
    TooLarge,
    /// The body is neither form-encoded nor one JSON object, or a GET request has a body.
    UnsupportedBody,
    /// A value in a JSON body is an object or an array.
    NestedValue,
    /// A value in a JSON body is null.
    NullValue,
    /// The request has too many parameters.
    TooManyParameters,
    /// A required parameter is missing or empty.
    Missing,
    /// A parameter that we read was sent twice: in the query, in the body, or once in each.
    Repeated,
    /// A `%` is not followed by two hexadecimal digits.
    BadPercentEncoding,
    /// The decoded bytes are not UTF-8.
    NotUtf8,
    /// A tracker's macro was not replaced by its value.
    MacroNotReplaced,
    /// A placeholder such as `undefined` or `REPLACE_ME` came instead of a value.
    PlaceholderValue,
    /// The value contains another parameter, after a sign that does not separate parameters.
    SwallowedParameter,
    /// The value contains another parameter, whose beginning was read as an HTML entity.
    HtmlEntity,
    /// A parameter has nearly the name `dry_run`.
    NearDryRun,
    /// The value is too long.
    TooLong,
    /// The value has a control character, such as a line break.
    ControlCharacter,
    /// The value begins or ends with white space or an invisible sign.
    WhiteSpaceAround,
    /// The id has another form than was agreed, or is a JSON number with a point or an exponent.
    WrongForm,
    /// The value is not a plain decimal number.
    NotAnAmount,
    /// The amount is below zero.
    NegativeAmount,
    /// The amount is not below zero, and the call names a transaction to reverse.
    AmountNotNegative,
    /// The amount has too many digits before or after the point.
    AmountOutOfRange,
    /// The amount is above the maximum that was agreed for its currency.
    AmountAboveMaximum,
    /// The currency is neither a current code of ISO 4217 nor agreed with the partner.
    UnknownCurrency,
    /// The `transaction_id` has the prefix that is reserved for derived transaction ids.
    ReservedTransactionId,
    /// The `event_id` is not among those agreed with the partner.
    EventNotAgreed,
    /// The partner's file says `require_click`, and we did not make this `click_id` for this user.
    ClickNotOurs,
    /// The click was too long ago, and the transaction is new.
    ClickExpired,
    /// The value of `dry_run` is neither `true` nor `false`.
    NotABoolean,
    /// No statuses were agreed, and a parameter that some senders use for a status has a value that may not mean
    /// approval.
    StatusNotAgreed,
    /// The status is not among the words agreed with the partner.
    UnknownStatus,
    /// The status is agreed to be ignored. The call was answered 200 and is kept.
    StatusIgnored,
    /// The caller's address is outside the partner's allow-list.
    AddressNotAllowed,
    /// A browser made the call while it loaded a page, as it does for a pixel. The partner's server must make the call.
    SentByBrowser,
    /// The request has more than [`MAX_FAULTS`] faults. The rest are not reported.
    MoreFaults,
}

impl fmt::Display for FaultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
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
    /// Says how to correct the request.
    pub fix: String,
}

impl Fault {
    /// Makes a fault of one parameter.
    pub fn of(parameter: &str, code: FaultCode, expected: impl Into<String>, fix: impl Into<String>) -> Self {
        let parameter = Some(quoted(parameter));
        Self { parameter, ..Self::whole(code, expected, fix) }
    }

    /// Makes a fault of the whole request.
    pub fn whole(code: FaultCode, expected: impl Into<String>, fix: impl Into<String>) -> Self {
        let [expected, fix] = [expected.into(), fix.into()].map(|text| cut(text, MAX_SENTENCE_BYTES));
        Self { parameter: None, code, expected, fix }
    }
}

/// Returns at most [`MAX_FAULTS`] faults. If `faults` has more, the last returned fault says how many.
pub fn bounded(mut faults: Vec<Fault>) -> Vec<Fault> {
    let found = faults.len();
    if found > MAX_FAULTS {
        faults.truncate(MAX_FAULTS - 1);
        let expected = format!("at most {MAX_FAULTS} faults; this request has {found}, and only the first are listed");
        faults.push(Fault::whole(
            FaultCode::MoreFaults,
            expected,
            "mend these, and send the request again for the rest",
        ));
    }
    faults
}

/// Cuts a text that a fault quotes to [`MAX_QUOTE_BYTES`].
pub(crate) fn quoted(text: impl Into<String>) -> String {
    cut(text.into(), MAX_QUOTE_BYTES)
}

/// Cuts a text to at most `limit` bytes, which must be at least 3. A cut text ends in `…`.
pub(crate) fn cut(mut text: String, limit: usize) -> String {
    const MARK: &str = "…";
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit.saturating_sub(MARK.len())));
        text.push_str(MARK);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_bounded_whatever_it_repeats() {
        let long = "é".repeat(10_000);
        let fault = Fault::of(&long, FaultCode::TooLong, long.clone(), long.clone());
        for (text, limit) in [
            (fault.parameter.unwrap(), MAX_QUOTE_BYTES),
            (fault.expected, MAX_SENTENCE_BYTES),
            (fault.fix, MAX_SENTENCE_BYTES),
        ] {
            assert!((limit - 1..=limit).contains(&text.len()) && text.ends_with("é…"), "{text}");
        }
    }

    #[test]
    fn faults_beyond_the_limit_are_counted_and_left_out() {
        let faults = |count: usize| {
            (0..count).map(|at| Fault::of(&format!("p{at}"), FaultCode::Repeated, "x", "y")).collect::<Vec<_>>()
        };
        assert_eq!(bounded(faults(MAX_FAULTS)), faults(MAX_FAULTS));
        let told = bounded(faults(40));
        assert_eq!(told[..MAX_FAULTS - 1], faults(MAX_FAULTS - 1));
        assert_eq!((told.len(), told[MAX_FAULTS - 1].code), (MAX_FAULTS, FaultCode::MoreFaults));
        assert!(told[MAX_FAULTS - 1].expected.contains("this request has 40"));
        assert_eq!(bounded(told.clone()), told);
    }
}
