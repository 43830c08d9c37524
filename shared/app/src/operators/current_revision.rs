//! Compares another content that was sent for a transaction with the current revision.
//!
//! A conflict keeps the differences that it had when it came. An operator needs the differences from the revision that
//! is current now.

use domain::{
    inbound::{
        correction::{Revision, RevisionKind},
        postback::{Content, Difference},
        status::State,
    },
    jiff::Timestamp,
    values::{
        ids::{ReceiptId, TransactionKey},
        parameter_names::Field,
    },
};
use serde::Serialize;

use crate::ports::{InboundRecords, Unavailable};

/// The current revision of a transaction, and the differences of another content that was sent for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CurrentRevision {
    /// The kind of the current revision.
    pub kind: RevisionKind,
    /// The number of the transaction's corrections.
    pub correction: u32,
    /// The current state, if the partner agreed on statuses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// The receipt id of the current revision.
    pub receipt_id: ReceiptId,
    /// The instant at which the revision was recorded, or was accepted by an operator.
    #[serde(serialize_with = "domain::values::time::three_decimals::serialize")]
    pub since: Timestamp,
    /// The content of the current revision.
    pub content: Content,
    /// The parameters in which the content that was sent differs.
    pub differences: Vec<FromCurrent>,
}

/// A parameter in which the content that was sent differs from the current revision. An empty text stands for an absent
/// value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FromCurrent {
    /// The parameter.
    pub field: Field,
    /// The value in the current revision.
    #[serde(rename = "stands")]
    pub current: String,
    /// The value that was sent.
    pub sent: String,
}

impl CurrentRevision {
    /// Compares the content that was sent, and the state if one was sent, with the current revision. Returns `None` if
    /// the current revision is an original without a state: the conflict was compared with it when it came, so there is
    /// nothing to add.
    pub(super) fn compare(current: &Revision, (sent, state): (&Content, Option<State>)) -> Option<Self> {
        let postback = current.postback();
        if current.kind() == RevisionKind::Original && postback.state.is_none() {
            return None;
        }
        let from_current = |Difference { field, original, sent }| FromCurrent { field, current: original, sent };
        let mut differences: Vec<_> = postback.content.differences(sent).into_iter().map(from_current).collect();
        differences.extend(state.filter(|state| *state != postback.state()).map(|state| FromCurrent {
            field: Field::Status,
            current: postback.state().to_string(),
            sent: state.to_string(),
        }));
        Some(Self {
            kind: current.kind(),
            correction: current.correction(),
            state: postback.state,
            receipt_id: current.receipt().receipt_id.clone(),
            since: current.recorded_at(),
            content: postback.content.clone(),
            differences,
        })
    }
}

/// Reads the current revision of a transaction and compares the content that was sent with it. Returns `None` if the
/// transaction is not recorded, or if [`CurrentRevision`] has nothing to add.
pub async fn read(
    inbound: &impl InboundRecords,
    transaction: &TransactionKey,
    sent: (&Content, Option<State>),
) -> Result<Option<CurrentRevision>, Unavailable> {
    let history = inbound.transaction(transaction).await?;
    Ok(history.and_then(|history| CurrentRevision::compare(&history.latest(), sent)))
}
