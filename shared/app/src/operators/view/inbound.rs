//! Clicks, postbacks, refusals and conflicts.

use std::net::IpAddr;

use domain::{
    inbound::{
        click::{Click, ClickOrigin},
        conversion::{Receipt, Reversed},
        correction::Revision,
        fault::Fault,
        postback::{Content, Difference, Extra},
        status::State,
    },
    jiff::Timestamp,
    values::{
        ids::{ClickId, LandingName, Provider, ReceiptId, TransactionId, UserId},
        time::three_decimals,
    },
};
use serde::Serialize;

use crate::{
    operators::{
        current_revision::CurrentRevision,
        postbacks::Transaction,
        refusals::{Refused, ToAgree},
    },
    ports::RefusalKind,
};

/// A use of a tracking link.
#[derive(Debug, Serialize)]
pub struct ClickView<'a> {
    click_id: &'a ClickId,
    provider: &'a Provider,
    landing: &'a LandingName,
    user_id: &'a UserId,
    #[serde(with = "three_decimals")]
    clicked_at: Timestamp,
}

impl<'a> From<&'a Click> for ClickView<'a> {
    fn from(Click { click_id, provider, landing, user_id, clicked_at }: &'a Click) -> Self {
        Self { click_id, provider, landing, user_id, clicked_at: *clicked_at }
    }
}

/// A revision of a transaction: its original postback, a step or a correction.
#[derive(Debug, Serialize)]
pub struct PostbackView<'a> {
    provider: &'a Provider,
    transaction_id: &'a TransactionId,
    receipt_id: &'a ReceiptId,
    #[serde(with = "three_decimals")]
    received_at: Timestamp,
    /// The state, if the partner agreed on statuses. Absent means approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    #[serde(flatten)]
    content: &'a Content,
    click: ClickOrigin,
    #[serde(skip_serializing_if = "Extra::is_empty")]
    extra: &'a Extra,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    ignored: &'a [String],
    /// The transaction that a negative amount reverses, as the partner named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a TransactionId>,
    /// The recorded transaction that a negative amount reverses.
    #[serde(skip_serializing_if = "Option::is_none")]
    reversed: Option<&'a Reversed>,
    /// The number of the transaction's corrections up to this revision.
    correction: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    original_receipt_id: Option<&'a ReceiptId>,
    #[serde(skip_serializing_if = "Option::is_none", with = "three_decimals::option")]
    corrected_at: Option<Timestamp>,
}

impl<'a> From<&'a Revision> for PostbackView<'a> {
    fn from(revision: &'a Revision) -> Self {
        let (postback, receipt) = (revision.postback(), revision.receipt());
        let (original_receipt_id, corrected_at) = match revision {
            Revision::Correction(correction) => (Some(&correction.original_receipt_id), Some(correction.corrected_at)),
            Revision::Original(_) | Revision::Step(_) => (receipt.original_receipt_id.as_ref(), None),
        };
        Self {
            provider: &postback.provider,
            transaction_id: &postback.transaction_id,
            receipt_id: &receipt.receipt_id,
            received_at: receipt.received_at,
            state: postback.state,
            content: &postback.content,
            click: postback.click,
            extra: &postback.extra,
            ignored: &receipt.ignored,
            reference: postback.reference.as_ref(),
            reversed: revision.reversed(),
            correction: revision.correction(),
            original_receipt_id,
            corrected_at,
        }
    }
}

impl PostbackView<'_> {
    /// Shows another state than that of the revision.
    fn in_state(self, state: State) -> Self {
        Self { state: Some(state), ..self }
    }
}

/// A transaction: its current revision, and when its first postback was recorded.
#[derive(Debug, Serialize)]
pub struct TransactionView<'a> {
    #[serde(with = "three_decimals")]
    first_received_at: Timestamp,
    #[serde(flatten)]
    current: PostbackView<'a>,
    /// The rejected transaction from which this one takes. The amount then counts as nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_with: Option<&'a TransactionId>,
}

impl<'a> From<&'a Transaction> for TransactionView<'a> {
    fn from(it: &'a Transaction) -> Self {
        let rejected_with = it.counted.rejected_with.as_ref();
        let view = PostbackView::from(&it.current);
        let current = if rejected_with.is_some() { view.in_state(it.counted.state) } else { view };
        Self { first_received_at: it.recorded_at, current, rejected_with }
    }
}

/// A refused call or a conflict.
#[derive(Debug, Serialize)]
pub struct RefusalView<'a> {
    /// The content id.
    provider_content: &'a str,
    kind: RefusalKind,
    provider: &'a Provider,
    #[serde(with = "three_decimals")]
    first_received_at: Timestamp,
    #[serde(with = "three_decimals")]
    last_received_at: Timestamp,
    times: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    click_id: Option<&'a ClickId>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    faults: &'a [Fault],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    to_agree: &'a [ToAgree],
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_id: Option<&'a TransactionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a TransactionId>,
    #[serde(skip_serializing_if = "Extra::is_empty")]
    extra: &'a Extra,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    differences: &'a [Difference],
    #[serde(rename = "stands", skip_serializing_if = "Option::is_none")]
    current: Option<&'a CurrentRevision>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<&'a Receipt>,
    #[serde(skip_serializing_if = "Option::is_none", with = "three_decimals::option")]
    accepted_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", with = "three_decimals::option")]
    original_kept_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", with = "three_decimals::option")]
    expires_at: Option<Timestamp>,
}

impl<'a> From<&'a Refused> for RefusalView<'a> {
    fn from(Refused { stored, current, to_agree }: &'a Refused) -> Self {
        Self {
            provider_content: &stored.provider_content,
            kind: stored.kind,
            provider: &stored.provider,
            first_received_at: stored.first_received_at,
            last_received_at: stored.last_received_at,
            times: stored.times,
            request: stored.request.as_deref(),
            request_bytes: stored.request_bytes,
            source: stored.source,
            user_id: stored.user_id.as_ref(),
            click_id: stored.click_id.as_ref(),
            faults: &stored.faults,
            to_agree,
            transaction_id: stored.transaction_id.as_ref(),
            content: stored.content.as_ref(),
            state: stored.state,
            reference: stored.reference.as_ref(),
            extra: &stored.extra,
            differences: &stored.differences,
            current: current.as_ref(),
            accepted: stored.accepted.as_ref(),
            accepted_at: stored.accepted_at,
            original_kept_at: stored.original_kept_at,
            expires_at: stored.expires_at.and_then(|second| Timestamp::from_second(second).ok()),
        }
    }
}
