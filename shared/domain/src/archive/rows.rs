//! Holds the rows of the archive's tables. Each type names its identity, by which a query takes a row once.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{ArchiveKey, IdHash};
use crate::inbound::click::{Click, ClickOrigin};
use crate::inbound::conversion::Reversed;
use crate::inbound::correction::{Revision, RevisionKind};
use crate::inbound::fault::Fault;
use crate::inbound::status::State;
use crate::outbound::attempt::{Attempt, AttemptOutcome};
use crate::outbound::delivery::{Delivery, Status};
use crate::outbound::participant::{Opening, Participant};
use crate::prelude::*;
use crate::values::ids::{CampaignName, DeliveryId, EventId, LandingName, Provider, UserId};
use crate::values::money::{Amount, Currency};
use crate::values::time::UnixMillis;

/// Holds an instant in UTC to the millisecond, as in `2026-11-23 12:00:00.000`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Instant(String);

impl Instant {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Timestamp> for Instant {
    fn from(at: Timestamp) -> Self {
        Self(at.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string())
    }
}

impl From<UnixMillis> for Instant {
    fn from(at: UnixMillis) -> Self {
        at.timestamp().into()
    }
}

/// Describes a revision of a transaction. Its identity is provider, transaction and revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TransactionRow {
    /// Names the partner.
    pub provider: Provider,
    /// Identifies the transaction.
    pub transaction_hash: IdHash,
    /// Numbers the revisions of the transaction. The original has 0.
    pub revision: u32,
    /// Names the kind of the revision.
    pub kind: RevisionKind,
    /// Counts the corrections up to and including this revision.
    pub correction: u32,
    /// Holds the state.
    pub state: State,
    /// Says when the postback was received. For a correction, says when the conflict was first received.
    pub received_at: Instant,
    /// Says when the revision began to count. For a correction, says when it was accepted.
    pub recorded_at: Instant,
    /// Names the currency of the amount.
    pub currency: Currency,
    /// Holds the exact amount.
    pub amount: Amount,
    /// Identifies the event of a multi-event campaign.
    pub event_id: Option<EventId>,
    /// Says if we made the click id.
    pub click: ClickOrigin,
    /// Identifies the GG3 user.
    pub user_hash: IdHash,
    /// Identifies the click that brought the user.
    pub click_hash: IdHash,
    /// Holds the hash of the transaction that a negative amount reverses, or `unknown`. Null for all other amounts.
    pub reverses: Option<String>,
}

impl TransactionRow {
    /// Makes the row of a revision.
    pub fn of(key: &ArchiveKey, revision: &Revision) -> Self {
        let (postback, content) = (revision.postback(), revision.content());
        let (provider, transaction) = (&postback.provider, &revision.receipt().transaction_id);
        let reverses = revision.reversed().map(|reversed| match reversed {
            Reversed::Unknown => "unknown".to_owned(),
            Reversed::Known { transaction_id, .. } => key.transaction(provider, transaction_id).as_str().to_owned(),
        });
        Self {
            provider: provider.clone(),
            transaction_hash: key.transaction(provider, transaction),
            revision: revision.place(),
            kind: revision.kind(),
            correction: revision.correction(),
            state: postback.state(),
            received_at: revision.receipt().received_at.into(),
            recorded_at: revision.recorded_at().into(),
            currency: content.currency.clone(),
            amount: content.amount_decimal,
            event_id: content.event_id.clone(),
            click: postback.click,
            user_hash: key.user(&content.user_id),
            click_hash: key.click(&content.click_id),
            reverses,
        }
    }
}

/// Tells refusals from conflicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// The call was refused with its faults.
    Refusal,
    /// The transaction is recorded with different content.
    Conflict,
}

/// Says how a conflict or a refusal was resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// An operator accepted the conflict as a correction.
    Accepted,
    /// An operator kept the original.
    OriginalKept,
    /// An operator sent the refused call again, and it was recorded.
    Resubmitted,
}

/// Describes a sighting of a refusal or a conflict, or its resolution. Its identity is provider, content,
/// `first_received_at`, `times` and `resolution`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusalRow {
    /// Names the partner.
    pub provider: Provider,
    /// Identifies the content of the call.
    pub content_hash: IdHash,
    /// Tells refusals from conflicts.
    pub kind: RefusalKind,
    /// Holds the codes of the faults, joined by commas, or `conflict`.
    pub codes: String,
    /// Says when the content was first seen.
    pub first_received_at: Instant,
    /// Says when the content was last seen.
    pub seen_at: Instant,
    /// Counts the calls with this content.
    pub times: u64,
    /// Says how it was resolved.
    pub resolution: Option<Resolution>,
    /// Says when it was resolved.
    pub resolved_at: Option<Instant>,
    /// Identifies the transaction of a conflict.
    pub transaction_hash: Option<IdHash>,
    /// Identifies the GG3 user, if the parameter could be read.
    pub user_hash: Option<IdHash>,
    /// Identifies the click, if the parameter could be read.
    pub click_hash: Option<IdHash>,
}

impl RefusalRow {
    /// Returns the codes of faults, joined by commas.
    pub fn codes_of(faults: &[Fault]) -> String {
        faults.iter().map(|fault| name(&fault.code)).collect::<Vec<_>>().join(",")
    }
}

/// Describes a use of a tracking link. Its identity is `click_hash`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClickRow {
    /// Names the partner.
    pub provider: Provider,
    /// Names the landing page.
    pub landing: LandingName,
    /// Identifies the click.
    pub click_hash: IdHash,
    /// Identifies the GG3 user.
    pub user_hash: IdHash,
    /// Says when the link was used.
    pub clicked_at: Instant,
}

impl ClickRow {
    /// Makes the row of a click.
    pub fn of(key: &ArchiveKey, click: &Click) -> Self {
        Self {
            provider: click.provider.clone(),
            landing: click.landing.clone(),
            click_hash: key.click(&click.click_id),
            user_hash: key.user(&click.user_id),
            clicked_at: click.clicked_at.into(),
        }
    }
}

/// Describes an opening of a partner's link at GG3. Its identity is provider, user, `opened_at` and opening.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpeningRow {
    /// Names the partner.
    pub provider: Provider,
    /// Identifies the event that reported the opening.
    pub opening_hash: IdHash,
    /// Identifies the GG3 user.
    pub user_hash: IdHash,
    /// Says when the link was opened.
    pub opened_at: Instant,
    /// Identifies the partner's click, if the partner sent one.
    pub click_hash: Option<IdHash>,
    /// Holds the hash of the partner's own id of the user, if the partner sent one.
    pub partner_user_hash: Option<IdHash>,
}

impl OpeningRow {
    /// Makes the rows of a participant's openings that are new since `before`.
    pub fn of(key: &ArchiveKey, user: &UserId, before: Option<&Participant>, now: &Participant) -> Vec<Self> {
        let rows = now.openings_since(before).map(|(provider, Opening { at, event, ids })| Self {
            provider: provider.clone(),
            opening_hash: key.opening(event),
            user_hash: key.user(user),
            opened_at: (*at).into(),
            click_hash: ids.click_id.as_ref().map(|id| key.click(id)),
            partner_user_hash: ids.user_id.as_ref().map(|id| key.partner_user(provider, id)),
        });
        rows.collect()
    }
}

/// Describes a delivery after a change. Its identity is delivery and revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryRow {
    /// Names the partner.
    pub provider: Provider,
    /// Names the campaign.
    pub campaign: CampaignName,
    /// Identifies the delivery.
    pub delivery_hash: IdHash,
    /// Identifies the GG3 user who reached the goal.
    pub user_hash: IdHash,
    /// Identifies the partner's click, if the partner sent one.
    pub click_hash: Option<IdHash>,
    /// Grows with each change of the delivery. Claims take revisions too, so there are gaps.
    pub revision: u32,
    /// Says how far the delivery is.
    pub status: Status,
    /// Numbers the current round.
    pub round: u32,
    /// Counts the recorded attempts of the current round.
    pub attempts: usize,
    /// Says when the goal was reached.
    pub occurred_at: Instant,
    /// Says when the delivery was first put.
    pub created_at: Instant,
    /// Says when the delivery ended. Null while it is under way.
    pub ended_at: Option<Instant>,
}

impl DeliveryRow {
    /// Makes the row of a delivery.
    pub fn of(key: &ArchiveKey, delivery: &Delivery) -> Self {
        Self {
            provider: delivery.provider().clone(),
            campaign: delivery.campaign().clone(),
            delivery_hash: key.delivery(delivery.id()),
            user_hash: key.user(delivery.participant()),
            click_hash: delivery.ids().click_id.as_ref().map(|id| key.click(id)),
            revision: delivery.revision(),
            status: delivery.status(),
            round: delivery.round(),
            attempts: delivery.attempts().len(),
            occurred_at: delivery.occurred_at().into(),
            created_at: delivery.created_at().into(),
            ended_at: delivery.ended_at().map(Into::into),
        }
    }
}

/// Describes a recorded attempt. Its identity is delivery, round, `n` and `late`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttemptRow {
    /// Names the partner.
    pub provider: Provider,
    /// Names the campaign.
    pub campaign: CampaignName,
    /// Identifies the delivery.
    pub delivery_hash: IdHash,
    /// Numbers the round.
    pub round: u32,
    /// Numbers the attempt within its round, from 1.
    pub n: u8,
    /// Is true if the worker lost the claim before it could record the attempt.
    pub late: bool,
    /// Says when the attempt was due.
    pub due_at: Instant,
    /// Says when the attempt began.
    pub sent_at: Instant,
    /// Says how long the attempt took, in milliseconds.
    pub took_ms: u32,
    /// Holds the status code of the answer, or the name of the fault.
    pub outcome: String,
    /// Names the consequence: `delivered`, `gone`, `failed` or `unsendable`.
    pub verdict: &'static str,
}

impl AttemptRow {
    /// Makes the row of an attempt of the campaign's delivery.
    pub fn of(
        key: &ArchiveKey,
        (provider, campaign, delivery): (&Provider, &CampaignName, &DeliveryId),
        (round, late): (u32, bool),
        attempt: &Attempt,
    ) -> Self {
        let outcome = match &attempt.outcome {
            AttemptOutcome::Status(code) => code.to_string(),
            AttemptOutcome::Fault(fault) => name(fault),
        };
        Self {
            provider: provider.clone(),
            campaign: campaign.clone(),
            delivery_hash: key.delivery(delivery),
            round,
            n: attempt.n,
            late,
            due_at: attempt.due_at.into(),
            sent_at: attempt.sent_at.into(),
            took_ms: attempt.duration_ms,
            outcome,
            verdict: attempt.outcome.verdict().as_str(),
        }
    }
}

/// Returns the name under which a variant is stored, without the values that it holds.
fn name(variant: &impl Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(Value::String(name)) => name,
        Ok(Value::Object(one)) => one.into_iter().next().map(|(name, _)| name).unwrap_or_default(),
        _ => String::new(),
    }
}
