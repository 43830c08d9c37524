//! Runs the use case of one deed over the ports of one actor, or a flawed worker in its place.

use std::sync::{Arc, OnceLock};

use app::{
    accept_postback::{AcceptPostback, Contradiction, PartnerRates, PostbackAnswer, StrangerRates},
    cache::{Cache, CachePolicy},
    memory::{Held, partner::get},
    ports::{Added, KnownPartner, Postbacks, Recorded, Refusals, Replaced, Resolutions, Unavailable},
    resolve_conflict::{self, Resolution},
};
use domain::{
    audit::{Action, Author, Channel, Operation, Subject},
    inbound::{
        acceptance::{Acceptance, Unacceptable},
        click::{ClickKeys, ClickOrigin},
        conversion::{Receipt, RecordedPostback},
        correction::{Correction, Revision, Step},
        credential::{Credentials, TokenHash},
        postback::{Content, Extra, Postback},
        refusal::{self, ContentKey},
        status,
        transaction::{Decision, History},
    },
    jiff::Timestamp,
    partner::{Partner, PartnerFile},
    values::{
        ids::{Provider, ReceiptId, TransactionId},
        signature::Secret,
    },
};
use serde_json::json;

use super::{
    Flaw,
    story::{Agreed, Id, Op, Said, State},
};
use crate::faults::stage::{Configuration, Stage};

/// Counts the calls of ports with which the use case of partners' calls reads its configuration.
pub(super) const CONFIGURATION_CALLS: usize = 2;

/// Holds the result of a finished try.
#[derive(Debug)]
pub(super) enum Done {
    Partner(PostbackAnswer),
    Operator(Result<Resolution, Unavailable>),
}

/// Does this deed on this stage, like a sandbox that has just started. If something is recorded, it gets this receipt.
pub(super) async fn perform(op: Op, agreed: Agreed, receipt_id: ReceiptId, flaw: Option<Flaw>, stage: Stage) -> Done {
    let now = Timestamp::UNIX_EPOCH;
    match op {
        Op::Call(said) => Done::Partner(match flaw.filter(|flaw| flaw.is_a_workers() && said.amount >= 0) {
            Some(flaw) => {
                flawed(flaw, said, agreed, receipt_id, &stage).await.unwrap_or_else(PostbackAnswer::Unavailable)
            }
            None => accept(said, agreed, receipt_id, stage).await,
        }),
        Op::Accept(said) if flaw == Some(Flaw::CorrectsWithoutChecking) => {
            Done::Operator(correct(said, receipt_id, &stage).await)
        }
        Op::Accept(said) => {
            let (transaction_id, key) = (id(said.id), key(said));
            let which = (&transaction_id, &key);
            Done::Operator(resolve_conflict::accept(&stage, &keys(), which, (&operation(), now), receipt_id).await)
        }
        Op::Keep(said) => {
            let (transaction_id, key) = (id(said.id), key(said));
            let which = (&transaction_id, &key);
            Done::Operator(resolve_conflict::keep_original(&stage, which, (&operation(), now)).await)
        }
    }
}

async fn accept(said: Said, agreed: Agreed, receipt_id: ReceiptId, stage: Stage) -> PostbackAnswer {
    let credentials = Credentials::Tokens(vec![TokenHash::of("good")]);
    let known = (provider(), KnownPartner { partner: Arc::clone(partner(agreed)), credentials });
    let accept = AcceptPostback::<Stage> {
        partners: Cache::new(Configuration(stage.clone(), Held::new(&stage.world, [known])), CachePolicy::default()),
        keys: Cache::new(Configuration(stage.clone(), Held::new(&stage.world, [((), keys())])), CachePolicy::default()),
        postbacks: stage.clone(),
        refusals: stage,
        rates: PartnerRates::default(),
        strangers: StrangerRates::default(),
    };
    let query = query(said);
    accept.handle(&get("acme", &query), Timestamp::UNIX_EPOCH, receipt_id).await.answer
}

fn query(Said { id, state, amount }: Said) -> String {
    let (id, state) = (id.as_str(), state.word());
    let reference = if amount < 0 { "&ref=t" } else { "" };
    format!("user_id=u&click_id=c&transaction_id={id}&currency=USD&amount_decimal={amount}&state={state}{reference}")
}

/// Handles a call as a worker would that breaks one rule.
async fn flawed(
    flaw: Flaw,
    said: Said,
    agreed: Agreed,
    receipt_id: ReceiptId,
    stage: &Stage,
) -> Result<PostbackAnswer, Unavailable> {
    let ours = recorded(said, receipt_id);
    let Recorded::Existing(original) = stage.record(&ours).await? else {
        return Ok(PostbackAnswer::Accepted(ours.receipt));
    };
    if flaw == Flaw::AnswersHigherStatesAsDuplicates && original.postback.content == ours.postback.content {
        return Ok(PostbackAnswer::Duplicate(original.receipt));
    }
    let unread = History::of((*original).clone());
    let read = Postbacks::history(stage, &provider(), &ours.postback.transaction_id).await?.expect("an original");
    let history = if flaw == Flaw::DecidesByTheOriginal { unread } else { read };
    let status = partner(agreed).rules().status.as_ref();
    match history.decide(&ours, status) {
        Decision::Duplicate(_) | Decision::Conflict(_) if flaw == Flaw::LetsTheLastCallStand => {
            let correction = history.current().correction;
            let step = Step { postback: ours.postback, receipt: ours.receipt, correction, place: history.next_place() };
            store(flaw, step, &history, stage).await
        }
        Decision::Duplicate(receipt) => Ok(PostbackAnswer::Duplicate(receipt)),
        Decision::Conflict(_) => {
            stage.keep_conflict(&conflict(said), u32::MAX).await?;
            let (transaction_id, sent) = (ours.receipt.transaction_id, ours.postback.content);
            let (original, differences) = (history.current().receipt.clone(), Vec::new());
            let told = Contradiction { transaction_id, original, differences, sent, is_kept: true };
            Ok(PostbackAnswer::Conflict(Box::new(told)))
        }
        Decision::Step(step) => store(flaw, *step, &history, stage).await,
        Decision::Erased => Ok(PostbackAnswer::Erased(ours.receipt.transaction_id)),
    }
}

async fn store(flaw: Flaw, mut step: Step, history: &History, stage: &Stage) -> Result<PostbackAnswer, Unavailable> {
    loop {
        match stage.add_step(&step).await {
            Err(_) if flaw == Flaw::AnswersBeforeStoring => return Ok(PostbackAnswer::Accepted(step.receipt)),
            Err(unavailable) => return Err(unavailable),
            Ok(Added::Done) => return Ok(PostbackAnswer::Accepted(step.receipt)),
            Ok(Added::Taken(_)) if flaw == Flaw::AnswersBeforeStoring => {
                return Ok(PostbackAnswer::Accepted(step.receipt));
            }
            Ok(Added::Taken(_)) if flaw == Flaw::StoresWithoutDecidingAgain => step.place += 1,
            Ok(Added::Taken(_)) => return Ok(PostbackAnswer::Duplicate(history.current().receipt.clone())),
        }
    }
}

/// Accepts a conflict without checking how much was taken.
async fn correct(said: Said, receipt_id: ReceiptId, stage: &Stage) -> Result<Resolution, Unavailable> {
    let (transaction_id, now) = (id(said.id), Timestamp::UNIX_EPOCH);
    let audit = operation().record(now, Action::AcceptConflict, Subject::Catalogue);
    while let Some(history) = Resolutions::history(stage, &provider(), &transaction_id).await? {
        let ours = recorded(said, receipt_id.clone());
        let correction = Correction {
            postback: ours.postback,
            receipt: ours.receipt,
            original_receipt_id: history.original().receipt.receipt_id.clone(),
            number: history.current().correction + 1,
            corrected_at: now,
            place: history.next_place(),
            reversed: None,
        };
        let acceptance = Acceptance { revision: Revision::Correction(correction), adjustments: Vec::new() };
        if stage.accept(&key(said), &acceptance, &audit).await? == Replaced::Done {
            return Ok(Resolution::Accepted(Box::new(acceptance.revision)));
        }
    }
    Ok(Resolution::Unacceptable(Unacceptable::NoOriginal))
}

fn provider() -> Provider {
    Provider::new("acme").expect("a slug")
}

fn id(id: Id) -> TransactionId {
    TransactionId::new(id.as_str()).expect("an id")
}

fn keys() -> ClickKeys {
    static KEYS: OnceLock<ClickKeys> = OnceLock::new();
    KEYS.get_or_init(|| ClickKeys::new(vec![Secret::new("k")]).expect("a key")).clone()
}

fn operation() -> Operation {
    Operation::new(Author::new("operator").expect("an author"), Channel::Postbackctl, None, [0; 8])
}

/// Returns the partner with this agreement.
fn partner(agreed: Agreed) -> &'static Arc<Partner> {
    static EACH: OnceLock<[Arc<Partner>; 3]> = OnceLock::new();
    let each = || [&[][..], &["approved"], &["approved", "rejected"]].map(|states| Arc::new(read_partner(states)));
    &EACH.get_or_init(each)[agreed as usize]
}

fn read_partner(amount_may_change: &[&str]) -> Partner {
    let status =
        json!({"parameter": "state", "pending": ["pending"], "approved": ["approved"], "rejected": ["rejected"]});
    let postback = json!({"status": status, "amount_may_change": amount_may_change, "negative_amounts": "reverse",
        "reference": "ref"});
    let file = json!({"provider": provider().as_str(), "postback": postback});
    let file: PartnerFile = serde_json::from_value(file).expect("a partner");
    Partner::try_from(file).expect("a partner")
}

fn content(said: Said) -> Content {
    let content =
        json!({"user_id": "u", "click_id": "c", "currency": "USD", "amount_decimal": said.amount.to_string()});
    serde_json::from_value(content).expect("content")
}

fn state(said: Said) -> status::State {
    match said.state {
        State::Pending => status::State::Pending,
        State::Approved => status::State::Approved,
        State::Rejected => status::State::Rejected,
    }
}

/// Returns the transaction that a call names to take its amount from.
fn reference(said: Said) -> Option<TransactionId> {
    (said.amount < 0).then(|| id(Id::T))
}

fn recorded(said: Said, receipt_id: ReceiptId) -> RecordedPostback {
    let (transaction_id, state) = (id(said.id), Some(state(said)));
    let receipt = Receipt {
        transaction_id: transaction_id.clone(),
        receipt_id,
        received_at: Timestamp::UNIX_EPOCH,
        ignored: Vec::new(),
        state,
        original_receipt_id: None,
    };
    let (provider, content, click) = (provider(), content(said), ClickOrigin::Foreign);
    let reference = reference(said);
    let postback =
        Postback { provider, transaction_id, content, click, state, reference, extra: Extra::new(), erased: None };
    RecordedPostback { postback, receipt, reversed: None }
}

/// Returns the conflict that this call makes.
fn conflict(said: Said) -> refusal::Conflict {
    refusal::Conflict {
        provider: provider(),
        transaction_id: id(said.id),
        content: content(said),
        state: Some(state(said)),
        reference: reference(said),
        extra: Extra::new(),
        differences: Vec::new(),
        received_at: Timestamp::UNIX_EPOCH,
    }
}

/// Returns the key under which the conflict of this call is kept.
pub(super) fn key(said: Said) -> ContentKey {
    conflict(said).key()
}
