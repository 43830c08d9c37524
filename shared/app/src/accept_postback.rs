//! Handles a partner's call of its postback URL: checks, parses and records the call.
//!
//! The order of checks is part of the contract: first the credential, then a pause by an operator, then the partner's
//! rate, then the caller's address, then everything else, including the size and the type of the body. A caller without
//! a credential therefore learns nothing about partners, a partner is told every fault at once, and a partner's refused
//! call is kept.
//!
//! A signature can be checked as far as the signed parameters can be read. A body of the wrong type is read as a form and
//! as JSON for this check alone. If the signature of a call with an unreadable body fits in no way, nobody knows who sent
//! the call, so it is answered 400 and not kept. So is a signed call that is too large, because its signature covers
//! what is not read.

mod authenticated_call;
mod clicks;
mod known_transaction;
mod negative_transaction;
mod partner_rates;
mod stranger_rates;

use std::net::IpAddr;

use domain::{
    inbound::{
        answer::TextAnswer,
        body::Body,
        conversion::{Receipt, RecordedPostback},
        credential::Credentials,
        fault::{Fault, FaultCode},
        parameters::{MAX_BODY_BYTES, MAX_QUERY_BYTES, Parameters},
        postback::{Content, Difference, ParsedPostback},
        refusal::{KeptRefusal, KeptRequest, Refusal},
    },
    jiff::Timestamp,
    values::ids::{Provider, ReceiptId, TransactionId},
};
use tracing::warn;

use self::authenticated_call::{AuthenticatedCall, browser_fault, provider_fault, refused_to_nobody};
use self::clicks::uses_click;
pub use self::partner_rates::PartnerRates;
pub use self::stranger_rates::StrangerRates;
use crate::{
    cache::Cache,
    ports::{KnownPartner, Ports, Postbacks, Recorded, Refusals, Unavailable},
};

/// A call of a postback URL, before any check.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The segment of the path that names the provider.
    pub provider: &'a str,
    /// The segment of the path that holds the token, if there is one.
    pub token: Option<&'a str>,
    /// The raw query string.
    pub query: &'a [u8],
    /// The raw body.
    pub body: &'a [u8],
    /// The body's media type.
    pub content_type: Option<&'a str>,
    /// Is true for POST, the only method with a body.
    pub is_post: bool,
    /// The caller's address, as the gateway saw it.
    pub source: IpAddr,
    /// The part of a page for which a browser sent the call, such as `image`. `None` for servers, and for people who open
    /// the URL themselves.
    pub page_part: Option<&'a str>,
}

/// The answer to a call, with its HTTP status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostbackAnswer {
    /// 200: the postback is recorded now.
    Accepted(Receipt),
    /// 200: the postback was recorded before, with the same content.
    Duplicate(Receipt),
    /// 200: the partner agreed that this status is ignored. The call is kept, and no conversion follows.
    Ignored,
    /// 409: the transaction was recorded before, with different content.
    Conflict(Box<Contradiction>),
    /// 409: the person of the transaction was erased, and the call says something new. Nothing of the call is kept.
    Erased(TransactionId),
    /// 400: the call is malformed. Lists every fault.
    Malformed(Vec<Fault>),
    /// 401: the partner is unknown, or the credential is wrong. The answer is the same in both cases.
    Unauthorized,
    /// 429: too many calls without a good credential came from the caller's address. The call may not have been looked at,
    /// nothing is kept, and another such call is answered in so many seconds.
    UnauthorizedTooOften(u32),
    /// 403: the credential is good, but the caller's address is outside the partner's allow-list.
    Forbidden(Fault),
    /// 429: the partner has used up its rate. Nothing is kept, and the same call is welcome in so many seconds.
    RateExceeded(u32),
    /// 503: an operator has paused the partner's postbacks. Nothing is kept, and the same call is welcome later.
    Paused,
    /// 503: a service failed. Sending the call again is safe.
    Unavailable(Unavailable),
}

/// A conflict, as it is reported to the partner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The transaction that both postbacks name.
    pub transaction_id: TransactionId,
    /// The receipt of the transaction's current revision.
    pub original: Receipt,
    /// The parameters that differ, under the partner's names.
    pub differences: Vec<(String, Difference)>,
    /// The content of the postback that conflicts.
    pub sent: Content,
    /// Is false if the conflict could not be kept for an operator.
    pub is_kept: bool,
}

/// A kept refusal that an operator sends again.
#[derive(Debug, Clone, Copy)]
pub struct Resubmission<'a> {
    /// The partner. Its credential was checked when the original call came.
    pub provider: &'a Provider,
    /// The request that the refusal keeps.
    pub request: &'a KeptRequest,
    /// The caller's address of the original call.
    pub source: IpAddr,
}

/// An answer, with the facts that are logged beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandledCall {
    /// The answer.
    pub answer: PostbackAnswer,
    /// The partner, if the credential is good.
    pub provider: Option<Provider>,
    /// The partner that the path names, if it is known and the credential is wrong.
    pub claimed: Option<Provider>,
    /// Is true if the call asked that nothing be recorded.
    pub dry_run: bool,
    /// The words of plain answers, if the partner agreed on them.
    pub text_answer: Option<TextAnswer>,
}

impl HandledCall {
    /// Makes the result of a call without a good credential.
    pub fn of_nobody(answer: PostbackAnswer) -> Self {
        Self { answer, provider: None, claimed: None, dry_run: false, text_answer: None }
    }
}

/// Accepts postbacks. Another implementation can take the place of the ports that write.
pub struct AcceptPostback<P: Ports, B = <P as Ports>::Postbacks, R = <P as Ports>::Refusals> {
    /// Reads partners with their credentials.
    pub partners: Cache<P::KnownPartners>,
    /// Reads the keys of click ids.
    pub keys: Cache<P::ClickKeys>,
    /// Records postbacks.
    pub postbacks: B,
    /// Keeps refusals and conflicts.
    pub refusals: R,
    /// Limits how often each partner may call.
    pub rates: PartnerRates,
    /// Limits how often calls without a good credential are looked at from one address.
    pub strangers: StrangerRates,
}

/// Says if a call carries the credential of the partner that its path names.
enum Admission {
    /// The call comes from this partner.
    Partner(std::sync::Arc<KnownPartner>),
    /// The credential is wrong. Holds the partner that the path names, if it is known.
    Refused(Option<Provider>),
}

impl<P: Ports, B: Postbacks, R: Refusals> AcceptPostback<P, B, R> {
    /// Handles one call. A new postback gets the receipt `receipt_id`.
    pub async fn handle(&self, call: &Call<'_>, now: Timestamp, receipt_id: ReceiptId) -> HandledCall {
        let nobody = HandledCall::of_nobody;
        let mut faults = Parameters::size_faults(call.query, call.body);
        if call.token.is_none() && !faults.is_empty() {
            return nobody(PostbackAnswer::Malformed(faults));
        }
        let query = call.query.get(..MAX_QUERY_BYTES).unwrap_or(call.query);
        let body = match faults.last() {
            Some(fault) if call.body.len() > MAX_BODY_BYTES => Body::too_large(call.body, fault.clone()),
            _ => Body::read(call.body, call.content_type, call.is_post),
        };
        let sent = Parameters::of(query, &body);
        let known = match self.admit(call, &sent, now).await {
            Ok(Admission::Partner(known)) => known,
            Ok(Admission::Refused(claimed)) => {
                let answer = match self.strangers.take(call.source, now) {
                    Ok(()) => refused_to_nobody(call, &sent),
                    Err(seconds) => PostbackAnswer::UnauthorizedTooOften(seconds),
                };
                return HandledCall { claimed, ..nobody(answer) };
            }
            Err(unavailable) => return nobody(PostbackAnswer::Unavailable(unavailable)),
        };
        faults.extend(sent.count_fault());
        if call.token.is_none() {
            faults.extend(provider_fault(&sent));
        }
        faults.extend(call.page_part.map(browser_fault));
        let (partner, sent, source) = (&known.partner, &sent, call.source);
        let call = AuthenticatedCall { partner, sent, source, faults, now, receipt_id, is_resubmitted: false };
        self.handle_authenticated(&call).await
    }

    /// Handles the request of a kept refusal again, as if the partner had sent it now. The partner's present
    /// configuration and all checks except the credential apply. The refusal does not change. Returns `None` if the
    /// refusal does not hold the whole request.
    pub async fn resubmit(
        &self,
        kept: &Resubmission<'_>,
        now: Timestamp,
        receipt_id: ReceiptId,
    ) -> Option<HandledCall> {
        if !kept.request.is_whole() {
            return None;
        }
        let nobody = HandledCall::of_nobody;
        let sent = Parameters::split(kept.request.text.as_bytes(), b"");
        Some(match self.partners.get(kept.provider, now).await {
            Ok(Some(known)) => {
                let (partner, sent, source) = (&known.partner, &sent, kept.source);
                let faults = Vec::from_iter(sent.count_fault());
                let call = AuthenticatedCall { partner, sent, source, faults, now, receipt_id, is_resubmitted: true };
                self.handle_authenticated(&call).await
            }
            Ok(None) => nobody(PostbackAnswer::Unauthorized),
            Err(unavailable) => nobody(PostbackAnswer::Unavailable(unavailable)),
        })
    }

    /// Makes every check that follows the credential check, and records the postback.
    async fn handle_authenticated(&self, call: &AuthenticatedCall<'_>) -> HandledCall {
        let answer = self.answer(call).await.unwrap_or_else(PostbackAnswer::Unavailable);
        let (provider, text_answer) = (call.partner.provider().clone(), call.partner.rules().answer.clone());
        HandledCall { answer, provider: Some(provider), claimed: None, dry_run: call.is_dry_run(), text_answer }
    }

    /// Returns the partner if the partner is known and the call carries its credential. Once the caller's address has used
    /// up the rate of strangers, only partners in memory are known, so that guessed names cost no read.
    async fn admit(&self, call: &Call<'_>, sent: &Parameters<'_>, now: Timestamp) -> Result<Admission, Unavailable> {
        // An invalid name costs the same hashing as a valid name, so that timing reveals nothing.
        let named = Provider::new(call.provider);
        let is_looked_up =
            |provider: &Provider| self.partners.holds(provider) || !self.strangers.is_used_up(call.source, now);
        let known = match &named {
            Ok(provider) if is_looked_up(provider) => self.partners.get(provider, now).await?,
            _ => None,
        };
        let Ok(provider) = named.or_else(|_| Provider::new("nobody")) else { return Ok(Admission::Refused(None)) };
        let credentials = known.as_ref().map(|known| &known.credentials);
        let admits = |sent: &Parameters<'_>| Credentials::admit(credentials, &provider, call.token, sent);
        let in_another_reading = || {
            let bodies: Vec<Body<'_>> = Body::readings(call.body).collect();
            bodies.iter().any(|body| admits(&Parameters::of(call.query, body)))
        };
        let is_unread = call.token.is_none() && sent.has_unreadable_body();
        let admitted = if is_unread { in_another_reading() } else { admits(sent) };
        Ok(match known {
            Some(known) if admitted => Admission::Partner(known),
            known => Admission::Refused(known.map(|known| known.partner.provider().clone())),
        })
    }

    async fn answer(&self, call: &AuthenticatedCall<'_>) -> Result<PostbackAnswer, Unavailable> {
        if !call.is_resubmitted && call.partner.pauses().postbacks_since.is_some() {
            return Ok(PostbackAnswer::Paused);
        }
        let is_agreed_address = call.partner.admits(call.source);
        if !call.is_resubmitted
            && let Err(seconds) = self.rates.take(call.partner, is_agreed_address, call.now)
        {
            return Ok(PostbackAnswer::RateExceeded(seconds));
        }
        if !is_agreed_address {
            let fault = Fault::whole(
                FaultCode::AddressNotAllowed,
                format!("a call from one of the addresses agreed; this one came from {}", call.source),
                "call from an agreed address, or ask us to add this one",
            );
            self.keep_refusal(call, vec![fault.clone()]).await;
            return Ok(PostbackAnswer::Forbidden(fault));
        }
        if !call.faults.is_empty() {
            self.keep_refusal(call, call.faults.clone()).await;
            return Ok(PostbackAnswer::Malformed(call.faults.clone()));
        }
        let Some(keys) = self.keys.get(&(), call.now).await? else {
            return Err(Unavailable { service: "secrets", reason: "there are no system keys yet".into() });
        };
        let provider = call.partner.provider();
        match ParsedPostback::parse(call.sent, provider, call.partner.rules(), &keys) {
            Ok(parsed) => self.record(call, parsed).await,
            Err(faults) => {
                self.keep_refusal(call, faults.clone()).await;
                let is_ignored = faults.iter().any(|fault| fault.code == FaultCode::StatusIgnored);
                Ok(if is_ignored { PostbackAnswer::Ignored } else { PostbackAnswer::Malformed(faults) })
            }
        }
    }

    async fn record(
        &self,
        call: &AuthenticatedCall<'_>,
        parsed: ParsedPostback,
    ) -> Result<PostbackAnswer, Unavailable> {
        let ParsedPostback { postback, clicked_at, ignored, .. } = parsed;
        let receipt = Receipt {
            transaction_id: postback.transaction_id.clone(),
            receipt_id: call.receipt_id.clone(),
            received_at: call.now,
            ignored,
            state: postback.state,
            original_receipt_id: None,
        };
        let ours = RecordedPostback { postback, receipt, reversed: None };
        if ours.postback.content.amount_decimal.is_negative() {
            return Box::pin(self.record_negative(call, ours)).await;
        }
        if clicked_at.is_some_and(|at| call.partner.rules().click.has_expired(at, call.now)) {
            return Box::pin(self.record_expired(call, ours)).await;
        }
        self.record_original(call, ours).await
    }

    /// Records the first postback of a transaction, or settles a later one.
    async fn record_original(
        &self,
        call: &AuthenticatedCall<'_>,
        ours: RecordedPostback,
    ) -> Result<PostbackAnswer, Unavailable> {
        let recorded = match (uses_click(call, &ours.postback), call.is_dry_run()) {
            (uses_click, true) => Box::pin(self.foretell(&ours.postback, uses_click)).await?,
            (true, false) => Box::pin(self.postbacks.record_once(&ours)).await?,
            (false, false) => self.postbacks.record(&ours).await?,
        };
        match recorded {
            Recorded::Fresh => Ok(PostbackAnswer::Accepted(ours.receipt)),
            // The client repeated our own write after the first answer was lost. The existing postback is ours.
            Recorded::Existing(original) if original.receipt.receipt_id == ours.receipt.receipt_id => {
                Ok(PostbackAnswer::Accepted(original.receipt))
            }
            // Boxed, because the future of a new postback would otherwise reserve space for all that may follow.
            Recorded::Existing(original) => Box::pin(self.settle_known(call, ours, *original)).await,
            Recorded::Used(first) => Box::pin(self.settle_used(call, &ours, *first)).await,
        }
    }

    /// Tries to keep a refusal. The answer is the same if this fails, because the call is wrong in any case.
    async fn keep_refusal(&self, call: &AuthenticatedCall<'_>, faults: Vec<Fault>) {
        if call.is_dry_run() || call.is_resubmitted {
            return;
        }
        let partner = (call.partner.provider(), call.partner.rules());
        let refusal = Refusal::of(partner, call.sent, call.source, faults, call.now);
        match self.refusals.keep_refusal(&refusal, call.partner.rules().max_kept_per_day).await {
            Ok(KeptRefusal::Kept) => {}
            Ok(KeptRefusal::BoundReached) => report_unkept(call, &bound_reached()),
            Err(unavailable) => report_unkept(call, &unavailable),
        }
    }
}

/// Logs that a refusal or a conflict could not be kept, so that operators will not find it. An alarm counts these
/// lines.
fn report_unkept(call: &AuthenticatedCall<'_>, Unavailable { service, reason }: &Unavailable) {
    let provider = call.partner.provider().as_str();
    warn!(
        refusals_unkept = 1,
        provider,
        service,
        reason = &**reason,
        "a refused call was answered but could not be kept"
    );
}

/// Says why nothing more of a partner is kept today.
fn bound_reached() -> Unavailable {
    Unavailable { service: "refusals", reason: "max_kept_per_day of the partner's file is reached".into() }
}

#[cfg(test)]
pub(crate) mod tests;
