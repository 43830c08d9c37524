//! Answers errors as `application/problem+json` (RFC 9457).

use app::accept_postback::Contradiction;
use domain::{
    inbound::{conversion::Receipt, fault::Fault, postback::Difference},
    partner::PAUSED_RETRY_SECONDS,
    values::ids::TransactionId,
};
use lambda_http::{
    Body, Response,
    http::{
        HeaderValue, StatusCode,
        header::{ALLOW, RETRY_AFTER},
    },
};
use serde::{Serialize, Serializer};

use crate::http::response;

/// Tells a caller how many seconds to wait before trying again after a failure of ours.
const RETRY_AFTER_SECONDS: u32 = 5;

/// Holds a problem in the form of the answer.
#[derive(Debug, Clone, Serialize)]
pub struct Problem<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    #[serde(serialize_with = "as_number")]
    status: StatusCode,
    detail: String,
    #[serde(skip_serializing_if = "is_false")]
    dry_run: bool,
    #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
    faults: &'a [Fault],
    #[serde(skip_serializing_if = "Option::is_none")]
    conflict: Option<ConflictDetail<'a>>,
    /// Becomes the header `Retry-After`, in seconds.
    #[serde(skip)]
    retry_after: Option<u32>,
}

#[derive(Debug, Clone, Serialize)]
struct ConflictDetail<'a> {
    transaction_id: &'a str,
    original: &'a Receipt,
    differences: Vec<DifferenceDetail<'a>>,
    kept: bool,
}

#[derive(Debug, Clone, Serialize)]
struct DifferenceDetail<'a> {
    parameter: &'a str,
    original: &'a str,
    sent: &'a str,
}

// serde passes references.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn as_number<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl<'a> Problem<'a> {
    /// Returns a problem with this stable name.
    pub fn new(status: StatusCode, name: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:gg3:problem:{name}"),
            title,
            status,
            detail: detail.into(),
            dry_run: false,
            faults: &[],
            conflict: None,
            retry_after: None,
        }
    }

    /// Returns a 400 with every fault of the request.
    pub fn malformed(faults: &'a [Fault]) -> Self {
        let detail = match faults {
            [only] => format!("{}: expected {}; {}", name(only), only.expected, only.fix),
            _ => format!("{} faults: {}", faults.len(), faults.iter().map(name).collect::<Vec<_>>().join(", ")),
        };
        Self { faults, ..Self::new(StatusCode::BAD_REQUEST, "malformed", "The request is malformed", detail) }
    }

    /// Returns a 401, with the same words for every cause. `hint` comes from the path alone, so that the answer never
    /// depends on who exists.
    pub fn unauthorized(hint: Option<&str>) -> Self {
        let detail = "The partner is unknown, or the token or signature is missing or wrong. Compare your URL with the one you were given, character by character.";
        let detail = hint.map_or_else(|| detail.to_owned(), |hint| format!("{detail} {hint}"));
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "Not authorized", detail)
    }

    /// Returns a 405 for a request that is no call of a postback URL, such as a HEAD, or an OPTIONS of a browser.
    pub fn method_not_allowed() -> Self {
        let detail = "Nothing was recorded. This URL is called from server to server, by GET or POST, never by a browser: a page would show each visitor your token.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Send a GET or a POST from your server", detail)
    }

    /// Returns a 403 for an address outside the allow-list.
    pub fn forbidden(fault: &'a Fault) -> Self {
        let detail = format!("expected {}; {}", fault.expected, fault.fix);
        Self {
            faults: std::slice::from_ref(fault),
            ..Self::new(StatusCode::FORBIDDEN, "address-not-allowed", "Calls from this address are not allowed", detail)
        }
    }

    /// Returns a 409 for a transaction that is recorded with different content, or that does not fit another one: a
    /// negative amount that takes too much, or a second transaction of a click.
    pub fn conflict(conflict: &'a Contradiction, dry_run: bool) -> Self {
        let detail_of = |(parameter, difference): &'a (String, Difference)| DifferenceDetail {
            parameter,
            original: &difference.original,
            sent: &difference.sent,
        };
        let names: Vec<&str> = conflict.differences.iter().map(|(name, _)| name.as_str()).collect();
        let kept = match (dry_run, conflict.is_kept) {
            (true, _) => "this attempt would be kept for GG3's operators.",
            (false, true) => "this attempt is kept for GG3's operators.",
            (false, false) => {
                "this attempt could not be kept for GG3's operators just now. Send it again later, or tell us of it."
            }
        };
        let (sent, recorded, names) = (&conflict.transaction_id, &conflict.original.transaction_id, names.join(", "));
        let (title, detail) = if sent == recorded {
            let detail =
                format!("transaction {sent} is already recorded with a different {names}. The original is unchanged;");
            ("The transaction is recorded with another content", detail)
        } else {
            let detail =
                format!("transaction {sent} is not recorded, because its {names} contradicts transaction {recorded};");
            ("The transaction contradicts another one", detail)
        };
        let detail = format!("{detail} {kept}");
        let conflict = ConflictDetail {
            transaction_id: conflict.transaction_id.as_str(),
            original: &conflict.original,
            differences: conflict.differences.iter().map(detail_of).collect(),
            kept: conflict.is_kept && !dry_run,
        };
        Self { conflict: Some(conflict), ..Self::new(StatusCode::CONFLICT, "conflict", title, detail) }
    }

    /// Returns a 409 for a transaction from which the person was erased.
    pub fn erased(transaction: &TransactionId) -> Self {
        let detail = format!(
            "transaction {transaction}, or the one that it takes from, was recorded before, and the personal data in it was \
             erased at the person's request. This call says something else, so nothing of it is kept. Do not send it again; if the amount is wrong, talk to us."
        );
        let title = "The person of the transaction was erased";
        Self::new(StatusCode::CONFLICT, "transaction-erased", title, detail)
    }

    /// Returns a 429 that asks the partner to call again in so many seconds.
    pub fn rate_exceeded(seconds: u32) -> Self {
        let detail = format!(
            "Your calls come faster than we agreed, so this one was not recorded. Send it again unchanged in {seconds} s; this is always safe."
        );
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate-exceeded", "Too many calls", detail);
        Self { retry_after: Some(seconds), ..problem }
    }

    /// Returns a 429 for too many calls without a good credential. `hint` comes from the path alone.
    pub fn unauthorized_too_often(seconds: u32, hint: Option<&str>) -> Self {
        let detail = format!(
            "Too many calls without a valid token or signature came from your address, so this one was not recorded. Compare \
             your URL with the one you were given, character by character, and send it again in {seconds} s."
        );
        let detail = hint.map_or_else(|| detail.clone(), |hint| format!("{detail} {hint}"));
        let title = "Too many calls without a valid token or signature";
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "unauthorized-too-often", title, detail);
        Self { retry_after: Some(seconds), ..problem }
    }

    /// Returns a 503 that says that an operator has paused the partner's postbacks.
    pub fn paused() -> Self {
        let detail = "GG3 has paused your postbacks for now, so this one was not recorded. Nothing is lost if you send it again, \
                      unchanged, after the pause; this is always safe. Ask us if you do not know why.";
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "paused", "Postbacks are paused", detail);
        Self { retry_after: Some(PAUSED_RETRY_SECONDS), ..problem }
    }

    /// Returns a 503 that asks the caller to try again.
    pub fn unavailable() -> Self {
        let detail = "The request could not be completed just now. Send it again unchanged; this is always safe.";
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Temporarily unavailable", detail);
        Self { retry_after: Some(RETRY_AFTER_SECONDS), ..problem }
    }

    /// Marks the problem as the answer to a dry run.
    #[must_use]
    pub fn in_dry_run(self, dry_run: bool) -> Self {
        Self { dry_run, ..self }
    }

    /// Returns the problem as a response.
    pub fn into_response(self) -> Response<Body> {
        let body = serde_json::to_string(&self).unwrap_or_default();
        let mut response = response(self.status, "application/problem+json", body);
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
        }
        response
    }
}

fn name(fault: &Fault) -> String {
    let code = fault.code;
    fault.parameter.as_ref().map_or_else(|| code.to_string(), |parameter| format!("{parameter} ({code})"))
}
