//! The revision of a transaction that stands, beside something else that was sent for it.
//!
//! A conflict says for ever where it differed when it came. An operator decides about it by what stands now.

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

/// The revision that stands, and where something else that was sent differs from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Says which kind of revision stands.
    pub kind: StandingKind,
    /// Counts the transaction's corrections.
    pub correction: u32,
    /// The state that stands, with a partner that agreed on statuses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// The revision's receipt.
    pub receipt_id: ReceiptId,
    /// When it was recorded, or accepted by an operator.
    pub since: Timestamp,
    /// The content that stands.
    pub content: Content,
    /// The parameters in which what was sent differs.
    pub differences: Vec<FromStanding>,
}

/// Tells the revisions that can stand apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StandingKind {
    /// The postback as it first came.
    Original,
    /// A step to a higher state.
    Step,
    /// A conflict that an operator accepted.
    Correction,
}

/// A parameter in which what was sent differs from what stands. An absent value is an empty text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FromStanding {
    /// The parameter.
    pub field: Field,
    /// Its value in what stands.
    pub stands: String,
    /// Its value in what was sent.
    pub sent: String,
}

impl Standing {
    /// Compares what was sent with what stands: the content, and the state where it is known. Returns none where the original
    /// of a partner without agreed statuses stands, because the conflict was compared with it when it came.
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

/// Reads what stands beside something that was sent for a transaction. Returns none where [`Standing`] has nothing to add or
/// the transaction is not recorded.
pub async fn beside(
    inbound: &impl InboundRecords,
    (provider, transaction_id): (&Provider, &TransactionId),
    sent: (&Content, Option<State>),
) -> Result<Option<Standing>, Unavailable> {
    let history = inbound.transaction(provider, transaction_id).await?;
    Ok(history.and_then(|history| Standing::beside(sent, &history.latest())))
}
