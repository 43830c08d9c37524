//! Holds the items of `postbacks`: the original of each transaction, and its later revisions, which are numbered
//! together.

use domain::{
    erasure::ContentHash,
    inbound::{
        click::ClickOrigin,
        conversion::{Receipt, RecordedPostback, Reversed},
        correction::{Correction, Revision, Step},
        postback::{Content, Extra, Postback},
        status::State,
        transaction::{Adjustment, History},
    },
    jiff::Timestamp,
    values::{
        ids::{ClickId, EventId, EventName, Provider, ReceiptId, TransactionId, TransactionKey, UserId},
        money::{Amount, Currency},
    },
};
use serde::{Deserialize, Serialize};

/// Names the partition key of `postbacks`.
pub const PROVIDER_TRANSACTION: &str = "provider_transaction";
/// Names the sort key of `postbacks`.
pub const REVISION: &str = "revision";
/// Holds the sort key in `postbacks` of the original postback.
pub const ORIGINAL: &str = "original";
/// Begins the sort key of a later revision in `postbacks`. The number of the revision follows in six digits.
pub const REVISION_PREFIX: &str = "revision-";
/// Begins the sort key of a correction that was stored before steps and corrections were numbered together.
const CORRECTION_PREFIX: &str = "correction-";
/// Holds the sort key in `postbacks` of an item that says which transaction used a click for an event.
pub const CLICK_USE: &str = "click-use";
/// Names the attribute of the use of a click that identifies the transaction.
pub const USED_BY: &str = "used_by";

/// Says in `postbacks` that a transaction used a click for an event. It is no revision of a transaction, and nothing is
/// told to GG3 about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClickUseItem {
    /// Holds the partition key: provider, `@`, and a hash of click and event. The key of a transaction has a `#`
    /// instead.
    pub provider_transaction: String,
    /// Holds the sort key, [`CLICK_USE`].
    pub revision: String,
    /// Identifies the transaction.
    pub used_by: TransactionId,
    /// Identifies the transaction's first receipt.
    pub receipt_id: ReceiptId,
    /// Says when the transaction was received.
    pub received_at: Timestamp,
    /// Holds the state of the first receipt, if the partner agreed on statuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
}

impl ClickUseItem {
    /// Returns the partition key for the click and the event of a postback.
    pub fn key(postback: &Postback) -> String {
        format!("{}@{}", postback.provider, postback.click_use())
    }

    /// Returns true if an item of `postbacks` says that a click was used.
    pub fn is(item: &serde_dynamo::Item) -> bool {
        matches!(item.get(REVISION), Some(serde_dynamo::AttributeValue::S(revision)) if revision == CLICK_USE)
    }
}

impl From<&RecordedPostback> for ClickUseItem {
    fn from(RecordedPostback { postback, receipt, .. }: &RecordedPostback) -> Self {
        Self {
            provider_transaction: Self::key(postback),
            revision: CLICK_USE.to_owned(),
            used_by: postback.transaction_id.clone(),
            receipt_id: receipt.receipt_id.clone(),
            received_at: receipt.received_at,
            state: receipt.state,
        }
    }
}

impl From<ClickUseItem> for Receipt {
    fn from(item: ClickUseItem) -> Self {
        let ClickUseItem { used_by: transaction_id, receipt_id, received_at, state, .. } = item;
        Self { transaction_id, receipt_id, received_at, ignored: Vec::new(), state, original_receipt_id: None }
    }
}

/// Holds one postback in `postbacks`.
///
/// The struct repeats the fields of [`Content`], because `#[serde(flatten)]` would read every attribute twice, and
/// these items are read often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostbackItem {
    /// Holds the partition key.
    pub provider_transaction: String,
    /// Holds the sort key.
    pub revision: String,
    /// Identifies the transaction. An adjustment names the transaction that took the amount.
    pub transaction_id: TransactionId,
    /// Holds the receipt that was given.
    pub receipt_id: ReceiptId,
    /// Says when the postback was received.
    pub received_at: Timestamp,
    /// Says if we made the click id.
    pub click: ClickOrigin,
    /// Names the GG3 user.
    pub user_id: UserId,
    /// Identifies the click that brought the user.
    pub click_id: ClickId,
    /// Names the currency of the amount.
    pub currency: Currency,
    /// Holds the exact amount.
    pub amount_decimal: Amount,
    /// Identifies the event of a multi-event campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<EventId>,
    /// Names that event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_name: Option<EventName>,
    /// Lists the parameters that we do not know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
    /// Names the kind of a later revision. Absent in an original, and in a correction from the time before steps and
    /// corrections were numbered together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<RevisionKind>,
    /// Holds the state, if the partner agreed on statuses. Absent means approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Counts the corrections up to this revision. Only a step or a correction has this attribute. Absent means 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correction: Option<u32>,
    /// Identifies the transaction that a negative amount reverses, as the partner named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<TransactionId>,
    /// Holds the values of kept parameters by their names.
    #[serde(default, skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
    /// Says which recorded transaction a negative amount reverses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversed: Option<Reversed>,
    /// Holds the original's receipt. Only a step or a correction has this attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_receipt_id: Option<ReceiptId>,
    /// Says when an operator accepted the correction. Only a correction has this attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrected_at: Option<Timestamp>,
    /// Holds the hash of the content. Only the item of an erased person has this attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<ContentHash>,
}

/// Tells the later revisions of a transaction apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevisionKind {
    /// The transaction rose to a higher state.
    Step,
    /// An operator accepted a conflict.
    Correction,
    /// Another transaction took an amount from this one. An adjustment is only a note, and GG3 receives no conversion
    /// for it.
    Adjustment,
}

impl PostbackItem {
    /// Returns true if the item only notes that another transaction took an amount from this one.
    pub fn is_adjustment(&self) -> bool {
        self.kind == Some(RevisionKind::Adjustment)
    }

    /// Returns the sort key of the later revision that has this number.
    pub(crate) fn revision_at(place: u32) -> String {
        format!("{REVISION_PREFIX}{place:06}")
    }

    /// Returns the number in the sort key of a later revision, or `None` for any other sort key.
    pub(super) fn place_of(revision: &str) -> Option<u32> {
        revision.strip_prefix(REVISION_PREFIX).or(revision.strip_prefix(CORRECTION_PREFIX))?.parse().ok()
    }

    /// Returns the item's number among the later revisions of the transaction.
    fn place(&self) -> Result<u32, String> {
        Self::place_of(&self.revision).ok_or_else(|| format!("the revision is {:?}", self.revision))
    }

    /// Returns the partition key of a transaction.
    pub fn key(provider: &Provider, transaction_id: &TransactionId) -> String {
        TransactionKey::of(provider, transaction_id).as_str().to_owned()
    }

    /// Returns the content.
    pub fn content(&self) -> Content {
        let Self { user_id, click_id, currency, amount_decimal, event_id, event_name, .. } = self.clone();
        Content { user_id, click_id, currency, amount_decimal, event_id, event_name }
    }
}

impl From<&RecordedPostback> for PostbackItem {
    fn from(recorded: &RecordedPostback) -> Self {
        let RecordedPostback { postback, receipt, reversed } = recorded;
        let Content { user_id, click_id, currency, amount_decimal, event_id, event_name } = postback.content.clone();
        Self {
            provider_transaction: postback.key().as_str().to_owned(),
            revision: ORIGINAL.to_owned(),
            transaction_id: receipt.transaction_id.clone(),
            receipt_id: receipt.receipt_id.clone(),
            received_at: receipt.received_at,
            click: postback.click,
            user_id,
            click_id,
            currency,
            amount_decimal,
            event_id,
            event_name,
            ignored: receipt.ignored.clone(),
            kind: None,
            state: postback.state,
            correction: None,
            reference: postback.reference.clone(),
            extra: postback.extra.clone(),
            reversed: reversed.clone(),
            original_receipt_id: receipt.original_receipt_id.clone(),
            corrected_at: None,
            erased: postback.erased.clone(),
        }
    }
}

impl From<&Correction> for PostbackItem {
    fn from(correction: &Correction) -> Self {
        let Correction { postback, receipt, original_receipt_id, number, corrected_at, place, reversed } = correction;
        Self {
            kind: Some(RevisionKind::Correction),
            correction: Some(*number),
            original_receipt_id: Some(original_receipt_id.clone()),
            corrected_at: Some(*corrected_at),
            reversed: reversed.clone(),
            ..later(postback, receipt, *place)
        }
    }
}

impl From<&Step> for PostbackItem {
    fn from(step: &Step) -> Self {
        let Step { postback, receipt, correction, place } = step;
        let correction = Some(*correction).filter(|correction| *correction > 0);
        Self { kind: Some(RevisionKind::Step), correction, ..later(postback, receipt, *place) }
    }
}

/// Returns the attributes of a later revision.
fn later(postback: &Postback, receipt: &Receipt, place: u32) -> PostbackItem {
    let recorded = RecordedPostback { postback: postback.clone(), receipt: receipt.clone(), reversed: None };
    PostbackItem { revision: PostbackItem::revision_at(place), ..PostbackItem::from(&recorded) }
}

impl PostbackItem {
    /// Returns the note that the transaction `adjustment.by` took an amount from the transaction `of`.
    pub fn adjustment(of: &TransactionId, adjustment: &Adjustment) -> Self {
        let provider_transaction = Self::key(&adjustment.by.postback.provider, of);
        Self { provider_transaction, ..Self::note(adjustment) }
    }

    /// Returns a note whose partition key is still to be set to that of the transaction beside which it stands.
    pub(crate) fn note(adjustment: &Adjustment) -> Self {
        let RecordedPostback { postback, receipt, .. } = &adjustment.by;
        Self { kind: Some(RevisionKind::Adjustment), ..later(postback, receipt, adjustment.place) }
    }

    /// Makes the history of one transaction from all its items. Returns `None` if there is no original.
    pub fn history(items: Vec<Self>) -> Result<Option<History>, String> {
        let (notes, chain): (Vec<_>, Vec<_>) = items.into_iter().partition(Self::is_adjustment);
        let chain: Result<Vec<_>, _> = chain.into_iter().map(Revision::try_from).collect();
        let notes: Result<Vec<_>, _> = notes.into_iter().map(Adjustment::try_from).collect();
        Ok(History::new(chain?, notes?))
    }
}

impl TryFrom<PostbackItem> for Adjustment {
    type Error = String;

    fn try_from(item: PostbackItem) -> Result<Self, String> {
        Ok(Self { place: item.place()?, by: recorded(item)? })
    }
}

impl From<&Revision> for PostbackItem {
    fn from(revision: &Revision) -> Self {
        match revision {
            Revision::Original(recorded) => recorded.into(),
            Revision::Step(step) => step.into(),
            Revision::Correction(correction) => correction.into(),
        }
    }
}

impl TryFrom<PostbackItem> for Revision {
    type Error = String;

    fn try_from(item: PostbackItem) -> Result<Self, String> {
        if item.revision == ORIGINAL {
            return recorded(item).map(Self::Original);
        }
        let place = item.place()?;
        let (kind, correction, corrected_at) = (item.kind, item.correction, item.corrected_at);
        let RecordedPostback { postback, mut receipt, reversed } = recorded(item)?;
        match kind {
            Some(RevisionKind::Adjustment) => Err("an adjustment is no revision".to_owned()),
            Some(RevisionKind::Step) => {
                Ok(Self::Step(Step { postback, receipt, correction: correction.unwrap_or_default(), place }))
            }
            Some(RevisionKind::Correction) | None => {
                let original = receipt.original_receipt_id.take();
                let original_receipt_id = original.ok_or("a correction without original_receipt_id")?;
                let corrected_at = corrected_at.ok_or("a correction without corrected_at")?;
                let number = correction.unwrap_or(place);
                Ok(Self::Correction(Correction {
                    postback,
                    receipt,
                    original_receipt_id,
                    number,
                    corrected_at,
                    place,
                    reversed,
                }))
            }
        }
    }
}

impl TryFrom<PostbackItem> for RecordedPostback {
    type Error = String;

    fn try_from(item: PostbackItem) -> Result<Self, String> {
        if item.revision != ORIGINAL {
            return Err(format!("the revision is {:?}, not {ORIGINAL:?}", item.revision));
        }
        recorded(item)
    }
}

/// Reads the attributes that the items of all revisions share.
fn recorded(item: PostbackItem) -> Result<RecordedPostback, String> {
    let (provider, _) =
        item.provider_transaction.split_once('#').ok_or_else(|| format!("{PROVIDER_TRANSACTION} has no #"))?;
    let provider = Provider::new(provider).map_err(|fault| format!("the provider {fault}"))?;
    let transaction_id = item.transaction_id;
    let receipt = Receipt {
        transaction_id: transaction_id.clone(),
        receipt_id: item.receipt_id,
        received_at: item.received_at,
        ignored: item.ignored,
        state: item.state,
        original_receipt_id: item.original_receipt_id,
    };
    let PostbackItem { user_id, click_id, currency, amount_decimal, event_id, event_name, .. } = item;
    let content = Content { user_id, click_id, currency, amount_decimal, event_id, event_name };
    let (click, state, reference, extra, erased) = (item.click, item.state, item.reference, item.extra, item.erased);
    let postback = Postback { provider, transaction_id, content, click, state, reference, extra, erased };
    Ok(RecordedPostback { postback, receipt, reversed: item.reversed })
}
