//! Compares another content that was sent for a transaction with the current revision.
//!
//! A conflict keeps the differences that it had when it came. An operator needs the differences from the revision that
//! is current now.

use domain::{
    inbound::{
        correction::Revision,
        postback::{Content, Difference},
        status::State,
    },
    jiff::Timestamp,
    values::{
        ids::{Provider, ReceiptId, TransactionId},
        parameter_names::Field,
    },
};
use serde::Serialize;

use crate::ports::{InboundRecords, Unavailable};

/// The current revision of a transaction, and the differences of another content that was sent for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// The kind of the current revision.
    pub kind: StandingKind,
    /// The number of the transaction's corrections.
    pub correction: u32,
    /// The current state, if the partner agreed on statuses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// The receipt id of the current revision.
    pub receipt_id: ReceiptId,
    /// The instant at which the revision was recorded, or was accepted by an operator.
    pub since: Timestamp,
    /// The content of the current revision.
    pub content: Content,
    /// The parameters in which the content that was sent differs.
    pub differences: Vec<FromStanding>,
}

/// The kind of a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StandingKind {
    /// The transaction's first postback.
    Original,
    /// A step to a higher state.
    Step,
    /// A conflict that an operator accepted.
    Correction,
}

/// A parameter in which the content that was sent differs from the current revision. An empty text stands for an absent
/// value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FromStanding {
    /// The parameter.
    pub field: Field,
    /// The value in the current revision.
    pub stands: String,
    /// The value that was sent.
    pub sent: String,
}

impl Standing {
    /// Compares the content that was sent, and the state if one was sent, with the current revision. Returns `None` if
    /// the current revision is an original without a state: the conflict was compared with it when it came, so there is
    /// nothing to add.
    pub(super) fn beside((sent, state): (&Content, Option<State>), stands: &Revision) -> Option<Self> {
        let postback = stands.postback();
        let kind = match stands {
            Revision::Original(_) if postback.state.is_none() => return None,
            Revision::Original(_) => StandingKind::Original,
            Revision::Step(_) => StandingKind::Step,
            Revision::Correction(_) => StandingKind::Correction,
        };
        let from_standing = |Difference { field, original, sent }| FromStanding { field, stands: original, sent };
        let mut differences: Vec<_> = postback.content.differences(sent).into_iter().map(from_standing).collect();
        differences.extend(state.filter(|state| *state != postback.state()).map(|state| FromStanding {
            field: Field::Status,
            stands: postback.state().to_string(),
            sent: state.to_string(),
        }));
        Some(Self {
            kind,
            correction: stands.correction(),
            state: postback.state,
            receipt_id: stands.receipt().receipt_id.clone(),
            since: stands.recorded_at(),
            content: postback.content.clone(),
            differences,
        })
    }
}

/// Reads the current revision of a transaction and compares the content that was sent with it. Returns `None` if the
/// transaction is not recorded, or if [`Standing`] has nothing to add.
pub async fn beside(
    inbound: &impl InboundRecords,
    (provider, transaction_id): (&Provider, &TransactionId),
    sent: (&Content, Option<State>),
) -> Result<Option<Standing>, Unavailable> {
    let history = inbound.transaction(provider, transaction_id).await?;
    Ok(history.and_then(|history| Standing::beside(sent, &history.latest())))
}
