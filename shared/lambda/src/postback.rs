//! Runs the function `postback`: reads API Gateway's request, calls the use case and answers.

use std::{convert::Infallible, num::NonZeroU32};

use adapters::{
    aws::CallLimits,
    deployed::Deployed,
    dynamodb::{
        partners::{DynamoClickKeys, DynamoKnownPartners},
        postbacks::DynamoPostbacks,
        refusals::DynamoRefusals,
    },
    random,
};
use app::{
    accept_postback::{AcceptPostback, Call, HandledCall, PartnerRates, PostbackAnswer, StrangerRates},
    cache::Cache,
    ports::Unavailable,
};
use domain::{
    inbound::{
        answer::TextAnswer,
        conversion::Receipt,
        credential::path_hint,
        fault::{Fault, FaultCode},
        status::State,
    },
    retention::Expiring,
    values::ids::{Provider, ReceiptId},
};
use lambda_http::{Body, Request, Response, http::StatusCode};
use serde::Serialize;
use tracing::{error, info};

use crate::{
    environment::{Environment, EnvironmentFaults},
    http, now,
    problem::Problem,
};

/// Handles requests to `/postback`.
pub struct PostbackFunction {
    accept: AcceptPostback<Deployed>,
}

impl PostbackFunction {
    /// Builds the function from its environment.
    pub fn wire(mut env: Environment) -> Result<Self, EnvironmentFaults> {
        let (aws, policy, timeout) = (env.aws(), env.cache_policy(), env.function_timeout());
        let share = env.number("PARTNER_RATE_SANDBOXES", 1..=1000, NonZeroU32::MIN);
        let retention = env.retention("REFUSAL_RETENTION_DAYS", Expiring::Refusal);
        let strangers = env.number("STRANGER_CALLS_PER_SECOND", 1..=10_000, NonZeroU32::MIN);
        let mut table = |name: &str| env.required(name);
        let (partners, secrets) = (table("PARTNERS_TABLE"), table("SECRETS_TABLE"));
        let (postbacks, refusals) = (table("POSTBACKS_TABLE"), table("REFUSALS_TABLE"));
        env.finish()?;
        // Seven operations may follow each other: partner, keys, record, step, history, step and conflict. A call that
        // loses more races, or a conflict of new content whose three writes are all slow, may be answered 503, and the
        // partner then sends the call again.
        let client = aws.dynamodb(CallLimits::answering(timeout, 7));
        let accept = AcceptPostback {
            partners: Cache::new(DynamoKnownPartners::new(client.clone(), partners, secrets.clone()), policy),
            keys: Cache::new(DynamoClickKeys::new(client.clone(), secrets), policy),
            postbacks: DynamoPostbacks::new(client.clone(), postbacks),
            refusals: DynamoRefusals::new(client, refusals, retention),
            rates: PartnerRates::new(policy.capacity, share),
            strangers: StrangerRates::new(strangers),
        };
        Ok(Self { accept })
    }

    /// Reads the keys of click ids and opens a connection during init. If that fails, the first request tries again.
    pub async fn warm(&self) {
        if let Err(unavailable) = self.accept.keys.get(&(), now()).await {
            error!(reason = %unavailable, "warm-up failed; the first request tries again");
        }
    }

    /// Handles one request. Every failure becomes a response.
    pub async fn handle(&self, request: Request) -> Result<Response<Body>, Infallible> {
        if !["GET", "POST"].iter().any(|method| request.method().as_str().eq_ignore_ascii_case(method)) {
            let request_id = http::request_id(&request);
            info!(request_id, outcome = "method_not_allowed", method = request.method().as_str(), "no postback");
            return Ok(Problem::method_not_allowed().into_response());
        }
        let answered = match (http::body(&request), random::bytes()) {
            (Ok(body), Ok(random)) => self.accept(&request, body, ReceiptId::from_random(random)).await,
            (Err(fault), _) => HandledCall::of_nobody(PostbackAnswer::Malformed(vec![fault])),
            (_, Err(unavailable)) => HandledCall::of_nobody(PostbackAnswer::Unavailable(unavailable)),
        };
        log(http::request_id(&request), &answered);
        let hint = path_hint(http::segment(&request, "provider").unwrap_or_default(), http::segment(&request, "token"));
        Ok(respond(answered, hint))
    }

    async fn accept(&self, request: &Request, body: &[u8], receipt_id: ReceiptId) -> HandledCall {
        let call = Call {
            provider: http::segment(request, "provider").unwrap_or_default(),
            token: http::segment(request, "token").filter(|token| !token.is_empty()),
            query: http::raw_query(request),
            body,
            content_type: http::content_type(request),
            is_post: request.method().as_str().eq_ignore_ascii_case("POST"),
            source: http::source(request),
            page_part: http::page_part(request),
        };
        self.accept.handle(&call, now(), receipt_id).await
    }
}

/// Holds the body of a 200.
#[derive(Default, Serialize)]
struct Accepted<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    would_be: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_id: Option<&'a str>,
    /// A dry run of a new postback has no receipt, because nothing was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    received_at: Option<String>,
    /// Holds the state of the receipt, if the partner agreed on statuses.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    #[serde(skip_serializing_if = "Option::is_none")]
    original_receipt_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ignored: Option<&'a [String]>,
}

/// Makes the response. `hint` says what looks wrong with the path, if the credential is refused.
fn respond(answered: HandledCall, hint: Option<&str>) -> Response<Body> {
    let HandledCall { answer, dry_run, text_answer, .. } = answered;
    if let Some(word) = text_answer.as_ref().filter(|_| !dry_run).and_then(|agreed| word(agreed, &answer)) {
        return http::response(StatusCode::OK, "text/plain; charset=utf-8", word.to_owned());
    }
    match answer {
        PostbackAnswer::Accepted(receipt) => receipted("accepted", &receipt, dry_run, !dry_run),
        PostbackAnswer::Duplicate(receipt) => receipted("duplicate", &receipt, dry_run, true),
        PostbackAnswer::Ignored => ok("ignored", dry_run, Accepted::default()),
        PostbackAnswer::Conflict(conflict) => Problem::conflict(&conflict, dry_run).in_dry_run(dry_run).into_response(),
        PostbackAnswer::Erased(transaction) => Problem::erased(&transaction).in_dry_run(dry_run).into_response(),
        PostbackAnswer::Malformed(faults) => Problem::malformed(&faults).in_dry_run(dry_run).into_response(),
        PostbackAnswer::Unauthorized => Problem::unauthorized(hint).into_response(),
        PostbackAnswer::UnauthorizedTooOften(seconds) => Problem::unauthorized_too_often(seconds, hint).into_response(),
        PostbackAnswer::Forbidden(fault) => Problem::forbidden(&fault).in_dry_run(dry_run).into_response(),
        PostbackAnswer::RateExceeded(seconds) => Problem::rate_exceeded(seconds).in_dry_run(dry_run).into_response(),
        PostbackAnswer::Paused => Problem::paused().in_dry_run(dry_run).into_response(),
        PostbackAnswer::Unavailable(_) => Problem::unavailable().into_response(),
    }
}

/// Returns the agreed word that answers an accepted, ignored or duplicate call. Returns `None` for errors, which are
/// answered as JSON.
fn word<'a>(agreed: &'a TextAnswer, answer: &PostbackAnswer) -> Option<&'a str> {
    match answer {
        PostbackAnswer::Accepted(_) | PostbackAnswer::Ignored => Some(&agreed.accepted),
        PostbackAnswer::Duplicate(_) => Some(&agreed.duplicate),
        _ => None,
    }
}

fn receipted(status: &'static str, receipt: &Receipt, dry_run: bool, recorded: bool) -> Response<Body> {
    let body = Accepted {
        transaction_id: Some(receipt.transaction_id.as_str()),
        receipt_id: recorded.then_some(receipt.receipt_id.as_str()),
        received_at: recorded.then(|| format!("{:.3}", receipt.received_at)),
        state: receipt.state,
        original_receipt_id: receipt.original_receipt_id.as_ref().map(ReceiptId::as_str),
        ignored: Some(&receipt.ignored),
        ..Accepted::default()
    };
    ok(status, dry_run, body)
}

fn ok(status: &'static str, dry_run: bool, body: Accepted) -> Response<Body> {
    let (status, would_be) = if dry_run { ("dry_run", Some(status)) } else { (status, None) };
    let body = Accepted { status, would_be, ..body };
    http::response(StatusCode::OK, "application/json", serde_json::to_string(&body).unwrap_or_default())
}

/// Writes one line for the request with partner, receipt and outcome, but without query string, token or refused
/// values. The line of a wrong credential names the partner of the path. It names no id that may lead to a person, because nobody can erase a line. The line of a dry run leaves out `postbacks`, so that no metric counts it.
fn log(request_id: &str, answered: &HandledCall) {
    let HandledCall { answer, provider, claimed, dry_run, .. } = answered;
    let provider = provider.as_ref().map_or("", |provider| provider.as_str());
    let postbacks = (!dry_run).then_some(1);
    let refused = |outcome: &str| {
        let (provider, credentials_wrong) =
            (claimed.as_ref().map_or("", Provider::as_str), claimed.as_ref().map(|_| 1));
        info!(request_id, provider, outcome, credentials_wrong, dry_run, postbacks, "postback");
    };
    let line = |outcome: &str, receipt_id: &str, state: Option<State>| {
        let state = state.map(State::as_str);
        info!(request_id, provider, outcome, receipt_id, state, dry_run, postbacks, "postback");
    };
    let receipted = |outcome: &str, receipt: &Receipt| line(outcome, receipt.receipt_id.as_str(), receipt.state);
    match answer {
        PostbackAnswer::Accepted(receipt) => receipted("accepted", receipt),
        PostbackAnswer::Duplicate(receipt) => receipted("duplicate", receipt),
        PostbackAnswer::Conflict(conflict) => receipted("conflict", &conflict.original),
        PostbackAnswer::Erased(_) => line("erased", "", None),
        PostbackAnswer::Malformed(faults) => {
            let statuses_not_agreed = postbacks.filter(|_| faults.iter().any(may_be_reversal));
            let (outcome, faults) = ("malformed", codes(faults));
            info!(request_id, provider, outcome, faults, dry_run, postbacks, statuses_not_agreed, "postback");
        }
        PostbackAnswer::Unauthorized => refused("unauthorized"),
        PostbackAnswer::UnauthorizedTooOften(_) => refused("unauthorized_too_often"),
        PostbackAnswer::Ignored => line("ignored", "", None),
        PostbackAnswer::Forbidden(_) => line("forbidden", "", None),
        PostbackAnswer::RateExceeded(_) => line("rate_exceeded", "", None),
        PostbackAnswer::Paused => line("paused", "", None),
        PostbackAnswer::Unavailable(Unavailable { service, reason }) => {
            error!(request_id, provider, outcome = "unavailable", service, reason, dry_run, postbacks, "postback");
        }
    }
}

/// Returns true if a call with this fault may report a change of state or a reversal that nobody agreed on.
fn may_be_reversal(fault: &Fault) -> bool {
    matches!(
        fault.code,
        FaultCode::StatusNotAgreed
            | FaultCode::UnknownStatus
            | FaultCode::NegativeAmount
            | FaultCode::AmountNotNegative
    )
}

fn codes(faults: &[Fault]) -> String {
    let codes: Vec<String> = faults.iter().map(|fault| fault.code.to_string()).collect();
    codes.join(",")
}

#[cfg(test)]
mod described;
