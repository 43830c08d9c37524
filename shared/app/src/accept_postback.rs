//! A partner calls its postback URL: is it who it says, is it well formed, is it new?
//!
//! The order of checks is part of the contract: size and content type, then the credential, then the caller's address,
//! then everything else. So a stranger learns nothing about partners, and a partner learns every fault at once.

use std::net::IpAddr;

use domain::{
    inbound::{
        click::ClickKeys,
        conversion::{Receipt, RecordedPostback},
        credential::Credentials,
        fault::{Fault, FaultCode},
        parameters::Parameters,
        postback::{Content, DRY_RUN, Difference, ParsedPostback},
        refusal::{Conflict, ContentKey, KeptConflict, Refusal},
    },
    jiff::Timestamp,
    partner::Partner,
    values::ids::{Provider, ReceiptId, TransactionId},
};

use crate::{
    cache::Cache,
    ports::{KnownPartner, Postbacks, Recorded, Refusals, Source, Unavailable},
};

/// A call as it came in.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The provider's segment of the path.
    pub provider: &'a str,
    /// The token's segment of the path, if there is one.
    pub token: Option<&'a str>,
    /// The raw query string.
    pub query: &'a [u8],
    /// The raw body.
    pub body: &'a [u8],
    /// The body's media type.
    pub content_type: Option<&'a str>,
    /// Whether the method is POST; only then may there be a body.
    pub is_post: bool,
    /// Whose address the gateway saw.
    pub source: IpAddr,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200: recorded now.
    Accepted(Receipt),
    /// 200: recorded before, with the same content.
    Duplicate(Receipt),
    /// 409: recorded before, with another content.
    Conflict(Box<Contradiction>),
    /// 400: every fault at once.
    Malformed(Vec<Fault>),
    /// 401: no such partner, or not its credential; nobody learns which.
    Unauthorized,
    /// 403: the partner's, but from an address outside its allow-list.
    Forbidden(Fault),
    /// 503: sending it again is safe.
    Unavailable(Unavailable),
}

/// A conflict, as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The transaction in question.
    pub transaction_id: TransactionId,
    /// The original's receipt: it stands.
    pub original: Receipt,
    /// The differing parameters by the partner's names.
    pub differences: Vec<(String, Difference)>,
    /// What was sent.
    pub sent: Content,
}

/// A request that was refused, to be sent again on its partner's behalf.
#[derive(Debug, Clone, Copy)]
pub struct Resubmission<'a> {
    /// Whose it is: its credential was found good when it came.
    pub provider: &'a Provider,
    /// What was sent, as it was kept.
    pub request: &'a str,
    /// Where it came from.
    pub source: IpAddr,
}

/// An answer, and what a log line says beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// What is answered.
    pub answer: Answer,
    /// The partner, once its credential was found good.
    pub provider: Option<Provider>,
    /// Whether nothing was recorded because the call asked for that.
    pub dry_run: bool,
}

/// The use case over its ports.
pub struct AcceptPostback<P: Source, K: Source, B, R> {
    /// The partners, in memory for a minute.
    pub partners: Cache<P>,
    /// The keys of click ids, likewise.
    pub keys: Cache<K>,
    /// Where postbacks are recorded.
    pub postbacks: B,
    /// Where refusals and conflicts are kept.
    pub refusals: R,
}

impl<P, K, B, R> AcceptPostback<P, K, B, R>
where
    P: Source<Key = Provider, Value = KnownPartner>,
    K: Source<Key = (), Value = ClickKeys>,
    B: Postbacks,
    R: Refusals,
{
    /// Handles one call. `receipt_id` is the receipt's if the postback turns out to be new.
    pub async fn handle(&self, call: &Call<'_>, now: Timestamp, receipt_id: ReceiptId) -> Answered {
        let nobody = |answer| Answered { answer, provider: None, dry_run: false };
        let faults = envelope_faults(call);
        if !faults.is_empty() {
            return nobody(Answer::Malformed(faults));
        }
        let sent = Parameters::split(call.query, call.body);
        if call.token.is_none() {
            // What is signed must be unambiguous before a signature over it can mean anything.
            let mut faults = sent.name_faults();
            faults.extend(provider_fault(&sent));
            if !faults.is_empty() {
                return nobody(Answer::Malformed(faults));
            }
        }
        let known = match self.admit(call, &sent, now).await {
            Ok(Some(known)) => known,
            Ok(None) => return nobody(Answer::Unauthorized),
            Err(unavailable) => return nobody(Answer::Unavailable(unavailable)),
        };
        let visit = Visit::new(&known.partner, &sent, call.source, now);
        self.visit(&visit, receipt_id).await
    }

    /// Handles a request that was refused, once more: everything that follows the credential, by the configuration as it is
    /// now, and recorded as if the partner had sent it now. The refusal is then marked with the receipt; where it is refused
    /// again, it stays as it is: the partner has not called. `None` where not all of it was kept.
    pub async fn resubmit(&self, kept: &Resubmission<'_>, now: Timestamp, receipt_id: ReceiptId) -> Option<Answered> {
        if !Refusal::is_kept_whole(kept.request) {
            return None;
        }
        let nobody = |answer| Answered { answer, provider: None, dry_run: false };
        let sent = Parameters::split(kept.request.as_bytes(), b"");
        Some(match self.partners.get(kept.provider, now).await {
            Ok(Some(known)) => {
                let visit = Visit { is_resubmitted: true, ..Visit::new(&known.partner, &sent, kept.source, now) };
                let answered = self.visit(&visit, receipt_id).await;
                self.mark(kept, answered, now).await
            }
            Ok(None) => nobody(Answer::Unauthorized),
            Err(unavailable) => nobody(Answer::Unavailable(unavailable)),
        })
    }

    /// Marks a refusal that is recorded by now. Where that fails, it is to be sent again: it is a duplicate then.
    async fn mark(&self, kept: &Resubmission<'_>, mut answered: Answered, now: Timestamp) -> Answered {
        if let (Answer::Accepted(receipt) | Answer::Duplicate(receipt), false) = (&answered.answer, answered.dry_run) {
            let key = ContentKey::of_refusal(kept.provider, kept.request);
            if let Err(unavailable) = self.refusals.mark_recorded(&key, receipt, now).await {
                answered.answer = Answer::Unavailable(unavailable);
            }
        }
        answered
    }

    /// Everything after the credential.
    async fn visit(&self, visit: &Visit<'_>, receipt_id: ReceiptId) -> Answered {
        let answer = self.answer(visit, receipt_id).await.unwrap_or_else(Answer::Unavailable);
        Answered { answer, provider: Some(visit.partner.provider().clone()), dry_run: visit.dry_run }
    }

    /// The partner, if there is one and the call carries its credential.
    async fn admit(
        &self,
        call: &Call<'_>,
        sent: &Parameters<'_>,
        now: Timestamp,
    ) -> Result<Option<std::sync::Arc<KnownPartner>>, Unavailable> {
        // A name that cannot be a partner's costs the same hashing as one that could.
        let named = Provider::new(call.provider);
        let known = match &named {
            Ok(provider) => self.partners.get(provider, now).await?,
            Err(_) => None,
        };
        let Ok(provider) = named.or_else(|_| Provider::new("nobody")) else { return Ok(None) };
        let credentials = known.as_ref().map(|known| &known.credentials);
        let admitted = Credentials::admit(credentials, &provider, call.token, sent);
        Ok(known.filter(|_| admitted))
    }

    async fn answer(&self, visit: &Visit<'_>, receipt_id: ReceiptId) -> Result<Answer, Unavailable> {
        if !visit.partner.admits(visit.source) {
            let fault = Fault::whole(
                FaultCode::AddressNotAllowed,
                format!("a call from one of the addresses agreed; this one came from {}", visit.source),
                "call from an agreed address, or ask us to add this one",
            );
            self.keep_refusal(visit, vec![fault.clone()]).await?;
            return Ok(Answer::Forbidden(fault));
        }
        let Some(keys) = self.keys.get(&(), visit.now).await? else {
            return Err(Unavailable { service: "secrets", reason: "there are no system keys yet".into() });
        };
        let provider = visit.partner.provider();
        match ParsedPostback::parse(visit.sent, provider, visit.partner.rules(), &keys) {
            Ok(parsed) => self.record(visit, parsed, receipt_id).await,
            Err(faults) => {
                self.keep_refusal(visit, faults.clone()).await?;
                Ok(Answer::Malformed(faults))
            }
        }
    }

    async fn record(
        &self,
        visit: &Visit<'_>,
        parsed: ParsedPostback,
        receipt_id: ReceiptId,
    ) -> Result<Answer, Unavailable> {
        let transaction_id = parsed.postback.transaction_id.clone();
        let receipt = Receipt { transaction_id, receipt_id, received_at: visit.now, ignored: parsed.ignored };
        let ours = RecordedPostback { postback: parsed.postback, receipt };
        let recorded = if visit.dry_run {
            let found = self.postbacks.find(&ours.postback.provider, &ours.receipt.transaction_id).await?;
            found.map_or(Recorded::Fresh, |original| Recorded::Existing(Box::new(original)))
        } else {
            self.postbacks.record(&ours).await?
        };
        let original = match recorded {
            Recorded::Fresh => return Ok(Answer::Accepted(ours.receipt)),
            // The client repeated our own write after its first answer was lost: this is that write.
            Recorded::Existing(original) if original.receipt.receipt_id == ours.receipt.receipt_id => {
                return Ok(Answer::Accepted(original.receipt));
            }
            Recorded::Existing(original) => original,
        };
        let differences = original.postback.content.differences(&ours.postback.content);
        if differences.is_empty() {
            return Ok(Answer::Duplicate(original.receipt));
        }
        let RecordedPostback { postback, receipt } = ours;
        let conflict = Conflict {
            provider: postback.provider,
            transaction_id: receipt.transaction_id,
            content: postback.content,
            differences,
            received_at: visit.now,
        };
        self.settle(visit, conflict, original.receipt).await
    }

    /// Keeps a conflict; one that an operator has accepted as a correction is none any more.
    async fn settle(&self, visit: &Visit<'_>, conflict: Conflict, original: Receipt) -> Result<Answer, Unavailable> {
        let accepted = if visit.dry_run {
            self.refusals.find_correction(&conflict).await?
        } else {
            match self.refusals.keep_conflict(&conflict).await? {
                KeptConflict::AcceptedAs(receipt) => Some(receipt),
                KeptConflict::Unresolved => None,
            }
        };
        if let Some(receipt) = accepted {
            return Ok(Answer::Duplicate(receipt));
        }
        let names = &visit.partner.rules().names;
        let under_its_name = |difference: Difference| (names.of(difference.field).to_owned(), difference);
        let differences = conflict.differences.into_iter().map(under_its_name).collect();
        let (transaction_id, sent) = (conflict.transaction_id, conflict.content);
        Ok(Answer::Conflict(Box::new(Contradiction { transaction_id, original, differences, sent })))
    }

    async fn keep_refusal(&self, visit: &Visit<'_>, faults: Vec<Fault>) -> Result<(), Unavailable> {
        if visit.dry_run || visit.is_resubmitted {
            return Ok(());
        }
        let Visit { partner, sent, source, now, .. } = *visit;
        let refusal = Refusal::of((partner.provider(), partner.rules()), sent, source, faults, now);
        self.refusals.keep_refusal(&refusal).await
    }
}

/// A call whose partner is known.
struct Visit<'a> {
    partner: &'a Partner,
    sent: &'a Parameters<'a>,
    source: IpAddr,
    now: Timestamp,
    dry_run: bool,
    /// Not the partner's own call: an operator sends again what is kept.
    is_resubmitted: bool,
}

impl<'a> Visit<'a> {
    /// A partner's call.
    fn new(partner: &'a Partner, sent: &'a Parameters<'a>, source: IpAddr, now: Timestamp) -> Self {
        let dry_run = sent.raw(DRY_RUN) == Some(b"true");
        Self { partner, sent, source, now, dry_run, is_resubmitted: false }
    }
}

/// What is looked at before anything is read: size and content type.
fn envelope_faults(call: &Call<'_>) -> Vec<Fault> {
    let mut faults = Parameters::size_faults(call.query, call.body);
    if !call.body.is_empty() {
        const FORM: &str = "application/x-www-form-urlencoded";
        let media_type = call.content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let expected =
            if call.is_post { format!("no body, or one of type {FORM}") } else { "no body with a GET".into() };
        if !call.is_post || !media_type.eq_ignore_ascii_case(FORM) {
            let fix = "send the parameters in the query, or form-encoded in the body of a POST";
            faults.push(Fault::whole(FaultCode::UnsupportedBody, expected, fix));
        }
    }
    faults
}

/// Under a signature, `provider` is signed as the path says it: one that is sent besides would stand twice.
fn provider_fault(sent: &Parameters<'_>) -> Option<Fault> {
    sent.raw("provider").map(|_| {
        let expected = "no parameter of this name: the path says it already, and it is signed from there";
        Fault::of("provider", FaultCode::Repeated, expected, "sign it, but do not send it")
    })
}

#[cfg(test)]
mod tests;
